"""A real sshd on loopback with keys of its own, ended by pid."""

import random
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

LOOPBACK = ("127.0.0.1", "127.0.0.2", "127.0.0.3")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sshd:
    port: int
    folder: Path

    @property
    def config(self) -> str:
        """An ssh_config with the right key and known host."""
        return str(self.folder / "config")


def _keygen(path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)


def free_port() -> int:
    """Below those that the kernel gives to clients, so that no connection of somebody takes it before the server does."""
    while True:
        port = random.SystemRandom().randrange(20_000, 32_768)
        with socket.socket() as free, suppress(OSError):
            free.bind(("127.0.0.1", port))
            return port


@contextmanager
def running_sshd(folder: Path, *, addresses: Sequence[str] = LOOPBACK) -> Iterator[Sshd]:
    """Start sshd as this user in `folder`; raises when it does not listen within two minutes.

    At most 16 addresses, 127.0.0.1 among them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    _keygen(folder / "host_key")
    _keygen(folder / "user_key")
    port = free_port()
    (folder / "authorized_keys").write_text((folder / "user_key.pub").read_text())
    (folder / "sshd_config").write_text(
        f"Port {port}\n"
        + "".join(f"ListenAddress {address}\n" for address in addresses)
        + f"HostKey {folder}/host_key\nAuthorizedKeysFile {folder}/authorized_keys\n"
        "StrictModes no\nPasswordAuthentication no\nUsePAM no\nPidFile none\nPermitRootLogin yes\n"
        f"SetEnv HOME={folder}\n"  # what this user's shell does at login is not what is tested
    )
    kind, key, *_ = (folder / "host_key.pub").read_text().split()
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {kind} {key}\n")
    (folder / "config").write_text(
        f"Host 127.0.0.1\n  IdentityFile {folder}/user_key\n  UserKnownHostsFile {folder}/known_hosts\n"
        f"  StrictHostKeyChecking yes\n  Port {port}\n"
    )
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    with subprocess.Popen(
        ["/usr/sbin/sshd", "-D", "-e", "-f", str(folder / "sshd_config")], stderr=subprocess.DEVNULL
    ) as process:
        try:
            deadline = time.monotonic() + 120
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), timeout=1).close()
                    break
                except OSError:
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(0.05)
            yield Sshd(port=port, folder=folder)
        finally:
            process.terminate()
