"""Disk contents between two hosts: the old host exports a disk read-only over NBD with a one-time key, the new host pulls.

Data goes from host to host, never through the controller. Only ranges move, so that a cut copy goes on where it stood.
Tools on the hosts: qemu-nbd and qemu-img (qemu-utils), nbdcopy (libnbd-bin), openssl.
"""

import re
import secrets
from collections.abc import Sequence
from contextlib import suppress

from controlplane.connectors.shell import Shell, checked, failed
from controlplane.errors import KasumiError
from controlplane.model.migration import SourceDisk

TOOLS_OLD_HOST = ("qemu-nbd", "nbdcopy", "openssl")
TOOLS_NEW_HOST = ("qemu-img", "openssl")

_EXPORT = "disk"
_PSK_USER = "kasumi"
_FIRST_PORT = 49152
_PORTS = 64
"""qemu's own migrations use 49152 to 49215 by default, so these are open between hypervisors already."""
_HASH_BYTES_PER_SECOND = 50_000_000
_COPY_BYTES_PER_SECOND = 2_000_000
"""Slower than this and we call it stuck; a healthy disk and line do a hundred times better."""

_TAKEN = "Address already in use"
"""What qemu-nbd says of a port that another listens at."""
_FOLDERS = "/run/kasumi-"
_END = """
if test -s "$1/pid"; then
  pid=$(cat "$1/pid")
  if tr '\\0' ' ' < "/proc/$pid/cmdline" 2>/dev/null | grep -qF -- "$1/pid"; then
    kill "$pid"
    for _ in 1 2 3 4 5 6 7 8 9 10; do test -d "/proc/$pid" || break; sleep 0.2; done
    ! test -d "/proc/$pid" || kill -9 "$pid" 2>/dev/null || true
  fi
fi
rm -rf "$1"
"""
"""Ends an export by the folder that names it, and takes the folder away; a second time finds nothing to do."""


def missing_tools(shell: Shell, tools: Sequence[str]) -> tuple[str, ...]:
    """Which of these programs the host lacks."""
    return tuple(tool for tool in tools if shell.run(["sh", "-c", 'command -v "$1" >/dev/null', "sh", tool]).status != 0)


def free_bytes(shell: Shell, directory: str) -> int:
    """Free space of the file system that holds (or will hold) a directory."""
    script = 'd=$1; while [ ! -d "$d" ]; do d=$(dirname "$d"); done; df -B1 --output=avail "$d" | tail -n 1'
    return int(checked(shell, ["sh", "-c", script, "sh", directory]).strip())


def exports(shell: Shell) -> frozenset[str]:
    """Names of the exports, anybody's, of which something is on this host: a server, or only the folder with its key."""
    listed = checked(shell, ["sh", "-c", 'for each in "$1"*/; do test -d "$each" && echo "$each"; done; true', "sh", _FOLDERS])
    return frozenset(line.removeprefix(_FOLDERS).rstrip("/") for line in listed.splitlines())


def end_export(shell: Shell, name: str) -> None:
    """End it on this host and remove its key; may be repeated. Raises KasumiError, UnreachableError."""
    checked(shell, ["sh", "-c", _END, "sh", f"{_FOLDERS}{name}"])


class DiskExport:
    """A read-only NBD export of one disk on its old host; a context manager. Replaces one left by a killed controller."""

    def __init__(self, source: Shell, target: Shell, disk: SourceDisk, *, name: str, address: str) -> None:
        self._source = source
        self._target = target
        self._disk = disk
        self._address = address
        self._name = name
        self._folder = f"{_FOLDERS}{name}"
        self._port = _FIRST_PORT + sum(name.encode()) % _PORTS

    def __enter__(self) -> "DiskExport":
        self.__exit__()
        key = f"{_PSK_USER}:{secrets.token_hex(32)}\n"
        try:
            for shell in (self._source, self._target):
                script = 'umask 077 && mkdir -p "$1" && cat > "$1/keys.psk"'
                checked(shell, ["sh", "-c", script, "sh", self._folder], stdin=key)
            self._serve()
        except KasumiError:
            with suppress(KasumiError):  # what went wrong first is what is told
                self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for shell in (self._source, self._target):
            end_export(shell, self._name)

    def _serve(self) -> None:
        """At the first port from ours on that nobody has: another migration from the same host may have the same one."""
        first = self._port - _FIRST_PORT
        for step in range(_PORTS):
            self._port = _FIRST_PORT + (first + step) % _PORTS
            command = [
                "qemu-nbd", "--fork", f"--pid-file={self._folder}/pid", "--read-only", "--persistent", "--shared=8",
                f"--export-name={_EXPORT}", f"--format={self._disk.format}", f"--bind={self._address}", f"--port={self._port}",
                "--object", f"tls-creds-psk,id=tls0,endpoint=server,dir={self._folder}", "--tls-creds=tls0", self._disk.path,
            ]  # fmt: skip
            done = self._source.run(command)
            if done.status == 0:
                return
            if _TAKEN not in done.stderr:
                raise failed(self._source, command, done)
        raise KasumiError(
            f"{self._source.place}: wanted a free port among {_FIRST_PORT} to {_FIRST_PORT + _PORTS - 1} for the export of "
            f"{self._disk.path}, found all of them taken; see what listens there, then run again"
        )

    def copy_range(self, path: str, *, offset: int, length: int) -> None:
        """Copy one range to the same place of a raw file on the new host; may be repeated. Raises KasumiError."""
        target = f"driver=raw,offset={offset},size={length},file.driver=file,file.filename={_option(path)}"
        source = (
            f"driver=raw,offset={offset},size={length},file.driver=nbd,file.server.type=inet,"
            f"file.server.host={_option(self._address)},file.server.port={self._port},file.export={_EXPORT},file.tls-creds=tls0"
        )
        command = [
            "qemu-img", "convert", "-n",
            "--object", f"tls-creds-psk,id=tls0,endpoint=client,dir={self._folder},username={_PSK_USER}",
            "--image-opts", source, "--target-image-opts", target,
        ]  # fmt: skip
        checked(self._target, command, timeout_seconds=60 + length / _COPY_BYTES_PER_SECOND)


def source_sha256(shell: Shell, disk: SourceDisk) -> str:
    """SHA-256 of what the guest would read from a disk, whatever its image format; the disk must be at rest."""
    script = 'set -o pipefail 2>/dev/null; nbdcopy -- [ qemu-nbd -r -f "$1" "$2" ] - | openssl dgst -sha256 -r'
    return _hash(shell, ["bash", "-c", script, "bash", disk.format, disk.path], disk.size_bytes)


def raw_sha256(shell: Shell, path: str, *, size_bytes: int) -> str:
    """SHA-256 of a raw file."""
    return _hash(shell, ["openssl", "dgst", "-sha256", "-r", path], size_bytes)


def _hash(shell: Shell, command: list[str], size_bytes: int) -> str:
    text = checked(shell, command, timeout_seconds=60 + size_bytes / _HASH_BYTES_PER_SECOND)
    found = re.match(r"([0-9a-f]{64})\b", text)
    if found is None:
        raise KasumiError(f"{shell.place}: wanted a SHA-256, found {text[:80]!r}; try the command by hand")
    return found.group(1)


def _option(value: str) -> str:
    """A value inside a qemu option string, where a comma is written twice."""
    return value.replace(",", ",,")
