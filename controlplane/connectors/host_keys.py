"""The file of ssh host keys that Ansible believes: written only from what hypervisors read, never from the network.

One line for each key, its machine in the comment, so that a key that changed is told apart from a machine that moved.
"""

import base64
import fcntl
import hashlib
import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from controlplane.errors import RefusedError

CONFIGURE_ACCEPTS = "`kasumi configure {machine} --accept-host-key {machine}`"


class Learned(StrEnum):
    """What became of the keys of one machine."""

    KNOWN = "known"
    NEW = "new"
    REPLACED = "replaced"


@dataclass(frozen=True, slots=True, kw_only=True)
class HostKey:
    """One line: the place as ssh writes it, key type, key in base64, and the machine it belongs to."""

    place: str
    kind: str
    key: str
    owner: str

    @property
    def fingerprint(self) -> str:
        """As `ssh-keygen -l` prints it."""
        return "SHA256:" + base64.b64encode(hashlib.sha256(base64.b64decode(self.key)).digest()).decode().rstrip("=")


class KnownHosts:
    """The file; safe for several processes. `owner` names a machine for ever, such as `estate/machine`.

    `remedy` is what a person does about a changed key that is right; `{machine}` in it is the machine.
    """

    def __init__(self, file: Path, *, remedy: str = CONFIGURE_ACCEPTS) -> None:
        self.file = file
        self._remedy = remedy
        self._places: dict[str, tuple[HostKey, ...]] = {}
        self._read_version: tuple[int, int, int] | None = None

    @staticmethod
    def place(address: str, port: int = 22) -> str:
        """An address as ssh writes it in such a file."""
        return _place(address, port)

    def at(self, address: str, port: int = 22) -> tuple[HostKey, ...]:
        """The keys on record for this place."""
        return self._by_place().get(_place(address, port), ())

    def _by_place(self) -> dict[str, tuple[HostKey, ...]]:
        """Read again only when the file is another: hundreds of servers are looked up in one run."""
        try:
            status = self.file.stat()
        except FileNotFoundError:
            return {}
        version = (status.st_ino, status.st_mtime_ns, status.st_size)
        if self._read_version != version:
            found: dict[str, tuple[HostKey, ...]] = {}
            for line in self._read():
                found[line.place] = (*found.get(line.place, ()), line)
            self._places, self._read_version = found, version
        return self._places

    def knows(self, owner: str, *, address: str, port: int = 22) -> bool:
        """Whether a key of this machine at this address is on record."""
        place = _place(address, port)
        return any(line.owner == owner and line.place == place for line in self._read())

    def learn(self, owner: str, keys: tuple[str, ...], *, address: str, port: int = 22, accept: bool = False) -> Learned:
        """Record the keys read from a machine ("ssh-ed25519 AAAA…"); may be repeated.

        A new address of a known machine, and a new machine on a known address, are the plan's business and recorded. Keys
        of a known machine that changed raise RefusedError unless `accept`.
        """
        place = _place(address, port)
        found = tuple(HostKey(place=place, kind=kind, key=key, owner=owner) for kind, key, *_ in (text.split() for text in keys))
        self.file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self.file.with_name(self.file.name + ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            lines = self._read()
            before = tuple(line for line in lines if line.owner == owner)
            changed = _changed(before, found)
            if changed and not accept:
                raise RefusedError(_refusal(owner, address, before, found, self._remedy))
            if before == found:
                return Learned.KNOWN
            self._write([line for line in lines if line.owner != owner and line.place != place] + list(found))
        if changed:
            return Learned.REPLACED
        return Learned.KNOWN if before else Learned.NEW

    def _read(self) -> list[HostKey]:
        if not self.file.is_file():
            return []
        words = (text.split(" ", 3) for text in self.file.read_text().splitlines())
        return [HostKey(place=word[0], kind=word[1], key=word[2], owner=word[3]) for word in words if len(word) == 4]

    def _write(self, lines: list[HostKey]) -> None:
        new = self.file.with_name(self.file.name + ".new")
        text = "".join(
            f"{line.place} {line.kind} {line.key} {line.owner}\n" for line in sorted(lines, key=lambda line: line.owner)
        )
        with new.open("w") as stream:
            new.chmod(0o600)
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        new.replace(self.file)


def _changed(before: tuple[HostKey, ...], found: tuple[HostKey, ...]) -> bool:
    """A key type may come or go; a key may not differ, and one at least must stay."""
    known = {line.kind: line.key for line in before}
    same = [line for line in found if known.get(line.kind) == line.key]
    return bool(known) and (not same or any(known.get(line.kind, line.key) != line.key for line in found))


def _place(address: str, port: int) -> str:
    return address if port == 22 else f"[{address}]:{port}"


def _refusal(owner: str, address: str, before: tuple[HostKey, ...], found: tuple[HostKey, ...], remedy: str) -> str:
    machine = owner.rsplit("/", 1)[-1]
    wanted = ", ".join(f"{line.kind} {line.fingerprint}" for line in before)
    now = ", ".join(f"{line.kind} {line.fingerprint}" for line in found)
    return (
        f"machine {machine} at {address}: its ssh host key changed: wanted {wanted}, found {now}; if its disk was "
        f"made anew this is right, say so with {remedy.format(machine=machine)}; else find out who changed it"
    )
