"""Values that entries of the inventory are made of: sizes, ids, addresses, windows; each says what is wrong and what to write instead."""

import re
from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from controlplane.inventory.units import SizeError, size_gib, size_mib
from controlplane.model.needs import HOURS_OF_A_DAY, HOURS_OF_A_WEEK
from controlplane.model.window import WindowError, parse_window

_MAC = re.compile(r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}")
_ID = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_ABSOLUTE = re.compile(r"/[^\s\x00]*")
STAND_IN_ADDRESS = "192.0.2.0/24"


def wrong(what: str, remedy: str) -> PydanticCustomError:
    """An error of validation that carries what to do about it."""
    return PydanticCustomError("kasumi", "{what}", {"what": what, "remedy": remedy})


def _size(parse: Callable[[object], int]) -> Callable[[Any], int]:
    def check(value: Any) -> int:
        try:
            return parse(value)
        except SizeError as error:
            raise wrong(str(error), error.remedy) from None

    return check


def _mac(value: str) -> str:
    lower = value.lower()
    if not _MAC.fullmatch(lower):
        raise wrong("wanted a MAC address", 'write it as "52:54:00:12:34:56"')
    if int(lower[:2], 16) & 1:
        raise wrong("this is a multicast address, wanted that of a single card", "make its second digit even")
    return lower


def _id(value: str) -> str:
    if not _ID.fullmatch(value):
        raise wrong("wanted an id of a-z, 0-9 and inner dashes, at most 63 characters", "choose another id")
    return value


def _address(value: str) -> str:
    try:
        return str(IPv4Address(value))
    except ValueError:
        raise wrong("wanted an IPv4 address", "write it as 10.1.2.3") from None


def _cidr(value: str) -> str:
    try:
        network = IPv4Network(value)
    except ValueError:
        try:
            right = IPv4Interface(value).network
        except ValueError:
            raise wrong("wanted an IPv4 network", "write it as 10.1.2.0/24") from None
        raise wrong("wanted the network's own address", f"did you mean {right}?") from None
    if "/" not in value or network.prefixlen > 30:
        raise wrong("wanted a network with room for machines", "write its prefix length, at most 30, as in 10.1.2.0/24")
    return str(network)


def _absolute(value: str) -> str:
    if not _ABSOLUTE.fullmatch(value):
        raise wrong("wanted a path from / on without blanks", "write it as /path/name")
    return value


def _window(value: str) -> str:
    try:
        return parse_window(value).text
    except WindowError as error:
        raise wrong(str(error), error.remedy) from None


def _hours(value: list[int]) -> list[int]:
    if len(value) not in {HOURS_OF_A_DAY, HOURS_OF_A_WEEK}:
        raise wrong(
            f"wanted 24 or 168 hourly per cents, found {len(value)}", "state each hour of a day, or of a week from Monday"
        )
    if not any(value):
        raise wrong("wanted a load in some hour", "without load no machine is needed")
    return value


def _sha256(value: str) -> str:
    if not _SHA256.fullmatch(value):
        raise wrong("wanted a SHA-256 of 64 hexadecimal digits in lower case", "take it from sha256sum, in quotes")
    return value


Mib = Annotated[int, BeforeValidator(_size(size_mib))]
Gib = Annotated[int, BeforeValidator(_size(size_gib))]
Mac = Annotated[str, AfterValidator(_mac)]
Id = Annotated[str, AfterValidator(_id)]
Address = Annotated[str, AfterValidator(_address)]
Cidr = Annotated[str, AfterValidator(_cidr)]
AbsolutePath = Annotated[str, AfterValidator(_absolute)]
ChangeWindow = Annotated[str, Field(max_length=60), AfterValidator(_window)]
Text = Annotated[str, Field(min_length=1, max_length=2000)]
LongText = Annotated[str, Field(max_length=2000)]
HourlyPercent = Annotated[list[Annotated[int, Field(ge=0, le=100)]], AfterValidator(_hours)]
Sha256 = Annotated[str, AfterValidator(_sha256)]
Grade = Annotated[int, Field(ge=1, le=3)]
Port = Annotated[int, Field(ge=1, le=65535)]
FiscalYear = Annotated[int, Field(ge=1990, le=2100)]
Vcpus = Annotated[int, Field(ge=1, le=4096)]
Watts = Annotated[float, Field(ge=0, le=100_000, strict=False)]
Amount = Annotated[int, Field(ge=0, le=10_000_000)]


def is_id(value: str) -> bool:
    """True for an id: a-z, 0-9 and inner dashes, at most 63 characters, so that it is a host name too."""
    return _ID.fullmatch(value) is not None
