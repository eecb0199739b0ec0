"""The assessment a verb is about: a file that is named, or the one made last."""

from pathlib import Path
from typing import Any

import typer

from controlplane.cli.session import Session
from controlplane.errors import KasumiError
from controlplane.model.assessment import Assessment
from controlplane.model.document import assessment_from_json

ASSESSMENT_OPTION: Any = typer.Option(
    None,
    "--assessment",
    metavar="FILE",
    help="A file written by `kasumi assess` (default: the assessment made last).",
    dir_okay=False,
)


def read_assessment(file: Path) -> Assessment:
    """An assessment from its file. Raises KasumiError naming the file and what is wrong with it."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "is not UTF-8"
        raise KasumiError(f"{file}: {why}; make one with `kasumi assess -o FILE`") from None
    return assessment_from_json(text, str(file))


def kept_assessment(file: Path | None, session: Session) -> Assessment:
    """The named assessment or the latest. Raises KasumiError when there is none."""
    if file is not None:
        return read_assessment(file)
    text = session.store.decisions.latest_assessment(session.estate.id)
    if text is None:
        raise KasumiError(f"estate {session.estate.id} has no assessment yet; make one with `kasumi assess`")
    return assessment_from_json(text, "the assessment made last")
