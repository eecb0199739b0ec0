"""Comes in to an existing server: through its jump hosts, only over host keys on our record, within a deadline; runs one script.

Everything a server or a network can do wrong ends as `NotIn`, with how and why. Nothing is ever asked or added here; new host
keys are recorded by `kasumi trust` alone.
"""

import base64
import logging
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import paramiko

from controlplane.connectors.host_keys import HostKey, KnownHosts
from controlplane.connectors.old_ssh import SSH_RSA, OldTransport, old_key
from controlplane.model.facts import Answer

logging.getLogger("paramiko").setLevel(logging.CRITICAL)
# It logs tracebacks of what other hosts do wrong; here each of these is a result with words of its own.

_STEP_SECONDS = 0.5
"""How long a read waits before it looks at the deadline again."""
MOST_BYTES = 48 * 1024 * 1024
"""Of one script's whole output. Its probes are capped on the server; only one that lies sends more."""
_TYPES = ("ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-512")


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """How to come in to one server; `owner` is what its host keys are recorded under, `jump` the door before it."""

    owner: str
    address: str
    port: int = 22
    user: str = "root"
    identity_file: str = ""
    jump: "Door | None" = None
    old_algorithms: bool = False

    @property
    def recorded_address(self) -> str:
        """The address its keys are recorded under: behind a jump host another network may have the same addresses."""
        return self.address if self.jump is None else f"{self.address}@{self.jump.recorded_address}"

    @property
    def shown(self) -> str:
        """For messages."""
        port = "" if self.port == 22 else f":{self.port}"
        return f"{self.user}@{self.address}{port}" + (f" through {self.jump.address}" if self.jump is not None else "")


class NotIn(Exception):  # noqa: N818 (an outcome that becomes a value at once)
    """We are not in, or no longer: how it ended, and why in words for a person."""

    def __init__(self, answer: Answer, message: str) -> None:
        super().__init__(message)
        self.answer = answer


@dataclass(slots=True)
class Keyring:
    """What we may show: private keys by file (read once), the agent's keys, a password. Safe for threads."""

    password: str = field(default="", repr=False)
    use_agent: bool = True
    _keys: dict[str, paramiko.PKey | str] = field(default_factory=dict)
    _agent: tuple[paramiko.PKey, ...] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def keys(self, door: Door) -> tuple[paramiko.PKey, ...]:
        """The keys for a door, its own first. Raises NotIn when its file cannot be used."""
        with self._lock:
            found: tuple[paramiko.PKey, ...] = ()
            if door.identity_file:
                if door.identity_file not in self._keys:
                    self._keys[door.identity_file] = _read_key(door.identity_file)
                key = self._keys[door.identity_file]
                if isinstance(key, str):
                    raise NotIn(Answer.FAILED, key)
                found = (key,)
            if self._agent is None:
                self._agent = tuple(paramiko.Agent().get_keys()) if self.use_agent else ()
            return found + self._agent


def _read_key(file: str) -> paramiko.PKey | str:
    path = Path(file).expanduser()
    try:
        return paramiko.PKey.from_path(path)
    except FileNotFoundError:
        return f"identity file {path}: no such file; correct `identity_file` in the inventory"
    except paramiko.PasswordRequiredException:
        return f"identity file {path}: is locked by a passphrase; add it to your ssh agent and leave identity_file out"
    except (OSError, paramiko.SSHException, ValueError, TypeError) as error:
        return f"identity file {path}: not a private key that can be used: {error}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a script sent. `sent_at` and `first_at`: controller's clock around the first answer, for the other clock's offset.

    `arrivals`: how many bytes had come after how many seconds. `problem` says why the end was not reached, if it was not.
    """

    output: bytes
    sent_at: float
    first_at: float
    arrivals: tuple[tuple[int, float], ...] = ()
    problem: str = ""
    answer: Answer = Answer.ANSWERED


class Connection:
    """One way in to one server. Raises NotIn when it does not open; a context manager."""

    def __init__(self, door: Door, known: KnownHosts, keyring: Keyring, *, deadline: float) -> None:
        """`deadline` in seconds of the monotonic clock."""
        self._door = door
        self._opened: list[paramiko.Transport | paramiko.Channel | socket.socket] = []
        try:
            self._transport = self._come_in(door, known, keyring, deadline)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close it, and the jumps before it."""
        for opened in reversed(self._opened):  # a transport that never spoke leaves its socket open
            opened.close()

    def run(self, command: str, script: str, *, end: bytes, deadline: float) -> Said:
        """Run a command, feed it a script, and read until `end` is seen, the channel closes, or the deadline is there.

        Never raises: a cut, a flood and a deadline are in what was said.
        """
        output = bytearray()
        sent_at = first_at = time.time()
        arrivals: list[tuple[int, float]] = []

        def said(answer: Answer = Answer.ANSWERED, problem: str = "") -> Said:
            return Said(
                output=bytes(output), sent_at=sent_at, first_at=first_at, arrivals=tuple(arrivals), answer=answer, problem=problem
            )

        try:
            channel = self._transport.open_session(timeout=_left(deadline))
            channel.settimeout(_STEP_SECONDS)
            channel.exec_command(command)
            channel.set_combine_stderr(True)
            _send(channel, script.encode(), deadline)
            sent_at = first_at = time.time()
            while True:
                try:
                    piece = channel.recv(65536)
                except TimeoutError:
                    if time.monotonic() > deadline:
                        return said(Answer.TIMED_OUT, "did not finish within its deadline")
                    continue
                first_at = first_at if output else time.time()
                output += piece
                arrivals.append((len(output), time.time() - sent_at))
                if output.rfind(end, max(0, len(output) - len(piece) - len(end))) >= 0:
                    return said()
                if not piece:
                    return said(Answer.FAILED, "the connection was cut before the end")
                if len(output) > MOST_BYTES:
                    return said(Answer.GARBLED, f"sent more than {MOST_BYTES // 2**20} MiB")
                if time.monotonic() > deadline:
                    return said(Answer.TIMED_OUT, "did not finish within its deadline")
        except (TimeoutError, paramiko.SSHException, OSError, EOFError) as error:
            late = time.monotonic() >= deadline
            why = str(error) or type(error).__name__
            return said(Answer.TIMED_OUT if late else Answer.FAILED, f"the connection was cut: {why}")

    def _come_in(self, door: Door, known: KnownHosts, keyring: Keyring, deadline: float) -> paramiko.Transport:
        wanted = known.at(door.recorded_address, door.port)
        if not wanted:
            raise NotIn(
                Answer.HOST_KEY,
                f"{door.shown}: no host key on record; look at it with `kasumi trust {_name(door)}` and record it",
            )
        transport = self._reach(door, known, keyring, deadline)
        _limit_types(transport, [line.kind for line in wanted])
        _start(transport, door, deadline)
        found = transport.get_remote_server_key()
        if all(line.key != found.get_base64() for line in wanted):
            raise NotIn(Answer.HOST_KEY, _changed(door, wanted, found))
        _log_in(transport, door, keyring, deadline)
        return transport

    def _reach(self, door: Door, known: KnownHosts, keyring: Keyring, deadline: float) -> paramiko.Transport:
        """A transport to the server, its key not yet looked at."""
        if door.jump is None:
            stream: socket.socket | paramiko.Channel = _connected(door, deadline)
        else:
            before = self._come_in(door.jump, known, keyring, deadline)
            stream = _through(before, door, deadline)
        self._opened.append(stream)
        transport = _transport(door, stream)
        self._opened.append(transport)
        return transport


def offered_keys(door: Door, known: KnownHosts, keyring: Keyring, *, seconds: float) -> tuple[HostKey, ...]:
    """The host keys that whoever answers at this door shows, one of each type; the jumps before it must be known.

    Proves nothing about who that is: a person compares fingerprints. Raises NotIn when nobody answers.
    """
    found: dict[str, HostKey] = {}
    trouble: NotIn | None = None
    for kind in (*_TYPES, SSH_RSA) if door.old_algorithms else _TYPES:
        try:
            key = _offered(door, known, keyring, kind, time.monotonic() + seconds)
        except NotIn as error:
            trouble = error
            if error.answer is not Answer.FAILED:
                break
            continue
        found[key.kind] = key
    if not found:
        raise trouble or NotIn(Answer.FAILED, f"{door.shown}: shows no host key")
    return tuple(found.values())


def _offered(door: Door, known: KnownHosts, keyring: Keyring, kind: str, deadline: float) -> HostKey:
    opened: list[Connection] = []
    try:
        if door.jump is not None:
            opened.append(Connection(door.jump, known, keyring, deadline=deadline))
            stream: socket.socket | paramiko.Channel = _through(opened[0]._transport, door, deadline)
        else:
            stream = _connected(door, deadline)
        transport = _transport(door, stream)
        try:
            transport.get_security_options().key_types = (kind,)
            _start(transport, door, deadline)
            key = transport.get_remote_server_key()
        finally:
            transport.close()
            stream.close()
        return HostKey(
            place=KnownHosts.place(door.recorded_address, door.port), kind=key.get_name(), key=key.get_base64(), owner=door.owner
        )
    finally:
        for connection in opened:
            connection.close()


def _transport(door: Door, stream: socket.socket | paramiko.Channel) -> paramiko.Transport:
    return OldTransport(stream) if door.old_algorithms else paramiko.Transport(stream)


def _left(deadline: float) -> float:
    return max(0.1, deadline - time.monotonic())


def _connected(door: Door, deadline: float) -> socket.socket:
    try:
        return socket.create_connection((door.address, door.port), timeout=_left(deadline))
    except TimeoutError:
        raise NotIn(Answer.UNREACHABLE, f"{door.shown}: no answer; is it up, and is there a way to it?") from None
    except OSError as error:
        why = error.strerror or str(error)
        raise NotIn(Answer.UNREACHABLE, f"{door.shown}: {why}; is it up, and does its ssh listen at port {door.port}?") from None


def _through(before: paramiko.Transport, door: Door, deadline: float) -> paramiko.Channel:
    try:
        return before.open_channel("direct-tcpip", (door.address, door.port), ("127.0.0.1", 0), timeout=_left(deadline))
    except (paramiko.SSHException, OSError, EOFError) as error:
        raise NotIn(
            Answer.UNREACHABLE, f"{door.shown}: the jump host lets nothing through to it: {error or type(error).__name__}"
        ) from None


def _limit_types(transport: paramiko.Transport, kinds: Sequence[str]) -> None:
    """Ask for the types of key that are on record, so that another type is not taken for a changed key."""
    options = transport.get_security_options()
    known = [kind for kind in options.key_types if kind in kinds or (kind.startswith("rsa-sha2") and "ssh-rsa" in kinds)]
    if known:
        options.key_types = tuple(known)


def _start(transport: paramiko.Transport, door: Door, deadline: float) -> None:
    transport.banner_timeout = _left(deadline)
    try:
        transport.start_client(timeout=_left(deadline))
        if not transport.initial_kex_done:  # it gives up waiting without a word
            raise NotIn(Answer.TIMED_OUT, f"{door.shown}: does not speak ssh, or too slowly")
    except paramiko.SSHException as error:
        late = time.monotonic() >= deadline
        words = str(error) or type(error).__name__
        if late or any(sign in words for sign in ("banner", "protocol version", "Timeout")):
            raise NotIn(Answer.TIMED_OUT if late else Answer.UNREACHABLE, f"{door.shown}: does not speak ssh: {words}") from None
        old = "" if door.old_algorithms else "; if it is of before 2016 say `ssh: {old_algorithms: true}` in the inventory"
        raise NotIn(Answer.FAILED, f"{door.shown}: no agreement with its ssh server: {words}{old}") from None
    except (OSError, EOFError) as error:
        raise NotIn(Answer.UNREACHABLE, f"{door.shown}: closed the connection: {error or type(error).__name__}") from None


def _log_in(transport: paramiko.Transport, door: Door, keyring: Keyring, deadline: float) -> None:
    keys = tuple(old_key(key) for key in keyring.keys(door)) if door.old_algorithms else keyring.keys(door)
    if not keys and not keyring.password:
        raise NotIn(
            Answer.REFUSED,
            f"{door.shown}: nothing to show: no identity_file, no agent, no password; say one in the inventory or by option",
        )
    transport.auth_timeout = _left(deadline)
    refused = ""
    try:
        for key in keys:
            try:
                transport.auth_publickey(door.user, key)
            except paramiko.AuthenticationException as error:
                refused = str(error)
                if not transport.is_active():
                    break
            if transport.is_authenticated():
                return
        if keyring.password and transport.is_active():
            transport.auth_password(door.user, keyring.password)
    except paramiko.AuthenticationException as error:
        refused = str(error)
    except (paramiko.SSHException, OSError, EOFError) as error:
        late = time.monotonic() >= deadline
        raise NotIn(
            Answer.TIMED_OUT if late else Answer.FAILED, f"{door.shown}: login broke off: {error or type(error).__name__}"
        ) from None
    if not transport.is_authenticated():
        late = time.monotonic() >= deadline
        shown = f"{len(keys)} key{'' if len(keys) == 1 else 's'}{' and a password' if keyring.password else ''}"
        raise NotIn(
            Answer.TIMED_OUT if late else Answer.REFUSED,
            f"{door.shown}: login refused with {shown}: {refused or 'another step is wanted'}; is our key in its authorized_keys?",
        )


def _send(channel: paramiko.Channel, data: bytes, deadline: float) -> None:
    view = memoryview(data)
    while view:
        try:
            view = view[channel.send(bytes(view[:32768])) :]
        except TimeoutError:
            if time.monotonic() > deadline:
                raise
    channel.shutdown_write()


def _name(door: Door) -> str:
    return door.owner.rsplit("/", 1)[-1]


def _changed(door: Door, wanted: Sequence[HostKey], found: paramiko.PKey) -> str:
    now = HostKey(place="", kind=found.get_name(), key=base64.b64encode(found.asbytes()).decode(), owner="")
    on_record = ", ".join(f"{line.kind} {line.fingerprint}" for line in wanted)
    return (
        f"{door.shown}: ITS HOST KEY CHANGED: wanted {on_record}, found {now.kind} {now.fingerprint}; somebody may be in between: "
        f"find out why, and only then `kasumi trust {_name(door)} --replace`"
    )
