"""
Build the commands once for all that run here, and in what is forked from here.

To build them takes longer than most of them run. A process that starts from cold builds its own.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import typer

from monitor.cli import app

if TYPE_CHECKING:
    import pytest

_BUILT = cache(typer.main.get_command)


def share_commands(patch: pytest.MonkeyPatch) -> None:
    """
    Have each later run of a command use what the first has built.
    """
    patch.setattr(typer.main, "get_command", _BUILT)
    _BUILT(app)
