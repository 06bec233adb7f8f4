"""
Read the time: the only module that does.
"""

from __future__ import annotations

from datetime import UTC, datetime


def utc_now() -> datetime:
    """
    Return the present instant, aware, in UTC.
    """
    return datetime.now(UTC)
