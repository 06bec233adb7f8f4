"""
Compare passwords, and let nobody try many.
"""

from __future__ import annotations

import asyncio
import hmac
from collections import deque
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

HASH_PREFIX = "$argon2"

WINDOW = timedelta(minutes=1)
MOST_OF_ONE = 5
"""How often one address may be wrong within the window."""

MOST_OF_ALL = 50
"""And all together: addresses are cheap."""


class Attempts:
    """
    The wrong passwords of the last minute.
    """

    def __init__(self) -> None:
        self._failures: deque[tuple[datetime, str]] = deque()
        self._verifying = asyncio.Lock()

    def wait_for(self, address: str, now: datetime) -> timedelta:
        """
        Return how long *address* must wait before it may try again.
        """
        while self._failures and now - self._failures[0][0] >= WINDOW:
            self._failures.popleft()
        own = [at for at, by in self._failures if by == address]
        everyone = [at for at, _ in self._failures]
        for failures, most in ((own, MOST_OF_ONE), (everyone, MOST_OF_ALL)):
            if len(failures) >= most:
                return failures[-most] + WINDOW - now
        return timedelta()

    async def verify(self, given: str, known: str, address: str, now: datetime) -> bool:
        """
        Tell whether *given* is the password; remember if not.

        One at a time: each hash takes 64 MiB and a good part of a second.

        Args:
            known: The password, plain or as an Argon2 hash.
        """
        async with self._verifying:
            if self.wait_for(address, now):
                return False
            is_right = await asyncio.to_thread(matches, given, known)
            if not is_right:
                self._failures.append((now, address))
            return is_right


def matches(given: str, known: str) -> bool:
    """
    Tell whether *given* is the password *known*, plain or as an Argon2 hash.
    """
    if not known.startswith(HASH_PREFIX):
        return hmac.compare_digest(given.encode(), known.encode())
    from argon2 import PasswordHasher
    from argon2.exceptions import Argon2Error, InvalidHashError

    try:
        return PasswordHasher().verify(known, given)
    except (Argon2Error, InvalidHashError):
        return False


def hash_password(password: str) -> str:
    """
    Return what may stand in a file in place of *password*.
    """
    from argon2 import PasswordHasher

    return PasswordHasher().hash(password)
