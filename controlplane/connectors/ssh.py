"""Commands over ssh with paramiko: host keys must be known already, nothing is ever asked or added.

Honours the HostName, User, Port, IdentityFile and UserKnownHostsFile of the same ssh_config that libvirt's own ssh uses.
"""

import shlex
import threading
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import paramiko

from controlplane.connectors.shell import Completed, LocalShell, Shell
from controlplane.errors import KasumiError, UnreachableError

_CONNECT_SECONDS = 15.0


def shell_of_uri(uri: str, *, ssh_config: str = "") -> Shell:
    """The shell of the host behind a libvirt URI: local for `qemu:///…`, ssh for `qemu+ssh://…`.

    Raises KasumiError for transports that give no shell.
    """
    parts = urlsplit(uri)
    if parts.scheme == "qemu+ssh" and parts.hostname:
        keyfile = parse_qs(parts.query).get("keyfile", [""])[0]
        return SshShell(parts.hostname, user=parts.username, port=parts.port, keyfile=keyfile, ssh_config=ssh_config)
    if parts.scheme in {"qemu", "qemu+unix"} and not parts.hostname:
        return LocalShell()
    raise KasumiError(f"{uri}: no shell on this host; moving disks needs a qemu+ssh:// or local qemu:/// URI")


class SshShell:
    """One ssh connection, opened at first use and used by one command at a time per channel."""

    def __init__(self, host: str, *, user: str | None, port: int | None, keyfile: str, ssh_config: str) -> None:
        self.place = host
        self._user = user
        self._port = port
        self._keyfile = keyfile
        self._config = _read_config(ssh_config).lookup(host)
        self._client: paramiko.SSHClient | None = None
        self._lock = threading.Lock()

    def run(self, command: Sequence[str], *, stdin: str = "", timeout_seconds: float = 60.0) -> Completed:
        """Run one command there."""
        try:
            with self._channel() as channel:
                channel.settimeout(timeout_seconds)
                channel.exec_command(shlex.join(command))
                channel.sendall(stdin.encode())
                channel.shutdown_write()
                stdout = channel.makefile("rb").read().decode(errors="replace")
                stderr = channel.makefile_stderr("rb").read().decode(errors="replace")
                status = channel.recv_exit_status()
        except (TimeoutError, OSError, EOFError, paramiko.SSHException) as error:
            self.close()
            why = str(error) or type(error).__name__
            raise UnreachableError(
                f"{self.place}: `{command[0]}` was cut off or gave no answer within {timeout_seconds:g} s: {why}"
            ) from None
        return Completed(status=status, stdout=stdout, stderr=stderr)

    def close(self) -> None:
        """Close the connection; the next command opens a new one."""
        with self._lock:
            if self._client is not None:
                self._client.close()
                self._client = None

    def _channel(self) -> paramiko.Channel:
        """A channel for one command. Where a connection that was idle died unseen nothing ran yet, so a new one is tried."""
        with self._lock:
            if self._client is not None:
                try:
                    return self._opened(self._client)
                except paramiko.ChannelException:  # it is alive, and says no
                    raise
                except (OSError, EOFError, paramiko.SSHException):
                    self._client.close()
                    self._client = None
            client = self._connect()
            self._client = client
        return self._opened(client)

    @staticmethod
    def _opened(client: paramiko.SSHClient) -> paramiko.Channel:
        transport = client.get_transport()
        if transport is None:
            raise paramiko.SSHException("the connection is closed")
        return transport.open_session(timeout=_CONNECT_SECONDS)

    def _connect(self) -> paramiko.SSHClient:
        client = paramiko.SSHClient()
        client.set_missing_host_key_policy(paramiko.RejectPolicy())
        for name in self._known_hosts():
            if name.is_file():
                client.load_host_keys(str(name))
        keys = [self._keyfile] if self._keyfile else self._config.get("identityfile", [])
        try:
            client.connect(
                self._config.get("hostname", self.place),
                port=self._port or int(self._config.get("port", "22")),
                username=self._user or self._config.get("user"),
                key_filename=[str(Path(key).expanduser()) for key in keys if Path(key).expanduser().is_file()] or None,  # type: ignore[arg-type]
                timeout=_CONNECT_SECONDS,
                banner_timeout=_CONNECT_SECONDS,
                auth_timeout=_CONNECT_SECONDS,
            )
        except paramiko.BadHostKeyException as error:
            raise KasumiError(
                f"{self.place}: its host key is not the one on record ({error}); find out why before going on"
            ) from None
        except (paramiko.SSHException, OSError) as error:
            client.close()
            raise UnreachableError(f"{self.place}: ssh: {error}; see that the host is up and its key in known_hosts") from None
        transport = client.get_transport()
        if transport is not None:
            transport.set_keepalive(15)
        return client

    def _known_hosts(self) -> list[Path]:
        stated = self._config.get("userknownhostsfile", "")
        names = stated.split() if stated else ["~/.ssh/known_hosts", "/etc/ssh/ssh_known_hosts"]
        return [Path(name).expanduser() for name in names]


def _read_config(ssh_config: str) -> paramiko.SSHConfig:
    file = Path(ssh_config or "~/.ssh/config").expanduser()
    if not file.is_file():
        if ssh_config:
            raise KasumiError(f"ssh_config {file}: no such file; correct `ssh_config` under access in the inventory")
        return paramiko.SSHConfig()
    return paramiko.SSHConfig.from_path(str(file))
