"""What cloud-init wrote to a server's console: the public ssh host keys, between two lines of its own."""

import re

_BLOCK = re.compile(r"-----BEGIN SSH HOST KEY KEYS-----(.*?)-----END SSH HOST KEY KEYS-----", re.DOTALL)
_KEY = re.compile(r"\b((?:ssh|ecdsa|sk)-[a-z0-9@.-]+) ([A-Za-z0-9+/]{40,}={0,2})(?=\s|$)")


def ssh_host_keys(console: str) -> tuple[str, ...]:
    """The keys of the last block on the console: an earlier one is of an earlier first boot."""
    blocks = _BLOCK.findall(console)
    return tuple(f"{kind} {key}" for kind, key in _KEY.findall(blocks[-1])) if blocks else ()
