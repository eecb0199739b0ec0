"""The line to a cloud: opened through clouds.yaml, requests with their microversion, pages, and every failure in our words.

Only an answer of 429 is repeated, after the time that it asks for: the service says that it did nothing. A request that broke
off is not, as it may have been carried out; who made it looks before making it again. A token that expired in the middle of a
run is renewed below us (keystoneauth asks once more with a new one).
"""

import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import openstack
from keystoneauth1 import exceptions as auth_errors
from openstack import exceptions as sdk_errors
from requests import Response

from controlplane.errors import KasumiError, RefusedError, UnreachableError
from controlplane.model.cloud import CloudPool
from controlplane.model.observed import ApiUse
from controlplane.providers.openstack_faults import ApiError, error_of
from controlplane.providers.openstack_login import connect, problem_of_files

Json = dict[str, Any]

_NOVA_LEAST, _NOVA_MOST = (2, 52), (2, 96)
"""Tags given with the creation came with 2.52 (Pike, 2017); beyond 2.96 nothing was tried."""
_FIXED = {"placement": "1.29", "block_storage": "3.42"}
"""Cinder lengthens a volume in use since 3.42 (Pike)."""
_AWAY = frozenset({502, 503, 504})
_AGAIN_SECONDS = (0.5, 2.0)
"""A service that was restarted, or that found Keystone restarted, says so to its first caller."""
_SYSTEMS_WORD = re.compile(r"(?:\[Errno -?\d+\]|\[SSL: \w+\])(?P<why>[^\"'()]+)")
_PAGE = 1000
"""What Nova gives at most by default; a service with a lower limit of its own says where the next page is."""


_SHARED: dict[tuple[str, str], threading.RLock] = {}
"""By cloud and project. Names are not unique there, so two pools of one project must not look for a network and then both make it."""


class Cloud:
    """One project of one cloud; opened at the first use, and safe to use from several threads."""

    def __init__(self, pool: CloudPool) -> None:
        self.pool = pool
        self.preparing = _SHARED.setdefault((pool.cloud, pool.project), threading.RLock())
        """Held while what several machines or pools share is looked for and made."""
        self._opening = threading.Lock()
        self._connection: openstack.connection.Connection | None = None
        self._counting = threading.Lock()
        self._use: dict[str, ApiUse] = {}
        self._nova = ""

    def close(self) -> None:
        """Drop the connection; the next use opens a new one with a new token. Requests under way end by themselves."""
        with self._opening:
            self._connection = None

    @property
    def project_id(self) -> str:
        """The project that our credentials are for."""
        found = self._open().current_project_id
        if not found:
            raise RefusedError(f"{self.pool.uri}: the credentials of cloud {self.pool.cloud} are for no project; name one there")
        return str(found)

    def found_at(self) -> tuple[str, str]:
        """Keystone's address and the region, as clouds.yaml has them."""
        config = self._open().config
        return str(config.get_auth_args().get("auth_url", "")), str(config.region_name or "")

    def get(self, service: str, path: str, **query: Any) -> Json:
        """One document."""
        return self._document(service, "GET", path, params=query)

    def find(self, service: str, path: str, **query: Any) -> Json | None:
        """One document, or None where it is not."""
        try:
            return self.get(service, path, **query)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def post(self, service: str, path: str, body: Json) -> Json:
        """Make or do something."""
        return self._document(service, "POST", path, json=body)

    def put(self, service: str, path: str, body: Json) -> Json:
        """Replace something."""
        return self._document(service, "PUT", path, json=body)

    def delete(self, service: str, path: str) -> None:
        """Delete something; nothing happens when it is gone already."""
        try:
            self.call(service, "DELETE", path)
        except ApiError as error:
            if error.status != 404:
                raise

    def every(self, service: str, path: str, key: str, **query: Any) -> list[Json]:
        """All items of a listing, page after page."""
        found: list[Json] = []
        for page in self._pages(service, path, key, query):
            found.extend(page)
        return found

    def call(self, service: str, method: str, path: str, **options: Any) -> Response:
        """One request. Raises ApiError for an answer that says no, keystoneauth's errors when there is no answer.

        What only reads is asked again when the service, or the proxy before it, says that it is not there right now.
        """
        for pause in _AGAIN_SECONDS if method == "GET" else ():
            try:
                return self._call_once(service, method, path, options)
            except ApiError as error:
                if error.status not in _AWAY:
                    raise
            time.sleep(pause)
        return self._call_once(service, method, path, options)

    def _call_once(self, service: str, method: str, path: str, options: Mapping[str, Any]) -> Response:
        adapter = getattr(self._open(), service)
        began, well = time.monotonic(), False
        try:
            response: Response = adapter.request(path, method, raise_exc=False, **self._spoken(service), **options)
            well = response.status_code < 400
        finally:
            self._count(service, time.monotonic() - began, failed=not well)
        if not well:
            raise ApiError(service, method, path, response)
        return response

    def taken_use(self) -> tuple[ApiUse, ...]:
        """Requests since this was last asked, by service."""
        with self._counting:
            used, self._use = self._use, {}
        return tuple(use for _, use in sorted(used.items()))

    @contextmanager
    def errors(self, what: str) -> Iterator[None]:
        """Turn every failure inside into ours: UnreachableError, RefusedError, KasumiError, with what to do next."""
        where = f"{what} on {self.pool.uri}"
        try:
            yield
        except ApiError as error:
            raise error_of(error, where, self._limits(error)) from None
        except (auth_errors.Unauthorized, sdk_errors.ForbiddenException) as error:
            raise RefusedError(
                f"{where}: cloud {self.pool.cloud} refuses our credentials ({_first_line(error)}); "
                "see that they are right in clouds.yaml or secure.yaml and not expired"
            ) from None
        except (auth_errors.CatalogException, sdk_errors.ServiceDisabledException) as error:
            raise KasumiError(
                f"{where}: {_first_line(error).rstrip('.')}; Keystone does not tell where a service is; see auth_url, "
                f"region_name and interface of cloud {self.pool.cloud} in clouds.yaml"
            ) from None
        except (sdk_errors.ConfigException, auth_errors.AuthPluginException) as error:
            raise KasumiError(
                f"{where}: {problem_of_files(self.pool.cloud) or _first_line(error)}; describe cloud {self.pool.cloud} "
                "in clouds.yaml and secure.yaml, in this folder, ~/.config/openstack, /etc/openstack or where OS_CLIENT_CONFIG_FILE and "
                "OS_CLIENT_SECURE_FILE say"
            ) from None
        except auth_errors.HttpError as error:
            if error.http_status >= 500:
                raise UnreachableError(f"{where}: {_first_line(error)}; run again later") from None
            if "Application Credential" in str(error):
                raise RefusedError(
                    f"{where}: {_first_line(error)}; it was deleted, or is another cloud's: make one and put it into "
                    f"clouds.yaml and secure.yaml for cloud {self.pool.cloud}"
                ) from None
            raise KasumiError(
                f"{where}: {_first_line(error)}; see that auth_url of cloud {self.pool.cloud} is Keystone's"
            ) from None
        except auth_errors.InvalidResponse as error:
            raise KasumiError(
                f"{where}: {_first_line(error).rstrip('.')}; something else than Keystone answered; see auth_url of cloud "
                f"{self.pool.cloud} in clouds.yaml"
            ) from None
        except (auth_errors.ClientException, sdk_errors.SDKException) as error:
            raise UnreachableError(
                f"{where}: no answer ({_first_line(error)}); see that the service runs and can be reached, then "
                "run again: what was done is found again"
            ) from None
        except OSError as error:  # of files that clouds.yaml names
            if error.filename is not None:
                raise
            raise KasumiError(
                f"{where}: {_first_line(error)}; see cacert, cert and key of cloud {self.pool.cloud} in clouds.yaml"
            ) from None

    def _limits(self, error: ApiError) -> Json:
        """Neutron names the quota that is exhausted, but not its size; empty when it does not tell that either."""
        if not (error.service == "network" and error.of_quota):
            return {}
        try:
            return dict(self.get("network", f"/quotas/{self.project_id}/details")["quota"])
        except (ApiError, auth_errors.ClientException):
            return {}

    def _open(self) -> "openstack.connection.Connection":
        with self._opening:
            if self._connection is None:
                self._connection = connect(self.pool)
            return self._connection

    def _spoken(self, service: str) -> Mapping[str, str]:
        """The microversion to speak: the newest that we know and the cloud has."""
        if service in _FIXED:
            return {"microversion": _FIXED[service]}
        if service != "compute":
            return {}
        if not self._nova:
            nova = self._open().compute
            data = nova.get_endpoint_data()
            newest = data.max_microversion if data is not None else None
            if newest is None:
                self._see_answering(nova)
            if newest is None or tuple(newest) < _NOVA_LEAST:
                text = ".".join(map(str, newest or ("none",)))
                raise RefusedError(
                    f"{self.pool.uri}: its Nova speaks microversions up to {text}, wanted {'.'.join(map(str, _NOVA_LEAST))}; "
                    "it is older than Pike (2017) and is not served"
                )
            self._nova = ".".join(map(str, min(tuple(newest), _NOVA_MOST)))
        return {"microversion": self._nova}

    def _see_answering(self, nova: Any) -> None:
        """A Nova that does not run tells no microversion either. Raises ApiError, keystoneauth's errors."""
        response: Response = nova.request("/limits", "GET", raise_exc=False)
        if response.status_code in _AWAY:
            raise ApiError("compute", "GET", "/limits", response)

    @property
    def nova_microversion(self) -> str:
        """The microversion of Nova that we speak."""
        return self._spoken("compute")["microversion"]

    def _pages(self, service: str, path: str, key: str, query: Mapping[str, Any]) -> Iterator[list[Json]]:
        marker = ""
        while True:
            page = self.get(service, path, **query, limit=_PAGE, **({"marker": marker} if marker else {}))
            items: list[Json] = page[key]
            yield items
            more = page.get("next") or any(link["rel"] == "next" for link in page.get(f"{key}_links", ()))
            if not items or not more:
                return
            marker = items[-1]["id"]

    def _count(self, service: str, seconds: float, *, failed: bool) -> None:
        with self._counting:
            before = self._use.get(service, ApiUse(service=service, requests=0, failures=0, seconds=0.0))
            self._use[service] = ApiUse(
                service=service,
                requests=before.requests + 1,
                failures=before.failures + failed,
                seconds=before.seconds + seconds,
            )

    def _document(self, service: str, method: str, path: str, **options: Any) -> Json:
        response = self.call(service, method, path, **options)
        try:
            found: Json = response.json() if response.content else {}
        except ValueError:  # somebody between us and the service answers in its place
            raise ApiError(service, method, path, response) from None
        return found


def _first_line(error: Exception) -> str:
    """What is said, without the layers that a broken line is told through: the address and the system's own word are enough."""
    line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    said, inner, _ = line.partition(": HTTP")
    why = _SYSTEMS_WORD.search(line)
    return f"{said}: {why['why'].strip()}" if inner and why is not None else line
