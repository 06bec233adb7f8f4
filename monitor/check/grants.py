"""
Let one exchange per grant run at a time.

Decides who waits for whom. Several connections may share a refresh token, and
a service may end a token that another exchange has just brought.
"""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@dataclass(slots=True)
class _Turns:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    n_wanted: int = 0


class Grants:
    """
    The grants whose tokens are being exchanged, or wait for that.

    All checkers share one of these. What nobody uses is forgotten.
    """

    def __init__(self) -> None:
        self._turns: dict[bytes, _Turns] = {}

    @property
    def n_wanted(self) -> int:
        """
        How many grants are being exchanged, or are to be.
        """
        return len(self._turns)

    @asynccontextmanager
    async def turn(self, *parts: str) -> AsyncIterator[None]:
        """
        Wait until nobody else exchanges this grant, and keep others waiting meanwhile.

        Args:
            parts: What makes the grant: where, for whom, with which token. None
                of it is kept.
        """
        key = hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).digest()
        turns = self._turns.setdefault(key, _Turns())
        turns.n_wanted += 1
        try:
            async with turns.lock:
                yield
        finally:
            turns.n_wanted -= 1
            if not turns.n_wanted:
                del self._turns[key]
