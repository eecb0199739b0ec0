"""Operating systems as ledgers and hypervisors name them, to the short form of the inventory (`rhel-7.9`, `windows-2012-r2`)."""

import re
from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True, slots=True, kw_only=True)
class OsName:
    """`id` and `version` as `model/facts.py` has them; `family` empty where the catalogue has none; `note` on what is left open."""

    id: str
    version: str = ""
    family: str = ""
    note: str = ""

    @property
    def short(self) -> str:
        """As the inventory writes it."""
        return f"{self.id}-{self.version}" if self.version else self.id


_SERVER_YEARS = r"(?P<year>2000|2003|2008|2012|2016|2019|2022|2025)"
_WINDOWS = re.compile(
    rf"(?:microsoft\s+)?win(?:dows)?(?:\s*\(r\))?\s*(?:server|srv|svr|sv)?(?:\s*\(r\))?\s*[-_]?{_SERVER_YEARS}?\s*[-_]?(?P<r2>r2)?(?P<rest>.*)"
)
_WINDOWS_OTHER = re.compile(r"\s*(?P<version>nt\s*4(?:\.0)?|xp|vista|7|8\.1|8|10|11)\b")
_VERSION = r"(?P<version>[0-9]{1,3}(?:\.[0-9]{1,4}){0,2})"
_FILLER = r"(?:\s|\(r\)|gnu/?linux|linux|server|enterprise|release|version|ver\.?|v\.?|es|as|ws|-|_|/)*"
_OTHERS = tuple(
    (re.compile(rf"{pattern}{_FILLER}{_VERSION}?"), name, family)
    for pattern, name, family in (
        (r"(?:red\s*hat\s*enterprise\s*linux|redhat|red\s*hat|rhel)", "rhel", "linux"),
        (r"centos(?:\s*stream)?", "centos", "linux"),
        (r"rocky", "rocky", "linux"),
        (r"alma\s*linux|alma", "almalinux", "linux"),
        (r"oracle\s*(?:enterprise\s*)?linux", "oracle", "linux"),
        (r"amazon\s*linux", "amazon", "linux"),
        (r"miracle\s*linux", "miraclelinux", "linux"),
        (r"debian", "debian", "linux"),
        (r"ubuntu", "ubuntu", "linux"),
        (r"(?:suse\s*linux\s*enterprise|suse\s*enterprise|sles)", "sles", "linux"),
        (r"open\s*suse(?:\s*leap)?", "opensuse", "linux"),
        (r"fedora", "fedora", "linux"),
        (r"alpine", "alpine", "linux"),
        (r"free\s*bsd", "freebsd", "freebsd"),
        (r"(?:oracle\s+|sun\s+)?(?:solaris|sunos)", "solaris", ""),
        (r"(?:ibm\s+)?aix", "aix", ""),
        (r"hp-?ux(?:\s*b\.)?", "hpux", ""),
        (r"(?:vmware\s*)?esxi?", "esxi", ""),
    )
)
_EITHER = re.compile(r"[0-9]\s*/\s*[0-9]")
_LATER = re.compile(r"or\s+(?:later|newer)|以上|以降")


@lru_cache(maxsize=4096)
def os_name(text: str) -> OsName | None:
    """The system a text names; None when it is not known. `text` is as `values.plain` leaves it."""
    low = text.lower().replace("®", "").replace("™", "")
    note = "a version or later ones: no version is read" if _LATER.search(low) else ""
    if _EITHER.search(low):
        note = "several versions are named: none is read"
    if found := _WINDOWS.match(low):
        return _windows(found, note)
    for pattern, name, family in _OTHERS:
        if found := pattern.match(low):
            return OsName(id=name, version="" if note else found["version"] or "", family=family, note=note)
    return None


def _windows(found: re.Match[str], note: str) -> OsName:
    if found["year"]:
        version = f"{found['year']}-r2" if found["r2"] or re.match(r".{0,20}\br2\b", found["rest"]) else found["year"]
        return OsName(id="windows", version="" if note else version, family="windows", note=note)
    other = _WINDOWS_OTHER.match(found["rest"])
    version = re.sub(r"\s+|\.0", "", other["version"]) if other else ""
    return OsName(id="windows", version="" if note else version, family="windows", note=note)
