"""The map file that a user gives beside a ledger: more headings, units of bare numbers, ids of names."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationError

from controlplane.errors import ExitCode, KasumiError
from controlplane.inventory.complaints import complaints
from controlplane.inventory.nodes import read_document
from controlplane.inventory.schema import Strict
from controlplane.inventory.values import Id, Text, is_id, wrong
from controlplane.ledgers.headings import fold, shipped_headings

Unit = Literal["B", "KB", "KiB", "MB", "MiB", "GB", "GiB", "TB", "TiB"]


def _prefix(value: str) -> str:
    if not is_id(f"{value}x"):
        raise wrong("wanted the beginning of an id: a-z, 0-9 and dashes", "write it as mof-")
    return value


def _fields(value: dict[str, list[str]]) -> dict[str, list[str]]:
    field_of: dict[str, str] = {}
    for field, headings in value.items():
        if field not in shipped_headings():
            raise wrong(f"no field {field!r}", f"fields are {', '.join(shipped_headings())}")
        for heading in headings:
            if (other := field_of.setdefault(fold(heading), field)) != field:
                raise wrong(f"{heading!r} is a heading of {other} and of {field}", "name it under one of them")
    return value


class LedgerMap(Strict):
    """What a map may say; all of it is optional."""

    headings: Annotated[dict[str, list[Text]], AfterValidator(_fields)] = Field(default_factory=dict)
    """Field to further headings of its column."""
    ignore: list[Text] = Field(default_factory=list)
    """Headings of columns that are not wanted."""
    sheets: list[Text] = Field(default_factory=list)
    """The only sheets to be read; all when empty."""
    units: dict[Literal["memory", "disk"], Unit] = Field(default_factory=dict)
    """Units of numbers that have none and whose heading states none."""
    kind: Literal["physical", "virtual"] | None = None
    """Of servers whose row does not say."""
    systems: dict[Text, Id] = Field(default_factory=dict)
    """Systems as the ledger names them, to their ids in the inventory."""
    ids: dict[Text, Id] = Field(default_factory=dict)
    """Servers as the ledger names them, to the ids they shall have."""
    id_prefix: Annotated[str, AfterValidator(_prefix)] = ""
    """Put before every id that `ids` does not give: two ministries may both have a web01."""


def read_map(file: Path | None) -> LedgerMap:
    """The map, or an empty one without a file. Raises KasumiError with every mistake in it."""
    if file is None:
        return LedgerMap()
    document = read_document(file, str(file))
    findings = list(document.findings)
    if not findings:
        try:
            return LedgerMap.model_validate(document.data if document.data is not None else {})
        except ValidationError as error:
            findings = list(complaints(error, LedgerMap, document, ()))
    raise KasumiError("\n".join(str(finding) for finding in findings), ExitCode.FAILED)
