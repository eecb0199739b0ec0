"""`kasumi report assessment`: what was found as a page for people who decide."""

from enum import StrEnum

import typer

from controlplane.cli.kept_assessment import ASSESSMENT_OPTION, kept_assessment
from controlplane.cli.options import HOME_OPTION, INVENTORY_OPTION, OptionalPath
from controlplane.cli.output import say
from controlplane.cli.plan import STDOUT, write_whole
from controlplane.cli.session import Session
from controlplane.errors import ExitCode, KasumiError
from controlplane.inventory.complaints import suggestion
from controlplane.reporting.assessment_page import assessment_page


class Language(StrEnum):
    """Of a report."""

    EN = "en"
    JA = "ja"
    BOTH = "both"


def assessment(
    out: OptionalPath = typer.Option(
        ..., "--out", "-o", metavar="FILE", help="Where to write the page; `-` writes it to stdout."
    ),
    language: Language = typer.Option(Language.BOTH, "--language", help="English, Japanese, or both side by side."),
    ministry: str = typer.Option("", "--ministry", help="Only the servers of this ministry (default: all)."),
    document: OptionalPath = ASSESSMENT_OPTION,
    home: OptionalPath = HOME_OPTION,
    inventory: OptionalPath = INVENTORY_OPTION,
) -> int:
    """Write the assessment as one self-contained page for screen and A4: no network, no scripts."""
    made = kept_assessment(document, Session(home=home, inventory=inventory))
    ids = tuple(one.id for one in made.ministries)
    if ministry and ministry not in ids:
        remedy = suggestion(ministry, ids, f"it has {', '.join(ids)}")
        raise KasumiError(f"report: the assessment has no ministry {ministry!r}; {remedy}", ExitCode.USAGE)
    text = assessment_page(made, language.value, ministry)
    if out is None or out == STDOUT:
        typer.echo(text, nl=False)
    else:
        write_whole(out, text)
        say(f"written to {out}; open it in a browser, or print it on A4")
    return ExitCode.DONE
