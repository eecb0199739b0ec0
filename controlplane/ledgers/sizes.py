"""Sizes as ledgers write them (`16ＧＢ`, `8GB×2`, `2×300GB RAID1`, `C:100GB D:500GB`) to MiB or GiB.

Every sign of the text must have a meaning here, else the whole is a problem: a number that is skipped is a disk that is lost.
GB is read as GiB, the larger by 7.4 %, so that nothing planned by it is too small.
"""

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from controlplane.inventory.units import MAX_MIB, MIB_OF
from controlplane.ledgers.values import Reading

_TIMES = str.maketrans({"×": "x", "✕": "x", "✖": "x", "*": "x", "∗": "x", "╳": "x", "【": "(", "】": ")", "[": "(", "]": ")"})
_TOKEN = re.compile(
    r"""
    (?P<blank>\s+)
  | (?P<raid>raid\s*-?\s*(?P<level>1\s*\+\s*0|[0-9]{1,2})(?:構成|组|組)?)
  | (?P<mirror>ミラー(?:リング)?|mirror(?:ed|ing)?|镜像|鏡像)
  | (?P<drive>[c-z]\s*(?::|ドライブ|drive)\s*[:：]?|/(?:[a-z0-9_.\-]+(?:/[a-z0-9_.\-]+)*)?\s*[:=])
  | (?P<number>[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?|[0-9]{1,15}(?:\.[0-9]{1,9})?)
  | (?P<unit>(?:[kmgtp](?:i?b(?:yte)?s?|バイト)?|キロ(?:バイト)?
      |メガ(?:バイト)?|ギガ(?:バイト)?|テラ(?:バイト)?|ペタ(?:バイト)?|b(?:ytes?)?|バイト)(?![a-wyz]))
  | (?P<times>x)
  | (?P<counter>本|枚|台|個|基|本構成|块|塊|disks?|drives?|pcs)
  | (?P<separator>\+|、|,|;|および|及び|と|and)
  | (?P<open>\()
  | (?P<close>\))
  | (?P<about>約|およそ|大約|大约|approx\.?|ca\.|~|〜)
  | (?P<least>以上)
  | (?P<noise>memory|メモリー?|主記憶|ram|内存|hdd|ssd|sas|sata|nvme|fc|ディスク|disk
      |硬盘|硬碟|実効|実容量|容量|総容量|計|合計|total|内蔵|各|ecc|ddr[2-5]|:|/)
    """,
    re.VERBOSE,
)  # fmt: skip
_MIB_OF_LETTER = {
    "k": Fraction(1, 1024),
    "m": Fraction(MIB_OF["MiB"]),
    "g": Fraction(MIB_OF["GiB"]),
    "t": Fraction(MIB_OF["TiB"]),
    "p": Fraction(MIB_OF["TiB"] * 1024),
    "b": Fraction(1, 1024 * 1024),
}
_KANA_UNITS = {"キ": "k", "メ": "m", "ギ": "g", "テ": "t", "ペ": "p", "バ": "b"}
UNITS = ("B", "KB", "KiB", "MB", "MiB", "GB", "GiB", "TB", "TiB")
"""What a heading or a map may state for numbers without a unit."""


_LIKELY_MEMORY_MIB = (64, 1536 * 1024)
_LIKELY_DISK_MIB = (2 * 1024, 64 * 1024 * 1024)
"""What a server may have where the heading alone states the unit: 16000 under GB are MB, 16 under MB are GB. A cell that states its
own unit is believed."""


@lru_cache(maxsize=4096)
def memory(text: str, unit: str) -> Reading:
    """MiB of memory; `unit` is that of numbers without one, empty for none."""
    read = _read(text, unit)
    if isinstance(read, str):
        return Reading(problem=read)
    if read.raids:
        return Reading(problem="memory has no RAID level")
    return _unlikely(read, unit, _LIKELY_MEMORY_MIB) or _amount(read, Fraction(1), "MiB")


@lru_cache(maxsize=4096)
def disk(text: str, unit: str) -> Reading:
    """GiB of disk, usable after RAID, rounded up."""
    read = _read(text, unit)
    if isinstance(read, str):
        return Reading(problem=read)
    return _unlikely(read, unit, _LIKELY_DISK_MIB) or _amount(read, Fraction(MIB_OF["GiB"]), "GiB")


@dataclass(slots=True)
class _Size:
    """What a text comes to so far."""

    mib: Fraction
    notes: list[str]
    raids: bool = False
    decimal: bool = False
    bare: bool = False
    """A number in it has its unit from elsewhere."""


class _UnreadableError(Exception):
    """Why a text is no size."""


def _unlikely(size: _Size, unit: str, likely_mib: tuple[int, int]) -> Reading | None:
    """Why an amount cannot be meant, where its unit is not its own."""
    least, most = likely_mib
    if not size.bare or least <= size.mib <= most or size.mib == 0:
        return None
    way = "more" if size.mib > most else "less"
    return Reading(problem=f"in {unit}, the unit of its column, far {way} than a server has; write its own unit into the cell")


def _amount(size: _Size, step: Fraction, name: str) -> Reading:
    amount = size.mib / step
    rounded = -(-amount.numerator // amount.denominator)
    if size.mib == 0:
        return Reading(problem="zero is not a size")
    if rounded * step > MAX_MIB:
        return Reading(problem="wanted at most 1024TiB")
    notes = [*size.notes, *(["rounded up"] if rounded != amount and step > 1 else [])]
    note = f"{'; '.join(notes)}: {rounded} {name}" if notes else ""
    habit = "units of 1000 read as units of 1024, at most 7.4 % more to GB and 10 % to TB" if size.decimal and step > 1 else ""
    return Reading(value=int(rounded), note=note, habit=habit)


def _read(text: str, unit: str) -> _Size | str:
    try:
        return _whole(_tokens(text.lower().translate(_TIMES)), unit.lower())
    except _UnreadableError as why:
        return str(why)


_Token = tuple[str, str]


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    place = 0
    while place < len(text):
        found = _TOKEN.match(text, place)
        if found is None:
            raise _UnreadableError(f"wanted a size such as 16GB, {text[place : place + 12]!r} is not understood")
        place = found.end()
        kind = next(name for name in _KINDS if found[name] is not None)
        if kind == "raid":
            tokens.append((kind, re.sub(r"\s|\+", "", found["level"])))
        elif kind == "mirror":
            tokens.append(("raid", "1"))
        elif kind not in {"blank", "noise"}:
            tokens.append((kind, found[kind]))
    return tokens


_KINDS = tuple(name for name in _TOKEN.groupindex if name != "level")


def _whole(tokens: list[_Token], unit: str) -> _Size:
    """Outside parentheses stands the size; inside, what it is made of, its RAID level, or, with nothing outside, the size."""
    outer, inner = _apart(tokens)
    raids = [token for token in inner if token[0] == "raid"]
    detail = [token for token in inner if token[0] != "raid"]
    if not any(kind == "number" for kind, _ in outer):
        return _sum([*outer, *inner], unit)
    whole = _sum([*outer, *raids], unit)
    if any(kind == "number" for kind, _ in detail):
        made_of = _sum([*detail, *raids], unit)
        if made_of.mib != whole.mib:
            raise _UnreadableError("what stands in parentheses comes to another size")
    elif detail:
        raise _UnreadableError("what stands in parentheses is not understood")
    return whole


def _apart(tokens: list[_Token]) -> tuple[list[_Token], list[_Token]]:
    outer: list[_Token] = []
    inner: list[_Token] = []
    depth = 0
    for token in tokens:
        if token[0] == "open":
            depth += 1
        elif token[0] == "close":
            depth -= 1
        else:
            (inner if depth else outer).append(token)
        if depth not in {0, 1}:
            raise _UnreadableError("its parentheses do not match")
    if depth:
        raise _UnreadableError("its parentheses do not match")
    return outer, inner


def _sum(tokens: list[_Token], unit: str) -> _Size:
    groups: list[list[_Token]] = [[]]
    for place, token in enumerate(tokens):
        if token[1] == "," and [kind for kind, _ in tokens[place - 1 : place + 2 : 2]] == ["number", "number"]:
            raise _UnreadableError("may be one number with a decimal comma or two numbers; write 4.5GB or 4GB+5GB")
        if token[0] in {"separator", "drive"}:
            groups.append([])
        else:
            groups[-1].append(token)
    parts = [_part(group, unit) for group in groups if group]
    if not parts:
        raise _UnreadableError("states no size")
    notes = [note for part in parts for note in part.notes]
    mib = sum((part.mib for part in parts), Fraction(0))
    if any(part.mib == 0 for part in parts):
        raise _UnreadableError("zero is not a size")
    if len(parts) > 1:
        notes.append(f"{len(parts)} parts added up")
    return _Size(
        mib=mib,
        notes=notes,
        raids=any(part.raids for part in parts),
        decimal=any(part.decimal for part in parts),
        bare=any(part.bare for part in parts),
    )


def _part(tokens: list[_Token], unit: str) -> _Size:
    """One size with its count and RAID level: NUMBER [UNIT] [x COUNT], or COUNT x NUMBER [UNIT]."""
    levels = [text for kind, text in tokens if kind == "raid"]
    notes = ["read as the very number"] if any(kind in {"about", "least"} for kind, _ in tokens) else []
    rest = [token for token in tokens if token[0] not in {"raid", "about", "least"}]
    shape = "".join(_SIGN[kind] for kind, _ in rest)
    found = _SHAPE.fullmatch(shape)
    if found is None or len(levels) > 1:
        raise _UnreadableError("wanted a size such as 16GB, 300GB×2 or 2×300GB RAID1")
    written = [text for kind, text in rest if kind == "number"]
    notes += [f"{text} read with a decimal point" for text in written if _LIKE_THOUSANDS.fullmatch(text)]
    numbers = [Fraction(text.replace(",", "")) for text in written]
    stated = [text for kind, text in rest if kind == "unit"]
    used = stated[0] if stated else unit
    if not used:
        raise _UnreadableError("states no unit, and its heading states none")
    count = Fraction(1)
    size = numbers[0]
    if len(numbers) == 2:
        first_is_count = shape in _COUNT_FIRST
        if shape == "nxn":
            if not min(numbers) <= _MOST_PIECES < max(numbers):
                raise _UnreadableError("does not say which number is the count")
            first_is_count = numbers[0] < numbers[1]
        count, size = numbers if first_is_count else reversed(numbers)
    if count.denominator != 1 or count < 1:
        raise _UnreadableError(f"{count} is not a number of pieces")
    one = size * _MIB_OF_LETTER[_KANA_UNITS.get(used[0], used[0])]
    usable, note = _usable(int(count), levels[0] if levels else None)
    if note:
        notes.append(note)
    return _Size(
        mib=one * usable, notes=notes, raids=bool(levels), decimal="i" not in used and used[0] not in "bバ", bare=not stated
    )


_SIGN = {"number": "n", "unit": "u", "times": "x", "counter": "c", "open": "(", "close": ")"}
_SHAPE = re.compile(r"nu?|nu?xnc?|nc?xnu|ncxn|nunc")
_COUNT_FIRST = frozenset(("nxnu", "ncxnu", "ncxn"))
_LIKE_THOUSANDS = re.compile(r"[1-9][0-9]{0,2}\.[0-9]{3}")
"""Elsewhere 1.000 is a thousand; it is read as one, and told."""
_MOST_PIECES = 64
"""Of two bare numbers the one up to this is the count, when the other is above it."""


def _usable(count: int, level: str | None) -> tuple[int, str]:
    """How many of `count` pieces can be used, and how that was decided. Raises where the level leaves it open."""
    if level is None:
        return count, f"{count} pieces read as their sum" if count > 1 else ""
    if count == 1:
        return 1, f"RAID{level} of a single size: read as what can be used"
    usable = {
        "0": count,
        "1": 1 if count == 2 else 0,
        "5": count - 1 if count >= 3 else 0,
        "6": count - 2 if count >= 4 else 0,
        "10": count // 2 if count >= 4 and count % 2 == 0 else 0,
    }.get(level, 0)
    if usable == 0:
        raise _UnreadableError(f"RAID{level} of {count} disks does not say how much can be used")
    return usable, f"RAID{level} of {count} disks read as {usable} usable"
