"""Suppress what silences and quiet hours cover, and release it afterwards.

What covers an alert, and what of it is still worth sending, is decided in `judge.suppression`.
Silences and acknowledgements of people are carried out here, for commands and the web, each in one
transaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitor.judge.access import FULL_ACCESS
from monitor.judge.alerts import OPENED_BY, is_known_by_connections
from monitor.judge.outcome import State
from monitor.judge.quota import Level
from monitor.judge.routing import ChannelRoute, named_on
from monitor.judge.suppression import (
    Mutes,
    Muting,
    NotifiedAlert,
    Scope,
    find_stale,
    find_superseded,
    find_suppression,
)
from monitor.notify.words import explain
from monitor.store import alerts, outbox, suppression
from monitor.store.connections import list_records

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence
    from datetime import datetime, timedelta

    from monitor.config.plan import Plan
    from monitor.judge.access import Access
    from monitor.judge.connections import ConnectionRecord
    from monitor.judge.routing import Subject
    from monitor.judge.suppression import Acknowledgement, Silence, Suppression
    from monitor.store.engine import Transaction
    from monitor.store.suppression import PastAlert, Pending


def review_suppressed(
    tx: Transaction, plan: Plan, now: datetime, *, all_of_it: bool = False
) -> int:
    """Let go what was held until *now*; return how many notifications are due by that.

    What something else holds by now stays. What is not worth telling any more
    goes away; all else is due.

    Args:
        all_of_it: Look at what should be held for longer as well: a silence was
            ended, the file or the clock was changed.
    """
    held = suppression.list_suppressed(tx, None if all_of_it else now)
    return len(_review(tx, held, plan, now))


def is_any_to_suppress(tx: Transaction, plan: Plan, now: datetime) -> bool:
    """Tell whether something is about to be sent into quiet hours that have begun meanwhile."""
    quiet = [
        channel.name
        for channel in plan.channels
        if channel.quiet_hours is not None and channel.quiet_hours.until(now) is not None
    ]
    return bool(quiet) and suppression.has_unsent(tx, quiet, now)


def suppress_unsent(tx: Transaction, plan: Plan, now: datetime) -> int:
    """Hold back what is due and not being sent, where it must be; return how many."""
    return len(_suppress_unsent(tx, plan, now))


def _suppress_unsent(tx: Transaction, plan: Plan, now: datetime) -> list[Pending]:
    holds = _find_suppressions(tx, suppression.list_unsent(tx, now), plan, now)
    suppression.suppress(tx, [(one.id, hold) for one, hold in holds if hold is not None])
    return [one for one, hold in holds if hold is not None]


def _count_seen(tx: Transaction, plan: Plan, found: Sequence[Pending], access: Access) -> int:
    """Return how many of *found* are about a connection that somebody sees."""
    if access.sees_all:
        return len(found)
    watched = plan.watched_of(tx, {name for one in found for name in one.about.values()})
    seen = {name for name, one in watched.items() if access.sees(one.subject.group)}
    return sum(not seen.isdisjoint(one.about.values()) for one in found)


def retry_dead(tx: Transaction, plan: Plan, now: datetime) -> tuple[int, int]:
    """Make due again what is dead; return how much is, and how much was old news and dropped.

    Nobody is told of a trouble after its end, nor of an end after the next trouble.
    """
    dead = suppression.list_dead(tx)
    if not dead:
        return 0, 0
    old = _choose(dead, _list_since(tx, dead, only_sent=True), find_superseded)
    alerts.withdraw_notifications(tx, old)
    n_due = outbox.retry_dead(tx, now)
    suppress_unsent(tx, plan, now)
    return n_due, len(old)


def _review(
    tx: Transaction, pending: Sequence[Pending], plan: Plan, now: datetime
) -> list[Pending]:
    """Let go what nothing holds any more; return what is due by that."""
    if not pending:
        return []
    holds = _find_suppressions(tx, pending, plan, now)
    suppression.suppress(tx, [(one.id, hold) for one, hold in holds if hold is not None])
    free = [one for one, hold in holds if hold is None]
    stale = _find_stale(tx, free)
    alerts.withdraw_notifications(tx, stale)
    due = [one for one in free if one.id not in stale]
    suppression.release(tx, [one.id for one in due], now)
    return due


def _find_suppressions(
    tx: Transaction, pending: Iterable[Pending], plan: Plan, now: datetime
) -> list[tuple[Pending, Suppression | None]]:
    lasting = suppression.list_active_silences(tx, now)
    channels = {channel.name: channel for channel in plan.channels}
    pending = list(pending)
    watched = plan.watched_of(tx, {name for one in pending for name in one.about.values()})

    def find(one: Pending) -> Suppression | None:
        channel = channels.get(one.channel) or ChannelRoute(one.channel)
        about = [watched[name].subject for name in one.about.values() if name in watched]
        return find_suppression(
            one.severity, named_on(channel, about), channel.quiet_hours, lasting, now
        )

    return [(one, find(one)) for one in pending]


def _find_stale(tx: Transaction, free: Sequence[Pending]) -> set[int]:
    """Return the notifications among *free* that nobody needs to hear of any more."""
    if not free:
        return set()
    first = min(one.alert_id for one in free)
    ends = {number for one in free if one.kind in OPENED_BY for number in one.about}
    return _choose(
        free, [*suppression.list_before(tx, first, ends), *_list_since(tx, free)], find_stale
    )


def _list_since(
    tx: Transaction, unsent: Sequence[Pending], *, only_sent: bool = False
) -> list[PastAlert]:
    """Return what may have made *unsent* old news: what is about others is not read."""
    first = min(one.alert_id for one in unsent)
    about = {n for one in unsent if is_known_by_connections(one.kind) for n in one.about}
    is_larger = any(not is_known_by_connections(one.kind) for one in unsent)
    return suppression.list_since(tx, first, about, with_larger=is_larger, only_sent=only_sent)


def _choose(
    unsent: Sequence[Pending],
    story: Sequence[PastAlert],
    find: Callable[[Sequence[NotifiedAlert]], set[int]],
) -> set[int]:
    """Return those of the notifications whose alerts *find* chooses, channel by channel."""
    by_channel: dict[str, list[Pending]] = {}
    for one in unsent:
        by_channel.setdefault(one.channel, []).append(one)
    chosen = set()
    for channel, here in by_channel.items():
        found = find(_as_notified(story, channel, {one.alert_id for one in here}))
        chosen |= {one.id for one in here if one.alert_id in found}
    return chosen


def _as_notified(
    story: Iterable[PastAlert], channel: str, released: set[int]
) -> list[NotifiedAlert]:
    return [
        NotifiedAlert(past.id, past.kind, past.keys, channel in past.channels, past.id in released)
        for past in story
    ]


MOST_LISTED = 200
"""How many acknowledgements are looked at for a list of them."""


def find_problem(record: ConnectionRecord, plan: Plan) -> str | None:
    """Return the few words for what people are reminded of; None where nothing is wrong."""
    if record.standing.state in {State.ERROR, State.EXPIRED}:
        standing = record.standing
        return explain(standing.reason, record.provider, standing.detail).name
    return "quota used up" if record.quota.level(plan.rules) is Level.EXHAUSTED else None


def acknowledge(
    tx: Transaction, record: ConnectionRecord, plan: Plan, given: Acknowledgement
) -> str | None:
    """Keep that somebody takes care of a trouble; return its words, None if there is none."""
    trouble = find_problem(record, plan)
    if trouble is not None:
        suppression.save_acknowledgement(tx, record.id, given)
    return trouble


def find_acknowledged(
    tx: Transaction, record: ConnectionRecord, plan: Plan, now: datetime
) -> Acknowledgement | None:
    """Return who has taken on the present trouble of a connection, if somebody has."""
    if find_problem(record, plan) is None:
        return None
    return suppression.find_acknowledgement(tx, record.id, now)


FEW = 500
"""From more connections on, all acknowledgements are read: they are fewer than connections."""


def find_mutings(
    tx: Transaction, plan: Plan, records: Collection[ConnectionRecord], now: datetime
) -> dict[str, Muting]:
    """Return what keeps people from being alerted of *records*, by name; most are left out."""
    mutes = Mutes(suppression.list_active_silences(tx, now), now)
    ids = [record.id for record in records] if len(records) < FEW else None
    given = suppression.find_acknowledgements(tx, now, ids)
    if not mutes and not given:
        return {}
    found = {}
    watched = plan.watched_of(tx, [record.name for record in records])
    for record in records:
        if record.name not in watched:
            continue
        until = mutes.until(watched[record.name].subject)
        is_covered = record.id in given and find_problem(record, plan) is not None
        if until is not None or is_covered:
            found[record.name] = Muting(until, given[record.id] if is_covered else None)
    return found


@dataclass(frozen=True, slots=True)
class AcknowledgedProblem:
    """A trouble that somebody takes care of."""

    name: str
    trouble: str
    given: Acknowledgement


def list_acknowledged(
    tx: Transaction, plan: Plan, now: datetime, access: Access = FULL_ACCESS
) -> list[AcknowledgedProblem]:
    """Return the problems that last and are acknowledged, the latest word first.

    Args:
        access: Whose connections are listed.
    """
    names = suppression.list_acknowledged_names(tx, now, MOST_LISTED, access.groups)
    records = {record.name: record for record in list_records(tx, names)} if names else {}
    found = []
    watched = plan.watched_of(tx, names)
    for name in names:
        if name not in watched or not access.sees(watched[name].subject.group):
            continue
        trouble = find_problem(records[name], plan)
        given = find_acknowledged(tx, records[name], plan, now)
        if trouble is not None and given is not None:
            found.append(AcknowledgedProblem(name, trouble, given))
    return found


@dataclass(frozen=True, slots=True)
class BegunSilence:
    """A silence that has just begun.

    Args:
        n_suppressed: How many messages it holds back that were about to be sent.
    """

    id: int
    ends_at: datetime
    n_suppressed: int


def begin_silence(  # noqa: PLR0913, PLR0917 - what a silence is made of
    tx: Transaction,
    plan: Plan,
    scope: Scope,
    target: str | None,
    length: timedelta,
    reason: str,
    now: datetime,
    access: Access = FULL_ACCESS,
) -> BegunSilence:
    """Tell nobody of something for a while.

    Args:
        access: Of whose connections it is counted what is held back.
    """
    number = suppression.add_silence(tx, scope, target, reason, now, now + length)
    held = _suppress_unsent(tx, plan, now)
    return BegunSilence(number, now + length, _count_seen(tx, plan, held, access))


def end_silence(
    tx: Transaction, plan: Plan, number: int, now: datetime, access: Access = FULL_ACCESS
) -> int | None:
    """End a silence early; return how much is told by that, None if it did not last.

    Args:
        access: Of whose connections that is counted.
    """
    if not suppression.end_silence(tx, number, now):
        return None
    due = _review(tx, suppression.list_suppressed(tx), plan, now)
    return _count_seen(tx, plan, due, access)


def describe_scope(scope: Scope, target: str | None) -> str:
    """Return what a silence is about."""
    named = {Scope.TAG: f"tag {target}", Scope.GROUP: f"group {target}"}
    return "everything" if scope is Scope.ALL else named.get(scope, str(target))


def list_covering_silences(lasting: list[Silence], subject: Subject) -> list[Silence]:
    """Return those of *lasting* that keep back what is told of one connection."""
    return [silence for silence in lasting if silence.covers(subject)]
