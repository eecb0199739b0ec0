"""Data on stdout in the format asked for; talk on stderr. Tables are for people, the other formats carry a schema version."""

import csv
import io
import json
import re
import sys
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

import typer
import yaml
from rich.console import Console
from rich.table import Table

from controlplane.errors import ExitCode, KasumiError

OUTPUT_SCHEMA_VERSION = 1
_FORMULA_SIGNS = frozenset("=+-@\t\r＝＋－＠")
_NUMBER = re.compile(r"-?[0-9]*(?:\.[0-9]+)?")


class Format(StrEnum):
    """Output formats of verbs that print data."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"
    CSV = "csv"


FORMAT_OPTION: Any = typer.Option(Format.TABLE, "--output", "-o", help="table, json, yaml or csv; data goes to stdout.")


def one_document(chosen: Format) -> Format:
    """Raises KasumiError for csv: a document of several parts has no rows."""
    if chosen is Format.CSV:
        raise KasumiError("no output as csv: this is one document and no list; wanted table, json or yaml", ExitCode.USAGE)
    return chosen


DOCUMENT_OPTION: Any = typer.Option(
    Format.TABLE, "--output", "-o", help="table, json or yaml; data goes to stdout.", callback=one_document
)
"""Of verbs whose data is no list of like things; csv is refused before anything is done."""


def say(text: str) -> None:
    """Talk to the person at the terminal (stderr)."""
    print(text, file=sys.stderr, flush=True)


def emit(kind: str, records: Sequence[Mapping[str, object]], columns: Sequence[str], output: Format) -> None:
    """Print records of one kind; `columns` are the keys shown by table and csv, other formats carry every key."""
    if output is Format.TABLE:
        print_table(columns, [[_cell(record.get(column)) for column in columns] for record in records])
    elif output is Format.CSV:
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([harmless(_cell(record.get(column))) for column in columns] for record in records)
        typer.echo(buffer.getvalue(), nl=False)
    else:
        emit_document({kind: [dict(record) for record in records]}, output)


def emit_document(document: Mapping[str, object], output: Format) -> None:
    """Print one document as json or yaml. Raises KasumiError for csv."""
    one_document(output)
    whole = {"schema_version": OUTPUT_SCHEMA_VERSION, **document}
    if output is Format.YAML:
        typer.echo(yaml.safe_dump(whole, allow_unicode=True, sort_keys=False), nl=False)
    else:
        typer.echo(json.dumps(whole, ensure_ascii=False, indent=2))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A plain table on stdout; wide characters keep their columns, nothing is cut when stdout is not a terminal."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row)
    Console(width=None if sys.stdout.isatty() else 240, markup=False, emoji=False, highlight=False).print(table)


def harmless(text: str) -> str:
    """A cell that no spreadsheet takes for a formula: an apostrophe stands before what would begin one.

    Numbers stay as they are, negative ones too; ledgers fill names and notes with what anybody may have written.
    """
    return text if text[:1] not in _FORMULA_SIGNS or _NUMBER.fullmatch(text) else f"'{text}"


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, (list, tuple)):
        return " ".join(str(item) for item in value)
    return str(value)
