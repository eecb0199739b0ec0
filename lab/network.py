"""The wires: a fabric that routes between the lab's networks, a bridge for each network on each host, and one uplink by
which the controller in the root namespace reaches them all. No VLANs: each network has its own wire to each host.
"""

import json
import os

from lab import layout, namespaces
from lab.command import run
from lab.layout import LEGACY_NETWORKS, NETWORKS, Host, Network, Server


def ensure_fabric() -> bool:
    """The fabric's namespace with its bridges, and the uplink to the root namespace; says whether anything was made.

    May be repeated. Raises RefusedError when a foreign namespace or interface has one of our names.
    """
    made = namespaces.ensure(layout.FABRIC)
    wires = _interfaces(layout.FABRIC)
    commands = []
    for network in (*NETWORKS, *LEGACY_NETWORKS):
        if network.bridge not in wires:
            made = True
            commands.append(f"link add {network.bridge} type bridge forward_delay 0")
        commands += [f"address replace {network.gateway}/24 dev {network.bridge}", f"link set {network.bridge} up"]
    _batch(layout.FABRIC, commands)
    run(["ip", "netns", "exec", layout.FABRIC, "sysctl", "-qw", "net.ipv4.ip_forward=1"])
    return _ensure_uplink() or made


def refuse_foreign_uplink() -> None:
    """Raise RefusedError when the root namespace has an interface of the uplink's name that is not ours."""
    namespaces.refuse_foreign(f"interface {layout.UPLINK}", namespaces.alias(layout.UPLINK))


def _ensure_uplink() -> bool:
    refuse_foreign_uplink()
    made = namespaces.alias(layout.UPLINK) is None
    if made:
        # Marked while still in the fabric, so that it never stands unmarked in the root namespace.
        run(
            ["ip", "-netns", layout.FABRIC, "-batch", "-"],
            feed="\n".join(
                [
                    f"link add {layout.UPLINK} type veth peer name uplink",
                    f'link set {layout.UPLINK} alias "{namespaces.mark()}"',
                    f"address replace {layout.UPLINK_GATEWAY}/30 dev uplink",
                    "link set uplink up",
                    f"link set {layout.UPLINK} netns {os.getpid()}",
                ]
            ),
        )
    run(
        ["ip", "-batch", "-"],
        feed="\n".join(
            [
                f"address replace {layout.UPLINK_ADDRESS} dev {layout.UPLINK}",
                f"link set {layout.UPLINK} up",
                f"route replace {layout.ALL_NETWORKS} via {layout.UPLINK_GATEWAY} dev {layout.UPLINK}",
            ]
        ),
    )
    return made


def ensure_host(host: Host) -> bool:
    """The host's namespace with one bridge for each network, wired to the fabric; says whether anything was made."""
    made = namespaces.ensure(host.namespace)
    wires = _interfaces(host.namespace)
    commands = []
    for network in NETWORKS:
        port = f"up-{network.name}"
        if network.bridge not in wires:
            made = True
            commands.append(f"link add {network.bridge} type bridge forward_delay 0")
        if port not in wires:
            made = True
            _wire(host.name, network, inner=port, namespace=host.namespace)
        commands += [f"link set {port} master {network.bridge} up", f"link set {network.bridge} up"]
    commands += [
        f"address replace {host.address}/24 dev {layout.MANAGEMENT.bridge}",
        f"route replace default via {layout.MANAGEMENT.gateway}",
    ]
    _batch(host.namespace, commands)
    return made


def ensure_server(server: Server, namespace: str) -> bool:
    """The namespace of a server without a hypervisor: one interface on its network; says whether anything was made."""
    made = namespaces.ensure(namespace)
    if "eth0" not in _interfaces(namespace):
        made = True
        _wire(server.name, server.network, inner="eth0", namespace=namespace)
    _batch(
        namespace,
        [
            f"address replace {server.address}/24 dev eth0",
            "link set eth0 up",
            f"route replace default via {server.network.gateway}",
        ],
    )
    return made


def ensure_behind(server: Server, namespace: str, gate: str) -> bool:
    """A server with one wire, to the namespace of another that routes nothing: only by logging in there is it reached."""
    made = namespaces.ensure(namespace)
    if "eth0" not in _interfaces(namespace):
        made = True
        old = ["link delete eth1"] if "eth1" in _interfaces(gate) else []
        _batch(gate, [*old, f"link add eth1 type veth peer name eth0 netns {namespace}"])
    _batch(gate, [f"address replace {server.network.gateway}/24 dev eth1", "link set eth1 up"])
    _batch(namespace, [f"address replace {server.address}/24 dev eth0", "link set eth0 up"])
    return made


def remove_uplink() -> bool:
    """Take the uplink out of the root namespace; says whether it was there. Raises RefusedError when it is not ours."""
    refuse_foreign_uplink()
    if namespaces.alias(layout.UPLINK) is None:
        return False
    run(["ip", "link", "delete", layout.UPLINK])
    return True


def _wire(owner: str, network: Network, *, inner: str, namespace: str) -> None:
    outer = f"{owner}.{network.tag}"
    commands = [f"link delete {outer}"] if outer in _interfaces(layout.FABRIC) else []
    commands += [
        f"link add {outer} type veth peer name {inner} netns {namespace}",
        f"link set {outer} master {network.bridge} up",
    ]
    _batch(layout.FABRIC, commands)


def _interfaces(namespace: str) -> set[str]:
    return {str(link["ifname"]) for link in json.loads(run(["ip", "-netns", namespace, "-json", "link", "show"]))}


def _batch(namespace: str, commands: list[str]) -> None:
    run(["ip", "-netns", namespace, "-batch", "-"], feed="\n".join(commands) + "\n")
