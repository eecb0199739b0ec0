"""RVTools exports: one row of vInfo is a server, the other sheets say what hangs on it.

Sheets are joined by the guest's UUID, else by its name; custom attributes stand as further columns anywhere and are passed over.
What a cold copy trips over (raw devices, snapshots, USB, media, independent and shared disks) becomes facts that readiness reads.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from controlplane.ledgers import dates, sizes, values
from controlplane.ledgers.named_sheets import Named, Refused, rows_of
from controlplane.ledgers.os_names import os_name
from controlplane.ledgers.rows import Ledger, LedgerRow, Remark
from controlplane.ledgers.rvtools_columns import MAIN, SHEETS
from controlplane.ledgers.sheets import Sheet
from controlplane.ledgers.values import Reading
from controlplane.model.estate import LedgerValue
from controlplane.model.facts import Value
from controlplane.model.finding import Severity

_BUSES = frozenset(("scsi", "sata", "nvme", "ide"))
_TRUE = frozenset(("true", "1", "yes", "wahr", "vrai"))

_NO_MEDIUM = frozenset(("client device", "remote device", "remote atapi", "none"))
_MAX_PER_SERVER = 500
"""Disks, cards or snapshots of one guest; more is no export of RVTools."""


def is_rvtools(sheets: Iterable[Sheet]) -> bool:
    """True when the workbook has vInfo with its headings."""
    main = next((sheet for sheet in sheets if sheet.name.lower() == MAIN.lower()), None)
    if main is None or not main.rows:
        return False
    return {"vm", "powerstate"} <= {values.plain(text).lower() for text in main.rows[0]}


def read_rvtools(sheets: Iterable[Sheet], name: str, remarks: list[Remark]) -> Ledger:
    """The guests of an export. Templates are told and left out."""
    by_name = {known: sheet for sheet in sheets for known in SHEETS if sheet.name.lower() == known.lower()}
    missing = [known for known in SHEETS if known not in by_name and known != "vFloppy"]
    if missing:
        why = f"has no sheet {', '.join(missing)}, so what they would say is not known"
        remarks.append(Remark(severity=Severity.INFORMATION, where=name, why=why))
    return _Export(name, by_name, remarks).ledger()


@dataclass(slots=True)
class _Guest:
    """What the sheets say of one guest."""

    main: dict[str, Named]
    parts: dict[str, list[dict[str, Named]]] = field(default_factory=dict)
    values: list[LedgerValue] = field(default_factory=list)


class _Export:
    """One workbook while it is read."""

    def __init__(self, name: str, sheets: dict[str, Sheet], remarks: list[Remark]) -> None:
        self._name = name
        self._sheets = sheets
        self._remarks = remarks
        self._hosts: dict[str, dict[str, Named]] = {}

    def ledger(self) -> Ledger:
        """All guests in the order of vInfo."""
        guests: dict[str, _Guest] = {}
        names: dict[str, list[str]] = {}
        for row in self._rows(MAIN):
            if (vm := row.get("vm")) is None:
                first = next(iter(row.values()))
                self._say(Severity.CRITICAL, first.cell, "", "the row names no server, not imported", "fill in VM")
                continue
            if self._truth(row.get("template")):
                self._say(Severity.INFORMATION, vm.cell, vm.text, "is a template, not imported", column="template")
                continue
            key = _key(row)
            if key in guests:
                self._say(Severity.CRITICAL, vm.cell, vm.text, f"stands at {guests[key].main['vm'].cell} already; not imported")
                continue
            guests[key] = _Guest(main=row)
            names.setdefault(vm.text, []).append(key)
        self._hosts = {row["host"].text: row for row in self._rows("vHost") if "host" in row}
        for sheet in SHEETS:
            if sheet not in {MAIN, "vHost"}:
                self._join(sheet, guests, names)
        rows = tuple(self._row(guest) for guest in guests.values())
        if not rows:
            why = f"has no guest in {MAIN}"
            remedy = "export it again if it should have"
            self._remarks.append(Remark(severity=Severity.WARNING, where=self._name, why=why, remedy=remedy))
        return Ledger(name=self._name, rows=rows, remarks=tuple(self._remarks))

    def _rows(self, sheet: str) -> Iterator[dict[str, Named]]:
        found = self._sheets.get(sheet)
        if found is None:
            return
        refused_cells: list[Refused] = []
        yield from rows_of(found, SHEETS[sheet], refused_cells)
        for one in refused_cells:
            self._say(Severity.WARNING, one.cell, one.text, one.why, column=f"{sheet} refused")

    def _join(self, sheet: str, guests: dict[str, _Guest], names: dict[str, list[str]]) -> None:
        for row in self._rows(sheet):
            vm = row.get("vm")
            keys = [key] if (key := _key(row)) in guests else names.get(vm.text, []) if vm is not None else []
            if len(keys) != 1:
                if not self._truth(row.get("template")) and (vm is None or not self._is_template(vm.text)):
                    why = "belongs to no guest of vInfo" if not keys else "belongs to several guests of this name"
                    first = vm or next(iter(row.values()))
                    self._say(Severity.WARNING, first.cell, first.text, f"{why}, not read", column=f"{sheet} {why}")
                continue
            parts = guests[keys[0]].parts.setdefault(sheet, [])
            if len(parts) < _MAX_PER_SERVER:
                parts.append(row)
            elif vm is not None:
                self._say(Severity.WARNING, vm.cell, vm.text, f"has more than {_MAX_PER_SERVER} rows, not read", column=sheet)

    def _is_template(self, vm: str) -> bool:
        return any(remark.text == vm and remark.column == "template" for remark in self._remarks)

    def _say(self, severity: Severity, cell: str, text: str, why: str, remedy: str = "", column: str = "") -> None:
        where = f"{self._name}:{cell}"
        self._remarks.append(Remark(severity=severity, where=where, text=text, why=why, remedy=remedy, column=column))

    def _truth(self, named: Named | None) -> bool:
        return named is not None and named.text.lower() in _TRUE

    def _checked(self, named: Named | None, reading: Reading | None) -> Value:
        """The value of a reading, its problem told."""
        if named is None or reading is None:
            return None
        if reading.problem:
            column = "".join(letter for letter in named.cell if not letter.isdecimal())
            self._say(Severity.WARNING, named.cell, named.text, reading.problem, column=column + reading.problem)
        return reading.value

    def _size(self, named: Named | None, *, gib: bool = False) -> int | None:
        """MiB (or whole GiB) of a number of MiB: a program's own, so no amount is unlikely."""
        if named is None:
            return None
        read = sizes.disk if gib else sizes.memory
        found = self._checked(named, read(named.text if named.text[-1:].isalpha() else f"{named.text}MiB", ""))
        return found if isinstance(found, int) else None

    def _row(self, guest: _Guest) -> LedgerRow:
        main = guest.main
        self._take(guest, "kind", main["vm"], "virtual")
        self._take(guest, "label", main["vm"], main["vm"].text)
        if (cpus := main.get("cpus")) is not None:
            self._take(guest, "cpu.count", cpus, self._checked(cpus, values.cpus(cpus.text)))
        self._take(guest, "memory.total_mib", main.get("memory"), self._size(main.get("memory")))
        self._host(guest)
        self._system(guest)
        self._state(guest)
        self._disks(guest)
        self._cards(guest)
        self._attached(guest)
        names = [main["vm"].text, *([main["dns"].text] if "dns" in main else [])]
        return LedgerRow(
            name=names[0],
            other_names=tuple(names[1:]),
            file=self._name,
            cell=main["vm"].cell,
            values=tuple(guest.values),
        )

    def _take(self, guest: _Guest, fact: str, named: Named | None, value: Value, text: str = "") -> None:
        if named is not None and value is not None:
            guest.values.append(LedgerValue(file=self._name, cell=named.cell, field=fact, value=value, text=text))

    def _host(self, guest: _Guest) -> None:
        """Where it runs, and the processor it sees there."""
        main = guest.main
        self._take(guest, "hardware.virtualisation", main["vm"], "vmware")
        where: dict[str, Value] = {"name": main["vm"].text}
        for key in ("host", "cluster", "datacenter", "id", "version"):
            if key in main:
                where[key] = main[key].text
        self._take(guest, "hypervisor", main.get("host") or main["vm"], where)
        host = self._hosts.get(main["host"].text) if "host" in main else None
        if host is not None:
            if "model" in host:
                self._take(guest, "cpu.model", host["model"], host["model"].text)
            if "speed" in host:
                self._take(guest, "cpu.mhz", host["speed"], self._checked(host["speed"], values.mhz(host["speed"].text)))

    def _system(self, guest: _Guest) -> None:
        """What the tools in the guest say goes before what somebody once configured."""
        told, configured = guest.main.get("os_told"), guest.main.get("os_configured")
        named = told or configured
        if named is None:
            return
        self._take(guest, "os.name", named, named.text)
        found = os_name(named.text)
        if found is None:
            self._say(Severity.INFORMATION, named.cell, named.text, "is no known operating system, kept as text", column="os")
            return
        if found.note:
            self._say(Severity.INFORMATION, named.cell, named.text, found.note, column="os note")
        for fact, value in (("os.id", found.id), ("os.version", found.version), ("os.family", found.family)):
            self._take(guest, fact, named, value or None)
        if told and configured and (other := os_name(configured.text)) is not None and other.id != found.id:
            why = f"is configured, {told.text!r} is what runs by its own word; the latter is read"
            self._say(Severity.INFORMATION, configured.cell, configured.text, why, column="os differs")

    def _state(self, guest: _Guest) -> None:
        power, firmware, note = (guest.main.get(key) for key in ("power", "firmware", "annotation"))
        if power is not None:
            self._take(guest, "power.state", power, self._checked(power, values.state(power.text)))
        if firmware is not None:
            boot = {"bios": "bios", "efi": "uefi", "uefi": "uefi"}.get(firmware.text.lower())
            reading = Reading(value=boot) if boot else Reading(problem="wanted bios or efi")
            self._take(guest, "boot.mode", firmware, self._checked(firmware, reading))
        if note is not None:
            self._take(guest, "notes", note, note.text)

    def _disks(self, guest: _Guest) -> None:
        """Each disk, and their sum from vInfo; where that has none, from vDisk when all of them can be read."""
        listed: list[Value] = []
        known: list[int | None] = []
        for row in guest.parts.get("vDisk", ()):
            size = self._size(row.get("capacity"), gib=True)
            known.append(size)
            disk: dict[str, Value] = {"name": row["name"].text} if "name" in row else {}
            if size is not None:
                disk["size_gib"] = size
            disk["kind"] = "raw" if self._truth(row.get("raw")) else "disk"
            if "mode" in row:
                disk["mode"] = row["mode"].text
            if "controller" in row and (bus := row["controller"].text.partition(" ")[0].lower()) in _BUSES:
                disk["transport"] = bus
            shared = _shared(row)
            if shared is not None:
                disk["shared"] = shared
            listed.append(disk)
        rows = guest.parts.get("vDisk")
        first = next(iter(rows[0].values())) if rows else None
        if first is not None:
            self._take(guest, "disks", rows[0].get("name", first) if rows else first, listed)
        total = self._size(guest.main.get("disk"), gib=True)
        if total is not None:
            self._take(guest, "disks.total_gib", guest.main.get("disk"), total)
        elif known and all(size is not None for size in known):
            self._take(guest, "disks.total_gib", first, sum(size for size in known if size is not None), text="sum of vDisk")

    def _cards(self, guest: _Guest) -> None:
        cards: list[Value] = []
        networks: list[Value] = []
        rows = guest.parts.get("vNetwork", [])
        for row in rows:
            mac = self._mac(row.get("mac"))
            network: dict[str, Value] = {"card": row["label"].text} if "label" in row else {}
            if "network" in row:
                network["network"] = row["network"].text
            if mac is not None:
                network["mac"] = mac
            if "connected" in row:
                network["connected"] = self._truth(row["connected"])
            networks.append(network)
            here = [one for key in ("ipv4", "ipv6") for one in self._several(row.get(key))]
            cards += [one | ({"mac": mac} if mac is not None else {}) for one in here] or ([{"mac": mac}] if mac else [])
        main = guest.main.get("address")
        primary = self._several(main)
        known = {card.get("address") for card in cards if isinstance(card, dict)}
        cards = [*(one for one in primary if one.get("address") not in known), *cards]
        if primary:
            # The primary address is the one by which the server is known.
            first = primary[0].get("address")
            cards.sort(key=lambda card: not (isinstance(card, dict) and card.get("address") == first))
        if cards:
            named = main or rows[0].get("mac") or rows[0].get("ipv4") or guest.main["vm"]
            self._take(guest, "addresses", named, cards)
        if networks:
            self._take(guest, "networks", rows[0].get("label") or rows[0].get("network") or guest.main["vm"], networks)

    def _mac(self, named: Named | None) -> Value:
        found = self._checked(named, values.mac(named.text)) if named is not None else None
        return found[0] if isinstance(found, list) and len(found) == 1 else None

    def _several(self, named: Named | None) -> list[dict[str, Value]]:
        found = self._checked(named, values.addresses(named.text)) if named is not None else None
        return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []

    def _attached(self, guest: _Guest) -> None:
        """Snapshots, media, USB devices and what the guest's file systems hold."""
        for fact, sheets, read in (
            ("snapshots", ("vSnapshot",), self._snapshot),
            ("removable", ("vCD", "vFloppy"), self._medium),
            ("hardware.usb", ("vUSB",), self._usb),
            ("filesystems", ("vPartition",), self._filesystem),
        ):
            rows = [row for sheet in sheets for row in guest.parts.get(sheet, ())]
            found = [one for row in rows if (one := read(row))]
            if found:
                self._take(guest, fact, next(iter(rows[0].values())), list(found))

    def _snapshot(self, row: dict[str, Named]) -> dict[str, Value]:
        found: dict[str, Value] = {"name": row["name"].text} if "name" in row else {"name": "(no name)"}
        if (day := self._checked(row.get("date"), dates.day(row["date"].text) if "date" in row else None)) is not None:
            found["created_at"] = day
        # A snapshot that was just taken may have no size yet.
        if "size" in row and row["size"].text not in {"0", "0.0"} and (size := self._size(row["size"])) is not None:
            found["size_mib"] = size
        return found

    def _medium(self, row: dict[str, Named]) -> dict[str, Value]:
        """Only what holds something or is connected; an empty drive of a client hinders nobody."""
        connected = self._truth(row.get("connected"))
        kind = row["type"].text if "type" in row else ""
        if not connected and (not kind or kind.lower() in _NO_MEDIUM):
            return {}
        return {"kind": kind or "(not said)", "name": row["name"].text if "name" in row else "", "connected": connected}

    def _usb(self, row: dict[str, Named]) -> dict[str, Value]:
        named = row.get("type") or row.get("name")
        vendor = row.get("family")
        found: dict[str, Value] = {"name": named.text if named else "(not said)"}
        if vendor is not None:
            found["product"] = vendor.text
        return found

    def _filesystem(self, row: dict[str, Named]) -> dict[str, Value]:
        found: dict[str, Value] = {"mount": row["mount"].text} if "mount" in row else {}
        for key, fact in (("capacity", "size_mib"), ("consumed", "used_mib")):
            if key in row and row[key].text not in {"0", "0.0"} and (size := self._size(row[key])) is not None:
                found[fact] = size
        return found


def _key(row: dict[str, Named]) -> str:
    """The guest's own id: names may be shared by guests of several datacenters."""
    for name in ("uuid", "id", "vm"):
        if name in row:
            return f"{name} {row[name].text}"
    return ""


def _shared(row: dict[str, Named]) -> bool | None:
    """True for a disk that several guests may write."""
    told = [row[key].text.lower() for key in ("sharing", "bus") if key in row]
    if not told:
        return None
    return any(text in {"sharingmultiwriter", "physicalsharing", "virtualsharing", "physical", "virtual"} for text in told)
