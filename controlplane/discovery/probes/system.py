"""What system it is: release, kernel, architecture, how it boots, since when it runs."""

import re

from controlplane.discovery.probe import BSD, Family, Probe, Reading
from controlplane.discovery.reading import first, number, pairs, parts, text, whole
from controlplane.model.facts import Value

_IDS = (
    ("red hat enterprise linux", "rhel"),
    ("centos", "centos"),
    ("rocky", "rocky"),
    ("alma", "almalinux"),
    ("oracle linux", "ol"),
    ("fedora", "fedora"),
    ("suse linux enterprise", "sles"),
    ("opensuse", "opensuse"),
)
_VERSION = re.compile(r"[0-9]+(?:\.[0-9]+)*")
_TOKEN = re.compile(r"[A-Za-z0-9][\w.+~-]{0,99}")


def _os(output: str) -> Reading:
    found = parts(output)
    fields: dict[str, Value] = {}
    kernel = [text(line) for line in found.get("uname", []) if line.strip()]
    if kernel and kernel[0] in {"Linux", "FreeBSD"}:
        fields["os.family"] = kernel[0].lower()
        if len(kernel) > 2 and _TOKEN.fullmatch(kernel[1]) and _TOKEN.fullmatch(kernel[2]):
            fields["os.kernel"], fields["os.architecture"] = kernel[1], kernel[2]
    release = pairs(found.get("release", []))
    if release.get("ID"):
        fields["os.id"] = release["ID"].lower()
    if release.get("PRETTY_NAME"):
        fields["os.name"] = release["PRETTY_NAME"]
    if release.get("VERSION_ID"):
        fields["os.version"] = release["VERSION_ID"]
    _more_exact(found, fields)
    return fields


def _more_exact(found: dict[str, list[str]], fields: dict[str, Value]) -> None:
    """What older files say, and the minor release that os-release leaves out."""
    vendor = first(found.get("redhat_release", [])) or first(found.get("suse_release", []))
    if vendor:
        known = next((name for start, name in _IDS if vendor.lower().startswith(start)), "")
        if known:
            fields.setdefault("os.id", known)
        fields.setdefault("os.name", vendor)
        version = _VERSION.search(vendor)
        if version and str(fields.get("os.version", version[0])).split(".")[0] == version[0].split(".")[0]:
            exact = ".".join(version[0].split(".")[:2])
            level = pairs(found.get("suse_release", [])).get("PATCHLEVEL")
            if level and "." not in exact and whole(level):
                exact = f"{exact}.{level}"
            if len(exact) >= len(str(fields.get("os.version", ""))):
                fields["os.version"] = exact
    debian = _VERSION.match(first(found.get("debian_version", [])))
    if debian and fields.get("os.id", "debian") == "debian":
        fields |= {"os.id": "debian", "os.version": debian[0]}
        fields.setdefault("os.name", f"Debian GNU/Linux {debian[0]}")
    alpine = _VERSION.match(first(found.get("alpine_release", [])))
    if alpine and fields.get("os.id", "alpine") == "alpine":
        fields |= {"os.id": "alpine", "os.version": alpine[0]}
        fields.setdefault("os.name", f"Alpine Linux {alpine[0]}")
    bsd = first(found.get("freebsd", []))
    if bsd and fields.get("os.family") == "freebsd":
        fields["os.id"] = "freebsd"
        if stated := _VERSION.match(bsd):
            fields["os.version"] = stated[0]
        fields.setdefault("os.name", f"FreeBSD {bsd}")


def _boot(output: str) -> Reading:
    found = parts(output)
    fields: dict[str, Value] = {}
    up = number(first(found.get("uptime", [])).partition(" ")[0], most=1e10)
    if up:
        fields["boot.uptime_seconds"] = int(up)
    booted = re.search(r"sec = ([0-9]{1,12})", first(found.get("boottime", [])))
    now = whole(found["boottime"][-1]) if len(found.get("boottime", [])) > 1 else None
    if booted and now and now > int(booted[1]):
        fields["boot.uptime_seconds"] = now - int(booted[1])
    mode = first(found.get("mode", [])).lower()
    if mode in {"uefi", "bios"}:
        fields["boot.mode"] = mode
    return fields


OS = Probe(
    name="os",
    command="""
say uname; for w in $(uname -srm); do echo "$w"; done
say release; cat /etc/os-release 2>/dev/null
for f in redhat-release=redhat_release SuSE-release=suse_release debian_version=debian_version alpine-release=alpine_release; do
  if [ -r /etc/${f%=*} ]; then say ${f#*=}; cat /etc/${f%=*}; fi
done
if has freebsd-version; then say freebsd; freebsd-version; fi
true""",
    parse=_os,
    families=frozenset(Family),
    confidence=0.99,
)

BOOT = Probe(
    name="boot",
    command="""
say uptime; cat /proc/uptime
say mode; if [ -d /sys/firmware/efi ]; then echo uefi; else echo bios; fi""",
    parse=_boot,
)

BOOT_BSD = Probe(
    name="boot",
    command="""
say boottime; sysctl -n kern.boottime; date +%s
say mode; sysctl -n machdep.bootmethod""",
    parse=_boot,
    families=BSD,
)
