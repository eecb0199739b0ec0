"""Which libvirt URIs are allowed: those of QEMU hosts over a protected transport that never trusts anybody.

Read by `inventory` (is it written well?) and by `providers` (open it).
"""

from urllib.parse import parse_qsl, urlsplit

_UNSAFE = {"no_verify": "1", "known_hosts_verify": "ignore"}


class LibvirtUriError(ValueError):
    """A URI that is no QEMU host's, or is `unsafe`: it talks in clear or to anybody. `remedy` says what to write."""

    def __init__(self, what: str, remedy: str, *, unsafe: bool = True) -> None:
        super().__init__(what)
        self.remedy = remedy
        self.unsafe = unsafe


def check_libvirt_uri(uri: str) -> None:
    """Raises LibvirtUriError for a URI that is no libvirt hypervisor's, or that would talk unprotected or to anybody."""
    try:
        parts = urlsplit(uri)
        host = parts.hostname
    except ValueError:  # a bracket that is never closed
        raise _no_uri() from None
    driver, _, transport = parts.scheme.partition("+")
    if driver not in {"qemu", "test"} or any(letter.isspace() for letter in uri):
        raise _no_uri()
    if transport in {"tcp", "ext", "libssh", "libssh2"} or (not transport and host):
        raise LibvirtUriError(f"transport {transport or 'tls by default'} is not used", "wanted qemu+ssh:// or qemu+tls://")
    for key, value in parse_qsl(parts.query):
        if _UNSAFE.get(key) == value:
            raise LibvirtUriError(f"{key}={value} would trust any host", "remove it and record the host's key")
        if key in {"command", "no_tty"}:
            raise LibvirtUriError(f"{key} is set by kasumi, so that ssh never asks", "remove it and use access.ssh_config")


def _no_uri() -> LibvirtUriError:
    return LibvirtUriError("not a libvirt URI of a QEMU host", "wanted qemu+ssh://USER@HOST/system", unsafe=False)
