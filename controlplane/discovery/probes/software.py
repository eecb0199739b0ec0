"""What is installed, what is meant to run, and what runs by the clock."""

import re

from controlplane.discovery.probe import BSD, EVERYWHERE, Probe, Reading
from controlplane.discovery.reading import MOST_ROWS, columns, parts, text
from controlplane.model.facts import Value

_INSTALLED = " ok installed"
"""Whatever is wanted of it: `install`, or `hold` at its version."""
_APK = re.compile(r"(.+)-([0-9][^-]*-r[0-9]+)")
_SYSV = re.compile(r"S[0-9]{2}(\S+)")
_LEVELS = re.compile(r"\b([0-6]):(on|off)")
_SECRETS = re.compile(
    r"(?i)(--?[\w-]*(?:pass|secret|token|key)[\w-]*[= ])\S+|(://[^/\s:@]*:)[^@/\s]+(?=@)|((?:pass\w*|pwd|secret|token)=)\S+|(\s-p)(?=\S)\S+"
)
_CRON = re.compile(r"(@\w+|(?:[-*/,0-9A-Za-z]+\s+){4}[-*/,0-9A-Za-z]+)\s+(.+)")
_ASSIGNMENT = re.compile(r"\w+\s*=")
_SYSTEM_TABS = ("/etc/crontab", "/etc/cron.d/", "/etc/anacrontab")


def redacted(command: str) -> str:
    """A command line without what looks like a password in it."""
    return text(_SECRETS.sub(lambda hit: next(group for group in hit.groups() if group) + "***", command))


def _packages(output: str) -> Reading:
    found = parts(output)
    rows = _stanzas(found.pop("status", []))
    for kind, lines in found.items():
        for line in lines[:MOST_ROWS]:
            words = [text(word) for word in line.split("\t")]
            if (kind == "dpkg" and len(words) == 3 and words[2].endswith(_INSTALLED)) or (
                kind in {"rpm", "pkg"} and len(words) == 2 and words[0] != "gpg-pubkey"
            ):
                rows.append({"name": words[0], "version": words[1]})
            elif kind == "apk" and (hit := _APK.fullmatch(line.strip())):
                rows.append({"name": text(hit[1]), "version": text(hit[2])})
    return {"packages": rows} if rows else {}


def _stanzas(lines: list[str]) -> list[Value]:
    """Installed packages of dpkg's own file: `Package`, then `Status`, then `Version` of each, its other lines left out."""
    rows: list[Value] = []
    name, installed = "", False
    for line in lines[: 3 * MOST_ROWS]:
        key, _, value = line.partition(": ")
        if key == "Package":
            name, installed = value, False
        elif key == "Status":
            installed = value.strip().endswith(_INSTALLED)
        elif key == "Version" and name and installed:
            rows.append({"name": text(name), "version": text(value)})
            name = ""
    return rows


def _services(output: str) -> Reading:
    found = parts(output)
    rows = _units(found)
    for line in found.get("chkconfig", []):
        name, levels = text(line.split(None, 1)[0]) if line.split() else "", dict(_LEVELS.findall(line))
        if name and levels:
            rows[name] = {"name": name, "enabled": "on" in {levels.get("3"), levels.get("5")}}
    for name in found.get("sysv", []):
        if hit := _SYSV.fullmatch(name.strip()):
            rows.setdefault(hit[1], {"name": text(hit[1]), "enabled": True})
    for words in columns(found.get("openrc", []), 2):
        if words[1] == "|":
            rows[words[0]] = {"name": words[0], "enabled": True}
    for line in found.get("bsd", []):
        if line.startswith("/"):
            name = text(line.rsplit("/", 1)[-1])
            rows[name] = {"name": name, "enabled": True}
    return {"services": list[Value](rows.values())} if rows else {}


def _units(found: dict[str, list[str]]) -> dict[str, dict[str, Value]]:
    rows: dict[str, dict[str, Value]] = {}
    for line in found.get("units", []):
        words = line.replace("\N{BLACK CIRCLE}", " ").removeprefix("* ").split()  # a bullet before a failed unit
        if len(words) >= 4 and words[0].endswith(".service") and words[1] != "not-found":
            rows[words[0]] = {"name": text(words[0].removesuffix(".service")), "state": text(words[3])}
    for words in columns(found.get("files", []), 2):
        if words[0].endswith(".service") and words[1] in {"enabled", "disabled", "enabled-runtime"}:
            row = rows.setdefault(words[0], {"name": words[0].removesuffix(".service"), "state": "dead"})
            row["enabled"] = words[1] != "disabled"
    return rows


def _schedules(output: str) -> Reading:
    rows: list[Value] = []
    file = ""
    listed = spooled = False
    for line in output.splitlines()[:MOST_ROWS]:
        if line.startswith("== "):
            kind, _, file = line[3:].partition(" ")
            listed, spooled = True, kind == "spool"
            continue
        if spooled:
            owner, _, entry = line.partition(":")
            rows += _cron_line(entry.strip(), owner) if owner.startswith("/") else []
            continue
        if kind_of_timer := re.fullmatch(r"(\S+)\.timer\s+enabled.*", line.strip()):
            rows.append({"kind": "timer", "owner": "root", "when": "", "command": text(kind_of_timer[1])})
        elif file.startswith("/"):
            rows += _cron_line(line.strip(), file)
    return {"schedules": rows} if listed else {}


def _cron_line(line: str, file: str) -> list[Value]:
    if file.startswith("/etc/cron.") and not file.startswith("/etc/cron.d/"):
        every = file.removeprefix("/etc/cron.").rstrip("/")
        hidden = not line or line.startswith((".", "#")) or "placeholder" in line
        return [] if hidden else [{"kind": "cron", "owner": "root", "when": every, "command": text(f"{file.rstrip('/')}/{line}")}]
    hit = None if line.startswith("#") or _ASSIGNMENT.match(line) else _CRON.fullmatch(line)
    if not hit:
        return []
    owner, command = text(file.rsplit("/", 1)[-1]), hit[2]
    if file.startswith(_SYSTEM_TABS):
        owner, command = (*command.split(None, 1), "")[:2]
    when = " ".join(hit[1].split())
    return [{"kind": "cron", "owner": text(owner), "when": text(when), "command": redacted(command)}] if command.strip() else []


PACKAGES = Probe(
    name="packages",
    command=r"""
if [ -r /var/lib/dpkg/status ]; then say status; grep -E '^(Package|Status|Version): ' /var/lib/dpkg/status
elif has dpkg-query && [ -d /var/lib/dpkg ]; then say dpkg; dpkg-query -W -f '${Package}\t${Version}\t${Status}\n'
elif has rpm && { [ -d /var/lib/rpm ] || [ -d /usr/lib/sysimage/rpm ]; }; then say rpm; rpm -qa --qf '%{NAME}\t%{VERSION}-%{RELEASE}\n'
elif has apk; then say apk; apk info -v 2>/dev/null
else exit 127; fi""",
    parse=_packages,
    seconds=30,
    confidence=0.99,
)

PACKAGES_BSD = Probe(
    name="packages",
    command="pkg -N >/dev/null 2>&1 || exit 127; say pkg; pkg query '%n\t%v'",
    parse=_packages,
    families=BSD,
    seconds=30,
    confidence=0.99,
)

SERVICES = Probe(
    name="services",
    command="""
if [ -d /run/systemd/system ] && has systemctl; then
  say units; systemctl list-units --type=service --all --no-legend --no-pager --full
  say files; systemctl list-unit-files --type=service --no-legend --no-pager --full
elif has chkconfig && chkconfig --list >/dev/null 2>&1; then say chkconfig; chkconfig --list
elif has rc-update; then say openrc; rc-update show
else
  for d in /etc/rc2.d /etc/rc.d/rc3.d /etc/init.d/rc3.d; do if [ -d $d ]; then say sysv; ls $d; break; fi; done
fi
true""",
    parse=_services,
    seconds=15,
)

SERVICES_BSD = Probe(name="services", command="say bsd; service -e", parse=_services, families=BSD, seconds=15)

SCHEDULES = Probe(
    name="schedules",
    command="""
tab() { printf '== cron %s\\n' "$1"; cat "$1"; }
for f in /etc/crontab /etc/cron.d/* /etc/anacrontab; do if [ -f "$f" ] && [ -r "$f" ]; then tab "$f"; fi; done
for d in hourly daily weekly monthly; do
  if [ -d /etc/cron.$d ]; then
    printf '== cron %s\\n' "/etc/cron.$d/"; for f in /etc/cron.$d/*; do [ -e "$f" ] && printf '%s\\n' "${f##*/}"; done
  fi
done
for d in /var/spool/cron/crontabs /var/spool/cron/tabs /var/spool/cron /var/cron/tabs /etc/crontabs; do
  if [ -d $d ]; then printf '== spool\\n'; root grep -r . $d; break; fi
done
if [ -d /run/systemd/system ]; then printf '== timers\\n'; systemctl list-unit-files --type=timer --no-legend --no-pager; fi
true""",
    parse=_schedules,
    families=EVERYWHERE,
    seconds=15,
    as_root=("grep -r . /var/spool/cron/crontabs",),
)
