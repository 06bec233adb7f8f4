"""Read when a token ends: from a header, the body, or the token itself where it is a JWT.

Decides what is an end, in whatever unit it is counted, and says of all else that stands there that
it cannot be read: whoever relies on being warned has to know. What an end means is left to
`monitor.judge.authorizations`.
"""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64decode
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from monitor.providers.answers import ABSENT, MAX_TOKEN, follow
from monitor.providers.headers import (
    EARLIEST,
    EPOCH,
    LATEST_AFTER,
    parse_instants,
    read_server_date,
)

if TYPE_CHECKING:
    from monitor.providers.fetcher import Answer


MADE_UP_WITHIN = timedelta(minutes=2)
"""GitHub was seen to send its own time of day as the end of a token that has none."""

PARTS_OF_A_SECOND = (1, 10**3, 10**6, 10**9)
"""No two of them make the same number an end that can be believed."""

MAX_SHOWN = 100

_JWT = re.compile(r"([\w-]{1,4096})\.([\w-]{1,12288})\.[\w-]{0,8192}", re.ASCII)
_NUMBER = re.compile(r"(\d{1,19})(?:\.\d{1,9})?", re.ASCII)
_LENGTH = re.compile(r"[\d.a-zµ]{1,40}", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class TokenEnd:
    """What one place says of a token's end.

    Args:
        name: The header, pointer or claim that tells it.
        place: Where that is, for people.
        at: None where nothing is said, or nothing that can be read.
        unreadable: The text that cannot be read; None if there is none.
    """

    name: str
    place: str
    at: datetime | None = None
    unreadable: str | None = None


def read_jwt_end(token: str, now: datetime) -> TokenEnd:
    """Return what the `exp` of a token says that is a JWT.

    Its signature is not looked at: the service does that, this is for the calendar.
    """
    place = "the claim `exp` of the token itself"
    match = _JWT.fullmatch(token) if len(token) <= MAX_TOKEN else None
    if match is None:
        return TokenEnd("exp", place)
    claims = _decode(match[2])
    if not isinstance(claims, dict):
        # Other tokens have two dots as well: only a JWT names its algorithm first.
        head = _decode(match[1])
        is_jwt = isinstance(head, dict) and "alg" in head
        return TokenEnd(
            "exp", place, unreadable="claims that are no JSON object" if is_jwt else None
        )
    value = claims.get("exp")
    if value is None:
        return TokenEnd("exp", place)
    end = _read_number(value, now)
    if end is None and isinstance(value, str) and not _LENGTH.fullmatch(value):
        end = min(parse_instants(value, now), default=None)
    return TokenEnd("exp", place, end, None if end else _show(value))


def _decode(part: str) -> object:
    try:
        return json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, RecursionError):
        return None


def read_header_end(answer: Answer, name: str) -> TokenEnd:
    """Return what the header called *name* says; of several ends the earliest counts."""
    place = f"the header `{name}`"
    texts = answer.headers.get_list(name)
    if not texts:
        return TokenEnd(name, place)
    date = read_server_date(answer.headers, answer.received_at)
    # An instant is as far away as it is from the server's own idea of now.
    read = [_read_text(text, answer.received_at, date or answer.received_at) for text in texts]
    ends = [end for end in read if end is not None]
    unreadable = next((text for text, end in zip(texts, read, strict=True) if end is None), None)
    end = min(ends, default=None)
    is_made_up = end is not None and abs(end - answer.received_at) <= MADE_UP_WITHIN
    return TokenEnd(name, place, None if is_made_up else end, unreadable)


def read_body_end(answer: Answer, value: object, pointer: str) -> TokenEnd:
    """Return what stands at *pointer* in the body."""
    place = f"`{pointer}` in the response"
    found = follow(value, pointer)
    if found is ABSENT or found is None:
        return TokenEnd(pointer, place)
    if isinstance(found, str):
        end = _read_text(found, answer.received_at, None)
    else:
        end = _read_number(found, answer.received_at)
    return TokenEnd(pointer, place, end, None if end else _show(found))


def _read_text(text: str, received_at: datetime, server_date: datetime | None) -> datetime | None:
    return min(parse_instants(text, received_at, server_date), default=None)


def _read_number(value: object, now: datetime) -> datetime | None:
    """Return the end that a number counts in seconds, or parts of them; None if it counts none."""
    if isinstance(value, str) and (match := _NUMBER.fullmatch(value.strip())):
        value = float(value) if "." in value else int(match[1])
    # True is an int to Python, and no instant.
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    first, last = int(EARLIEST.timestamp()), int((now + LATEST_AFTER).timestamp())
    for parts in PARTS_OF_A_SECOND:
        if first * parts <= value <= last * parts:
            return EPOCH + timedelta(seconds=value / parts)
    return None


def _show(value: object) -> str:
    """Return *value* as it stands in JSON, cut: how long it is was decided elsewhere."""
    if isinstance(value, dict | list):
        return "a list" if isinstance(value, list) else "an object"
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**MAX_SHOWN:
        return "a number of more than 100 digits"
    text = value if isinstance(value, str) else json.dumps(value)
    return text[:MAX_SHOWN]
