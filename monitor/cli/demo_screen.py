"""
Print what happens in the demo: lines of a story, and alerts as people get them.

Frames and colours only on a terminal; plain lines otherwise.
"""

from __future__ import annotations

import shlex
import textwrap
import time
from typing import TYPE_CHECKING

from rich import box
from rich.panel import Panel
from rich.text import Text

from monitor.cli.output import open_console

if TYPE_CHECKING:
    from monitor.simulator.inbox import ReceivedMessage

WIDTH = 80
INDENT = 8

_COLOURS = {"failure": "red", "warning": "yellow", "info": "green"}


class Screen:
    """
    The place where the story is told.
    """

    def __init__(self) -> None:
        self._console = open_console()
        self._began_at = time.monotonic()

    def say(self, text: str, style: str = "") -> None:
        """
        Print a paragraph.
        """
        self._print(textwrap.fill(text, self._width), style)

    def lines(self, text: str) -> None:
        """
        Print lines as they are.
        """
        self._print(text)

    def step(self, text: str) -> None:
        """
        Print what happens now, with the seconds since the start.
        """
        seconds = f"{time.monotonic() - self._began_at:4.0f} s"
        body = textwrap.fill(
            text,
            self._width,
            initial_indent=" " * INDENT,
            subsequent_indent=" " * INDENT,
        )
        self._console.print()
        self._print(f"{seconds:{INDENT}}{body[INDENT:]}", "bold")

    def command(self, *words: str) -> None:
        """
        Print the command whose output follows.
        """
        self._console.print()
        self._print(f"$ {shlex.join(words)}", "cyan")

    def alert(self, message: ReceivedMessage) -> None:
        """
        Print an alert.
        """
        self._console.print()
        if not self._console.is_terminal:
            self._print(f"ALERT   {message.title}")
            self._print(textwrap.indent(message.body, "      | ", lambda _: True))
            return
        colour = _COLOURS.get(message.kind, "blue")
        panel = Panel(
            Text.assemble((message.title, "bold"), "\n\n", message.body),
            title="what people are sent",
            title_align="left",
            border_style=colour,
            box=box.ROUNDED,
            width=self._width,
            padding=(0, 1),
        )
        self._console.print(panel)

    @property
    def _width(self) -> int:
        return min(self._console.width, WIDTH)

    def _print(self, text: str, style: str = "") -> None:
        self._console.print(Text(text, style), soft_wrap=True)
