"""Disk contents between two hosts: the old host exports a disk read-only over NBD with a one-time key, the new host pulls.

Data goes from host to host, never through the controller. Only ranges move, so that a cut copy goes on where it stood.
Tools on the hosts: qemu-nbd and qemu-img (qemu-utils), nbdcopy (libnbd-bin), openssl.
"""

import re
import secrets
from collections.abc import Sequence

from controlplane.connectors.shell import Shell, checked
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

_STOP = """
test -s "$1/pid" || exit 0
pid=$(cat "$1/pid")
if tr '\\0' ' ' < "/proc/$pid/cmdline" 2>/dev/null | grep -qF -- "$1/pid"; then
  kill "$pid"
  for _ in 1 2 3 4 5 6 7 8 9 10; do test -d "/proc/$pid" || break; sleep 0.2; done
  test -d "/proc/$pid" && kill -9 "$pid"
fi
rm -rf "$1"
"""


def missing_tools(shell: Shell, tools: Sequence[str]) -> tuple[str, ...]:
    """Which of these programs the host lacks."""
    return tuple(tool for tool in tools if shell.run(["sh", "-c", 'command -v "$1" >/dev/null', "sh", tool]).status != 0)


def free_bytes(shell: Shell, directory: str) -> int:
    """Free space of the file system that holds (or will hold) a directory."""
    script = 'd=$1; while [ ! -d "$d" ]; do d=$(dirname "$d"); done; df -B1 --output=avail "$d" | tail -n 1'
    return int(checked(shell, ["sh", "-c", script, "sh", directory]).strip())


class DiskExport:
    """A read-only NBD export of one disk on its old host; a context manager. Replaces one left by a killed controller."""

    def __init__(self, source: Shell, target: Shell, disk: SourceDisk, *, name: str, address: str) -> None:
        self._source = source
        self._target = target
        self._disk = disk
        self._address = address
        self._folder = f"/run/kasumi-{name}"
        self._port = _FIRST_PORT + sum(name.encode()) % _PORTS

    def __enter__(self) -> "DiskExport":
        self.__exit__()
        key = f"{_PSK_USER}:{secrets.token_hex(32)}\n"
        for shell in (self._source, self._target):
            script = 'umask 077 && mkdir -p "$1" && cat > "$1/keys.psk"'
            checked(shell, ["sh", "-c", script, "sh", self._folder], stdin=key)
        self._serve()
        return self

    def __exit__(self, *_: object) -> None:
        checked(self._source, ["sh", "-c", _STOP, "sh", self._folder])
        for shell in (self._source, self._target):
            checked(shell, ["rm", "-rf", self._folder])

    def _serve(self) -> None:
        command = [
            "qemu-nbd", "--fork", f"--pid-file={self._folder}/pid", "--read-only", "--persistent", "--shared=8",
            f"--export-name={_EXPORT}", f"--format={self._disk.format}", f"--bind={self._address}", f"--port={self._port}",
            "--object", f"tls-creds-psk,id=tls0,endpoint=server,dir={self._folder}", "--tls-creds=tls0", self._disk.path,
        ]  # fmt: skip
        checked(self._source, command)

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
