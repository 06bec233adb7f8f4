"""
Notice how long a service wants to be left alone.

Decides what is read as such a wish: `Retry-After` of an answer 429 or 503, in
seconds or as a date, and the field that Telegram and Discord have for it. Apprise keeps the answers
to itself, so that they are looked at where `requests`, which it sends with,
makes them. When to try again is decided in `backoff`.
"""

from __future__ import annotations

import json
import math
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, timedelta
from email.utils import parsedate_to_datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any

from monitor.clock import utc_now

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

LONGEST = timedelta(days=1)
_BUSY = {429, 503}
_LONGEST_BODY = 64 * 1024
_NAME = "ListeningAdapter"


@dataclass(slots=True)
class Asked:
    """
    How long the service asked us to wait, if it did.
    """

    retry_after: timedelta | None = None


_listening: ContextVar[Asked | None] = ContextVar("listening", default=None)


@contextmanager
def listen() -> Iterator[Asked]:
    """
    Notice what the answers to requests of this thread ask for.
    """
    asked = Asked()
    token = _listening.set(asked)
    try:
        yield asked
    finally:
        _listening.reset(token)


def install() -> None:
    """
    Have every session of `requests` look at its answers from now on.

    Harmless from several threads at once: what is wrapped twice reads the same
    wish twice. An answer counts for the thread that asked, and only while that
    one listens; whoever else uses `requests` notices nothing.
    """
    sessions: Any = import_module("requests.sessions")
    if sessions.HTTPAdapter.__name__ == _NAME:
        return

    base = sessions.HTTPAdapter

    def send(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        response = base.send(self, request, *args, **kwargs)
        asked = _listening.get()
        if asked is not None and response.status_code in _BUSY:
            asked.retry_after = _read_wish(response)
        return response

    sessions.HTTPAdapter = type(_NAME, (base,), {"send": send})


def _read_wish(response: Any) -> timedelta | None:
    header = read_retry_after(response.headers.get("Retry-After", ""), utc_now())
    if header is not None:
        return header
    try:
        said = json.loads(response.content[:_LONGEST_BODY])
    except ValueError:
        return None
    return read_wish_in_body(said)


def read_wish_in_body(said: Any) -> timedelta | None:
    """
    Read the field for it in an answer of Discord, or of Telegram.
    """
    if not isinstance(said, dict):
        return None
    inner = said.get("parameters")
    fields = (said, inner) if isinstance(inner, dict) else (said,)
    for holder in fields:
        seconds = holder.get("retry_after")
        if isinstance(seconds, int | float) and not isinstance(seconds, bool):
            return read_retry_after(str(seconds), utc_now())
    return None


def read_retry_after(value: str, now: datetime) -> timedelta | None:
    """
    Read `Retry-After`: seconds, or a date; None where it is neither.
    """
    try:
        seconds = float(value)
    except ValueError:
        return _until(value, now)
    return None if not math.isfinite(seconds) or seconds < 0 else _bounded(seconds)


def _until(value: str, now: datetime) -> timedelta | None:
    try:
        at = parsedate_to_datetime(value)
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        return _bounded((at - now).total_seconds())
    except (ValueError, OverflowError, TypeError, IndexError):
        return None


def _bounded(seconds: float) -> timedelta:
    return timedelta(seconds=min(max(seconds, 0.0), LONGEST.total_seconds()))
