"""Writes an inventory of this lab: the packaged one, with as many shared hosts as the lab has."""

import copy
import re
import shutil
from pathlib import Path
from typing import Any

import yaml

from controlplane.errors import KasumiError, RefusedError
from controlplane.settings import resource
from lab import layout, ownership

HOSTS_FILE = "10-hosts.yml"
SHARED_HOST = re.compile(r"hv\d+")


def write_to(directory: Path, *, shared: int | None = None) -> Path:
    """Write the inventory of a lab with `shared` hosts (default: those of the running lab, else 2) into a new directory.

    Hosts beyond the packaged ones repeat them in turn, each in a rack of its own. Raises RefusedError when the directory has
    files in it, so it may not be repeated.
    """
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise RefusedError(f"lab inventory: wanted {directory} new or empty, found files there; name another directory")
    source = resource("inventories") / "lab"
    if not (source / HOSTS_FILE).is_file():
        raise KasumiError(f"lab inventory: wanted the packaged inventory {source}, found no {HOSTS_FILE} there; reinstall kasumi")
    count = shared or ownership.shared_hosts() or layout.DEFAULT_HOSTS
    shutil.copytree(source, directory, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__", "__init__.py"))
    path = directory / HOSTS_FILE
    path.write_text(with_hosts(path.read_text(encoding="utf-8"), count), encoding="utf-8")
    return directory


def with_hosts(text: str, count: int) -> str:
    """The text of a hosts file with this many shared hosts; pure. Raises KasumiError when it has none to start from."""
    document: dict[str, Any] = yaml.safe_load(text)
    found: dict[str, Any] = document["hypervisors"]["hosts"]
    patterns = [name for name in found if SHARED_HOST.fullmatch(name)]
    if not patterns:
        raise KasumiError(
            f"lab inventory: wanted a shared host in {HOSTS_FILE}, found {', '.join(found) or 'none'}; reinstall kasumi"
        )
    if count == len(patterns):
        return text
    others = {name: host for name, host in found.items() if name not in patterns}
    shared = {}
    for number, host in enumerate(layout.hosts(count)[:-1], start=1):
        pattern = patterns[(number - 1) % len(patterns)]
        shared[host.name] = found[host.name] if host.name in found else _another(found[pattern], host, number)
    document["hypervisors"]["hosts"] = shared | others
    comments = [line for line in text.splitlines(keepends=True) if line.startswith("#")]
    return "".join(comments) + yaml.safe_dump(document, allow_unicode=True, sort_keys=False)


def _another(pattern: dict[str, Any], host: layout.Host, number: int) -> dict[str, Any]:
    made = copy.deepcopy(pattern)
    old = made["ansible_host"]
    made["ansible_host"] = host.address
    declared = made["kasumi_host"]
    declared["uri"] = declared["uri"].replace(old, host.address)
    declared["rack"] = f"{declared['site']}-r{(number + 1) // 2}"
    return made
