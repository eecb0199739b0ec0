"""Asks whether an ssh server answers, without logging in."""

import socket

_ANSWER_SECONDS = 10.0


def ssh_problem(address: str, port: int = 22) -> str:
    """Empty when an ssh server introduces itself, else what was found; never raises."""
    try:
        with socket.create_connection((address, port), timeout=_ANSWER_SECONDS) as connection:
            said = connection.recv(4)
    except OSError as error:
        return f"ssh at {address}:{port}: {error.strerror or error or type(error).__name__}"
    return "" if said == b"SSH-" else f"ssh at {address}:{port}: something else answers there"
