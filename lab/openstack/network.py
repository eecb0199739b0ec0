"""The cloud's network namespace and its one wire to the root namespace, by which clients reach the APIs."""

import json
import os

from lab import namespaces
from lab.command import run
from lab.namespaces import NAMED
from lab.openstack import layout
from lab.processes import namespace_id


def ensure() -> bool:
    """The namespace and the wire; says whether anything was made. May be repeated.

    Raises RefusedError when something foreign has one of our names.
    """
    refuse_foreign()
    made = namespaces.ensure(layout.NAMESPACE, home=layout.home())
    return _ensure_uplink() or made


def refuse_foreign() -> None:
    """Raise RefusedError when a namespace or the wire is there and not ours."""
    home = layout.home()
    for name in (layout.NAMESPACE, *(host.namespace for host in layout.GUEST_HOSTS)):
        namespaces.refuse_foreign(f"network namespace {name}", namespaces.whose(name), home=home)
    namespaces.refuse_foreign(f"interface {layout.UPLINK}", namespaces.alias(layout.UPLINK), home=home)


def inhabited() -> set[int]:
    """Inode numbers of the cloud's network namespaces, those that lost their name included."""
    home = layout.home()
    return set(namespaces.ours(home).values()) | namespaces.nameless(home)


def namespace() -> int | None:
    """Inode number of the cloud's network namespace, None when it is not there or not ours."""
    if namespaces.whose(layout.NAMESPACE) != namespaces.mark(layout.home()):
        return None
    return namespace_id(NAMED / layout.NAMESPACE)


def served() -> set[int]:
    """Inode numbers of the network namespaces in which services run: the cloud's own, and those of hosts of guests."""
    names = {layout.NAMESPACE, *(host.namespace for host in layout.GUEST_HOSTS)}
    return {namespace_id(NAMED / name) for name in names if namespaces.whose(name) == namespaces.mark(layout.home())}


def ensure_guests() -> bool:
    """Namespaces and wires of the hosts of guests that have their own; says whether anything was made. May be repeated.

    Raises RefusedError when something foreign has one of our names.
    """
    first, *others = layout.GUEST_HOSTS
    made = False
    for host in others:
        made = namespaces.ensure(host.namespace, home=layout.home()) or made
        if namespaces.alias("wire", namespace=host.namespace) is None:
            _batch(host.namespace, [f"link add wire type veth peer name {host.name} netns {layout.NAMESPACE}"])
            made = True
        _batch(
            layout.NAMESPACE, [f"address replace {first.address} peer {host.address} dev {host.name}", f"link set {host.name} up"]
        )
        _batch(
            host.namespace,
            [
                f"address replace {host.address} peer {first.address} dev wire",
                "link set wire up",
                f"route replace default via {first.address} dev wire",
            ],
        )
    return made


def remove_guests() -> None:
    """What there is for hosts of guests, the bridges of their networks too; nothing may live in it. May be repeated."""
    for host in layout.GUEST_HOSTS:
        if host.namespace != layout.NAMESPACE and namespaces.whose(host.namespace) is not None:
            namespaces.remove(host.namespace, home=layout.home())
    if namespace() is not None:
        links = json.loads(run(["ip", "-netns", layout.NAMESPACE, "-json", "link", "show", "type", "bridge"]) or "[]")
        _batch(layout.NAMESPACE, [f"link delete {link['ifname']}" for link in links])


def remove() -> bool:
    """Take wire and namespace away; says whether there was anything. Raises RefusedError when they are not ours."""
    refuse_foreign()
    found = namespaces.alias(layout.UPLINK) is not None
    if found:
        run(["ip", "link", "delete", layout.UPLINK])
    for name in namespaces.ours(layout.home()):
        namespaces.remove(name, home=layout.home())
        found = True
    return found


def _batch(namespace: str, commands: list[str]) -> None:
    run(["ip", "-netns", namespace, "-batch", "-"], feed="\n".join(commands))


def _ensure_uplink() -> bool:
    made = namespaces.alias(layout.UPLINK) is None
    if made:
        # Marked while still in the namespace, so that it never stands unmarked in the root namespace.
        run(
            ["ip", "-netns", layout.NAMESPACE, "-batch", "-"],
            feed="\n".join(
                [
                    f"link add {layout.UPLINK} type veth peer name uplink",
                    f'link set {layout.UPLINK} alias "{namespaces.mark(layout.home())}"',
                    f"address replace {layout.ADDRESS}/30 dev uplink",
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
                f"route replace {layout.ALL_NETWORKS} via {layout.ADDRESS} dev {layout.UPLINK}",
            ]
        ),
    )
    run(["ip", "netns", "exec", layout.NAMESPACE, "sysctl", "-qw", "net.ipv4.ip_forward=1"])
    return made
