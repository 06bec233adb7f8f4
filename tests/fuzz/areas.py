"""
List the areas.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.fuzz.answers import Answers
from tests.fuzz.arguments import Arguments
from tests.fuzz.configuration import Configuration
from tests.fuzz.requests import Requests
from tests.fuzz.rows import Rows
from tests.fuzz.starts import Starts

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fuzz.core import Area

AREAS: dict[str, Callable[[], Area]] = {
    each.name: each for each in (Configuration, Arguments, Answers, Rows, Requests, Starts)
}
