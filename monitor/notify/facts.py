"""Read the facts of an alert, and hold what is said of them.

Pure. What the files of the subjects (`connections`, `quota`, `system`) have in common: which
facts each kind has stands in `drafts`, the sentences in `texts`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Any

from monitor.judge.outcome import Reason
from monitor.notify import texts
from monitor.notify.times import (
    describe_span,
    format_day,
    format_end,
    format_time,
    format_when,
    read_instant,
)
from monitor.notify.words import clean, clean_detail, clean_url, place_of, say

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime, tzinfo


DETAIL_LIMIT = 500
WHO_LIMIT = 60


@dataclass(frozen=True, slots=True)
class About:
    """What an alert knows, and for whom it is worded.

    Args:
        zone: Whose clocks the times are named by.
    """

    facts: Mapping[str, Any]
    born_at: datetime
    now: datetime
    zone: tzinfo = UTC

    def number(self, name: str) -> int | None:
        """Return a whole number; None where there is none."""
        value = self.facts.get(name)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def text(self, name: str, limit: int = DETAIL_LIMIT) -> str:
        """Return a text from outside, cleaned."""
        value = self.facts.get(name)
        return clean(value, limit) if isinstance(value, str) else ""

    def detail(self, name: str) -> str:
        """Return what a check said, cleaned; where it is long, its quotation is cut."""
        value = self.facts.get(name)
        return clean_detail(value, DETAIL_LIMIT) if isinstance(value, str) else ""

    def url(self, name: str) -> str:
        """Return an address that readers can follow; empty where there is none."""
        value = self.facts.get(name)
        return clean_url(value) if isinstance(value, str) else ""

    def instant(self, name: str) -> datetime | None:
        """Return an instant; None where there is none."""
        return read_instant(self.facts.get(name))

    def span(self, text: str, since: datetime | None, until: datetime) -> str:
        """Return *text* with both instants and the time between."""
        return describe_span(text, since, until, self.now, self.zone)

    def end(self, text: str, ends_at: datetime) -> str:
        """Return *text* with the end of a period."""
        return say(text, end=format_end(ends_at, self.now, self.zone))

    def dated(self, text: str, at: datetime) -> str:
        """Return *text* with the day of *at* and how far away that is."""
        return say(text, day=format_day(at, self.now), when=format_when(at, self.now))

    def reason(self, name: str) -> Reason | None:
        """Return a reason; None where there is none, or none that is known here."""
        value = self.facts.get(name)
        return Reason(value) if isinstance(value, str) and value in set(Reason) else None

    def place(self) -> str:
        """Return where the settings of the connections are changed; empty for the file."""
        if "owner" not in self.facts:
            return ""
        return place_of(self.text("owner", WHO_LIMIT) or None)

    def items(self, name: str) -> list[Any]:
        """Return a list; an empty one where there is none."""
        value = self.facts.get(name)
        return list(value) if isinstance(value, list | tuple) else []


@dataclass(frozen=True, slots=True)
class Draft:
    """What one kind of alert says; empty lines are left out.

    Args:
        headline: The title, with a place for who is concerned.
        short: The next step in the few words of a text message.
        headline_of_many: The headline where several are concerned.
        who: What is concerned, where it is not connections.
        detail: What the service said, behind what was concluded from it.
        notes: What people wrote down for whoever looks after the connection.
        renewal: The page on which it is renewed, and what that is called.
        link_label: What the page of connwatch is called, where that is more than a page to read.
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
    detail: str = ""
    notes: str = ""
    renewal: tuple[str, str] | None = None
    link_label: str = ""
    label: str = ""
    lines: tuple[str, ...] = ()
    more: str = ""


def say_since(about: About) -> str:
    """Return since when something lasts; nothing where that is unknown."""
    return about.span(texts.SINCE, about.instant("since"), about.now)


def say_rerun(about: About) -> str:
    """Return what to do once something works again."""
    since = about.instant("since")
    if since is None:
        return say(texts.RERUN_WITHOUT_DATE)
    return say(texts.RERUN, at=format_time(since, about.now, about.zone))


def name_application(name: str) -> str:
    """Return how the application is called that a message is about."""
    if not name:
        return say(texts.APPLICATION_WHO_UNKNOWN)
    return say(texts.APPLICATION_WHO, application=name)
