"""One cell's text to one value: counts, kinds, states, addresses, and the words that stand for nothing.

Each function takes text as `plain` leaves it and answers a Reading; none raises, whatever the text. What admits more than one
reading is a problem, unless a rule that the note states decides it. Zero is never an amount.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from controlplane.model.facts import Value

MAX_CELL_CHARACTERS = 2_000
"""Longer texts are no values; Excel would hold 32,767."""
MAX_CPUS = 4_096

_NOTHING = (
    "-|--|---|ー|—|―|‐|−|–|─|*|?|n/a|na|nil|null|none|unknown|tbd|empty|なし|無し|無|不明|未定|未設定|未確認|不詳|該当なし|空白"
    "|未知|不详|无|暂无|待定|未設置"
)
_BLANK = frozenset(("", *_NOTHING.split("|")))
_DITTO = frozenset(("同上", "〃", "々", "仝", "同じ", "上に同じ", "ditto", "do.", "″", "''", '"', "“", "”", "同前", "↑"))
_ERROR = re.compile(r"#(?:N/A|REF!|VALUE!|DIV/0!|NAME\?|NUM!|NULL!|SPILL!|CALC!|GETTING_DATA)")
_NUMBER = re.compile(r"[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?|[0-9]{1,15}(?:\.[0-9]{1,9})?")
_CORE_WORD = r"(?:コア|core|cores|個|基|cpu|cpus|vcpu|vcpus|v|c|核|颗|way|スレッド|threads?|ソケット|sockets?|つ|processors?)"
_COUNT = re.compile(
    rf"(?P<count>[0-9]{{1,3}}(?:,[0-9]{{3}}){{1,2}}(?:\.[0-9]{{1,6}})?|[0-9]{{1,9}}(?:\.[0-9]{{1,6}})?)\s*-?{_CORE_WORD}?"
)
_DECIMAL_COMMA = re.compile(rf"[0-9]+,[0-9]+\s*-?{_CORE_WORD}?")
_PRODUCT = re.compile(
    rf"(?P<first>[0-9]{{1,4}})\s*(?:cpu|cpus|ソケット|sockets?|個|基|p|way|路)?\s*[x/]\s*(?P<second>[0-9]{{1,4}})\s*(?P<word>{_CORE_WORD}?)"
)
_THREADS = re.compile(
    r"(?P<cores>[0-9]{1,4})\s*(?:c|コア|cores?|核)\s*[/・,]?\s*(?P<threads>[0-9]{1,4})\s*(?:t|スレッド|threads?)"
)
_CORES_IN_TEXT = re.compile(r"([0-9]{1,4})\s*(?:コア|-?cores?\b|核)")
_TIMES = str.maketrans({"×": "x", "✕": "x", "✖": "x", "*": "x", "∗": "x", "╳": "x"})

_KINDS = {
    "physical": "physical|p|物理|物理サーバ|物理サーバー|物理機|物理机|物理服务器|實體|實體機|実機|bare metal|baremetal|bm|hardware",
    "virtual": "virtual|v|vm|仮想|仮想サーバ|仮想サーバー|仮想マシン|虚拟|虚拟机|虛擬|虛擬機|virtual machine|guest",
}
_STATES = {
    "running": "running|on|poweredon|power on|active|up|稼働|稼働中|運用中|稼動中|使用中|运行中|運行中|在用|in use",
    "stopped": "stopped|off|poweredoff|power off|down|offline|停止|停止中|休止|停机|停用|shut off",
    "paused": "suspended|paused|サスペンド",
    "decommissioned": "decommissioned|decommissioning|retired|disposed|廃止|廃止済|廃棄|廃棄済|撤去|撤去済|报废|報廢",
}
_KIND_OF = {word: kind for kind, listed in _KINDS.items() for word in listed.split("|")}
_STATE_OF = {word: state for state, listed in _STATES.items() for word in listed.split("|")}

_MAC_PARTS = re.compile(
    r"(?:[0-9a-f]{2}([:-]))(?:[0-9a-f]{2}\1){4}[0-9a-f]{2}|[0-9a-f]{4}\.[0-9a-f]{4}\.[0-9a-f]{4}|[0-9a-f]{12}"
)
_LIST = re.compile(r"[\s,;、，・|]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A value, or why there is none. `note` says how this very text was read, `habit` how all texts like it are."""

    value: Value = None
    note: str = ""
    problem: str = ""
    habit: str = ""


@lru_cache(maxsize=65_536)
def plain(text: str) -> str:
    """NFKC (full-width digits, half-width kana), no control characters, one blank between words."""
    if text.isascii() and text.isprintable():
        return text.strip() if "  " not in text else " ".join(text.split())
    folded = unicodedata.normalize("NFKC", text)
    return " ".join("".join(part if part.isprintable() else " " for part in folded).split())


def is_blank(text: str) -> bool:
    """True for nothing and for the signs and words people write for it."""
    return text.lower() in _BLANK


def is_ditto(text: str) -> bool:
    """True for 同上 and its like."""
    return text.lower() in _DITTO


def refused(text: str) -> str:
    """Why a text is not looked at any further, or empty."""
    if len(text) > MAX_CELL_CHARACTERS:
        return f"has {len(text)} characters, at most {MAX_CELL_CHARACTERS} are read"
    if text.startswith("="):
        return "is a formula, which is never evaluated"
    if _ERROR.fullmatch(text.upper()):
        return "is an error of the spreadsheet"
    return ""


def whole(text: str, what: str, most: int) -> Reading:
    """A whole number from 1 to `most`."""
    found = _NUMBER.fullmatch(text)
    if found is None:
        return Reading(problem=f"wanted {what}")
    number = float(text.replace(",", ""))
    if number == 0:
        return Reading(problem=f"zero is not {what}")
    if number > most:
        return Reading(problem=f"wanted at most {most}")
    if number != int(number):
        return Reading(problem=f"wanted {what}, a whole one")
    return Reading(value=int(number))


@lru_cache(maxsize=4096)
def cpus(text: str) -> Reading:
    """Logical processors: `4`, `４コア`, `2x4 cores`, `2C/4T`; half a processor is one."""
    low = text.lower().translate(_TIMES)
    if found := _THREADS.fullmatch(low):
        return _cpus(int(found["threads"]), f"{found['cores']} cores with {found['threads']} threads read as logical processors")
    if found := _PRODUCT.fullmatch(low):
        product = int(found["first"]) * int(found["second"])
        return _cpus(product, f"{found['first']} × {found['second']} read as {product} processors")
    if (found := _COUNT.fullmatch(low)) is None:
        why = ", with a point for decimals" if _DECIMAL_COMMA.fullmatch(low) else ""
        return Reading(problem=f"wanted a number of processors{why}")
    number = float(found["count"].replace(",", ""))
    if number != int(number):
        return _cpus(int(number) + 1, f"rounded up to {int(number) + 1}")
    return _cpus(int(number))


def _cpus(count: int, note: str = "") -> Reading:
    if count == 0:
        return Reading(problem="zero is not a number of processors")
    if count > MAX_CPUS:
        return Reading(problem=f"wanted at most {MAX_CPUS} processors")
    return Reading(value=count, note=note)


def cores_within(text: str) -> Reading:
    """The number of cores that a processor's description states: `Xeon E5-2620 8コア`; a problem when none or several."""
    found = _CORES_IN_TEXT.findall(text.lower())
    if len(found) != 1:
        return Reading(problem="states no number of cores" if not found else "states several numbers of cores")
    return _cpus(int(found[0]), f"read as {int(found[0])} processors")


def kind(text: str) -> Reading:
    """physical or virtual."""
    found = _KIND_OF.get(text.lower())
    return Reading(value=found) if found else Reading(problem="wanted physical or virtual")


@lru_cache(maxsize=256)
def state(text: str) -> Reading:
    """running, stopped, paused or decommissioned."""
    found = _STATE_OF.get(text.lower())
    return Reading(value=found) if found else Reading(problem="not a known state; wanted running, stopped or decommissioned")


def words(text: str) -> Reading:
    """Free text."""
    return Reading(value=text)


def mac(text: str) -> Reading:
    """One or several MAC addresses, in lower case with colons, as a list."""
    parts = [part for part in _LIST.split(text.lower()) if part]
    found: list[Value] = []
    for part in parts:
        if not _MAC_PARTS.fullmatch(part):
            return Reading(problem="wanted a MAC address")
        digits = re.sub(r"[^0-9a-f]", "", part)
        if int(digits[:2], 16) & 1 or digits == "0" * 12:
            return Reading(problem="is not the address of a single network card")
        found.append(":".join(digits[place : place + 2] for place in range(0, 12, 2)))
    return Reading(value=found) if found else Reading(problem="wanted a MAC address")


def addresses(text: str) -> Reading:
    """One or several IP addresses, each perhaps with its prefix length, as a list of `{address, prefix_length}`."""
    found: list[Value] = []
    for part in _LIST.split(text):
        if not part:
            continue
        address, slash, length = part.partition("/")
        one = _address(address)
        if one is None or (slash and not (length.isdecimal() and len(length) <= 3 and int(length) <= one.max_prefixlen)):
            return Reading(problem="wanted IP addresses")
        if one.is_unspecified or one.is_loopback or one.is_multicast:
            return Reading(problem=f"{one} is not the address of a server")
        if slash and _is_network(one, int(length)):
            return Reading(problem=f"{part} is a network and not the address of a server")
        stated: dict[str, Value] = {"address": str(one)}
        if slash:
            stated["prefix_length"] = int(length)
        found.append(stated)
    return Reading(value=found) if found else Reading(problem="wanted IP addresses")


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        found = ip_address(text)
    except ValueError:
        return None
    return found if not getattr(found, "scope_id", None) else None


def _is_network(address: IPv4Address | IPv6Address, prefix_length: int) -> bool:
    """True for the first and last address of an IPv4 network, which no server has where there are more than two."""
    if address.version != 4 or prefix_length > 30:
        return False
    network = ip_network(f"{address}/{prefix_length}", strict=False)
    return address in {network.network_address, network.broadcast_address}


def mhz(text: str) -> Reading:
    """A clock: `2.4GHz`, `2400`, `2,394 MHz`."""
    found = re.fullmatch(rf"(?P<number>{_NUMBER.pattern})\s*(?P<unit>[mg]hz)?", text.lower())
    if found is None:
        return Reading(problem="wanted a clock such as 2.4GHz")
    number = float(found["number"].replace(",", ""))
    if found["unit"] == "ghz":
        number *= 1000
    elif found["unit"] is None and number < 100:
        return Reading(problem="wanted a clock with its unit")
    return Reading(value=round(number)) if 1 <= number <= 100_000 else Reading(problem="wanted a clock of 1 MHz to 100 GHz")
