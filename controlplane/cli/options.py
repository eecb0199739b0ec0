"""Options that several verbs share."""

from pathlib import Path
from typing import Any

import typer

HOME_OPTION: Any = typer.Option(
    None, "--home", help="State of this controller (default $KASUMI_HOME, else under XDG state).", file_okay=False
)
INVENTORY_OPTION: Any = typer.Option(
    None, "--inventory", "-i", help="Inventory directory (default $KASUMI_INVENTORY, else the lab's).", file_okay=False
)

OptionalPath = Path | None
