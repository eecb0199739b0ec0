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
from urllib.parse import quote, urlsplit

import libvirt

from controlplane.errors import KasumiError, RefusedError, UnreachableError
from controlplane.model.libvirt_uri import LibvirtUriError, check_libvirt_uri

_KEEPALIVE_SECONDS = 5
_KEEPALIVE_COUNT = 4
_CONNECT_SECONDS = 10
_TRANSPORT_DOMAINS = frozenset({libvirt.VIR_FROM_RPC, libvirt.VIR_FROM_REMOTE})


def check_uri(uri: str) -> None:
    """Raises KasumiError for a URI that is no libvirt hypervisor's, or that would talk unprotected or to anybody."""
    try:
        check_libvirt_uri(uri)
    except LibvirtUriError as error:
        kind = RefusedError if error.unsafe else KasumiError
        raise kind(f"{uri}: {error}; {error.remedy}") from None


class Connection:
    """A host's libvirt, with one real connection for each thread that is at work; idle ones are used again, lost ones replaced.

    Threads do not share a connection, though libvirt says they may: before 10.0 its client can miss that a second thread has
    something to send, and then both stand still until something else wakes them (seen with 9.0: five seconds for each
    call). It also means that a call which was given up on holds up nobody but itself.
    """

    def __init__(self, uri: str, *, ssh_config: str = "") -> None:
        check_uri(uri)
        self.uri = uri
        self._ssh_config = ssh_config
        self._lock = threading.Lock()
        self._idle: list[libvirt.virConnect] = []
        self._round = 0
        self._of_thread = threading.local()

    def open(self) -> libvirt.virConnect:
        """This thread's connection, for use inside `errors`. Raises libvirt.libvirtError."""
        mine: libvirt.virConnect | None = getattr(self._of_thread, "connection", None)
        if mine is None:
            mine = self._take() or self._connect()
            self._of_thread.connection = mine
        return mine

    def close(self) -> None:
        """Drop the connections; the next use opens a new one. One at work ends with its work.

        None is closed outright: to close one under a call that was given up on would free what that call uses.
        """
        with self._lock:
            self._idle.clear()
            self._round += 1

    @contextmanager
    def errors(self, what: str) -> Iterator[None]:
        """Work with `open` inside. Raises UnreachableError for a lost or refused connection, KasumiError for the rest."""
        began_in = self._round
        try:
            yield
        except libvirt.libvirtError as error:
            text = f"{what} on {self.uri}: {error.get_error_message() or error}"
            if error.get_error_domain() in _TRANSPORT_DOMAINS or not self._alive():
                self.give_up()
                raise UnreachableError(f"{text}; see that the host is up, its libvirtd runs and its ssh key is known") from None
            raise KasumiError(text) from None
        finally:
            mine = getattr(self._of_thread, "connection", None)
            self.give_up()
            with self._lock:
                if mine is not None and began_in == self._round:
                    self._idle.append(mine)

    def give_up(self) -> None:
        """Leave this thread's connection to a call that does not come back; the next use takes another."""
        self._of_thread.connection = None

    def _take(self) -> libvirt.virConnect | None:
        while True:
            with self._lock:
                if not self._idle:
                    return None
                found = self._idle.pop()
            with suppress(libvirt.libvirtError):  # lost while it was idle: take the next
                found.getLibVersion()
                return found

    def _connect(self) -> libvirt.virConnect:
        """libvirt's keepalive wakes its event loop twice for each call, which made a look at 1,000 domains three times as dear.

        So it serves TLS alone: ssh keeps its own watch over the line, and nothing can cut a local socket.
        """
        _silence()
        by_tls = urlsplit(self.uri).scheme.endswith("+tls")
        if by_tls:
            _event_loop()
        connection = libvirt.open(self._real_uri())
        if by_tls:
            connection.setKeepAlive(_KEEPALIVE_SECONDS, _KEEPALIVE_COUNT)
        return connection

    def _alive(self) -> bool:
        mine: libvirt.virConnect | None = getattr(self._of_thread, "connection", None)
        try:
            return mine is not None and bool(mine.isAlive())
        except libvirt.libvirtError:
            return False

    def _real_uri(self) -> str:
        if not urlsplit(self.uri).scheme.endswith("+ssh"):
            return self.uri
        mark = "&" if urlsplit(self.uri).query else "?"
        return f"{self.uri}{mark}command={quote(str(ssh_wrapper(self._ssh_config)))}&no_tty=1"


@cache
def ssh_wrapper(ssh_config: str) -> Path:
    """A script that runs ssh so that it never asks and never waits long; libvirt takes a program, not arguments."""
    options = ["-o", "BatchMode=yes", "-o", f"ConnectTimeout={_CONNECT_SECONDS}"]
    options += ["-o", f"ServerAliveInterval={_KEEPALIVE_SECONDS}", "-o", f"ServerAliveCountMax={_KEEPALIVE_COUNT}"]
    if ssh_config:
        options += ["-F", str(Path(ssh_config).expanduser())]
    folder = Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()) / f"kasumi-ssh-{os.geteuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise KasumiError(f"{folder}: wanted a folder of ours alone, found another's; remove it")
    text = f'#!/bin/sh\nexec ssh {shlex.join(options)} "$@"\n'
    script = folder / f"ssh-{sha256(text.encode()).hexdigest()[:16]}"
    fresh = folder / f".{script.name}.{os.getpid()}.{threading.get_ident()}"  # two hosts are opened by two threads
    fresh.write_text(text)
    fresh.chmod(0o700)
    fresh.replace(script)
    return script


@cache
def _silence() -> None:
    """Errors are raised, so libvirt prints none beside."""
    libvirt.registerErrorHandler(lambda _context, _error: None, None)


@cache
def _event_loop() -> None:
    """What libvirt's keepalive needs running; it serves connections opened after it."""
    libvirt.virEventRegisterDefaultImpl()

    def run() -> None:
        while True:
            libvirt.virEventRunDefaultImpl()

    threading.Thread(target=run, name="libvirt events", daemon=True).start()
