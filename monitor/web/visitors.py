"""
Say who asks, and what they may do.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotations when it runs

if TYPE_CHECKING:
    from monitor.web.parts import Parts


class Pass(StrEnum):
    """
    By what somebody came in.
    """

    OPEN = "open"
    """No password is set: whoever reaches this machine may do everything."""

    SESSION = "session"
    TOKEN = "token"  # noqa: S105 - the name of a way in
    NONE = "none"
    """Only what is open to all: how the process is, the login, the style."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """
    Who asks.

    Args:
        session: Tells one login from another; empty where nobody logged in.
        csrf_token: What a change from a page must carry.
    """

    by: Pass
    may_change: bool
    name: str = ""
    session: str = ""
    csrf_token: str = ""

    @property
    def browser(self) -> str:
        """
        Return what binds a handshake to the browser that began it.
        """
        return self.session or self.csrf_token


STRANGER = Visitor(Pass.NONE, may_change=False)


def visitor_of(request: Request) -> Visitor:
    """
    Return who asks, as `guard` found out.
    """
    visitor: Visitor = request.state.visitor
    return visitor


Who = Annotated[Visitor, Depends(visitor_of)]
"""The visitor, as a parameter of a route."""


def needs_login(parts: Parts) -> bool:
    """
    Tell whether there is a password to know.
    """
    return parts.config.web.password is not None
