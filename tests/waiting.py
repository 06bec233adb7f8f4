"""
Wait for a condition, and not for ever.

The only place that says how long a test waits for what it does not measure. A busy machine
takes its time, and no test may fail for that; what is measured has a limit of its own, where it
is measured.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE_S = 120
"""Long enough for anything that happens at all, beside processes that keep every core full."""

PATIENCE_MS = 1000 * PATIENCE_S

BUILD_PATIENCE_S = 600
"""How long something may take that builds or installs packages."""


async def until(is_true: Callable[[], object], within_s: float = PATIENCE_S) -> None:
    async with asyncio.timeout(within_s):
        while not is_true():  # noqa: ASYNC110 - threads and files set no asyncio event
            await asyncio.sleep(0.005)


def wait_until(
    is_true: Callable[[], object],
    within_s: float = PATIENCE_S,
    why: Callable[[], str] = lambda: "it did not happen in time",
) -> None:
    deadline = time.monotonic() + within_s
    while not is_true():
        assert time.monotonic() < deadline, why()
        time.sleep(0.01)
