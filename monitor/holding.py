"""
Hold back what a silence or quiet hours cover, and let go what they covered.

What holds an alert is decided in `judge.hold`, what is still worth telling
afterwards in `judge.held`; here both meet the database.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.judge.alerts import OPENED_BY, is_known_by_connections
from monitor.judge.held import Told, find_old_news, find_stale
from monitor.judge.hold import find_hold
from monitor.store import alerts, held, outbox, silences

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from monitor.judge.hold import Hold
    from monitor.plan import Plan
    from monitor.store.engine import Transaction
    from monitor.store.held import Past, Pending


def review_held(tx: Transaction, plan: Plan, now: datetime, *, all_of_it: bool = False) -> int:
    """
    Let go what was held until *now*; return how many notifications are due by that.

    What something else holds by now stays. What is not worth telling any more
    goes away; all else is due.

    Args:
        all_of_it: Look at what should be held for longer as well: a silence was
            ended, the file or the clock was changed.
    """
    return _review(tx, held.list_held(tx, None if all_of_it else now), plan, now)


def review_alert(tx: Transaction, alert_id: int, plan: Plan, now: datetime) -> None:
    """
    Look again at what holds one alert back, after it came to speak of more.
    """
    _review(tx, held.list_held(tx, alert_id=alert_id), plan, now)


def is_any_to_hold(tx: Transaction, plan: Plan, now: datetime) -> bool:
    """
    Tell whether something is about to be sent into quiet hours that have begun since it was due.
    """
    quiet = [
        channel.name
        for channel in plan.channels
        if channel.quiet_hours is not None and channel.quiet_hours.until(now) is not None
    ]
    return bool(quiet) and held.has_unsent(tx, quiet, now)


def hold_unsent(tx: Transaction, plan: Plan, now: datetime) -> int:
    """
    Hold back what is due and not being sent, where it must be; return how many.
    """
    holds = _find_holds(tx, held.list_unsent(tx, now), plan, now)
    held.hold(tx, [(one.id, hold) for one, hold in holds if hold is not None])
    return sum(hold is not None for _, hold in holds)


def revive(tx: Transaction, plan: Plan, now: datetime) -> tuple[int, int]:
    """
    Make due again what was given up; return how much is, and how much was old news and went away.

    Nobody is told of a trouble after its end, nor of an end after the next trouble.
    """
    dead = held.list_dead(tx)
    if not dead:
        return 0, 0
    old = _choose(dead, _list_since(tx, dead, only_sent=True), find_old_news)
    alerts.take_back(tx, old)
    n_due = outbox.retry_dead(tx, now)
    hold_unsent(tx, plan, now)
    return n_due, len(old)


def _review(tx: Transaction, pending: Sequence[Pending], plan: Plan, now: datetime) -> int:
    if not pending:
        return 0
    holds = _find_holds(tx, pending, plan, now)
    held.hold(tx, [(one.id, hold) for one, hold in holds if hold is not None])
    free = [one for one, hold in holds if hold is None]
    stale = _find_stale(tx, free)
    alerts.take_back(tx, stale)
    due = [one.id for one in free if one.id not in stale]
    held.release(tx, due, now)
    return len(due)


def _find_holds(
    tx: Transaction, pending: Iterable[Pending], plan: Plan, now: datetime
) -> list[tuple[Pending, Hold | None]]:
    lasting = silences.list_lasting(tx, now)
    quiet = {channel.name: channel.quiet_hours for channel in plan.channels}
    watched = plan.watched
    return [
        (
            one,
            find_hold(
                one.severity,
                [watched[name].subject for name in one.about.values() if name in watched],
                quiet.get(one.channel),
                lasting,
                now,
            ),
        )
        for one in pending
    ]


def _find_stale(tx: Transaction, free: Sequence[Pending]) -> set[int]:
    """
    Return the notifications among *free* that nobody needs to hear of any more.
    """
    if not free:
        return set()
    first = min(one.alert_id for one in free)
    ends = {number for one in free if one.kind in OPENED_BY for number in one.about}
    return _choose(free, [*held.list_before(tx, first, ends), *_list_since(tx, free)], find_stale)


def _list_since(
    tx: Transaction, unsent: Sequence[Pending], *, only_sent: bool = False
) -> list[Past]:
    """
    Return what may have made *unsent* old news: what is about others is not read.
    """
    first = min(one.alert_id for one in unsent)
    about = {n for one in unsent if is_known_by_connections(one.kind) for n in one.about}
    is_larger = any(not is_known_by_connections(one.kind) for one in unsent)
    return held.list_since(tx, first, about, with_larger=is_larger, only_sent=only_sent)


def _choose(
    unsent: Sequence[Pending],
    story: Sequence[Past],
    find: Callable[[Sequence[Told]], set[int]],
) -> set[int]:
    """
    Return those of the notifications whose alerts *find* chooses, channel by channel.
    """
    by_channel: dict[str, list[Pending]] = {}
    for one in unsent:
        by_channel.setdefault(one.channel, []).append(one)
    chosen = set()
    for channel, here in by_channel.items():
        found = find(_as_told(story, channel, {one.alert_id for one in here}))
        chosen |= {one.id for one in here if one.alert_id in found}
    return chosen


def _as_told(story: Iterable[Past], channel: str, released: set[int]) -> list[Told]:
    return [
        Told(past.id, past.kind, past.keys, channel in past.channels, past.id in released)
        for past in story
    ]
