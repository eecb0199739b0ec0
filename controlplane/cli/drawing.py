"""What printed pages are drawn with: headings, marked lines that wrap under themselves, plain tables."""

import sys
from collections.abc import Callable, Sequence

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

_PLAIN_WIDTH = 100


def print_drawn(draw: Callable[[Console], None]) -> None:
    """Print what `draw` draws on stdout, without the blanks that tables leave at the end of lines."""
    width = None if sys.stdout.isatty() else _PLAIN_WIDTH
    console = Console(width=width, markup=False, emoji=False, highlight=False)
    with console.capture() as captured:
        draw(console)
    typer.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))


def heading(console: Console, text: str) -> None:
    """A bold line after an empty one."""
    console.print()
    console.print(text, style="bold")


def table(columns: Sequence[str], *, numbers: Sequence[str] = (), whole: Sequence[str] = ()) -> Table:
    """A table without lines; `numbers` stand to the right, `whole` columns are not wrapped."""
    made = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for column in columns:
        right = column in numbers
        made.add_column(column, justify="right" if right else "left", no_wrap=right or column in whole, overflow="fold")
    return made


def bullet(console: Console, mark: str, style: str, text: str) -> None:
    """A line with its mark (`+ ~ - -> ! *`)."""
    hanging(console, f"{mark:>2} ", style, text, "")


def hanging(console: Console, lead: str, lead_style: str, text: str, style: str) -> None:
    """Text that wraps under itself and not under its mark."""
    lines = Text(text, style=style).wrap(console, max(1, console.width - len(lead)), overflow="fold")
    first, *others = lines or [Text()]
    drawn = Text.assemble((lead, lead_style), first)
    for line in others:
        drawn.append("\n" + " " * len(lead)).append_text(line)
    console.print(drawn, soft_wrap=True)
