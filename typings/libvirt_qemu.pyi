"""The part of libvirt-python's QEMU bindings that this project calls."""

from libvirt import virDomain

def qemuAgentCommand(domain: virDomain, cmd: str, timeout: int, flags: int) -> str: ...
