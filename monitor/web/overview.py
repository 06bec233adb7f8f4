"""Know all connections at a glance: sorted, counted, searched, a page at a time.

A hundred thousand are too many to describe for every page: of each, only what
sorts and finds it is kept, and renewed when it changes. What is shown is read
anew, and described by `monitor.report.status`.

A cursor is the sort key of the last entry of a page: entries that come and go meanwhile
neither repeat nor hide others.

Everything in here runs in the reader's thread, one call at a time.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException

from monitor.alerting.suppression import find_mutings
from monitor.report.status import (
    SOON_DAYS,
    UNMUTED,
    Health,
    connection_json,
    health_of,
    urgency,
)
from monitor.store.overview import list_marks
from monitor.store.results import load_records, with_marketplaces
from monitor.store.schema import MICROSECOND

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from monitor.config.plan import Plan
    from monitor.judge.connections import ConnectionRecord
    from monitor.report.status import ConnectionJson
    from monitor.store.engine import Transaction


# --- cursors

_NUMBERS = re.compile(rb"[0-9]{1,20}(?:\.[0-9]{1,20})*")


def write_cursor(key: tuple[int, ...]) -> str:
    """Return *key* as one opaque word."""
    text = ".".join(str(number) for number in key)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_cursor(cursor: str | None, length: int) -> tuple[int, ...] | None:
    """Return the key in *cursor*, or None for the beginning.

    Raises:
        HTTPException: It was not made here, or for another list.
    """
    if cursor is None:
        return None
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True)
    except (binascii.Error, ValueError):
        text = b""
    key = tuple(int(part) for part in text.split(b".")) if _NUMBERS.fullmatch(text) else ()
    if len(key) != length or max(key) >= 2**63:
        why = "cursor: not a cursor of this list: use `next` of the page before, as it stands"
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, why)
    return key


# --- the list

DAY = timedelta(days=1)
EXPIRING_SOON = "expiring_soon"
"""Stands beside the states where one can filter by them."""

_STATES = ("active", "error", "expired", "pending", "paused", EXPIRING_SOON)
_NEVER = 2**62


@dataclass(frozen=True, slots=True)
class OverviewEntry:
    """One connection, as short as sorting and searching allow.

    Args:
        is_needing: Somebody should look at it: something is broken, or will be soon.
        worst_first: Smaller is worse: urgency, then what ends first, then the file's order.
        valid_until: When time alone will change what is shown of it.
    """

    id: int
    name: str
    provider: str
    state: str
    reason: str
    is_expiring_soon: bool
    is_needing: bool
    tags: tuple[str, ...]
    text: str
    worst_first: tuple[int, int, int, int]
    mark: int
    valid_until: datetime | None


@dataclass(frozen=True, slots=True)
class Query:
    """Which connections are wanted, and in which order; an empty filter lets all pass.

    Args:
        words: All of them must be found in the name, the account, the provider or a tag.
        cursor: Where the page before ended.
    """

    states: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()
    providers: frozenset[str] = frozenset()
    words: tuple[str, ...] = ()
    is_worst_first: bool = False
    cursor: str | None = None
    limit: int = 100


@dataclass(frozen=True, slots=True)
class OverviewPage:
    """A piece of the list.

    Args:
        counts: Of all that were wanted, by state, also those of other pages.
        total: How many were wanted.
        next: The cursor of the next page; None on the last one.
    """

    connections: list[ConnectionJson]
    counts: dict[str, int]
    total: int
    next: str | None


@dataclass(frozen=True, slots=True)
class Among:
    """A page, and what it is a part of.

    Args:
        counts: Of all connections, by state.
        n_needing: How many of all somebody should look at.
    """

    found: OverviewPage
    counts: dict[str, int]
    n_needing: int
    tags: list[str]
    providers: list[str]


@dataclass(slots=True)
class Overview:
    """All connections of the file."""

    plan: Plan
    clock: Callable[[], datetime]
    _entries: dict[int, OverviewEntry] = field(default_factory=dict)
    _changed: dict[str, OverviewEntry | None] = field(default_factory=dict)
    _seen: Transaction | None = None

    def find(self, tx: Transaction, query: Query) -> OverviewPage:
        """Return the page that *query* asks for.

        Raises:
            HTTPException: Its cursor was not made here.
        """
        after = read_cursor(query.cursor, 4 if query.is_worst_first else 1)
        self.refresh(tx)
        wanted = [one for one in self._entries.values() if _is_wanted(one, query)]

        def key(one: OverviewEntry) -> tuple[int, ...]:
            return one.worst_first if query.is_worst_first else (one.id,)

        rest = sorted((one for one in wanted if after is None or key(one) > after), key=key)
        shown = rest[: query.limit]
        has_more = len(rest) > len(shown)
        return OverviewPage(
            self.describe(tx, [one.id for one in shown]),
            _count(wanted),
            len(wanted),
            write_cursor(key(shown[-1])) if has_more and shown else None,
        )

    def counts(self, tx: Transaction) -> dict[str, int]:
        """Return how many connections are in which state."""
        self.refresh(tx)
        return _count(self._entries.values())

    def find_among(self, tx: Transaction, query: Query) -> Among:
        """Return the page that *query* asks for, and what can be filtered by, at one look.

        Raises:
            HTTPException: Its cursor was not made here.
        """
        found = self.find(tx, query)
        known = self._entries.values()
        tags = {tag for one in known for tag in one.tags}
        providers = {one.provider for one in known}
        n_needing = sum(one.is_needing for one in known)
        return Among(found, _count(known), n_needing, sorted(tags), sorted(providers))

    def describe(self, tx: Transaction, ids: list[int]) -> list[ConnectionJson]:
        """Return the connections of *ids*, in that order, as people and programs are shown them."""
        known = load_records(tx, ids)
        records = with_marketplaces(tx, [known[number] for number in ids if number in known])
        now = self.clock()
        mutings = find_mutings(tx, self.plan, records, now)
        return [
            connection_json(one, self.plan.watched[one.name], now, mutings.get(one.name, UNMUTED))
            for one in records
            if one.name in self.plan.watched
        ]

    def take_changes(self, tx: Transaction) -> dict[str, OverviewEntry | None]:
        """Return what has changed since the last call, by name; None for what is gone."""
        self.refresh(tx)
        changed, self._changed = self._changed, {}
        return changed

    def refresh(self, tx: Transaction) -> None:
        """Look again at the connections that have changed, or whose time has."""
        if tx is self._seen:
            return  # one transaction sees one state of things
        self._seen = tx
        now = self.clock()
        marks = list_marks(tx)
        before = self._entries
        stale = [number for number, mark in marks.items() if _is_stale(before, number, mark, now)]
        for number in before.keys() - marks.keys():
            self._changed[before[number].name] = None
        renewed = {
            record.id: self._look_at(record, marks[record.id], now)
            for record in load_records(tx, stale).values()
            if record.name in self.plan.watched
        }
        self._changed.update({one.name: one for one in renewed.values()})
        # What has a name that is not in the plan belongs to settings about to come in force.
        foreign = set(stale) - renewed.keys()
        merged = before | renewed
        self._entries = {
            number: merged[number] for number in marks if number in merged and number not in foreign
        }

    def _look_at(self, record: ConnectionRecord, mark: int, now: datetime) -> OverviewEntry:
        each = connection_json(record, self.plan.watched[record.name], now)
        ends = [_parse(clock["ends_at"]) for clock in each["clocks"]]
        first = min((int(end.timestamp()) for end in ends), default=_NEVER)
        days = self.plan.watched[record.name].rules.expiring_soon_days
        text = [record.name, record.provider, each["account"] or "", *each["tags"]]
        return OverviewEntry(
            record.id,
            record.name,
            record.provider,
            each["state"],
            each["reason"],
            each["expiring_soon"],
            # A client secret is its application's, and told of there.
            health_of(each | {"clocks": []}) in {Health.BROKEN, Health.SOON},
            tuple(each["tags"]),
            "\n".join(text).casefold(),
            (*urgency(each, soon_days=max(days, default=SOON_DAYS)), first, record.id),
            mark,
            # A step is reached at its instant, and a day less is left right after it.
            min((now + ((end - now) % DAY or MICROSECOND) for end in ends), default=None),
        )


def _parse(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _is_stale(known: dict[int, OverviewEntry], number: int, mark: int, now: datetime) -> bool:
    one = known.get(number)
    if one is None or one.mark != mark:
        return True
    # Days left are whole days, and every step is a number of them before the end.
    return one.valid_until is not None and one.valid_until <= now


def _is_wanted(one: OverviewEntry, query: Query) -> bool:
    states = query.states
    is_of_state = one.state in states or (EXPIRING_SOON in states and one.is_expiring_soon)
    return (
        (not states or is_of_state)
        and (not query.providers or one.provider in query.providers)
        and (not query.tags or not query.tags.isdisjoint(one.tags))
        and all(word in one.text for word in query.words)
    )


def _count(glances: Iterable[OverviewEntry]) -> dict[str, int]:
    counts = dict.fromkeys(_STATES, 0)
    for one in glances:
        counts[one.state] += 1
        counts[EXPIRING_SOON] += one.is_expiring_soon
    return counts
