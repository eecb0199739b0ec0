"""Which fields of two sources are held against each other, and how far apart they may be and still mean the same.

Knows values only, not who said them. A field that is not here is never a contradiction: it is said by one source alone, moves
with every look, or is free text that two people write in two ways.
"""

from collections.abc import Callable

from controlplane.model.facts import Value

Agreement = Callable[[Value, Value], bool]

_ARCHITECTURES = {"amd64": "x86_64", "x64": "x86_64", "i386": "i686", "i486": "i686", "i586": "i686", "arm64": "aarch64"}
_SYSTEMS = {"redhat": "rhel", "red hat": "rhel", "rockylinux": "rocky", "suse": "sles", "win": "windows"}


def within(*, share: float, absolute: float) -> Agreement:
    """Numbers agree when they differ by no more than a share of the larger one plus an absolute allowance."""

    def agree(one: Value, other: Value) -> bool:
        if not _is_number(one) or not _is_number(other):
            return one == other
        first, second = float(one), float(other)  # type: ignore[arg-type]
        return abs(first - second) <= share * max(abs(first), abs(second)) + absolute

    return agree


def same_word(aliases: dict[str, str]) -> Agreement:
    """Words agree in any case and under any of their names."""

    def plain(value: Value) -> str:
        word = str(value).strip().lower()
        return aliases.get(word, word)

    return lambda one, other: plain(one) == plain(other)


def same_version(one: Value, other: Value) -> bool:
    """Versions agree when one is the beginning of the other: a ledger says 7, the server 7.9."""
    return all(first == second for first, second in zip(str(one).strip().split("."), str(other).strip().split("."), strict=False))


def both_virtual_or_none(one: Value, other: Value) -> bool:
    """Only whether it is virtual at all counts; kvm and qemu are names of one thing."""
    return (str(one).lower() == "none") == (str(other).lower() == "none")


def addresses_within(one: Value, other: Value) -> bool:
    """The smaller list of addresses is part of the larger: a ledger names the main address only."""
    first, second = addresses_in(one), addresses_in(other)
    return first <= second or second <= first


def addresses_in(value: Value) -> frozenset[str]:
    """The addresses of the catalogue's `addresses` list."""
    items = value if isinstance(value, list) else []
    return frozenset(str(item["address"]) for item in items if isinstance(item, dict) and item.get("address"))


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


COMPARED: dict[str, tuple[Agreement, str]] = {
    "addresses": (addresses_within, "the shorter list is part of the longer one"),
    "boot.mode": (same_word({"efi": "uefi", "legacy": "bios"}), "the same word"),
    "cpu.count": (within(share=0, absolute=0), "equal"),
    # 300 GB on a label are 279 GiB to the kernel: 6.9 %.
    "disks.total_gib": (within(share=0.08, absolute=2), "8 % and 2 GiB apart at most, since ledgers count in GB"),
    "hardware.serial": (same_word({}), "equal in any case"),
    "hardware.virtualisation": (both_virtual_or_none, "both virtual or both not"),
    # Firmware, the kernel and a crash kernel keep theirs before `total` is counted.
    "memory.total_mib": (
        within(share=0.06, absolute=192),
        "6 % and 192 MiB apart at most, as firmware and kernel keep a part",
    ),
    "os.architecture": (same_word(_ARCHITECTURES), "the same processor family"),
    "os.family": (same_word({}), "the same word"),
    "os.id": (same_word(_SYSTEMS), "the same system under any of its names"),
    "os.version": (same_version, "one is the beginning of the other"),
}
"""Field to its test and the test in words."""

PLANNED_ON: tuple[str, ...] = ("addresses", "cpu.count", "disks.total_gib", "memory.total_mib", "os.id", "os.version")
"""What a plan rests on; the truth score counts these, and a contradiction in one of them or in what decides whether the
server can move at all stands in the way of a plan."""
GATING: frozenset[str] = frozenset((*PLANNED_ON, "boot.mode", "hardware.virtualisation", "os.architecture", "os.family"))
