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
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException

from monitor.alerting.suppression import find_mutings, find_problem
from monitor.judge.access import FULL_ACCESS
from monitor.judge.outcome import State
from monitor.judge.suppression import Mutes
from monitor.report.status import (
    EXPIRING_SOON,
    NEEDS_ATTENTION,
    SOON_DAYS,
    UNMUTED,
    connection_json,
    is_quota_low,
    needs_attention,
    urgency,
)
from monitor.store.overview import list_marks
from monitor.store.results import load_records, with_marketplaces
from monitor.store.schema import MICROSECOND
from monitor.store.statements import in_groups
from monitor.store.suppression import find_acknowledgements, list_active_silences

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from monitor.config.plan import Plan
    from monitor.judge.access import Access
    from monitor.judge.connections import ConnectionRecord, Watched
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
LOW_QUOTA = "low_quota"
RENEWAL_UNRECORDED = "renewal_unrecorded"
MUTED = "muted"
ACKNOWLEDGED = "acknowledged"

STATES = ("active", "error", "expired", "pending", "paused")
SUMMARY = (*STATES, EXPIRING_SOON, NEEDS_ATTENTION)
"""What programs are told the counts of, beside a list."""

FACETS = (*SUMMARY, LOW_QUOTA, RENEWAL_UNRECORDED, MUTED, ACKNOWLEDGED)
"""What can be counted and filtered by: a connection has one state, and any of the others."""

_NEVER = 2**62


@dataclass(frozen=True, slots=True)
class OverviewEntry:
    """One connection, as short as sorting and searching allow.

    Args:
        facets: Its state, and what else of it is counted; the same object for many.
        has_problem: People are reminded of it, so that it can be acknowledged.
        worst_first: Smaller is worse: urgency, then what ends first, then the file's order.
        mark: Another one when what is shown of it is; None where something else was shown since.
        valid_until: When time alone will change what is shown of it.
        seen_at: When it was looked at.
    """

    id: int
    name: str
    provider: str
    group: str | None
    state: str
    reason: str
    facets: frozenset[str]
    has_problem: bool
    tags: tuple[str, ...]
    text: str
    worst_first: tuple[int, int, int, int]
    mark: int | None
    valid_until: datetime | None
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class Query:
    """Which connections are wanted, and in which order; an empty filter lets all pass.

    Args:
        states: Any of `FACETS`.
        access: Whose connections are seen; others count nowhere.
        words: All of them must be found in the name, the account, the provider or a tag.
        cursor: Where the page before ended.
    """

    states: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()
    providers: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    words: tuple[str, ...] = ()
    access: Access = FULL_ACCESS
    is_worst_first: bool = False
    cursor: str | None = None
    limit: int = 100


@dataclass(frozen=True, slots=True)
class OverviewPage:
    """A piece of the list.

    Args:
        counts: Of all that were wanted, by facet, also those of other pages.
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
        n_all: How many connections there are.
        of_any_state: The counts of what matches the query but for its states.
    """

    found: OverviewPage
    n_all: int
    of_any_state: dict[str, int]
    tags: list[str]
    providers: list[str]
    groups: list[str]


@dataclass(frozen=True, slots=True)
class OverviewChange:
    """What has become of a connection.

    Args:
        group: That whose people are told: of one that changed groups, each has its own change.
        entry: None for what is gone, or is seen by those people no more.
    """

    name: str
    group: str | None
    entry: OverviewEntry | None


@dataclass(slots=True)
class Overview:
    """All connections of the file."""

    plan: Plan
    clock: Callable[[], datetime]
    _entries: dict[int, OverviewEntry] = field(default_factory=dict)
    _changed: dict[tuple[str, str | None], OverviewChange] = field(default_factory=dict)
    _seen: Transaction | None = None

    def find(self, tx: Transaction, query: Query) -> OverviewPage:
        """Return the page that *query* asks for.

        Raises:
            HTTPException: Its cursor was not made here.
        """
        return self._find(tx, query, self._matching(tx, query))

    def _matching(self, tx: Transaction, query: Query) -> list[OverviewEntry]:
        """Return what matches *query*, whatever its state."""
        return [one for one in self.list_seen(tx, query.access) if _is_matching(one, query)]

    def list_seen(self, tx: Transaction, access: Access) -> Collection[OverviewEntry]:
        """Return all connections that somebody sees, in the order of the file."""
        self.refresh(tx)
        if access.sees_all:
            return self._entries.values()
        return [one for one in self._entries.values() if access.sees(one.group)]

    def _find(self, tx: Transaction, query: Query, matching: list[OverviewEntry]) -> OverviewPage:
        after = read_cursor(query.cursor, 4 if query.is_worst_first else 1)
        quieted = self._find_quieted(tx)
        states = query.states
        wanted = [
            one
            for one in matching
            if not states
            or not states.isdisjoint(one.facets)
            or not states.isdisjoint(quieted.facets_of(one))
        ]

        def key(one: OverviewEntry) -> tuple[int, ...]:
            return one.worst_first if query.is_worst_first else (one.id,)

        rest = sorted((one for one in wanted if after is None or key(one) > after), key=key)
        shown = rest[: query.limit]
        has_more = len(rest) > len(shown)
        return OverviewPage(
            self.describe(tx, [one.id for one in shown]),
            quieted.count(wanted),
            len(wanted),
            write_cursor(key(shown[-1])) if has_more and shown else None,
        )

    def _find_quieted(self, tx: Transaction) -> _Quieted:
        now = self.clock()
        mutes = Mutes(list_active_silences(tx, now), now)
        return _Quieted(mutes, find_acknowledgements(tx, now).keys())

    def counts(self, tx: Transaction, access: Access = FULL_ACCESS) -> dict[str, int]:
        """Return how many of all connections that somebody sees are in which state."""
        return count_facets(self.list_seen(tx, access))

    def find_among(self, tx: Transaction, query: Query) -> Among:
        """Return the page that *query* asks for, and what can be filtered by, at one look.

        Raises:
            HTTPException: Its cursor was not made here.
        """
        matching = self._matching(tx, query)
        found = self._find(tx, query, matching)
        of_any_state = found.counts
        if query.states:
            of_any_state = self._find_quieted(tx).count(matching)
        known = self.list_seen(tx, query.access)
        tags = {tag for one in known for tag in one.tags}
        providers = {one.provider for one in known}
        groups = {one.group for one in known if one.group is not None}
        return Among(
            found, len(known), of_any_state, sorted(tags), sorted(providers), sorted(groups)
        )

    def describe(self, tx: Transaction, ids: list[int]) -> list[ConnectionJson]:
        """Return the connections of *ids*, in that order, as people and programs are shown them."""
        known = load_records(tx, ids)
        records = with_marketplaces(tx, [known[number] for number in ids if number in known])
        now = self.clock()
        mutings = find_mutings(tx, self.plan, records, now)
        watched = self.plan.watched_of(tx, [one.name for one in records])
        shown = {
            one.id: connection_json(one, watched[one.name], now, mutings.get(one.name, UNMUTED))
            for one in records
            if one.name in watched
        }
        for number, each in shown.items():
            self._note_shown(number, each)
        return list(shown.values())

    def _note_shown(self, number: int, each: ConnectionJson) -> None:
        """Have a connection count as changed at the next look if it is not as it was at the last.

        It may be as it was by then once more, and who was shown this would never be told.
        """
        known = self._entries.get(number)
        if known is not None and (known.state, known.reason) != (each["state"], each["reason"]):
            self._entries[number] = replace(known, mark=None)

    def take_changes(self, tx: Transaction) -> list[OverviewChange]:
        """Return what has changed since the last call."""
        self.refresh(tx)
        changed, self._changed = self._changed, {}
        return list(changed.values())

    def _note(self, name: str, group: str | None, entry: OverviewEntry | None) -> None:
        self._changed[name, group] = OverviewChange(name, group, entry)

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
            self._note(before[number].name, before[number].group, None)
        renewed: dict[int, OverviewEntry] = {}
        for some in in_groups(stale):
            records = load_records(tx, some).values()
            watched = self.plan.watched_of(tx, [record.name for record in records])
            renewed |= {
                record.id: self._look_at(record, watched[record.name], marks[record.id], now)
                for record in records
                if record.name in watched
            }
        for number, one in renewed.items():
            former = before.get(number)
            if former is not None and (former.name, former.group) != (one.name, one.group):
                self._note(former.name, former.group, None)
            self._note(one.name, one.group, one)
        # What has a name that is not in the plan belongs to settings about to come in force.
        foreign = set(stale) - renewed.keys()
        merged = before | renewed
        self._entries = {
            number: merged[number] for number in marks if number in merged and number not in foreign
        }

    def _look_at(
        self, record: ConnectionRecord, watched: Watched, mark: int, now: datetime
    ) -> OverviewEntry:
        each = connection_json(record, watched, now)
        ends = [_parse(clock["ends_at"]) for clock in each["clocks"]]
        first = min((int(end.timestamp()) for end in ends), default=_NEVER)
        days = watched.rules.expiring_soon_days
        text = [record.name, record.provider, each["account"] or "", *each["tags"]]
        text += [each["group"]] if each["group"] else []
        return OverviewEntry(
            record.id,
            record.name,
            record.provider,
            each["group"],
            each["state"],
            each["reason"],
            _facets(each),
            find_problem(record, self.plan) is not None,
            tuple(each["tags"]),
            "\n".join(text).casefold(),
            (*urgency(each, soon_days=max(days, default=SOON_DAYS)), first, record.id),
            mark,
            # A step is reached at its instant, and a day less is left right after it.
            min((now + ((end - now) % DAY or MICROSECOND) for end in ends), default=None),
            now,
        )


def _parse(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _is_stale(known: dict[int, OverviewEntry], number: int, mark: int, now: datetime) -> bool:
    one = known.get(number)
    if one is None or one.mark != mark:
        return True
    # Days left are whole days, and every step is a number of them before the end. What was
    # seen by a clock that was set back since then holds no more.
    return one.valid_until is not None and not one.seen_at <= now < one.valid_until


def _is_matching(one: OverviewEntry, query: Query) -> bool:
    return (
        (not query.providers or one.provider in query.providers)
        and (not query.tags or not query.tags.isdisjoint(one.tags))
        and (not query.groups or one.group in query.groups)
        and all(word in one.text for word in query.words)
    )


def _facets(each: ConnectionJson) -> frozenset[str]:
    flags = {
        EXPIRING_SOON: each["expiring_soon"],
        NEEDS_ATTENTION: needs_attention(each),
        LOW_QUOTA: is_quota_low(each) and each["state"] != State.PAUSED,
        RENEWAL_UNRECORDED: each["renewal_unrecorded"] and each["state"] != State.PAUSED,
    }
    return _share(frozenset({each["state"], *(key for key, is_so in flags.items() if is_so)}))


@cache
def _share(facets: frozenset[str]) -> frozenset[str]:
    """Return one object for all that are equal: a hundred thousand connections have a few."""
    return facets


def count_facets(entries: Iterable[OverviewEntry]) -> dict[str, int]:
    """Return how many of *entries* are what can be counted."""
    counts = dict.fromkeys(FACETS, 0)
    for facets, count in Counter(one.facets for one in entries).items():
        for facet in facets:
            counts[facet] += count
    return counts


@dataclass(frozen=True, slots=True)
class _Quieted:
    """What is muted or acknowledged now, which no entry keeps.

    Args:
        acknowledged: The connections whose latest alert is acknowledged; it may be over.
    """

    mutes: Mutes
    acknowledged: Collection[int]

    def facets_of(self, one: OverviewEntry) -> list[str]:
        found = [MUTED] if self.mutes.covers(one.name, one.tags, one.group) else []
        if one.has_problem and one.id in self.acknowledged:
            found.append(ACKNOWLEDGED)
        return found

    def count(self, entries: Collection[OverviewEntry]) -> dict[str, int]:
        counts = count_facets(entries)
        if self.mutes or self.acknowledged:
            for one in entries:
                for facet in self.facets_of(one):
                    counts[facet] += 1
        return counts
