"""What a cloud says when it says no, in our words: the object, what was wanted and found, the next move.

Quotas are named with wanted, used and limit where the service tells them; a server's own fault message is passed on.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from requests import Response

from controlplane.errors import KasumiError, RefusedError, UnreachableError

_NAMES = {
    "compute": "Nova", "network": "Neutron", "image": "Glance", "placement": "Placement", "block_storage": "Cinder",
    "identity": "Keystone",
}  # fmt: skip
_NOVA_QUOTA = re.compile(
    r"Quota exceeded for (?P<what>[^:]+): Requested (?P<wanted>[\d, ]+), but already used (?P<used>[\d, ]+) of (?P<limit>[\d, ]+)"
)
_NEUTRON_QUOTA = re.compile(r"Quota exceeded for resources: \[(?P<what>[^\]]*)\]")
_LONGEST = 500


class ApiError(Exception):
    """An answer that says no. `text` is what the service says about it."""

    def __init__(self, service: str, method: str, path: str, response: Response) -> None:
        self.service, self.method, self.path = service, method, path
        self.status = response.status_code
        self.text = _said(response)
        self.request_id = response.headers.get("x-openstack-request-id", "")
        super().__init__(f"{method} {path}: {self.status} {self.text}")

    @property
    def of_quota(self) -> bool:
        """True when a quota is exhausted."""
        return self.status in {403, 409, 413} and ("uota" in self.text or "exceed" in self.text)


def error_of(error: ApiError, what: str, limits: Mapping[str, Any]) -> KasumiError:
    """The failure as one of ours; `limits` are Neutron's quotas with what is used of them, as far as they could be asked."""
    name = _NAMES.get(error.service, error.service)
    said = f"{name} says {error.status}: {error.text}" + (f" ({error.request_id})" if error.request_id else "")
    if error.of_quota:
        return KasumiError(f"{what}: {quota_text(error.text, limits)}")
    if error.status == 401:
        return RefusedError(f"{what}: {said}; see that the credentials in clouds.yaml are right and not expired")
    if error.status == 403:
        return RefusedError(f"{what}: {said}; our credentials may not do this: see docs/openstack.md for the rights wanted")
    if error.status == 404:
        return KasumiError(f"{what}: {said}; it went away meanwhile: run again, and what is there is looked at anew")
    if error.status == 429:
        return UnreachableError(f"{what}: {name} limits our rate and went on doing so; run again later")
    if error.status == 409:
        return KasumiError(f"{what}: {said}; somebody else is changing it: run again in a moment")
    if error.status in {502, 503, 504}:
        return UnreachableError(f"{what}: {said}; the service is there but does not work: run again later")
    if error.status >= 500:
        return KasumiError(f"{what}: {said}; give its log of this request to the cloud's people, then run again")
    return KasumiError(f"{what}: {said}")


def quota_text(text: str, limits: Mapping[str, Any]) -> str:
    """Which quota, wanted, used, limit, and the next move."""
    move = "ask for more quota, or plan less there"
    found = _NOVA_QUOTA.search(text)
    if found is not None:
        rows = zip(*(found[key].split(",") for key in ("what", "wanted", "used", "limit")), strict=False)
        told = "; ".join(
            f"quota of {what.strip()}: wanted {wanted.strip()} more, {used.strip()} of {limit.strip()} used"
            for what, wanted, used, limit in rows
        )
        return f"{told}; {move}"
    found = _NEUTRON_QUOTA.search(text)
    if found is not None:
        kinds = [kind.strip(" '\"") for kind in found["what"].split(",")]
        return "; ".join(f"quota of {kind}: wanted 1 more, {_of_limit(limits.get(kind))}" for kind in kinds) + f"; {move}"
    return f"{text}; {move}"


def _of_limit(known: Any) -> str:
    return f"{known['used']} of {known['limit']} used" if isinstance(known, dict) and "limit" in known else "none left"


def fault_text(fault: dict[str, Any]) -> str:
    """The fault of a server in ERROR, with the next move where one is known."""
    message = str(fault.get("message") or "no fault message")
    if "No valid host" in message:
        return f"{message}; no hypervisor of the cloud has room for this size, image and group: free some, or plan it elsewhere"
    return message


def _said(response: Response) -> str:
    """The message in the many shapes that services give it."""
    try:
        body = response.json()
    except (json.JSONDecodeError, ValueError):
        text = re.sub(r"<[^>]*>|\s+", " ", response.text or response.reason or "").strip()
        return text[:_LONGEST]
    return _message_in(body)[:_LONGEST]


def _message_in(body: Any) -> str:
    if isinstance(body, dict):
        for key in ("message", "detail", "title"):
            if isinstance(body.get(key), str) and body[key]:
                return re.sub(r"\s+", " ", str(body[key]))
        for inner in body.values():
            if isinstance(inner, (dict, list)) and (found := _message_in(inner)):
                return found
    if isinstance(body, list) and body:
        return _message_in(body[0])
    return body if isinstance(body, str) else ""
