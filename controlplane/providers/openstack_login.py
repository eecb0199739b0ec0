"""The way into a cloud: opened as clouds.yaml and secure.yaml say, and what is wrong with those files where that cannot be.

The SDK passes over a file that it cannot parse, and trips over one of another shape; so after a failure the files are read once more
here, to name the place. What they hold is never repeated: it may be a secret.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import openstack
import yaml
from keystoneauth1.session import Session
from openstack import exceptions as sdk_errors
from openstack.config import loader
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

from controlplane import __version__
from controlplane.model.cloud import CloudPool

_MOST_WAIT_SECONDS = 30
_TIMES_ASKED = 6
_TIMEOUT_SECONDS = 60.0
"""For one answer, where clouds.yaml has no `api_timeout`."""
_LINES = 16
_NAMES_SHOWN = 8


def connect(pool: CloudPool) -> "openstack.connection.Connection":
    """A connection, which logs in at its first use. Raises the SDK's errors; ConfigException for files of another shape."""
    options: dict[str, Any] = {"project_name": pool.project} if pool.project else {}
    try:
        connection = openstack.connect(
            cloud=pool.cloud, app_name="kasumi", app_version=__version__, session_constructor=patient_session, **options
        )
        timeout = connection.config.config.get("api_timeout")
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise sdk_errors.ConfigException(f"its entry cannot be read ({type(error).__name__})") from None
    try:
        float(timeout or 0)
    except (TypeError, ValueError):
        raise sdk_errors.ConfigException(f"wanted seconds as api_timeout, found {timeout!r}") from None
    return connection


class _Patience(Retry):
    """Waits as long as an answer of 429 asks for, within reason; nothing else is done twice."""

    RETRY_AFTER_STATUS_CODES = frozenset({429})


def patient_session(**options: Any) -> Session:
    """keystoneauth's session over lines that wait when the cloud limits our rate."""
    options["timeout"] = options.get("timeout") or _TIMEOUT_SECONDS
    session = Session(**options)
    patience = _Patience(
        total=_TIMES_ASKED, connect=0, read=0, other=0, allowed_methods=None, status_forcelist=(), raise_on_status=False,
        retry_after_max=_MOST_WAIT_SECONDS,
    )  # fmt: skip
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(pool_connections=_LINES, pool_maxsize=_LINES, max_retries=patience))
    return session


def problem_of_files(cloud: str) -> str:
    """What is wrong with the files, and where; empty when a second reading finds nothing."""
    return next(_problems(cloud), "")


def _problems(cloud: str) -> Iterator[str]:
    secure_files = _files("OS_CLIENT_SECURE_FILE", loader.SECURE_FILES)
    found: Mapping[str, Any] = {}
    for file in _files("OS_CLIENT_CONFIG_FILE", loader.CONFIG_FILES):
        problem, found = _read(file)
        if problem:
            yield problem
        elif found:
            yield from _entry_problems(file, found, cloud)
            break
    for file in secure_files:
        problem, _ = _read(file)
        if problem:
            yield problem
    named = os.environ.get("OS_CLIENT_CONFIG_FILE", "")
    if named and not Path(named).exists():
        yield f"OS_CLIENT_CONFIG_FILE says {named}, which is not there"


def _files(variable: str, usual: list[str]) -> list[Path]:
    """In the order in which the SDK takes the first that it can read."""
    named = os.environ.get(variable, "")
    return [file for file in map(Path, ([named] if named else []) + usual) if file.exists()]


def _read(file: Path) -> tuple[str, Mapping[str, Any]]:
    """What is wrong with a file by itself, and what it holds."""
    try:
        found = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        return f"{file}: {error.strerror}", {}
    except UnicodeDecodeError:
        return f"{file}: wanted UTF-8", {}
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f":{mark.line + 1}:{mark.column + 1}" if mark is not None else ""
        return f"{file}{place}: is no YAML: {getattr(error, 'problem', None) or 'cannot be read'}", {}
    if not isinstance(found, dict) or not isinstance(found.get("clouds"), dict):
        return f"{file}: wanted `clouds:` with a mapping of names to clouds", {}
    return "", found["clouds"]


def _entry_problems(file: Path, clouds: Mapping[str, Any], cloud: str) -> Iterator[str]:
    if cloud not in clouds:
        names = sorted(map(str, clouds))
        more = ", …" if len(names) > _NAMES_SHOWN else ""
        yield f"{file} has no cloud {cloud}, but {', '.join(names[:_NAMES_SHOWN])}{more}"
    elif not isinstance(clouds[cloud], dict):
        yield f"{file}: cloud {cloud}: wanted a mapping with auth, region_name and so on"
    elif not isinstance(clouds[cloud].get("auth", {}), dict):
        yield f"{file}: cloud {cloud}: auth: wanted a mapping with auth_url and so on"
