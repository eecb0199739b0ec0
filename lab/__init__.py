"""A small government on one machine, to try the product on and to test it: real libvirt hosts, real legacy servers.

Every hypervisor is a real libvirtd with its QEMUs and its sshd in namespaces of its own; the legacy servers run real
services. Stands beside the control plane, which knows nothing of it: it sees hosts and servers by their addresses.
"""
