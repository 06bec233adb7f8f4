"""
Ask whether our own link is there.

Decides how the URLs of `checks.uplink` are asked; what follows from their
answers is decided in `monitor.judge.link`.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

from monitor.check.carry import REPEATABLE
from monitor.check.http import Answer, fetch

if TYPE_CHECKING:
    from collections.abc import Sequence

    import httpx

PATIENCE = timedelta(seconds=4)
"""Results wait for the answer, so it must not take long."""


async def is_link_up(client: httpx.AsyncClient, urls: Sequence[str]) -> bool:
    """
    Tell whether any of *urls* gives an HTTP answer, whatever it says.
    """
    asked = [asyncio.create_task(_is_answered(client, url)) for url in urls]
    try:
        for first in asyncio.as_completed(asked):
            if await first:
                return True
        return False
    finally:
        for task in asked:
            task.cancel()
        await asyncio.gather(*asked, return_exceptions=True)


async def _is_answered(client: httpx.AsyncClient, url: str) -> bool:
    # The head of a page is enough, and who refuses to give that has answered.
    request = client.build_request("HEAD", url, extensions={REPEATABLE: True})
    return isinstance(await fetch(client, request, PATIENCE), Answer)
