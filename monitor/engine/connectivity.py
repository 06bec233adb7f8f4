"""Check our own link when it is in doubt, neither too often nor in anybody's way.

Decides when the URLs of `checks.uplink` are called and whether they are believed; what follows is
left to `judge.connectivity`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from monitor.judge.incidents import Connectivity
from monitor.judge.shortage import OutOfResources

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

CHECK_EVERY_S = 3.0
"""However many checks fail, nobody is asked more often than that."""


class ConnectivityCheck:
    """What the URLs of `checks.uplink` say.

    Args:
        is_up: Asks them; None if there are none.
    """

    def __init__(self, is_up: Callable[[], Awaitable[bool]] | None) -> None:
        self._is_up = is_up
        self._asking = asyncio.Lock()
        self._asked_at: float | None = None
        self._said = Connectivity.UNKNOWN
        self._is_believed = True

    @property
    def has_any(self) -> bool:
        """Tell whether there is anybody to ask."""
        return self._is_up is not None

    @property
    def is_check_wanted(self) -> bool:
        """Tell whether the answer may have changed for the better."""
        return self.has_any and (self._said is Connectivity.DOWN or not self._is_believed)

    def note_answer(self) -> None:
        """Take in that a check got an HTTP answer.

        Whoever says then that there is no link is down himself: his word counts
        for nothing until he has answered again. Else nothing would be watched
        for as long as the pages of `checks.uplink` are gone.
        """
        if self._said is Connectivity.DOWN:
            self._is_believed = False

    async def check(self) -> Connectivity:
        """Return what an answer says that was asked for just now."""
        if self._is_up is None:
            return Connectivity.UNKNOWN
        loop = asyncio.get_running_loop()
        async with self._asking:
            if self._asked_at is not None:
                await asyncio.sleep(max(0.0, self._asked_at + CHECK_EVERY_S - loop.time()))
            self._asked_at = loop.time()
            try:
                is_up = await self._is_up()
            except OutOfResources:
                # Nobody could be called: that says nothing of the link, either way.
                return Connectivity.UNKNOWN
            if is_up:
                self._said, self._is_believed = Connectivity.UP, True
            else:
                self._said = Connectivity.DOWN
        return self._said if self._is_believed else Connectivity.UNKNOWN
