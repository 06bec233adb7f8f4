"""Decide by a batch of checks whether our own link is gone, or there again.

What one answer says of it is decided in `incidents`; who asks the URLs of `checks.uplink`, and
which hosts the connections beside the batch have, is found out by others.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from monitor.judge.alerts import AlertDue, AlertKind
from monitor.judge.incidents import (
    FEWEST_HOSTS,
    UNREACHED,
    Connectivity,
    LinkVerdict,
    OfflineTime,
    has_answered,
    is_unanswered,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from monitor.judge.checks import Check


def find_unreached(
    checks: Sequence[Check], time: OfflineTime | None, uplink: Connectivity, *, has_uplinks: bool
) -> list[Check]:
    """Return the checks that put our own link in doubt, so that others must be looked at."""
    if time is not None or uplink is Connectivity.DOWN or has_uplinks:
        return []
    unreached = [check for check in checks if check.outcome.reason in UNREACHED]
    if not unreached or any(has_answered(check.outcome) for check in checks):
        return []
    return unreached


def judge_link(
    checks: Sequence[Check],
    time: OfflineTime | None,
    others: Collection[str] | None,
    uplink: Connectivity,
    *,
    has_uplinks: bool,
) -> LinkVerdict:
    """Find out what a batch of checks says of our own link.

    Args:
        time: The time without a link that lasts so far.
        others: The hosts of all other connections, if none of them was reached either.
        uplink: What the URLs of `checks.uplink` said of this batch.
        has_uplinks: Whether there are any.
    """
    unanswered = [check for check in checks if is_unanswered(check.outcome)]
    if time is not None:
        verdict = _look_for_end(checks, time, uplink)
    elif unanswered and uplink is Connectivity.DOWN:
        is_any = any(has_answered(check.outcome) for check in checks)
        verdict = LinkVerdict() if is_any else _begin_offline(unanswered, unanswered)
    else:
        unreached = find_unreached(checks, time, uplink, has_uplinks=has_uplinks)
        verdict = _weigh_unreached(unanswered, unreached, others) if unreached else LinkVerdict()
    if verdict.time is None or not unanswered:
        return verdict
    n_missed = verdict.time.n_missed + len(unanswered)
    return replace(verdict, time=replace(verdict.time, n_missed=n_missed), has_missed=True)


def _weigh_unreached(
    unanswered: Sequence[Check], unreached: Sequence[Check], others: Collection[str] | None
) -> LinkVerdict:
    hosts = {check.outcome.failed_host or check.record.host for check in unreached}
    if others is not None and len(hosts.union(others)) >= FEWEST_HOSTS:
        return _begin_offline(unanswered, unreached, len(hosts.union(others)))
    if all(check.record.standing.last_reason in UNREACHED for check in unreached):
        return LinkVerdict()
    known = hosts | {check.record.host for check in unreached}
    return LinkVerdict(doubted_at=max(one.at for one in unreached), doubted=frozenset(known))


def _begin_offline(
    unanswered: Sequence[Check], noticed: Sequence[Check], n_hosts: int | None = None
) -> LinkVerdict:
    time = OfflineTime(None, min(check.at for check in unanswered), 0, None)
    return LinkVerdict(time, max(check.at for check in noticed), n_hosts)


def _look_for_end(checks: Sequence[Check], time: OfflineTime, uplink: Connectivity) -> LinkVerdict:
    # An answer that was on its way when the link went says nothing.
    answered = [one.at for one in checks if has_answered(one.outcome) and one.at > time.started_at]
    if uplink is Connectivity.UP:
        answered += [one.at for one in checks]
    return LinkVerdict(ended=(time, max(answered))) if answered else LinkVerdict(time)


def describe_offline(verdict: LinkVerdict) -> AlertDue:
    """Return the alert of a time without a link that has begun."""
    assert verdict.time is not None
    facts: dict[str, str | int] = {"since": verdict.time.started_at.isoformat()}
    if verdict.n_hosts is not None:
        facts["n_hosts"] = verdict.n_hosts
    return AlertDue.of(AlertKind.MONITOR_OFFLINE, **facts)


def describe_online(time: OfflineTime, now: datetime) -> AlertDue | None:
    """Return the alert of the end of a time without a link; None if nobody knows of that."""
    if not time.is_announced:
        return None
    since, until = time.started_at.isoformat(), now.isoformat()
    facts = {"since": since, "until": until, "n_missed": time.n_missed}
    return AlertDue.of(AlertKind.MONITOR_ONLINE, **facts)
