"""Traces that decide whether a server can move: addresses written into files, licences, clusters, backup."""

import re
from ipaddress import IPv4Address

from controlplane.discovery.probe import EVERYWHERE, Probe, Reading
from controlplane.discovery.reading import MOST_ROWS, columns, parts, text, whole
from controlplane.model.facts import Value

_GREP = re.compile(r"(/[^:]{1,300}):([0-9]{1,9}):(.*)")
_ADDRESS = re.compile(r"(?<![\w.-])((?:[0-9]{1,3}\.){3}[0-9]{1,3})(?![\w]|\.[0-9]|/[0-9])")
_OWN = re.compile(r"(?m)(?:^|inet (?:addr:)?)((?:[0-9]{1,3}\.){3}[0-9]{1,3})")
_VERSION_BEFORE = re.compile(r"(?:version|release|ver\.?|oid)\s*[:=]?\s*v?$", re.IGNORECASE)
_LICENCE = {
    "lmgrd": "FlexLM", "lmadmin": "FlexLM", "hasplmd": "Sentinel HASP", "hasplmd_x86_64": "Sentinel HASP", "aksusbd": "Sentinel HASP",
    "aksusbd_x86_64": "Sentinel HASP", "spnsrvlnx": "Sentinel", "CodeMeterLin": "CodeMeter", "rlm": "RLM", "i4lmd": "LUM",
    "cdslmd": "FlexLM", "lserv": "Sentinel RMS",
}  # fmt: skip
_CLUSTER = {
    "corosync": "corosync", "pacemakerd": "pacemaker", "keepalived": "keepalived", "heartbeat": "heartbeat", "rgmanager": "rgmanager",
    "cman": "cman", "aisexec": "openais", "had": "veritas", "ocssd.bin": "oracle-rac", "clulsnrd": "clusterpro", "clpnm": "clusterpro",
    "o2net": "ocfs2", "dlm_controld": "dlm", "multipathd": "multipath",
}  # fmt: skip
_BACKUP = {
    "bacula-fd": "bacula", "bareos-fd": "bareos", "amandad": "amanda", "veeamservice": "veeam", "bpcd": "netbackup", "vnetd": "netbackup",
    "dsmcad": "spectrum-protect", "dsmc": "spectrum-protect", "nsrexecd": "networker", "avagent.bin": "avamar", "cvd": "commvault",
    "omniinet": "data-protector", "caagentd": "arcserve", "urbackupclientbackend": "urbackup", "burp": "burp",
}  # fmt: skip
_BACKUP_WORDS = re.compile(
    r"\b(rsnapshot|borg|borgmatic|restic|duplicity|mysqldump|mariabackup|pg_dump(?:all)?|pg_basebackup|rsync|amdump|rdiff-backup|bacula|rman)\b"
)
_HOST_ID = re.compile(r"SERVER\s+(\S+)\s+(\S+)(?:\s+[0-9]+)?")


def _hard_coded(output: str) -> Reading:
    found = parts(output)
    if "asked" not in found:
        return {}
    own = set(_OWN.findall("\n".join(found.get("own", []))))
    rows: list[Value] = []
    seen = set()
    for line in found.get("found", [])[:MOST_ROWS]:
        hit = _GREP.fullmatch(line)
        if not hit or hit[3].lstrip().startswith(("#", ";", "//")):
            continue
        for address in _ADDRESS.finditer(hit[3]):
            place = (hit[1], hit[2], address[1])
            if place in seen or address[1] in own or not _of_another(address[1], hit[3][: address.start()]):
                continue
            seen.add(place)
            rows.append({"file": text(hit[1]), "line": int(hit[2]), "address": address[1]})
    return {"hard_coded_addresses": rows}


def _of_another(address: str, before: str) -> bool:
    try:
        found = IPv4Address(address)
    except ValueError:
        return False
    special = found.is_loopback or found.is_unspecified or found.is_multicast or found.is_link_local or found.is_reserved
    return not special and not address.startswith(("255.", "0.")) and not _VERSION_BEFORE.search(before)


def _programs(output: str) -> Reading:
    found = parts(output)
    running = {words[0] for words in columns(found.get("programs", []), 1)}
    if not running:
        return {}
    licences = [{"name": _LICENCE[name], "bound_to": "licence server"} for name in sorted(running & _LICENCE.keys())]
    for line in found.get("licences", [])[:1000]:
        hit = _HOST_ID.search(line)
        if hit:
            licences.append({"name": "FlexLM", "bound_to": text(f"host id {hit[2]} of {hit[1]}")})
    clusters = [{"kind": _CLUSTER[name], "name": ""} for name in sorted(running & _CLUSTER.keys())]
    named = re.search(
        r"^\s*cluster_name:\s*(\S{1,100})|<cluster\s[^>]*?name=\"([^\"]{1,100})\"", "\n".join(found.get("cluster", [])), re.M
    )
    if named:
        clusters.append({"kind": "corosync", "name": text(named[1] or named[2])})
    if any(line.startswith("version:") for line in found.get("drbd", [])):
        clusters.append({"kind": "drbd", "name": ""})
    backups = [{"kind": _BACKUP[name], "name": ""} for name in sorted(running & _BACKUP.keys())]
    for line in found.get("backups", [])[:1000]:
        file, _, command = line.partition(":")
        hit = None if command.lstrip().startswith("#") else _BACKUP_WORDS.search(command)
        if hit:
            backups.append({"kind": hit[1], "name": text(file)})
    return {"licences": _once(licences), "cluster": _once(clusters), "backup": _once(backups)}


def _once(rows: list[dict[str, str]]) -> list[Value]:
    return [dict(row) for row in dict.fromkeys(tuple(row.items()) for row in rows)]


def _history(output: str) -> Reading:
    """Daily mean and maximum of CPU use from `sar -u`: the %idle column of each file, one file a day."""
    days: dict[str, list[float]] = {}
    day, idle = "", -1
    for line in output.splitlines()[: 10 * MOST_ROWS]:
        words = line.split()
        if line.startswith(("Linux ", "FreeBSD ")):
            day, idle = _day(line), -1
        elif "%idle" in words:
            idle = len(words) - words.index("%idle")
        elif day and idle > 0 and len(words) > 3 and words[0][:1].isdigit() and "all" in words and len(words) >= idle:
            value = words[-idle].replace(",", ".")
            if re.fullmatch(r"[0-9]{1,3}(?:\.[0-9]{1,4})?", value) and float(value) <= 100:
                days.setdefault(day, []).append(1 - float(value) / 100)
    rows: list[Value] = [
        {"day": when, "cpu_ratio_mean": round(sum(values) / len(values), 4), "cpu_ratio_max": round(max(values), 4)}
        for when, values in sorted(days.items())
    ]
    return {"history": rows} if rows else {}


def _day(line: str) -> str:
    hit = re.search(r"\b([0-9]{4})-([0-9]{2})-([0-9]{2})\b", line)
    if hit:
        return hit[0]
    american = re.search(r"\b([0-9]{2})/([0-9]{2})/([0-9]{2}|[0-9]{4})\b", line)
    if not american:
        return ""
    month, day = whole(american[1], least=1, most=12), whole(american[2], least=1, most=31)
    year = int(american[3]) + (2000 if len(american[3]) == 2 else 0)
    return f"{year:04d}-{month:02d}-{day:02d}" if month and day else ""


_NOT_ADDRESSES = " -o ".join(
    f"-path '/etc/{name}'"
    for name in (
        "ssl", "ca-certificates", "pki", "alternatives", "selinux", "fonts", "terminfo", "X11", "netplan", "init.d", "bash_completion*",
        "snmp/mibs", "cloud/templates", "ssh/moduli", "services", "protocols", "hosts", "resolv.conf", "rc.d", "rc[0-9S].d", "ld.so*",
        "mime*", "network/interfaces*", "sysconfig/network-scripts",
    )
)  # fmt: skip
HARD_CODED = Probe(
    name="hard_coded",
    command=r"""
say asked
say own; { ip -o -4 addr show || ifconfig -a; } 2>/dev/null
say found
set --; for d in /etc /usr/local/etc /opt/*/conf /opt/*/etc /opt/*/config /srv/*/conf /srv/*/config /usr/local/*/conf; do
  [ -d "$d" ] && set -- "$@" "$d"
done
find "$@" \( {_NOT_ADDRESSES} \) -prune -o -type f -size -200 \
  -exec grep -nE '(^|[^0-9.])([0-9]{1,3}\.){3}[0-9]{1,3}([^0-9.]|$)' /dev/null {} + 2>/dev/null | cut -c 1-400 | head -n 2000
true""".replace("{_NOT_ADDRESSES}", _NOT_ADDRESSES),
    parse=_hard_coded,
    families=EVERYWHERE,
    seconds=20,
    confidence=0.7,
)
"""Files whose business addresses are (hosts, interfaces, resolver) are left out: they are read by other probes."""

PROGRAMS = Probe(
    name="programs",
    command=r"""
say programs; if [ -r /proc/self/comm ]; then sed '' /proc/[0-9]*/comm; else ps -axo comm; fi 2>/dev/null
say licences
for f in /opt/*/*.lic /opt/*/licenses/*.lic /opt/*/license/*.lic /usr/local/flexlm/licenses/* /etc/*.lic; do
  [ -r "$f" ] && grep -E '^SERVER[[:space:]]' "$f"
done
say cluster; for f in /etc/corosync/corosync.conf /etc/cluster/cluster.conf; do [ -r $f ] && cat $f; done
say drbd; [ -r /proc/drbd ] && cat /proc/drbd
say backups; grep -E 'rsnapshot|borg|restic|duplicity|dump|basebackup|rsync|rdiff|bacula|rman' /etc/crontab /etc/cron.d/* \
  /etc/cron.daily/* /etc/cron.weekly/* /var/spool/cron/crontabs/* /var/spool/cron/* /dev/null 2>/dev/null
true""",
    parse=_programs,
    families=EVERYWHERE,
    seconds=10,
    confidence=0.8,
)
"""Names of programs only: arguments of processes may hold passwords."""

HISTORY = Probe(
    name="history",
    command=r"""
has sar || exit 127
for f in /var/log/sa/sa[0-9]* /var/log/sysstat/sa[0-9]*; do [ -r "$f" ] && sar -u -f "$f" 2>/dev/null; done
true""",
    parse=_history,
    seconds=30,
    confidence=0.9,
)
