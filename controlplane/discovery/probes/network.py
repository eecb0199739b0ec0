"""Where it stands in the network: addresses, routes, multicast groups, name servers, time servers."""

import re
import socket
import struct
from ipaddress import IPv4Address, ip_address, ip_interface

from controlplane.discovery.probe import BSD, EVERYWHERE, Probe, Reading
from controlplane.discovery.reading import columns, parts, text, whole
from controlplane.model.facts import Value

_MAC = re.compile(r"(?:link/ether|ether|HWaddr|lladdr) ((?:[0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2})")
_IP_LINK = re.compile(r"[0-9]+: ([^:@\s]+)(?:@[^:\s]+)?: ?")
_IP_ADDRESS = re.compile(r"[0-9]+: +(\S+) +inet6? ([0-9a-fA-F.:]+)(?: peer [0-9a-fA-F.:]+)?/([0-9]{1,3})")
_IP_PEERLESS = re.compile(r"[0-9]+: +(\S+) +inet6? ([0-9a-fA-F.:]+)(?: |$)")
_IF_NAME = re.compile(r"(\S+?):? +(?:Link encap|flags=)|(\S+): flags=")
_IF_INET = re.compile(r"inet (?:addr:)?([0-9.]+)")
_IF_MASK = re.compile(r"(?:Mask:|netmask )(0x[0-9a-f]{8}|[0-9.]+)")
_IF_INET6 = re.compile(r"inet6 (?:addr: ?)?([0-9a-fA-F:]+)(?:%\S+?)?(?:/([0-9]{1,3})| +prefixlen ([0-9]{1,3}))")
_EVERY_MACHINES_GROUP = "224.0.0.1"
_NOT_ASKED = {"127.127.1.0", "127.127.1.1"}
"""The local clock of ntpd: no server."""


def _prefix(mask: str) -> int | None:
    try:
        value = int(mask, 16) if mask.startswith("0x") else int(IPv4Address(mask))
    except ValueError:
        return None
    ones = bin(value).count("1")
    return ones if value == (0xFFFFFFFF << (32 - ones)) & 0xFFFFFFFF else None


def _address(interface: str, address: str, prefix: int | None, macs: dict[str, str]) -> dict[str, Value] | None:
    try:
        found = ip_interface(f"{address}/{prefix}" if prefix is not None else address)
    except ValueError:
        return None
    if found.is_loopback:
        return None
    row: dict[str, Value] = {
        "interface": text(interface), "address": str(found.ip), "prefix_length": found.network.prefixlen
    }  # fmt: skip
    if interface in macs:
        row["mac"] = macs[interface]
    return row


def _addresses(output: str) -> Reading:
    found = parts(output)
    rows: list[Value] = []
    if "ip_addr" in found:
        macs = {
            name[1]: mac[1].lower()
            for line in found.get("ip_link", [])
            if (name := _IP_LINK.match(line)) and (mac := _MAC.search(line))
        }
        for line in found["ip_addr"]:
            hit = _IP_ADDRESS.match(line) or _IP_PEERLESS.match(line)
            row = _address(hit[1].split("@")[0], hit[2], whole(hit[3]) if hit.re is _IP_ADDRESS else None, macs) if hit else None
            if row:
                rows.append(row)
        return {"addresses": rows} if any(line.strip() for line in found["ip_addr"]) and (rows or _only_loopback(found)) else {}
    if "ifconfig" in found:
        rows.extend(_ifconfig(found["ifconfig"]))
        return {"addresses": rows} if rows else {}
    return {}


def _only_loopback(found: dict[str, list[str]]) -> bool:
    return any(re.match(r"[0-9]+: +lo", line) for line in found["ip_addr"])


def _ifconfig(lines: list[str]) -> list[dict[str, Value]]:
    """Both writings of net-tools, BusyBox and FreeBSD."""
    rows: list[dict[str, Value]] = []
    macs, current = dict[str, str](), ""
    for line in lines:
        if line and not line[0].isspace():
            name = _IF_NAME.match(line)
            current = (name[1] or name[2]).rstrip(":") if name else ""
        mac = _MAC.search(line)
        if mac and current:
            macs[current] = mac[1].lower()
            for row in rows:
                if row["interface"] == current:
                    row["mac"] = macs[current]
        inet, inet6 = _IF_INET.search(line), _IF_INET6.search(line)
        made = None
        if inet and current:
            mask = _IF_MASK.search(line)
            made = _address(current, inet[1], _prefix(mask[1]) if mask else None, macs)
        elif inet6 and current:
            made = _address(current, inet6[1], whole(inet6[2] or inet6[3]), macs)
        if made:
            rows.append(made)
    return rows


def _hexadecimal(word: str) -> str | None:
    """An IPv4 address as /proc/net writes it: the bytes of the machine's own order."""
    try:
        return socket.inet_ntoa(struct.pack("<I", int(word, 16))) if len(word) == 8 else None
    except ValueError:
        return None


def _routes(output: str) -> Reading:
    found = parts(output)
    rows: list[Value] = []
    understood = False
    for words in columns(found.get("proc", []), 8):
        understood |= words[0] == "Iface"
        target, gateway, mask = (_hexadecimal(words[at]) for at in (1, 2, 7))
        if target is None or gateway is None or mask is None or (ones := _prefix(mask)) is None:
            continue
        rows.append(_route(target, ones, gateway, words[0]))
    for words in columns(found.get("netstat", []), 4):
        understood |= words[0] == "Destination"
        target, gateway, interface = words[0], words[1], words[3]
        if target == "default" and _is_address(gateway):
            rows.append(_route("0.0.0.0", 0, gateway, interface))  # noqa: S104 (a route, not a listener)
        elif "/" in target and _is_address(target.split("/")[0]) and (ones := whole(target.split("/")[1], most=32)) is not None:
            rows.append(_route(target.split("/")[0], ones, gateway if _is_address(gateway) else "", interface))
    return {"routes": rows} if understood else {}


def _route(target: str, ones: int, gateway: str, interface: str) -> dict[str, Value]:
    row: dict[str, Value] = {"destination": f"{target}/{ones}", "interface": interface}
    return row | {"gateway": gateway} if gateway not in {"", "0.0.0.0"} else row  # noqa: S104 (no gateway)


def _is_address(word: str) -> bool:
    try:
        ip_address(word)
    except ValueError:
        return False
    return True


def _multicast(output: str) -> Reading:
    lines = parts(output).get("igmp", [])
    if not lines or not lines[0].startswith("Idx"):
        return {}
    groups = {found for words in columns(lines, 2) if (found := _hexadecimal(words[0])) and IPv4Address(found).is_multicast}
    return {"multicast": list[Value](sorted(groups - {_EVERY_MACHINES_GROUP}))}


def _names(output: str) -> Reading:
    found = parts(output)
    if "resolv" not in found:
        return {}
    behind = _nameservers(found.get("resolved", []))
    stated = [word for word in _nameservers(found["resolv"]) if word != "127.0.0.53" or not behind]
    return {"dns.servers": list[Value](dict.fromkeys([*stated, *behind]))}


def _nameservers(lines: list[str]) -> list[str]:
    return [words[1] for words in columns(lines, 2) if words[0] == "nameserver" and _is_address(words[1].split("%")[0])]


def _time_servers(output: str) -> Reading:
    found = parts(output)
    if "ntp" not in found:
        return {}
    servers: list[Value] = []
    for line in found["ntp"]:
        words = line.replace("=", " ").split()
        if len(words) < 2:
            continue
        names = (
            words[1:2] if words[0] in {"server", "pool", "peer", "servers"} else words[1:] if words[0] in {"NTP", "-p"} else []
        )
        servers += [text(name) for name in names if name not in _NOT_ASKED and not name.startswith("-")]
    return {"ntp.servers": list[Value](dict.fromkeys(str(name) for name in servers))}


ADDRESSES = Probe(
    name="addresses",
    command="""
if has ip && a=$(ip -o addr show 2>/dev/null); then say ip_link; ip -o link show; say ip_addr; printf '%s\\n' "$a"
else has ifconfig || exit 127; say ifconfig; ifconfig -a; fi""",
    parse=_addresses,
    confidence=0.99,
)

ADDRESSES_BSD = Probe(name="addresses", command="say ifconfig; ifconfig -a", parse=_addresses, families=BSD, confidence=0.99)

ROUTES = Probe(name="routes", command="say proc; cat /proc/net/route", parse=_routes, confidence=0.99)

ROUTES_BSD = Probe(name="routes", command="say netstat; netstat -rnf inet", parse=_routes, families=BSD, seconds=5)

MULTICAST = Probe(name="multicast", command="say igmp; cat /proc/net/igmp", parse=_multicast)

DNS = Probe(
    name="dns",
    command="""
[ -r /etc/resolv.conf ] || exit 127
say resolv; cat /etc/resolv.conf
if [ -r /run/systemd/resolve/resolv.conf ]; then say resolved; cat /run/systemd/resolve/resolv.conf; fi
true""",
    parse=_names,
    families=EVERYWHERE,
)

NTP = Probe(
    name="ntp",
    command="""
say ntp
grep -hE '^[[:space:]]*(server|servers|pool|peer|NTP)[[:space:]=]' /etc/ntp.conf /etc/ntp/ntp.conf /etc/ntpsec/ntp.conf \
  /etc/chrony.conf /etc/chrony/chrony.conf /etc/chrony/sources.d/*.sources /etc/systemd/timesyncd.conf \
  /etc/systemd/timesyncd.conf.d/*.conf /etc/openntpd/ntpd.conf /usr/local/etc/ntpd.conf 2>/dev/null
true""",
    parse=_time_servers,
    families=EVERYWHERE,
)
