"""
Print what commands have to say: JSON for programs, lines for people.

Decides colours, widths and how texts from outside are made harmless. Lines are
made for 80 columns and never cut a name. What stands in them is decided in
`cli.wording`; what they are printed for, by the commands.
"""

from __future__ import annotations

import io
import json
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

GAP = "  "
INDENT = "   "
"""Remarks stand below the word of the state, behind its symbol."""

NARROWEST = 20
USUAL_WIDTH = 80


@dataclass(frozen=True, slots=True)
class Row:
    """
    A line of a table, and what is remarked below it.
    """

    cells: Sequence[Text | str]
    remarks: Sequence[Text | str] = field(default=())


def open_console(*, is_stderr: bool = False) -> Console:
    """
    Return a console for stdout, or for stderr; coloured on a terminal only.
    """
    stream = sys.stderr if is_stderr else sys.stdout
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="replace")  # a symbol less is better than no table
    console = Console(
        file=stream,
        force_terminal=stream.isatty(),
        markup=False,
        emoji=False,
        highlight=False,
    )
    if console.width < NARROWEST:
        console.width = USUAL_WIDTH  # COLUMNS=0, as some schedulers say, would leave no text
    return console


def print_json(value: Any) -> None:
    """
    Print one object for programs, in ASCII: it harms no terminal either.
    """
    sys.stdout.write(json.dumps(value, indent=2) + "\n")
    sys.stdout.flush()


def print_rows(console: Console, rows: Sequence[Row], header: Sequence[str] = ()) -> None:
    """
    Print *rows* in columns as wide as they need, leaving out empty columns.
    """
    lines = [[_text(cell) for cell in row.cells] for row in rows]
    widths = [max(cell.cell_len for cell in column) for column in zip(*lines, strict=True)]
    shown = [position for position, width in enumerate(widths) if width]
    if header and rows:
        widths = [max(len(title), width) for title, width in zip(header, widths, strict=True)]
        titles = [Text(title) for title in header]
        _print_line(console, [titles[at] for at in shown], [widths[at] for at in shown], "dim")
    for row, line in zip(rows, lines, strict=True):
        _print_line(console, [line[at] for at in shown], [widths[at] for at in shown])
        _print_remarks(console, row.remarks)


def _print_line(
    console: Console, cells: Sequence[Text], widths: Sequence[int], style: str = ""
) -> None:
    line = Text(style=style)
    for cell, width in zip(cells, widths, strict=True):
        line.append_text(cell)
        line.append(" " * (width - cell.cell_len) + GAP)
    line.rstrip()
    console.print(line, soft_wrap=True)


def _print_remarks(console: Console, remarks: Iterable[Text | str]) -> None:
    for remark in remarks:
        for line in _text(remark).wrap(console, console.width - len(INDENT)):
            line.rstrip()
            console.print(Text(INDENT) + line, soft_wrap=True)


def _text(cell: Text | str) -> Text:
    return cell if isinstance(cell, Text) else Text(clean(cell))


def clean(text: str) -> str:
    """
    Return *text* as one line that cannot move a terminal's cursor.
    """
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())
