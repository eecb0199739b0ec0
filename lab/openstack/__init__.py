"""A real OpenStack on this machine, to try the product on and to test it: Keystone, Placement, Glance, Neutron, Cinder
and Nova.

The services are the released ones, as plain processes in one network namespace. Only two things are not what a data centre
has: most computes run Nova's fake driver, so that servers cost nothing, and no network agent carries their traffic.
"""
