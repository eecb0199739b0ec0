"""Asks a service whether it answers, from where the controller stands."""

import http.client
import socket

from controlplane.model.estate import Service

_ANSWER_SECONDS = 10.0
_READ_BYTES = 1024 * 1024


def problem_of(address: str, service: Service) -> str:
    """Empty when the service answers as wanted, else one sentence about what was found; never raises."""
    place = f"{service.name} at {address}:{service.port}"
    try:
        if service.protocol == "http":
            return _http_problem(address, service, place)
        with socket.create_connection((address, service.port), timeout=_ANSWER_SECONDS):
            return ""
    except (OSError, http.client.HTTPException) as error:
        return f"{place}: {error or type(error).__name__}"


def _http_problem(address: str, service: Service, place: str) -> str:
    connection = http.client.HTTPConnection(address, service.port, timeout=_ANSWER_SECONDS)
    try:
        connection.request("GET", service.path)
        answer = connection.getresponse()
        body = answer.read(_READ_BYTES).decode(errors="replace")
    finally:
        connection.close()
    if answer.status >= http.client.BAD_REQUEST:
        return f"{place}: status {answer.status} for {service.path}"
    if service.expect not in body:
        return f"{place}: {service.path} answers without {service.expect!r}"
    return ""
