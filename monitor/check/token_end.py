"""
Find out when a token itself ends: from a header, from the body, from the token.

Decides only what is said. Which of several clocks counts, and when people are
told, is judged elsewhere.
"""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64decode
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from monitor.check.fields import EARLIEST, EPOCH, LATEST_AFTER, parse_instant_field
from monitor.check.pointer import follow
from monitor.check.quota import read_server_date

if TYPE_CHECKING:
    from monitor.check.http import Answer

MAX_TOKEN = 16 * 1024

MADE_UP_WITHIN = timedelta(minutes=2)
"""GitHub was seen to send its own time of day as the end of a token that has none."""

_JWT = re.compile(r"[\w-]{1,4096}\.([\w-]{1,12288})\.[\w-]{0,8192}", re.ASCII)


def read_jwt_end(token: str, now: datetime) -> datetime | None:
    """
    Return the `exp` of a token that is a JWT; None if it is none, or has none.

    Its signature is not looked at: the service does that, this is for the calendar.
    """
    match = _JWT.fullmatch(token) if len(token) <= MAX_TOKEN else None
    if match is None:
        return None
    payload = match[1]
    try:
        claims = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (ValueError, RecursionError):
        return None
    seconds = claims.get("exp") if isinstance(claims, dict) else None
    # True is an int to Python, and no instant.
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return None
    try:
        end = EPOCH + timedelta(seconds=seconds)
    except (OverflowError, ValueError):
        return None
    return end if EARLIEST <= end <= now + LATEST_AFTER else None


def read_header_end(answer: Answer, name: str) -> datetime | None:
    """
    Return the end that the header called *name* tells of, if it is to be believed.
    """
    end = _parse_header(answer, name)
    is_made_up = end is not None and abs(end - answer.received_at) <= MADE_UP_WITHIN
    return None if is_made_up else end


def is_header_unreadable(answer: Answer, name: str) -> bool:
    """
    Tell whether the header called *name* is there and names no instant.
    """
    return name in answer.headers and _parse_header(answer, name) is None


def _parse_header(answer: Answer, name: str) -> datetime | None:
    text = answer.headers.get(name)
    if text is None:
        return None
    now = read_server_date(answer.headers, answer.received_at) or answer.received_at
    return parse_instant_field(text, answer.received_at, now)


def read_body_end(answer: Answer, value: object, pointer: str) -> datetime | None:
    """
    Return the end that stands at *pointer* in the body.
    """
    found = follow(value, pointer)
    return parse_instant_field(found, answer.received_at) if isinstance(found, str) else None
