"""
Wait for a condition, and not for ever.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


async def until(is_true: Callable[[], object], within_s: float = 10) -> None:
    async with asyncio.timeout(within_s):
        while not is_true():  # noqa: ASYNC110 - threads and files set no asyncio event
            await asyncio.sleep(0.005)


def wait_until(
    is_true: Callable[[], object],
    within_s: float = 30,
    why: Callable[[], str] = lambda: "it did not happen in time",
) -> None:
    deadline = time.monotonic() + within_s
    while not is_true():
        assert time.monotonic() < deadline, why()
        time.sleep(0.01)
