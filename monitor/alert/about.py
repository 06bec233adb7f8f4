"""
Read what an alert knows, and hold what is said of it.

Decides nothing: facts are JSON that others stored, perhaps another version of
this program, so they are read with care. What is said stands in `drafts` and
`wide_drafts`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from monitor.alert.cleaning import clean, clean_url
from monitor.alert.words import read_instant
from monitor.judge.outcome import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

DETAIL_LIMIT = 300


@dataclass(frozen=True, slots=True)
class About:
    """
    What an alert knows.
    """

    facts: Mapping[str, Any]
    born_at: datetime
    now: datetime

    def number(self, name: str) -> int | None:
        """
        Return a whole number; None where there is none.
        """
        value = self.facts.get(name)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def text(self, name: str, limit: int = DETAIL_LIMIT) -> str:
        """
        Return a text from outside, cleaned.
        """
        value = self.facts.get(name)
        return clean(value, limit) if isinstance(value, str) else ""

    def url(self, name: str) -> str:
        """
        Return an address that readers can follow; empty where there is none.
        """
        value = self.facts.get(name)
        return clean_url(value) if isinstance(value, str) else ""

    def instant(self, name: str) -> datetime | None:
        """
        Return an instant; None where there is none.
        """
        return read_instant(self.facts.get(name))

    def reason(self, name: str) -> Reason | None:
        """
        Return a reason; None where there is none, or none that is known here.
        """
        value = self.facts.get(name)
        return Reason(value) if isinstance(value, str) and value in set(Reason) else None

    def items(self, name: str) -> list[Any]:
        """
        Return a list; an empty one where there is none.
        """
        value = self.facts.get(name)
        return list(value) if isinstance(value, list | tuple) else []


@dataclass(frozen=True, slots=True)
class Draft:
    """
    What one kind of alert says; empty lines are left out.

    Args:
        headline: The title, with a place for who is concerned.
        short: The next step in the few words of a text message.
        headline_of_many: The headline where several are concerned.
        who: What is concerned, where it is not connections.
        urls: Addresses in the text that readers shall be able to follow.
        label: The heading of *lines*.
        lines: A list below what happened.
        more: What is missing at its end.
    """

    icon: str
    headline: str
    happened: Sequence[str]
    remedy: str
    short: str
    headline_of_many: str = ""
    who: str = ""
    urls: tuple[str, ...] = ()
    label: str = ""
    lines: tuple[str, ...] = ()
    more: str = ""
