"""Databases: which engine in which version, and how large each is where rights reach so far."""

import re

from controlplane.discovery.probe import EVERYWHERE, Probe, Reading
from controlplane.discovery.reading import columns, first, parts, text, whole
from controlplane.model.facts import Value

_VERSION = re.compile(r"\b([0-9]+(?:\.[0-9]+){0,4})\b")
_MIB = 2**20
_SYSTEM = {"information_schema", "performance_schema", "mysql", "sys", "template0", "template1"}
_PSQL = "psql -XAtw -F | -c"
_PG_QUERY = "select datname, pg_database_size(datname) from pg_database where not datistemplate"
_MYSQL_QUERY = "select table_schema, sum(data_length+index_length) from information_schema.tables group by 1"


def _databases(output: str) -> Reading:
    found = parts(output)
    rows: list[Value] = []
    postgresql = first(found.get("pg_version", []))
    if postgresql:
        rows += _sized("postgresql", _version(postgresql), _piped(found.get("pg_sizes", [])))
    mysql = first(found.get("my_version", []))
    if mysql:
        engine = "mariadb" if "mariadb" in mysql.lower() else "mysql"
        stated = re.search(r"(?:Distrib|Ver) ([0-9]+(?:\.[0-9]+){1,4})(?!.*Distrib)", mysql)
        rows += _sized(engine, stated[1] if stated else _version(mysql), _piped(found.get("my_sizes", [])))
    rows += _oracle(found)
    return {"databases": rows} if rows or "asked" in found else {}


def _version(stated: str) -> str:
    hit = _VERSION.search(stated)
    return hit[1] if hit else ""


def _piped(lines: list[str]) -> list[tuple[str, int]]:
    found = []
    for line in lines:
        name, _, size = line.replace("\t", "|").rpartition("|")
        number = whole(size)
        if name.strip() and number is not None:
            found.append((text(name), number))
    return found


def _sized(engine: str, version: str, sizes: list[tuple[str, int]]) -> list[Value]:
    base: dict[str, Value] = {"engine": engine, "version": version} if version else {"engine": engine}
    rows: list[Value] = [
        base | {"name": name, "size_mib": round(size / _MIB, 1)} for name, size in sizes if name not in _SYSTEM and size > 0
    ]
    return rows or [base]


def _oracle(found: dict[str, list[str]]) -> list[Value]:
    version = re.search(r"Version ([0-9.]+)", "\n".join(found.get("listener", [])))
    base: dict[str, Value] = {"engine": "oracle", "version": version[1]} if version else {"engine": "oracle"}
    instances = re.findall(r'Instance "([\w$#]{1,30})"', "\n".join(found.get("listener", [])))
    instances += [words[0].removeprefix("ora_pmon_") for words in columns(found.get("pmon", []), 1) if "ora_pmon_" in words[0]]
    instances += [line.split(":")[0] for line in found.get("oratab", []) if re.match(r"[\w$#]{1,30}:/", line)]
    names = dict.fromkeys(text(name) for name in instances)
    return [base | {"name": name} for name in names] or ([base] if version else [])


DATABASES = Probe(
    name="databases",
    command=rf"""
say asked
open() {{ for f; do [ -S "$f" ] && return 0; done; return 1; }}
pg=; for d in /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /usr/local/bin /usr/bin /opt/*/pgsql/bin; do
  if [ -x "$d/postgres" ]; then pg=$d; case $d in *[0-9]/bin) break;; esac; fi
done
if [ -n "$pg" ]; then
  say pg_version
  if open /var/run/postgresql/.s.PGSQL.*[0-9] /tmp/.s.PGSQL.*[0-9]; then
    "$pg/postgres" -V; say pg_sizes
    if [ "$KASUMI_UID" = 0 ]; then su postgres -s /bin/sh -c "$pg/{_PSQL.replace("|", "'|'")} '{_PG_QUERY}'" 2>/dev/null
    else sudo -n -u postgres "$pg/psql" {_PSQL.removeprefix("psql ").replace("|", "'|'")} '{_PG_QUERY}'; fi
  else v=${{pg%/bin}}; echo "installed ${{v##*[!0-9.]}}"; fi
fi
for b in mariadbd mysqld /usr/libexec/mariadbd /usr/libexec/mysqld; do
  if has $b; then
    say my_version
    if open /var/run/mysqld/*.sock /var/lib/mysql/mysql.sock /tmp/mysql.sock && has mysql; then
      $b --version; say my_sizes; root mysql -N -B -e '{_MYSQL_QUERY}' </dev/null
    else echo "installed ${{b##*/}}"; fi
    break
  fi
done
if [ -r /etc/oratab ]; then say oratab; grep -v '^#' /etc/oratab; fi
if [ -r /var/opt/oracle/oratab ]; then say oratab; grep -v '^#' /var/opt/oracle/oratab; fi
say pmon; if [ -r /etc/oratab ] || [ -r /var/opt/oracle/oratab ]; then cat /proc/[0-9]*/comm 2>/dev/null | grep '^ora_pmon_'; fi
h=; [ -r /etc/oratab ] && h=$(sed -n 's/^[^#:]*:\([^:]*\):.*/\1/p' /etc/oratab | head -n 1)
if [ -n "$h" ] && [ -x "$h/bin/lsnrctl" ]; then say listener; ORACLE_HOME=$h "$h/bin/lsnrctl" status; fi
true""",
    parse=_databases,
    families=EVERYWHERE,
    seconds=20,
    as_root=(f"mysql -N -B -e {_MYSQL_QUERY}".replace(",", "\\,"), f"{_PSQL} {_PG_QUERY}".replace(",", "\\,")),
    confidence=0.9,
)
