"""The edge to servers and tools: ssh, Ansible, disks. Each behind a small function or protocol."""
