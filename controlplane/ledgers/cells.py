"""The cells of one server to its ledger row: which reading each field gets, and fields that several columns make together."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from controlplane.ledgers import dates, sizes, values
from controlplane.ledgers.headings import SEVERAL, Column
from controlplane.ledgers.os_names import os_name
from controlplane.ledgers.rows import LedgerRow, Remark
from controlplane.ledgers.values import Reading
from controlplane.model.estate import LedgerValue
from controlplane.model.facts import Value
from controlplane.model.finding import Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A filled cell: its folded text, where it stands, its column. `instead_of` is 同上 where the text is that of the row above.

    `group` names the column, for remarks that are many.
    """

    text: str
    where: str
    column: Column
    group: str
    instead_of: str = ""


_PLAIN_FIELDS: dict[str, tuple[str, Callable[[str], Reading]]] = {
    "kind": ("kind", values.kind),
    "label": ("label", values.words),
    "number": ("number", values.words),
    "purpose": ("purpose", values.words),
    "location": ("location", values.words),
    "contact": ("contact", values.words),
    "notes": ("notes", values.words),
    "vendor": ("hardware.vendor", values.words),
    "model": ("hardware.model", values.words),
    "serial": ("hardware.serial", values.words),
    "cpu_model": ("cpu.model", values.words),
    "cpu_mhz": ("cpu.mhz", values.mhz),
    "installed_on": ("hardware.installed_on", dates.day),
    "contract_ends_on": ("contract.ends_on", dates.day),
}
_PROCESSOR = re.compile(r"xeon|intel|amd|opteron|epyc|ryzen|core i|pentium|celeron|atom|sparc|power|itanium|pa-?risc|ghz|arm")
_HAS_COUNT = re.compile(r"[x×*✕]")
_RAID_LEVEL = re.compile(r"(?:raid)?\s*-?\s*(1\s*\+\s*0|[0-9]{1,2})(?:構成)?", re.IGNORECASE)


@dataclass(slots=True)
class Said:
    """What the cells of one server say. Every value goes through `_take`, which tells problems and interpretations."""

    file: str
    units: Mapping[str, str]
    remarks: list[Remark]
    told: set[str]
    """Habits of columns that were told already: once is enough for 50,000 rows."""
    cells: dict[str, list[Cell]] = field(default_factory=dict)
    made: list[LedgerValue] = field(default_factory=list)

    def add(self, cells: Iterable[Cell]) -> None:
        """Note further cells; of a field that can have one value only, a second one that differs is told."""
        for cell in cells:
            known = self.cells.setdefault(cell.column.field, [])
            if known and cell.column.field not in SEVERAL:
                if cell.text != known[0].text:
                    self._remark(Severity.WARNING, cell, f"a second value beside {known[0].text!r} of {known[0].where}, not read")
            elif all(cell.text != other.text for other in known):
                known.append(cell)

    def row(self) -> LedgerRow:
        """The row; at least one cell names the server."""
        self.made = []
        self._processors()
        self._memory()
        self._disks()
        self._system()
        self._addresses()
        self._status()
        for name, (fact, read) in _PLAIN_FIELDS.items():
            if cell := self._one(name):
                self._take(fact, cell, read(cell.text))
        names = [cell for name in ("name", "label", "number") if (cell := self._one(name))]
        return LedgerRow(
            name=names[0].text,
            other_names=tuple(cell.text for cell in names[1:]),
            file=self.file,
            cell=names[0].where,
            system=self._text("system"),
            ministry=self._text("ministry"),
            system_cell=self._where("system"),
            ministry_cell=self._where("ministry"),
            values=tuple(self.made),
        )

    def _one(self, name: str) -> Cell | None:
        found = self.cells.get(name)
        return found[0] if found else None

    def _text(self, name: str) -> str:
        cell = self._one(name)
        return cell.text if cell else ""

    def _where(self, name: str) -> str:
        cell = self._one(name)
        return cell.where if cell else ""

    def _remark(self, severity: Severity, cell: Cell, why: str, remedy: str = "", group: str = "") -> None:
        where = f"{self.file}:{cell.where}"
        self.remarks.append(
            Remark(severity=severity, where=where, text=cell.text, why=why, remedy=remedy, column=f"{cell.group}{group or why}")
        )

    def _checked(self, cell: Cell, reading: Reading) -> Value:
        """The value of a reading, with what is to be told about it."""
        if reading.problem:
            self._remark(Severity.WARNING, cell, reading.problem)
            return None
        if reading.note:
            self._remark(Severity.INFORMATION, cell, reading.note, group="note")
        if reading.habit and cell.group + reading.habit not in self.told:
            self.told.add(cell.group + reading.habit)
            self._remark(Severity.INFORMATION, cell, reading.habit)
        return reading.value

    def _take(self, fact: str, cell: Cell, reading: Reading) -> None:
        value = self._checked(cell, reading)
        if value is not None:
            self._make(fact, value, cell, interpreted=bool(reading.note))

    def _make(self, fact: str, value: Value, cell: Cell, *, interpreted: bool = False, text: str = "") -> None:
        shown = text or cell.instead_of or (cell.text if interpreted else "")
        self.made.append(LedgerValue(file=self.file, cell=cell.where, field=fact, value=value, text=shown))

    def _processors(self) -> None:
        whole, sockets, cores = self._one("cpu"), self._one("cpu_sockets"), self._one("cpu_cores")
        packages = sockets or whole
        if cores and packages:
            first = self._checked(packages, values.whole(packages.text, "a number of processors", values.MAX_CPUS))
            second = self._checked(cores, values.cpus(cores.text))
            if isinstance(first, int) and isinstance(second, int) and first * second <= values.MAX_CPUS:
                why = f"{first} under {packages.column.heading!r} times {second} read as {first * second} processors"
                remedy = "if this column counts all cores, name its heading under `cpu` in a map and ignore the other"
                self._remark(Severity.INFORMATION, cores, why, remedy, group="product")
                self._make("cpu.count", first * second, cores, text=f"{packages.text} × {cores.text}")
            if isinstance(first, int) and sockets:
                self._make("cpu.sockets", first, sockets)
            return
        if cores:
            self._take("cpu.count", cores, values.cpus(cores.text))
        if sockets:
            self._take("cpu.sockets", sockets, values.whole(sockets.text, "a number of sockets", values.MAX_CPUS))
        if whole:
            reading = values.cpus(whole.text)
            if reading.problem and _PROCESSOR.search(whole.text.lower()):
                self._make("cpu.model", whole.text, whole)
                reading = values.cores_within(whole.text)
            self._take("cpu.count", whole, reading)

    def _memory(self) -> None:
        if cell := self._one("memory"):
            self._take("memory.total_mib", cell, sizes.memory(cell.text, cell.column.unit or self.units.get("memory", "")))

    def _disks(self) -> None:
        cells = self.cells.get("disk", [])
        if not cells:
            return
        texts = [self._whole_disk(cell, alone=len(cells) == 1) for cell in cells]
        read = []
        notes = []
        for cell, text in zip(cells, texts, strict=True):
            reading = sizes.disk(text, cell.column.unit or self.units.get("disk", ""))
            read.append(self._checked(cell, reading))
            notes.append(bool(reading.note) or text != cell.text)
        # One disk that cannot be read would make the sum too small, so there is no sum then.
        if all(isinstance(value, int) for value in read):
            total = sum(value for value in read if isinstance(value, int))
            shown = " + ".join(texts) if any(notes) or len(texts) > 1 else ""
            self._make("disks.total_gib", total, cells[0], text=shown)
        elif len(cells) > 1:
            self._remark(Severity.WARNING, cells[0], "not all disks can be read, so their sum is not known")

    def _whole_disk(self, cell: Cell, *, alone: bool) -> str:
        """A disk's text together with the columns of their count and RAID level."""
        text, count, raid = cell.text, self._one("disk_count"), self._one("raid")
        if not alone:
            return text
        if (
            count
            and not _HAS_COUNT.search(text.lower())
            and (number := re.fullmatch(r"([0-9]{1,3})\s*[本台個枚块]?", count.text))
        ):
            text = f"{text} × {number[1]}"
        if raid and "raid" not in text.lower():
            if level := _RAID_LEVEL.fullmatch(raid.text):
                text = f"{text} RAID{level[1]}"
            else:
                self._remark(Severity.WARNING, raid, "wanted a RAID level such as RAID1")
        return text

    def _system(self) -> None:
        name, version = self._one("os"), self._one("os_version")
        if name is None:
            if version:
                self._remark(Severity.WARNING, version, "a version without an operating system, not read")
            return
        text = name.text if version is None or version.text in name.text else f"{name.text} {version.text}"
        self._make("os.name", text, name, text=name.instead_of)
        found = os_name(text)
        if found is None:
            why = "is no known operating system, kept as text"
            self._remark(Severity.INFORMATION, name, why)
            return
        if found.note:
            self._remark(Severity.INFORMATION, name, found.note)
        for fact, value in (("os.id", found.id), ("os.version", found.version), ("os.family", found.family)):
            if value:
                self._make(fact, value, name)

    def _addresses(self) -> None:
        listed: list[dict[str, Value]] = []
        cards: list[Value] = []
        cells = [*self.cells.get("address", ()), *self.cells.get("mac", ())]
        for cell in cells:
            read = values.addresses if cell.column.field == "address" else values.mac
            found = self._checked(cell, read(cell.text))
            for one in found if isinstance(found, list) else ():
                if isinstance(one, dict):
                    listed.append(one)
                else:
                    cards.append(one)
        if len(listed) == len(cards) == 1:
            listed[0] = listed[0] | {"mac": cards[0]}
        else:
            listed += [{"mac": card} for card in cards]
        if listed:
            self._make("addresses", list(listed), cells[0])

    def _status(self) -> None:
        if cell := self._one("status"):
            reading = values.state(cell.text)
            if reading.problem:
                self._make("status", cell.text, cell)
            else:
                self._take("power.state", cell, reading)
