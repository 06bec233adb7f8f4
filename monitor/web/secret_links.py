"""
Make the secret addresses of the calendar and of badges.

Calendars and web sites cannot log in: their address itself lets them in, to
nothing but that one thing.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from monitor.web.parts import Parts
    from monitor.web.visitors import Visitor

from monitor.web.visitors import Pass

_CALENDAR = "calendar"


def calendar_path(parts: Parts) -> str:
    """
    Return the path under which the calendar can be subscribed to.
    """
    return f"/calendar.ics?token={_token(parts, _CALENDAR)}"


def badge_path(parts: Parts, name: str) -> str:
    """
    Return the path under which the badge of a connection can be shown anywhere.
    """
    return f"/badge/{quote(name, safe='')}.svg?token={_token(parts, _badge(name))}"


def may_see_calendar(parts: Parts, visitor: Visitor, token: str) -> bool:
    """
    Tell whether somebody may have the calendar.
    """
    return _may_see(parts, visitor, token, _CALENDAR)


def may_see_badge(parts: Parts, visitor: Visitor, token: str, name: str) -> bool:
    """
    Tell whether somebody may have the badge of the connection called *name*.
    """
    return _may_see(parts, visitor, token, _badge(name))


def _badge(name: str) -> str:
    return f"badge:{name}"


def _may_see(parts: Parts, visitor: Visitor, token: str, purpose: str) -> bool:
    if visitor.by is not Pass.NONE:
        return True
    return hmac.compare_digest(token.encode(), _token(parts, purpose).encode())


def _token(parts: Parts, purpose: str) -> str:
    return hmac.new(parts.calendar_key, purpose.encode(), hashlib.sha256).hexdigest()[:40]
