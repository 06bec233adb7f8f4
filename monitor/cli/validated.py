"""
Show in a terminal the steps of a validation and what follows from them.

Lines are made for 80 columns and wrap below their words. What stands in them is
decided in `monitor.validation` and `monitor.advice`.
"""

from __future__ import annotations

import webbrowser
from typing import TYPE_CHECKING

from rich.text import Text

from monitor.cli.ending import complain
from monitor.cli.output import clean, open_console, print_rows
from monitor.cli.wording import connection_row
from monitor.config.amazon import AmazonConnection
from monitor.validation import Mark, StepName

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from monitor.advice import Advice
    from monitor.config.model import Connection
    from monitor.validation import Answered, Step

LOOKS = {
    Mark.OK: ("✓", "green"),
    Mark.WARNING: ("!", "bold yellow"),
    Mark.FAILED: ("✗", "bold red"),
    Mark.SKIPPED: ("–", "dim"),  # noqa: RUF001 - a dash is what is meant
}

NAME_WIDTH = max(map(len, StepName))
MARGIN = 3
"""Room for the mark: names and advice stand behind it."""


def print_heading(connection: Connection) -> None:
    """
    Say what is validated.
    """
    line = Text(clean(connection.name), "bold")
    line.append(f"  {connection.provider}", "not bold")
    if isinstance(connection, AmazonConnection):
        line.append(f", region {connection.region}", "not bold")
        line.append(f", application {clean(connection.application)}", "not bold")
    open_console().print(line, soft_wrap=True)


def print_step(step: Step, last_target: str) -> None:
    """
    Print one step, below its target where that is another than the last one's.
    """
    console = open_console()
    if step.target != last_target:
        console.print()
        console.print(clean(step.target), soft_wrap=True)
    mark, style = LOOKS[step.state]
    first = Text.assemble((f" {mark} ", style), f"{step.name:<{NAME_WIDTH}}  ")
    words = Text(clean(step.words), "dim" if step.state is Mark.SKIPPED else "")
    if step.took_ms is not None:
        words.append(f"  {_say_ms(step.took_ms)}", "dim")
    print_wrapped(console, first, words)


def _say_ms(took_ms: float) -> str:
    # No space that a line could be broken at.
    return "<1\N{NO-BREAK SPACE}ms" if took_ms < 1 else f"{took_ms:,.0f}\N{NO-BREAK SPACE}ms"


def print_wrapped(console: Console, first: Text, words: Text) -> None:
    """
    Print *words* behind *first*, every further line below their beginning.
    """
    margin = Text(" " * first.cell_len)
    for line in words.wrap(console, max(console.width - first.cell_len, 1)):
        line.rstrip()
        console.print(first + line, soft_wrap=True)
        first = margin


def print_advice(answered: Answered, advice: Sequence[Advice], *, is_paused: bool) -> None:
    """
    Print the verdict, and what follows from it.
    """
    console = open_console()
    console.print()
    said = answered.outcome.detail
    row = connection_row(answered.each, answered.now, is_check=True, said=said)
    print_rows(console, [row])
    margin = Text(" " * MARGIN)
    for each in advice:
        console.print()
        print_wrapped(console, margin, Text(f"What to do: {each.remedy}"))
        if each.page is not None:
            print_wrapped(console, margin, Text(each.page.words + (":" if each.page.url else ".")))
        if each.page is not None and each.page.url is not None:
            # In one piece, so that it can be clicked and copied.
            console.print(margin + Text(each.page.url), soft_wrap=True)
    if is_paused:
        console.print()
        words = "It is paused: it was asked this once, nothing was stored, and it stays paused."
        print_wrapped(console, margin, Text(words))


def open_page(advice: Sequence[Advice]) -> None:
    """
    Open the first page that helps in a browser, or say on stderr why not.
    """
    urls = [each.page.url for each in advice if each.page is not None and each.page.url]
    if not urls:
        complain("--open: there is no page on which anybody could mend this")
    elif not urls[0].startswith(("https://", "http://")):
        complain("--open: only pages on the web are opened")
    elif not webbrowser.open(urls[0]):
        complain(f"--open: no browser is to be found here; open {urls[0]} yourself")
