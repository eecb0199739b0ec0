"""What listens, and what talks to whom at this moment: the ground of the dependency picture."""

import re
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address

from controlplane.discovery.probe import BSD, Probe, Reading
from controlplane.discovery.reading import MOST_ROWS, parts, text, whole
from controlplane.model.facts import Value

_SS_PROCESS = re.compile(r'users:\(\("([^"]{1,64})"')
_SS_OLD_PROCESS = re.compile(r'users:\(\("?([^",()]{1,64})')
_LISTEN, _ESTABLISHED = "LISTEN", "ESTABLISHED"
_STATES = {
    "LISTEN": _LISTEN,
    "ESTAB": _ESTABLISHED,
    "ESTABLISHED": _ESTABLISHED,
    "UNCONN": _LISTEN,
    "0A": _LISTEN,
    "01": _ESTABLISHED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Socket:
    """One socket as any tool shows it; `state` is LISTEN or ESTABLISHED."""

    protocol: str
    state: str
    local: tuple[str, int]
    remote: tuple[str, int]
    process: str


def _place(word: str, separator: str = ":") -> tuple[str, int] | None:
    """Address and port of `10.0.0.1:22`, `[::1]:22`, `*:22`, `:::22`, `*.22`; a port of 0 stands for any."""
    address, mark, port = word.rpartition(separator)
    number = 0 if port == "*" else whole(port, most=65535)
    if not mark or number is None:
        return None
    address = address.strip("[]").partition("%")[0]
    if address in {"*", "", "::", "0.0.0.0"}:  # noqa: S104 (what the server says of itself)
        return "*", number
    try:
        found = ip_address(address)
    except ValueError:
        return None
    mapped = getattr(found, "ipv4_mapped", None)
    return str(mapped or found), number


def _ss(lines: list[str]) -> Iterator[_Socket]:
    for line in lines[:MOST_ROWS]:
        words = line.split()
        if len(words) < 6 or words[0] not in {"tcp", "udp"} or words[1] not in _STATES:
            continue
        local, remote = _place(words[4]), _place(words[5])
        if local and remote:
            process = _SS_PROCESS.search(line) or _SS_OLD_PROCESS.search(line)
            yield _Socket(
                protocol=words[0],
                state=_STATES[words[1]],
                local=local,
                remote=remote,
                process=text(process[1]) if process else "",
            )


def _netstat(lines: list[str]) -> Iterator[_Socket]:
    for line in lines[:MOST_ROWS]:
        words = line.split()
        if len(words) < 5 or words[0] not in {"tcp", "tcp6", "udp", "udp6"}:
            continue
        protocol = words[0][:3]
        local, remote = _place(words[3]), _place(words[4])
        stated = words[5] if len(words) > 5 else ""
        state = _STATES.get(stated, _LISTEN if protocol == "udp" and remote and remote[1] == 0 else "")
        if not local or not remote or not state:
            continue
        owner = next((word for word in words[5:] if re.match(r"[0-9]+/.", word)), "")
        yield _Socket(
            protocol=protocol, state=state, local=local, remote=remote, process=text(owner.partition("/")[2].rstrip(":"))
        )


def _kernel(lines: list[str], protocol: str, owners: dict[str, str]) -> Iterator[_Socket]:
    """/proc/net/tcp and its kin: hexadecimal, in the machine's own byte order."""
    for line in lines[:MOST_ROWS]:
        words = line.split()
        if len(words) < 10 or ":" not in words[1] or ":" not in words[2]:
            continue
        state = {"07": _LISTEN} | _STATES if protocol == "udp" else _STATES
        local, remote = _hexadecimal(words[1]), _hexadecimal(words[2])
        if local and remote and words[3] in state:
            yield _Socket(protocol=protocol, state=state[words[3]], local=local, remote=remote, process=owners.get(words[9], ""))


def _hexadecimal(word: str) -> tuple[str, int] | None:
    address, _, port = word.partition(":")
    try:
        raw = b"".join(struct.pack("<I", int(address[at : at + 8], 16)) for at in range(0, len(address), 8))
        family = {4: socket.AF_INET, 16: socket.AF_INET6}[len(raw)]
        return _place(f"[{socket.inet_ntop(family, raw)}]:{int(port, 16)}")
    except (ValueError, KeyError, struct.error):
        return None


def _sockstat(lines: list[str]) -> Iterator[_Socket]:
    for line in lines[:MOST_ROWS]:
        words = line.split()
        if len(words) < 7 or not words[4].startswith(("tcp", "udp")):
            continue
        local, remote = _place(words[5]), _place(words[6])
        if local and remote:
            state = _LISTEN if remote[1] == 0 else _ESTABLISHED
            yield _Socket(protocol=words[4][:3], state=state, local=local, remote=remote, process=text(words[1]))


def _sockets(output: str) -> Reading:
    found = parts(output)
    owners = _owners(found.get("owners", []))
    everything = [*_ss(found.get("ss", [])), *_netstat(found.get("netstat", [])), *_sockstat(found.get("sockstat", []))]
    for name in ("tcp", "tcp6", "udp", "udp6"):
        everything += _kernel(found.get(name, []), name[:3], owners)
    headings = ("Netid", "Active Internet", "USER", "sl", "State")
    if not everything and not any(line.strip().startswith(headings) for lines in found.values() for line in lines):
        return {}
    return {"listeners": _listeners(everything), "connections": _connections(everything)}


def _owners(lines: list[str]) -> dict[str, str]:
    """Process name by inode of its socket."""
    found: dict[str, str] = {}
    name = ""
    for line in lines[: 10 * MOST_ROWS]:
        if line.startswith("process "):
            name = text(line.removeprefix("process "))
        elif name and (inode := re.search(r"socket:\[([0-9]{1,12})\]", line)):
            found.setdefault(inode[1], name)
    return found


def _listeners(sockets: list[_Socket]) -> list[Value]:
    rows: dict[tuple[str, str, int], str] = {}
    for one in sockets:
        if one.state == _LISTEN and one.local[1]:
            key = (one.protocol, *one.local)
            rows[key] = rows.get(key) or one.process
    listed: list[Value] = []
    for (protocol, address, port), process in sorted(rows.items()):
        row: dict[str, Value] = {"protocol": protocol, "address": address, "port": port}
        listed.append(row | {"process": process} if process else row)
    return listed


def _connections(sockets: list[_Socket]) -> list[Value]:
    """A connection to a port that this server listens on came in; any other went out."""
    open_ports = {(one.protocol, one.local[1]) for one in sockets if one.state == _LISTEN}
    rows: list[dict[str, Value]] = []
    for one in sockets:
        if one.state != _ESTABLISHED or "*" in {one.local[0], one.remote[0]} or one.local[0].startswith(("127.", "::1")):
            continue
        row: dict[str, Value] = {
            "protocol": one.protocol, "local_address": one.local[0], "local_port": one.local[1],
            "remote_address": one.remote[0], "remote_port": one.remote[1],
            "direction": "in" if (one.protocol, one.local[1]) in open_ports else "out",
        }  # fmt: skip
        rows.append(row | {"process": one.process} if one.process else row)
    return [*sorted(rows, key=lambda row: [str(value) for value in row.values()])]


SOCKETS = Probe(
    name="sockets",
    command="""
if has ss; then say ss; root ss -antup || ss -antup
elif has netstat; then say netstat; root netstat -antup || netstat -antu
else
  for f in tcp tcp6 udp udp6; do say $f; cat /proc/net/$f; done 2>/dev/null
  say owners; for p in /proc/[0-9]*; do
    l=$(ls -l $p/fd 2>/dev/null | grep socket:) && { printf 'process '; cat $p/comm; echo "$l"; }
  done 2>/dev/null
fi
true""",
    parse=_sockets,
    seconds=15,
    as_root=("ss -antup", "netstat -antup"),
)

SOCKETS_BSD = Probe(name="sockets", command="say sockstat; sockstat -46", parse=_sockets, families=BSD, seconds=15)
