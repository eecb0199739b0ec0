"""A line to a service that breaks where a test wants it: after so many bytes of one request it is cut, or stands still."""

import socket
import struct
import threading
from contextlib import suppress

_LINGER_NOT = struct.pack("ii", 1, 0)
"""Closing such a socket resets the connection, as a line that breaks does."""


class Relay:
    """Passes connections on to an address; a context manager. `reached` is set once a connection came to its end."""

    def __init__(self, address: tuple[str, int], *, passes_bytes: int, stands_still: bool) -> None:
        self._address = address
        self._passes_bytes = passes_bytes
        self._stands_still = stands_still
        self._over = threading.Event()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.reached = threading.Event()

    @property
    def port(self) -> int:
        """Where it listens on loopback."""
        return self._listening.getsockname()[1]

    def __enter__(self) -> "Relay":
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._listening.shutdown(socket.SHUT_RDWR)  # wakes who waits in accept
        self._listening.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                threading.Thread(target=self._pass_on, args=(client,), daemon=True).start()

    def _pass_on(self, client: socket.socket) -> None:
        with suppress(OSError), client, socket.create_connection(self._address) as service:
            threading.Thread(target=_pump, args=(service, client), daemon=True).start()
            left = self._passes_bytes
            while chunk := client.recv(min(65536, left + 1)):
                left -= len(chunk)
                if left < 0:
                    self.reached.set()
                    if self._stands_still:
                        self._over.wait()
                    for end in (client, service):
                        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
                    return
                service.sendall(chunk)


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while chunk := source.recv(65536):
            target.sendall(chunk)
        target.shutdown(socket.SHUT_WR)
