"""Reads a fleet from CSV: machines with sizes and their present host, and the hosts they may be consolidated on.

Machines, one a row: name (`name`, `machine`, `vm`, `id`), vCPU (`vcpus`, `vcpu`, `cpus`, `cpu`, `cores`), memory (`memory`,
`memory_mib`, `mem`, `ram`), disk (`disk`, `disk_gib`, `storage`) and host (`host`, `node`, `hypervisor`); case, blanks,
dashes do not matter. Sizes are numbers in one unit of the author's choice, fractions allowed; a unit in the header is only held
against that of the hosts, for which it must be of the same order.

Capacities come from `NAME.hosts.csv` beside `NAME.csv` (columns name, cpu, memory, disk), else from columns of the machines'
file named `host_cpu`, `host_memory`, `host_disk`, else every host is as large as the fullest now, in each dimension. A
column that is missing in one of both files is left out of the comparison, as is disk without a capacity.
"""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import numpy as np

from benchmarks.planner.tokens import InstanceError
from controlplane.planning.reassign.problem import Integers

_NAMES = {
    "name": ("name", "machine", "vm", "vmname", "id", "uuid", "instance", "server"),
    "cpu": ("vcpus", "vcpu", "cpus", "cpu", "cores", "core", "vcpucount"),
    "memory": ("memory", "mem", "ram"),
    "disk": ("disk", "storage", "disksize"),
    "host": ("host", "node", "hypervisor", "hostname", "presenthost", "currenthost"),
}
_DIMENSIONS = ("cpu", "memory", "disk")
_MEANT = {*_NAMES, *(f"host{dimension}" for dimension in _DIMENSIONS)}
_NUMBER = re.compile(r"\+?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_UNITS = re.compile(r"(mib|mb|gib|gb|tib|tb|kib|kb|bytes)$")
SCALE = 1000
"""Fractions are kept at least to a thousandth of the unit, and as far as any number of the file goes."""
_MOST_DECIMALS = 9
_LARGEST = 10**12
_MOST_SUM = 2**60


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fleet:
    """Sizes (machines × dimensions) and capacities (hosts × dimensions), and the host of each machine.

    In thousandths, or in what smaller parts the file has; those of one dimension are alike.
    """

    machines: tuple[str, ...]
    hosts: tuple[str, ...]
    dimensions: tuple[str, ...]
    sizes: Integers
    capacities: Integers
    where: Integers


def hosts_beside(file: Path) -> Path:
    """Where the hosts of a fleet are looked for."""
    return file.with_name(f"{file.stem}.hosts.csv")


def read_fleet(file: Path) -> Fleet:
    """The fleet. Raises InstanceError with file, line and column."""
    table = _Table(file)
    table.need("host")
    if not table.rows:
        raise InstanceError(f"{file}: wanted a row for each machine, found none")
    names = table.texts("name") if table.has("name") else [f"machine {number}" for number in range(len(table.rows))]
    dimensions = [dimension for dimension in _DIMENSIONS if table.has(dimension)]
    hosts, capacities = _hosts(file, table, dimensions)
    dimensions = [dimension for dimension in dimensions if dimension in capacities]
    if not dimensions:
        raise InstanceError(f"{file}:1: wanted a column of sizes ({', '.join(_DIMENSIONS)}), found {', '.join(table.header)}")
    number_of = {name: number for number, name in enumerate(hosts)}
    where = []
    for line, host in zip(table.lines, table.texts("host"), strict=True):
        if not host:
            raise InstanceError(f"{file}:{line}: wanted the present host of the machine, found nothing")
        if host not in number_of:
            raise InstanceError(f"{file}:{line}: host {host!r} is not among the hosts of {hosts_beside(file).name}; add it there")
        where.append(number_of[host])
    whole = {dimension: _whole(file, dimension, table.numbers(dimension), capacities[dimension]) for dimension in dimensions}
    return Fleet(
        machines=tuple(names),
        hosts=tuple(hosts),
        dimensions=tuple(dimensions),
        sizes=np.array([whole[dimension][0] for dimension in dimensions], dtype=np.int64).T.reshape(-1, len(dimensions)),
        capacities=np.array([whole[dimension][1] for dimension in dimensions], dtype=np.int64).T.reshape(-1, len(dimensions)),
        where=np.array(where, dtype=np.int64),
    )


def _whole(
    file: Path, dimension: str, sizes: Sequence[Decimal], capacities: Sequence[Decimal]
) -> tuple[Sequence[int], Sequence[int]]:
    """Both in the largest parts of a unit that are whole, so that nothing is rounded that decides what fits. Raises InstanceError."""
    decimals = max((-int(each.as_tuple().exponent) for each in (*sizes, *capacities)), default=0)
    scale = max(SCALE, 10 ** min(decimals, _MOST_DECIMALS))
    whole = ([round(each * scale) for each in sizes], [round(each * scale) for each in capacities])
    if max(map(sum, whole)) > _MOST_SUM:
        raise InstanceError(f"{file}: {dimension}: the numbers are too large to be added in 64 bits; write them in a larger unit")
    return whole


def write_fleet(fleet: Fleet, file: Path) -> None:
    """Both files of a fleet."""
    _write(file, ("name", *fleet.dimensions, "host"), fleet.machines, fleet.sizes, [fleet.hosts[host] for host in fleet.where])
    _write(hosts_beside(file), ("name", *fleet.dimensions), fleet.hosts, fleet.capacities, None)


def _write(file: Path, header: Sequence[str], names: Sequence[str], table: Integers, last: Sequence[str] | None) -> None:
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(header)
        for number, name in enumerate(names):
            amounts = [f"{amount / SCALE:g}" if amount % SCALE else str(amount // SCALE) for amount in table[number]]
            writer.writerow((name, *amounts, *([last[number]] if last is not None else [])))


def _hosts(file: Path, table: "_Table", dimensions: Sequence[str]) -> tuple[list[str], Mapping[str, Sequence[Decimal]]]:
    beside = hosts_beside(file)
    if beside.exists():
        declared = _Table(beside)
        column = "name" if declared.has("name") else "host"
        declared.need(column)
        names = declared.texts(column)
        twice = (
            next((name for number, name in enumerate(names) if name in names[:number]), None)
            if len(set(names)) < len(names)
            else None
        )
        if twice is not None:
            raise InstanceError(f"{beside}: host {twice!r} is declared twice; remove one")
        for dimension in dimensions:
            table.alike(dimension, declared, dimension)
        return names, {dimension: declared.numbers(dimension) for dimension in dimensions if declared.has(dimension)}
    where = table.texts("host")
    names = sorted(set(where))
    stated = {dimension: f"host{dimension}" for dimension in dimensions if table.has(f"host{dimension}")}
    capacities: dict[str, list[Decimal]] = {}
    for dimension in dimensions:
        if stated:
            if dimension in stated:
                table.alike(dimension, table, stated[dimension])
                by_host = table.by_host(where, stated[dimension])
                capacities[dimension] = [by_host[name] for name in names]
            continue
        used = dict.fromkeys(names, Decimal(0))
        for host, amount in zip(where, table.numbers(dimension), strict=True):
            used[host] += amount
        capacities[dimension] = [max(used.values(), default=Decimal(0))] * len(names)
    return names, capacities


class _Table:
    """A CSV file by column, headers brought to one form."""

    def __init__(self, file: Path) -> None:
        self.file = file
        try:
            text = file.read_text(encoding="utf-8-sig")
        except OSError as error:
            raise InstanceError(f"{file}: {error.strerror or error}; name a file that can be read") from None
        except UnicodeDecodeError:
            raise InstanceError(f"{file}: wanted UTF-8, found other bytes; save it as UTF-8") from None
        reader = csv.reader(io.StringIO(text, newline=""))
        self.rows: list[list[str]] = []
        self.lines: list[int] = []
        try:
            self.header = next(reader, [])
            for row in reader:
                if not any(cell.strip() for cell in row):
                    continue
                if len(row) != len(self.header):
                    raise InstanceError(f"{file}:{reader.line_num}: wanted {len(self.header)} columns, found {len(row)}")
                self.rows.append(row)
                self.lines.append(reader.line_num)
        except csv.Error as error:
            raise InstanceError(f"{file}:{reader.line_num}: {error}; wanted CSV with commas") from None
        self._column: dict[str, int] = {}
        for number, name in enumerate(self.header):
            known = _known(name)
            if known in _MEANT and known in self._column:
                other = self.header[self._column[known]]
                raise InstanceError(f"{file}:1: columns {other!r} and {name!r} both mean {known}; leave one of them out")
            self._column.setdefault(known, number)

    def has(self, name: str) -> bool:
        return name in self._column

    def need(self, name: str) -> None:
        if name not in self._column:
            raise InstanceError(f"{self.file}:1: wanted a column `{name}`, found {', '.join(self.header) or 'nothing'}")

    def texts(self, name: str) -> list[str]:
        column = self._column[name]
        return [row[column].strip() for row in self.rows]

    def numbers(self, name: str) -> list[Decimal]:
        found = []
        for line, text in zip(self.lines, self.texts(name), strict=True):
            value = Decimal(text) if _NUMBER.fullmatch(text) else Decimal(-1)
            if not 0 <= value < _LARGEST:
                limits = "from 0 on" if value < 0 else "below a million million"
                raise InstanceError(f"{self.file}:{line}: {name}: wanted a number {limits}, found {text[:40]!r}")
            found.append(value)
        return found

    def by_host(self, where: Sequence[str], name: str) -> dict[str, Decimal]:
        """What the rows of each host state of it. Raises InstanceError where they contradict each other."""
        stated: dict[str, Decimal] = {}
        for line, host, value in zip(self.lines, where, self.numbers(name), strict=True):
            if stated.setdefault(host, value) != value:
                raise InstanceError(
                    f"{self.file}:{line}: {name} of {host!r} is {value} here and {stated[host]} before; correct one"
                )
        return stated

    def alike(self, name: str, other: "_Table", their_name: str) -> None:
        """Raises InstanceError where two columns are in units of different order."""
        if not other.has(their_name):
            return
        ours, theirs = self._unit(name), other._unit(their_name)
        if ours and theirs and ours[0] != theirs[0]:
            raise InstanceError(
                f"{other.file}:1: {name} is in {theirs} here and in {ours} in {self.file}; bring both to one unit"
            )

    def _unit(self, name: str) -> str:
        plain = re.sub(r"[^a-z0-9]", "", self.header[self._column[name]].lower())
        found = _UNITS.search(plain)
        return found.group() if found is not None else ""


def _known(header: str) -> str:
    """Our name of a column, or its own in one form."""
    plain = re.sub(r"[^a-z0-9]", "", re.sub(r"\(.*?\)|\[.*?\]", "", header.lower()))
    bare = _UNITS.sub("", plain) or plain
    host = bare.startswith("host") and bare not in _NAMES["host"]
    inner = bare.removeprefix("host") if host else bare
    for name, spellings in _NAMES.items():
        if inner in spellings:
            return f"host{name}" if host else name
    return bare
