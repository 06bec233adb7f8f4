"""Find the one cause behind many problems of a batch, so that it is announced once.

A rejected client id or secret is its application's fault; connections of one host that fail
together make an outage; one that changes all the time flaps; and where our own link is gone,
nobody else is to blame. When that is so is decided in `applications`, `incidents` and
`connectivity`; here they meet the alerts that would have announced each problem by itself.
Pure: what must be known for it was read into a `Batch`, what follows is stored from `Effects`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

from monitor.judge.alerts import AlertDue, AlertKind
from monitor.judge.applications import ApplicationStanding
from monitor.judge.batch import Effects, Inquiry, Outage
from monitor.judge.checks import as_never_announced, as_unannounced
from monitor.judge.connectivity import describe_offline, describe_online
from monitor.judge.dispatch import Proposal
from monitor.judge.incidents import FLAPPING_CHANGES, FLAPPING_WINDOW, HostGroup, failed_host
from monitor.judge.outcome import Reason, State
from monitor.judge.sharing import forecast_quotas, share_quotas
from monitor.judge.verdict import missing_alert

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from datetime import datetime

    from monitor.judge.batch import Batch, Retractable
    from monitor.judge.checks import JudgedCheck
    from monitor.judge.connections import ConnectionRecord, Watched
    from monitor.judge.verdict import Verdict

CHECK_AT_MOST = 5
"""How many neighbours of a rejected store are checked at once (the contract, section 3)."""

INQUIRY_LASTS = timedelta(minutes=5)
"""Whoever has not answered by then holds up no alert any more."""


class _Scene:
    """The causes of one batch, as they come to light one after another."""

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        self.judged = batch.judged
        self.notes = batch.judged.first
        self.open = dict(batch.outages)
        self.inquiries = list(batch.inquiries)
        self.flapping = None if batch.flapping is None else set(batch.flapping)
        self.applications = dict(batch.judged.applications)
        self.accepted = {turn.name for turn in self.judged.turns if turn.is_over}
        self.taken_back: set[int] = set()
        self.effects = Effects()

    def is_out(self, host: str | None) -> bool:
        return host in self.open

    def group(self, host: str) -> HostGroup:
        return self.notes.count(self.batch.groups[host], host)

    def is_flapping(self, number: int) -> bool:
        assert self.flapping is not None, "who flaps was not read"
        return number in self.flapping


def correlate(batch: Batch) -> Effects:
    """Find what the checks of a batch have in common, and what each of them makes due.

    1. Our own link, applications, hosts and flapping connections, in this order: a larger
       cause explains what a smaller one would be announced for.
    2. Each check's alerts, unless a common cause speaks for them; then its quota.
    3. The hosts that are back, with what was held back of their connections.
    4. The forecasts, which need all quotas of an account.
    """
    scene = _Scene(batch)
    effects = scene.effects
    _note_link(scene)
    _note_turns(scene)
    _note_outages(scene)
    _note_flapping(scene)
    if scene.judged.notes is not scene.notes:
        scene.notes = scene.judged.notes
        _note_outages(scene)
    effects.quotas = share_quotas(scene.judged.checks, batch.accounts)
    for place, one in enumerate(scene.judged.checks):
        effects.verdicts.append(_weigh_check(scene, place, one))
    _close_outages(scene)
    if batch.aheads:
        effects.foreseen = forecast_quotas(
            batch.aheads, effects.quotas, batch.accounts, batch.outlooks
        )
        effects.proposals += effects.foreseen.proposals
    effects.applications = {
        name: standing
        for name, standing in scene.applications.items()
        if standing != batch.judged.applications_before[name]
    }
    return effects


def _note_link(scene: _Scene) -> None:
    link, effects = scene.judged.link, scene.effects
    if link.begun_at is not None:
        effects.withdrawn += scene.batch.link_errors
        effects.propose(describe_offline(link), {}, link.begun_at)
        # An outage of which no word has gone out is announced anew if it lasts.
        for host in scene.batch.link_outages.values():
            if host in scene.open:
                scene.open[host] = replace(scene.open[host], is_told=False)
    if link.ended is not None:
        time, now = link.ended
        alert = describe_online(time, now)
        if alert is not None:
            effects.propose(alert, {}, now)


def _note_turns(scene: _Scene) -> None:
    for turn in scene.judged.turns:
        before, refusal = turn.before, turn.before.refusal
        if not turn.is_over or before.announced_reason is None:
            continue
        about = scene.batch.stores[turn.name]
        facts = {
            "reason_before": before.announced_reason.value,
            "detail_before": refusal and refusal.detail,
            "since": refusal and refusal.at.isoformat(),
            "application": turn.name,
            "n_connections": len(about),
        }
        scene.effects.propose(_alert(AlertKind.RECOVERED, facts), about, turn.at)


def _note_outages(scene: _Scene) -> None:
    """Begin what the checks noted so far show to be out; it speaks for what nobody heard of."""
    if scene.judged.link.time is None:
        for host, now in scene.notes.touched.items():
            if host not in scene.open and scene.group(host).is_out:
                _begin_outage(scene, host, now)
    if scene.notes is scene.judged.first:
        _check_neighbours(scene)


def _begin_outage(scene: _Scene, host: str, now: datetime) -> None:
    scene.open[host] = Outage(None, host, now, is_told=False)
    scene.effects.begun[host] = now
    explained = [one for one in scene.batch.errors[host] if _is_explained(scene, one, host)]
    scene.effects.withdrawn += explained
    scene.taken_back |= {one.connection_id for one in explained}
    if explained:
        _announce_outage(scene, host, explained[0].reason.value, now)


def _is_explained(scene: _Scene, error: Retractable, host: str) -> bool:
    if error.rejected in scene.accepted:
        return False  # of an application that is accepted again nothing is announced any more
    change = scene.notes.changed.get(error.connection_id)
    if change is None:
        return error.is_doubtful
    if change.after != host:
        return False
    return replace(error, is_unexplained=change.is_unexplained).is_doubtful


def _announce_outage(scene: _Scene, host: str, reason: str, now: datetime) -> None:
    """Announce the outage of *host*, unless that was done."""
    outage = scene.open[host]
    if outage.is_told:
        return
    about = scene.notes.with_changes(scene.batch.failing[host], host)
    facts = {
        "host": host,
        "n_failing": len(about),
        "n_total": scene.group(host).total,
        "reason": reason,
        "since": outage.started_at.isoformat(),
    }
    scene.effects.propose(_alert(AlertKind.OUTAGE, facts), about, now)
    scene.effects.announced_outages.add(host)
    scene.open[host] = replace(outage, is_told=True)


def find_lost_permissions(
    judged: Iterable[JudgedCheck], open_hosts: Collection[str]
) -> list[tuple[str, datetime]]:
    """Return the hosts that rejected a store for the first time, without a word why."""
    found = []
    for one in judged:
        if one.outcome.is_unexplained and one.verdict.standing.refusals <= 1:
            host = failed_host(one.record.standing, one.outcome, one.record.host)
            if host is not None and host not in open_hosts:
                found.append((host, one.at))
    return found


def _check_neighbours(scene: _Scene) -> None:
    """Check others of a region before anybody hears that a store lost its permissions."""
    answered = scene.notes.answered
    scene.inquiries = [one for one in scene.inquiries if one.connection_id not in answered]
    waiting = {one.connection_id for one in scene.inquiries}
    for host, now in find_lost_permissions(scene.judged.own, scene.open):
        free = (n for n in scene.batch.neighbours[host] if n not in answered | waiting)
        asked = [Inquiry(number, host, now) for number in islice(free, CHECK_AT_MOST)]
        waiting |= {one.connection_id for one in asked}
        scene.inquiries += asked
        scene.effects.asked += asked


def _note_flapping(scene: _Scene) -> None:
    """Count the transitions of a batch.

    What the fault of a host or of an application has changed does not count.
    """
    changed = {
        one.record.id: one
        for one in scene.judged.own
        if one.verdict.transition is not None
        and not one.outcome.reason.is_of_application
        and not scene.is_out(one.outcome.failed_host or one.record.host)
        and not scene.is_out(one.record.failed_host)
    }
    if not changed:
        return
    after = max(one.at for one in changed.values()) - FLAPPING_WINDOW
    fresh = _instants_of(scene.judged.own)
    for number, one in sorted(changed.items()):
        if scene.is_flapping(number):
            scene.effects.going_on[number] = one.at
            continue
        instants = [*scene.batch.changes.get(number, ()), *fresh[number]]
        n = sum(at > after for at in instants)
        if n >= FLAPPING_CHANGES:
            scene.effects.flapping[number] = one.at
            facts = {"n": n, "window": round(FLAPPING_WINDOW.total_seconds())}
            about = {number: one.record.name}
            scene.effects.propose(_alert(AlertKind.FLAPPING, facts), about, one.at)
    assert scene.flapping is not None
    scene.flapping |= scene.effects.flapping.keys()


def _instants_of(judged: Iterable[JudgedCheck]) -> dict[int, list[datetime]]:
    found: dict[int, list[datetime]] = {}
    for one in judged:
        if one.verdict.transition is not None:
            found.setdefault(one.record.id, []).append(one.verdict.transition.at)
    return found


def _weigh_check(scene: _Scene, place: int, one: JudgedCheck) -> Verdict:
    """Propose what one check makes due; return the verdict to keep."""
    record, verdict, proposals = one.record, one.verdict, scene.effects.proposals
    for alert in (*one.clock_alerts, *verdict.alerts):
        verdict, is_own = _weigh(scene, alert, one, verdict)
        if is_own:
            proposals.append(Proposal(alert, {record.id: record.name}, one.at, place))
    proposals += scene.effects.quotas.proposals.get(place, ())
    return as_never_announced(verdict) if record.id in scene.taken_back else verdict


def _weigh(
    scene: _Scene, alert: AlertDue, one: JudgedCheck, verdict: Verdict
) -> tuple[Verdict, bool]:
    """Return the verdict to keep, and whether *alert* is the connection's own.

    What a common cause speaks for counts as never announced: it is announced when the outage is
    over, if it is still true then.
    """
    record, outcome = one.record, one.outcome
    if alert.kind is AlertKind.RECOVERED:
        return verdict, _may_recover(scene, record)
    if alert.kind is not AlertKind.ERROR:
        return verdict, True
    if outcome.reason.is_of_application and record.application is not None:
        if not outcome.is_taken_over:
            _announce_rejection(scene, alert, record.application, outcome.reason, one.at)
        return verdict, False
    host = failed_host(record.standing, outcome, record.host)
    if host is not None and scene.is_out(host):
        _announce_outage(scene, host, alert.facts["reason"], one.at)
    elif not scene.is_flapping(record.id):
        return _wait_for_neighbours(scene, host, one, verdict)
    return as_unannounced(verdict, record), False


def _may_recover(scene: _Scene, record: ConnectionRecord) -> bool:
    known = scene.applications.get(record.application or "", ApplicationStanding())
    announced = record.standing.announced_reason
    if known.refusal is not None and announced is not None and announced.is_of_application:
        return False
    if scene.is_out(record.host) or scene.is_out(record.token_host):
        return False
    return not scene.is_flapping(record.id)


def _announce_rejection(
    scene: _Scene, alert: AlertDue, name: str, reason: Reason, now: datetime
) -> None:
    """Announce once for all its connections that an application is rejected."""
    standing = scene.applications[name]
    if standing.announced_reason is reason:
        return
    about = scene.batch.stores[name]
    facts = alert.facts | {"application": name, "n_connections": len(about)}
    scene.effects.propose(replace(alert, facts=facts), about, now)
    scene.applications[name] = replace(standing, announced_reason=reason)


def _wait_for_neighbours(
    scene: _Scene, host: str | None, one: JudgedCheck, verdict: Verdict
) -> tuple[Verdict, bool]:
    number, since = one.record.id, one.at - INQUIRY_LASTS
    is_waiting = one.outcome.is_unexplained and any(
        each.host == host
        and each.is_watched
        and each.connection_id != number
        and each.asked_at > since
        for each in scene.inquiries
        if each.connection_id not in scene.notes.answered
    )
    if host is None or not is_waiting:
        return verdict, True
    rules = one.watched.rules
    wait = min(rules.every, rules.recheck_after)
    return replace(as_unannounced(verdict, one.record), recheck_after=wait), False


# --- what was held back


@dataclass(frozen=True, slots=True)
class Released:
    """What was held back of connections and is still true.

    Args:
        announced: The connections of which it is announced now.
    """

    proposals: list[Proposal]
    announced: list[ConnectionRecord]


def release(
    records: Iterable[ConnectionRecord], watched: Mapping[str, Watched], now: datetime
) -> Released:
    """Return what is due of *records* now that nothing else speaks for them."""
    released = Released([], [])
    for record in records:
        settings = watched.get(record.name)
        if settings is None:
            continue
        about, standing = {record.id: record.name}, record.standing
        if standing.state is State.ACTIVE:
            released.proposals.append(Proposal(_alert(AlertKind.RECOVERED, {}), about, now))
            continue
        owed = missing_alert(standing, settings.rules, record.clock.known_end, now)
        if owed is not None and not standing.reason.is_of_application:
            released.proposals.append(Proposal(owed, about, now))
            released.announced.append(as_announced(record))
    return released


def as_announced(record: ConnectionRecord) -> ConnectionRecord:
    """Return *record* as one whose state was announced."""
    standing = record.standing
    announced = replace(standing, announced_state=standing.state, announced_reason=standing.reason)
    return replace(record, standing=announced)


def describe_outage_over(outage: Outage, n_members: int, now: datetime) -> AlertDue:
    """Return the alert of the end of an outage that was announced."""
    facts = {
        "host": outage.host,
        "since": outage.started_at.isoformat(),
        "until": now.isoformat(),
        "n": n_members,
    }
    return _alert(AlertKind.OUTAGE_OVER, facts)


def find_certain(
    records: Iterable[ConnectionRecord],
    host: str,
    flapping: Collection[int],
    answered: Collection[int] | None,
) -> list[ConnectionRecord]:
    """Return those of which is known, after an outage of *host*, whether they still fail.

    Args:
        answered: Who has answered just now; of others that fail at this host the next check
            tells. None if the outage did not end by an answer.
    """
    return [
        record
        for record in records
        if record.id not in flapping
        and (answered is None or record.failed_host != host or record.id in answered)
    ]


def _close_outages(scene: _Scene) -> None:
    """End the outages that this batch has shown to be over."""
    known: dict[int, ConnectionRecord] = {}
    for host, now in scene.notes.touched.items():
        if host not in scene.open or not scene.group(host).is_back:
            continue
        known = known or _records_after(scene)
        outage, members = scene.open.pop(host), scene.batch.members[host]
        if outage.is_told:
            over = describe_outage_over(outage, len(members), now)
            scene.effects.propose(over, members, now)
        scene.effects.ended[host] = now
        assert scene.flapping is not None
        assert scene.batch.context is not None
        records = [known[number] for number in sorted(members)]
        certain = find_certain(records, host, scene.flapping, scene.notes.answered)
        released = release(certain, scene.batch.context.watched, now)
        scene.effects.proposals += released.proposals
        scene.effects.announced += released.announced
        known |= {record.id: record for record in released.announced}


def _records_after(scene: _Scene) -> dict[int, ConnectionRecord]:
    """Return the members of hosts that are back as the batch leaves them."""
    withdrawn = {one.connection_id for one in scene.effects.withdrawn}
    known = {}
    for number, before in scene.batch.records.items():
        record = before
        if record.application in scene.accepted:
            record = forget_rejection(record)
        if number in withdrawn:
            standing = replace(record.standing, announced_state=None, announced_reason=None)
            record = replace(record, standing=standing)
        change = scene.notes.changed.get(number)
        known[number] = record if change is None else replace(record, failed_host=change.after)
    for one, verdict in zip(scene.judged.checks, scene.effects.verdicts, strict=True):
        number = one.record.id
        if number in known:
            standing = verdict.standing
            known[number] = replace(known[number], standing=standing, clock=one.clock)
    return known


def forget_rejection(record: ConnectionRecord) -> ConnectionRecord:
    """Return *record* as one whose application is accepted again: its rows start anew."""
    standing = record.standing
    if standing.reason.is_of_application:
        standing = replace(standing, refusals=0, refusals_of_any_reason=0)
    if standing.announced_reason is not None and standing.announced_reason.is_of_application:
        standing = replace(standing, announced_state=None, announced_reason=None)
    return replace(record, standing=standing)


def _alert(kind: AlertKind, facts: dict[str, Any]) -> AlertDue:
    return AlertDue.of(kind, **facts)
