"""One libvirt connection: which URIs are allowed, ssh that never asks, keepalive, and libvirt's errors in our words."""

import os
import shlex
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from hashlib import sha256
from pathlib import Path
from stat import S_ISDIR
from urllib.parse import parse_qsl, quote, urlsplit

import libvirt

from controlplane.errors import KasumiError, RefusedError, UnreachableError

_KEEPALIVE_SECONDS = 5
_KEEPALIVE_COUNT = 4
_CONNECT_SECONDS = 10
_UNSAFE = {"no_verify": "1", "known_hosts_verify": "ignore"}
_TRANSPORT_DOMAINS = frozenset({libvirt.VIR_FROM_RPC, libvirt.VIR_FROM_REMOTE})


def check_uri(uri: str) -> None:
    """Raises KasumiError for a URI that is no libvirt hypervisor's, or that would talk unprotected or to anybody."""
    parts = urlsplit(uri)
    transport = parts.scheme.partition("+")[2]
    if parts.scheme.partition("+")[0] not in {"qemu", "test"}:
        raise KasumiError(f"{uri}: not a libvirt URI of a QEMU host; wanted qemu+ssh://USER@HOST/system")
    if transport in {"tcp", "ext", "libssh", "libssh2"} or (not transport and parts.hostname):
        raise RefusedError(f"{uri}: transport {transport or 'tls by default'} is not used; wanted qemu+ssh:// or qemu+tls://")
    for key, value in parse_qsl(parts.query):
        if _UNSAFE.get(key) == value:
            raise RefusedError(f"{uri}: {key}={value} would trust any host; remove it and record the host's key")
        if key in {"command", "no_tty"}:
            raise RefusedError(f"{uri}: {key} is set by kasumi, so that ssh never asks; remove it and use access.ssh_config")


class Connection:
    """Opens at first use, reopens after a loss; `errors` turns libvirt's errors into ours."""

    def __init__(self, uri: str, *, ssh_config: str = "") -> None:
        check_uri(uri)
        self.uri = uri
        self._ssh_config = ssh_config
        self._lock = threading.Lock()
        self._connection: libvirt.virConnect | None = None

    def open(self) -> libvirt.virConnect:
        """The live connection. Raises libvirt.libvirtError; call it inside `errors`."""
        with self._lock:
            if self._connection is not None and not self._connection.isAlive():
                self._drop()
            if self._connection is None:
                _event_loop()
                self._connection = libvirt.open(self._real_uri())
                if not self.uri.startswith("test:"):
                    self._connection.setKeepAlive(_KEEPALIVE_SECONDS, _KEEPALIVE_COUNT)
            return self._connection

    def close(self) -> None:
        """Drop the connection; the next use opens a new one."""
        with self._lock:
            self._drop()

    @contextmanager
    def errors(self, what: str) -> Iterator[None]:
        """Raise UnreachableError for a lost or refused connection and KasumiError for anything else libvirt says."""
        try:
            yield
        except libvirt.libvirtError as error:
            text = f"{what} on {self.uri}: {error.get_error_message() or error}"
            if self._connection is None or not self._alive() or error.get_error_domain() in _TRANSPORT_DOMAINS:
                self.close()
                raise UnreachableError(f"{text}; see that the host is up, its libvirtd runs and its ssh key is known") from None
            raise KasumiError(text) from None

    def _alive(self) -> bool:
        try:
            return self._connection is not None and bool(self._connection.isAlive())
        except libvirt.libvirtError:
            return False

    def _drop(self) -> None:
        if self._connection is not None:
            with suppress(libvirt.libvirtError):  # it is gone already, which is what we wanted
                self._connection.close()
            self._connection = None

    def _real_uri(self) -> str:
        if not urlsplit(self.uri).scheme.endswith("+ssh"):
            return self.uri
        mark = "&" if urlsplit(self.uri).query else "?"
        return f"{self.uri}{mark}command={quote(str(_ssh_wrapper(self._ssh_config)))}&no_tty=1"


@cache
def _ssh_wrapper(ssh_config: str) -> Path:
    """A script that runs ssh so that it never asks and never waits long; libvirt takes a program, not arguments."""
    options = ["-o", "BatchMode=yes", "-o", f"ConnectTimeout={_CONNECT_SECONDS}"]
    if ssh_config:
        options += ["-F", str(Path(ssh_config).expanduser())]
    folder = Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()) / f"kasumi-ssh-{os.geteuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise KasumiError(f"{folder}: wanted a folder of ours alone, found another's; remove it")
    text = f'#!/bin/sh\nexec ssh {shlex.join(options)} "$@"\n'
    script = folder / f"ssh-{sha256(text.encode()).hexdigest()[:16]}"
    fresh = folder / f".{script.name}.{os.getpid()}"
    fresh.write_text(text)
    fresh.chmod(0o700)
    fresh.replace(script)
    return script


@cache
def _event_loop() -> None:
    """libvirt's keepalive needs a running event loop; errors are raised, so nothing is printed beside."""
    libvirt.registerErrorHandler(lambda _context, _error: None, None)
    libvirt.virEventRegisterDefaultImpl()

    def run() -> None:
        while True:
            libvirt.virEventRunDefaultImpl()

    threading.Thread(target=run, name="libvirt events", daemon=True).start()
