"""Jinja test of the baseline role: whether an address lies in one of several networks."""

from collections.abc import Callable
from ipaddress import ip_address, ip_network


class TestModule:
    """What Ansible looks for in a test plugin."""

    def tests(self) -> dict[str, Callable[[str, list[str]], bool]]:
        """The tests by name."""
        return {"kasumi_within": _is_within}


def _is_within(address: str, networks: list[str]) -> bool:
    return any(ip_address(address) in ip_network(network, strict=False) for network in networks)
