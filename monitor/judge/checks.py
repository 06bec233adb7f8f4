"""Judge the checks of a batch, each by itself: its state, its authorization's clock, its quota.

Notes as well what they say of hosts and applications. What several have in common is decided in
`correlation`, what the connections of one account share in `sharing`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from monitor.judge.applications import ApplicationStanding, judge_application
from monitor.judge.authorizations import (
    confirm,
    count_down,
    name_old_token,
    observe_token_end,
    sent_at,
)
from monitor.judge.forecast import Outlook
from monitor.judge.incidents import HostGroup, disregard, failed_host, is_unanswered
from monitor.judge.outcome import Reason
from monitor.judge.quota import judge_quota
from monitor.judge.verdict import Verdict, judge, next_check

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    from monitor.judge.alerts import AlertDue, AlertKind
    from monitor.judge.authorizations import AuthorizationClock
    from monitor.judge.connections import ConnectionRecord, Watched
    from monitor.judge.incidents import LinkVerdict
    from monitor.judge.outcome import Outcome
    from monitor.judge.quota import Quota, QuotaVerdict


OVERTAKEN_WITHIN = timedelta(hours=1)
"""No command takes longer; what is further ahead was written before the clock was set back."""


# Not frozen, though nobody changes it: one is made for every check, in half the time.
@dataclass(slots=True)
class Check:
    """A check that came to its end, and what was known before it.

    Args:
        scheduled_at: Its slot in the rhythm; None if it was asked for by hand.
        at: When it ended.
    """

    record: ConnectionRecord
    watched: Watched
    scheduled_at: datetime | None
    at: datetime
    outcome: Outcome

    @property
    def is_wanted(self) -> bool:
        """Tell whether it counts: its connection is still watched, and no later check has come."""
        record = self.record
        return record.is_configured and not record.is_switched_off and not self._is_overtaken

    @property
    def _is_overtaken(self) -> bool:
        known_at = self.record.standing.checked_at
        if self.scheduled_at is not None or known_at is None:
            return False
        return self.at < known_at <= self.at + OVERTAKEN_WITHIN


# Not frozen, though nobody changes it: one is made for every check, in half the time.
@dataclass(slots=True)
class JudgedCheck:
    """A check that was judged, as if there were no other connection.

    Args:
        record: What was known before it.
        outcome: What it saw, as the clock reads it.
        clock: What is known of the authorization from now on.
        quota_before: What *quota* was judged by.
        is_disregarded: It failed for want of a link, and counts for nothing.
    """

    record: ConnectionRecord
    watched: Watched
    scheduled_at: datetime | None
    at: datetime
    outcome: Outcome
    verdict: Verdict
    clock: AuthorizationClock
    clock_alerts: tuple[AlertDue, ...]
    quota_before: Quota
    quota: QuotaVerdict
    is_disregarded: bool = False

    @property
    def is_eventful(self) -> bool:
        """Tell whether it has changed a state, or may make something due."""
        verdict = self.verdict
        return bool(
            verdict.transition is not None
            or verdict.alerts
            or self.clock_alerts
            or self.quota.alerts
        )

    def raises(self, kind: AlertKind) -> bool:
        """Tell whether its state makes an alert of *kind* due."""
        return any(alert.kind is kind for alert in self.verdict.alerts)

    def next_check_at(self, verdict: Verdict) -> datetime:
        """Return when to look again after *verdict*, which is the one to keep."""
        now, every = self.at, self.watched.rules.every
        slot = self.scheduled_at or self.record.next_check_at or now
        at = next_check(verdict, slot, every, now)
        end = self.record.clock.known_end
        # An answer to a question from before the end says nothing about what comes after.
        if end is None or verdict.not_before or end <= sent_at(self.outcome, now):
            return at
        return min(at, max(end, now))

    @property
    def is_clock_changed(self) -> bool:
        """Tell whether the authorization's clock must be stored."""
        return self.clock is not self.record.clock and self.clock != self.record.clock


def judge_check(check: Check, quota: Quota) -> JudgedCheck:
    """Judge one check.

    Args:
        quota: What is known of the connection's quota by now.
    """
    record, watched, now = check.record, check.watched, check.at
    outcome = name_old_token(record.clock, count_down(record.clock, check.outcome, now))
    verdict = judge(record.standing, outcome, watched.rules, record.clock.known_end, now)
    confirmed = confirm(observe_token_end(record.clock, outcome, now), outcome, now)
    return JudgedCheck(
        record,
        watched,
        check.scheduled_at,
        now,
        outcome,
        verdict,
        confirmed.clock,
        confirmed.alerts,
        quota,
        judge_quota(quota, outcome, watched.rules, now),
    )


def disregard_check(check: Check, quota: Quota) -> JudgedCheck:
    """Return what is left of a check that failed for want of a link: it was made."""
    record, outcome, now = check.record, check.outcome, check.at
    return JudgedCheck(
        record,
        check.watched,
        check.scheduled_at,
        now,
        outcome,
        disregard(record.standing, outcome, now),
        record.clock,
        (),
        quota,
        judge_quota(quota, outcome, check.watched.rules, now),
        is_disregarded=True,
    )


def preview_record(check: Check) -> ConnectionRecord:
    """Return what would be known after a check, if nothing were stored or announced."""
    record = check.record
    judged = judge_check(check, record.quota)
    quota = judged.quota.quota
    is_same_window = quota.known.name == record.outlook.window
    return replace(
        record,
        standing=judged.verdict.standing,
        clock=judged.clock,
        quota=quota,
        outlook=record.outlook if is_same_window else Outlook(quota.known.name),
        account=judged.outcome.account or record.account,
        marketplaces=judged.outcome.marketplaces or record.marketplaces,
    )


def as_unannounced(verdict: Verdict, record: ConnectionRecord) -> Verdict:
    """Return *verdict* as one that was not announced."""
    standing = replace(
        verdict.standing,
        announced_state=record.standing.announced_state,
        announced_reason=record.standing.announced_reason,
    )
    return replace(verdict, standing=standing)


def as_never_announced(verdict: Verdict) -> Verdict:
    """Return *verdict* as one on a problem of which the news was taken back."""
    standing = replace(verdict.standing, announced_state=None, announced_reason=None)
    return replace(verdict, standing=standing)


@dataclass(frozen=True, slots=True)
class HostChange:
    """Against which host a connection's latest check speaks, and the one before."""

    connection_id: int
    name: str
    before: str | None
    after: str | None
    is_unexplained: bool


@dataclass(frozen=True, slots=True)
class HostNotes:
    """What checks say of hosts.

    Args:
        touched: The hosts that they speak for or against, and the latest instant of that.
        answered: The connections that were heard.
    """

    changed: Mapping[int, HostChange]
    touched: Mapping[str, datetime]
    answered: frozenset[int]

    def count(self, group: HostGroup, host: str) -> HostGroup:
        """Return *group* of *host* as the batch leaves it."""
        n_gone = sum(one.before == host for one in self.changed.values())
        n_new = sum(one.after == host for one in self.changed.values())
        return HostGroup(group.total, group.failing - n_gone + n_new)

    def with_changes(self, failing: Mapping[int, str], host: str) -> dict[int, str]:
        """Return the names of those that fail at *host* as the batch leaves them."""
        left = {number: name for number, name in failing.items() if number not in self.changed}
        left |= {n: one.name for n, one in self.changed.items() if one.after == host}
        return dict(sorted(left.items()))


_NOTHING_NOTED = HostNotes({}, {}, frozenset())


def note_hosts(judged: Iterable[JudgedCheck], before: HostNotes = _NOTHING_NOTED) -> HostNotes:
    """Return what *judged* checks say of hosts, after all that was noted *before*."""
    changed, touched, answered = dict(before.changed), dict(before.touched), set(before.answered)
    for one in judged:
        record, outcome = one.record, one.outcome
        if outcome.reason is Reason.THROTTLED:
            continue  # it counts in no row, and so neither for nor against its host
        host = failed_host(record.standing, outcome, record.host)
        if host != record.failed_host or outcome.is_unexplained != record.is_unexplained:
            changed[record.id] = HostChange(
                record.id, record.name, record.failed_host, host, outcome.is_unexplained
            )
        for each in (host, record.failed_host):
            if each:
                touched[each] = one.at
        answered.add(record.id)
    return HostNotes(changed, touched, frozenset(answered))


@dataclass(frozen=True, slots=True)
class ApplicationTurn:
    """An application was rejected just now, or is accepted again.

    Args:
        every: How often the connection is checked that has shown it.
    """

    name: str
    before: ApplicationStanding
    is_over: bool
    every: timedelta
    at: datetime


@dataclass(frozen=True, slots=True)
class Judged:
    """The checks of a batch, each judged by itself.

    Args:
        checks: Those that take over the verdict on their application come last, and only
            if it is rejected still.
        n_own: How many are not taken over.
        applications_before: How applications stood.
        applications: How they stand by all that was answered.
        turns: What that changed for all their connections.
        first: What the checks that are not taken over say of hosts.
        notes: What all of them say.
    """

    checks: Sequence[JudgedCheck]
    n_own: int
    link: LinkVerdict
    applications_before: Mapping[str, ApplicationStanding]
    applications: Mapping[str, ApplicationStanding]
    turns: Sequence[ApplicationTurn]
    first: HostNotes
    notes: HostNotes

    def is_out(self, host: str, group: HostGroup) -> bool:
        """Tell whether *group* of *host* was out by what some or all of the checks say of it."""
        return self.first.count(group, host).is_out or self.notes.count(group, host).is_out

    @property
    def own(self) -> Sequence[JudgedCheck]:
        """Return the checks that count, without those that only take over a verdict."""
        return [one for one in self.checks[: self.n_own] if not one.is_disregarded]


def judge_checks(
    checks: Sequence[Check],
    link: LinkVerdict,
    withdrawn: Collection[int],
    applications: Mapping[str, ApplicationStanding],
) -> Judged:
    """Judge *checks*, one after another.

    Args:
        withdrawn: The connections whose error is taken back, since the link was to blame.
        applications: How those of all connections of the batch stood before.
    """
    chain = _Chain(link.time is not None, withdrawn, checks)
    judged = [chain.judge(check) for check in checks if not check.outcome.is_taken_over]
    n_own = len(judged)
    counted = [one for one in judged if not one.is_disregarded]
    standings, turns = judge_applications(counted, applications)
    first = note_hosts(counted)
    taken_over = [
        chain.judge(check)
        for check in checks
        if check.outcome.is_taken_over and _is_rejected(check.record.application, standings)
    ]
    judged += taken_over
    notes = note_hosts(taken_over, first) if taken_over else first
    return Judged(judged, n_own, link, applications, standings, turns, first, notes)


def _is_rejected(application: str | None, standings: Mapping[str, ApplicationStanding]) -> bool:
    return application is not None and standings[application].refusal is not None


class _Chain:
    """Judges the checks of a batch; of one connection the second by what the first has left."""

    def __init__(
        self, is_offline: bool, withdrawn: Collection[int], checks: Sequence[Check]
    ) -> None:
        self._is_offline = is_offline
        self._withdrawn = withdrawn
        numbers = [check.record.id for check in checks]
        is_any = len(set(numbers)) < len(numbers)
        counted = Counter(numbers) if is_any else {}
        self._repeated = {number for number, n in counted.items() if n > 1}
        self._latest: dict[int, JudgedCheck] = {}

    def judge(self, check: Check) -> JudgedCheck:
        number = check.record.id
        latest = self._latest.get(number)
        if latest is not None:
            record = replace(check.record, standing=latest.verdict.standing, clock=latest.clock)
            check = replace(check, record=record)
        quota = check.record.quota if latest is None else latest.quota.quota
        if self._is_offline and is_unanswered(check.outcome):
            judged = disregard_check(check, quota)
            if number in self._withdrawn:
                judged = replace(judged, verdict=as_never_announced(judged.verdict))
        else:
            judged = judge_check(check, quota)
        if number in self._repeated:
            self._latest[number] = judged
        return judged


def judge_applications(
    judged: Iterable[JudgedCheck], standings: Mapping[str, ApplicationStanding]
) -> tuple[dict[str, ApplicationStanding], list[ApplicationTurn]]:
    """Return how applications stand after *judged* checks, and what that changes."""
    after, turns = dict(standings), []
    for one in judged:
        name = one.record.application
        if name is None:
            continue
        before = after[name]
        heard = judge_application(before, one.record.id, one.outcome, one.at)
        after[name] = heard.standing
        if heard.standing != before and (heard.is_begun or heard.is_over):
            every = one.watched.rules.every
            turns.append(ApplicationTurn(name, before, heard.is_over, every, one.at))
    return after, turns
