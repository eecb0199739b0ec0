"""Asks a Prometheus server for ranges of values: PromQL over its HTTP API, within a deadline and a size."""

import http.client
import json
import math
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode, urlsplit

from controlplane.errors import ExitCode, KasumiError, UnreachableError

_SECONDS = 60.0
_MOST_BYTES = 256 * 1024 * 1024
MOST_POINTS = 11_000
"""Of one series in one answer: Prometheus refuses more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranged:
    """One series of an answer: its labels, and values by the second of the epoch; NaN and infinities are left out."""

    labels: Mapping[str, str]
    values: Mapping[int, float]


class Prometheus:
    """One server by its URL, such as `http://prometheus.example:9090`."""

    def __init__(self, url: str, *, token: str = "") -> None:
        """Raises KasumiError when this is no URL; `token` is sent as a bearer token."""
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise KasumiError(f"Prometheus {url!r}: wanted http://HOST:PORT or https://HOST:PORT", ExitCode.USAGE)
        if parts.username or parts.password:
            raise KasumiError("Prometheus: a password in the URL is seen by others; use a token file", ExitCode.USAGE)
        self.url = url.rstrip("/")
        self._parts = parts
        self._token = token

    def ranged(self, query: str, *, start: datetime, end: datetime, step_seconds: int) -> tuple[Ranged, ...]:
        """The values of a PromQL expression from `start` to `end`, in as many requests as needed.

        Raises UnreachableError when it does not answer, KasumiError when it does not understand.
        """
        found: dict[tuple[tuple[str, str], ...], dict[int, float]] = {}
        first, last = int(start.timestamp()) // step_seconds, int(end.timestamp()) // step_seconds
        while first <= last:
            until = min(last, first + MOST_POINTS - 1)
            asked = {"query": query, "start": first * step_seconds, "end": until * step_seconds, "step": step_seconds}
            for labels, values in self._series(self._get("/api/v1/query_range", asked)):
                within = {at: value for at, value in values.items() if first * step_seconds <= at <= until * step_seconds}
                found.setdefault(tuple(sorted(labels.items())), {}).update(within)
            first = until + 1
        return tuple(Ranged(labels=dict(labels), values=values) for labels, values in found.items())

    def _series(self, document: object) -> list[tuple[dict[str, str], dict[int, float]]]:
        try:
            rows = document["data"]["result"]  # type: ignore[index]
            return [
                (
                    {str(key): str(value) for key, value in row["metric"].items()},
                    {int(at): float(value) for at, value in row["values"] if math.isfinite(float(value))},
                )
                for row in rows
            ]
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
            raise KasumiError(f"Prometheus {self.url}: its answer is not that of a range query; is it a Prometheus?") from None

    def _get(self, path: str, asked: Mapping[str, object]) -> object:
        host, port = str(self._parts.hostname), self._parts.port
        if self._parts.scheme == "https":
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                host, port, timeout=_SECONDS, context=ssl.create_default_context()
            )
        else:
            connection = http.client.HTTPConnection(host, port, timeout=_SECONDS)
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        try:
            connection.request("POST", self._parts.path.rstrip("/") + path, urlencode(asked), headers)
            answer = connection.getresponse()
            body = answer.read(_MOST_BYTES + 1)
        except (OSError, http.client.HTTPException) as error:
            raise UnreachableError(f"Prometheus {self.url}: {error or type(error).__name__}; is the URL right?") from None
        finally:
            connection.close()
        if len(body) > _MOST_BYTES:
            raise KasumiError(
                f"Prometheus {self.url}: answers with more than {_MOST_BYTES // 2**20} MiB; ask for less time or fewer servers"
            )
        try:
            document = json.loads(body)
        except ValueError:
            raise KasumiError(f"Prometheus {self.url}: status {answer.status} and no JSON; is it a Prometheus?") from None
        if answer.status != http.client.OK:
            why = document.get("error", "no reason given") if isinstance(document, dict) else "no reason given"
            raise KasumiError(f"Prometheus {self.url}: status {answer.status}: {why}")
        return document
