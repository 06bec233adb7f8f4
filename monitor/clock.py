"""Read the time: the only module that does."""

from __future__ import annotations

import time
from datetime import UTC, datetime


def utc_now() -> datetime:
    """Return the present instant, aware, in UTC."""
    return datetime.now(UTC)


def monotonic_usec() -> int:
    """Return microseconds of the clock that nobody sets, as systemd counts them."""
    return time.monotonic_ns() // 1000
