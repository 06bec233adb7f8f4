"""Read all that a batch of checks is judged by, and store what it has led to.

Reads in two steps: what each check needs, and, once each is judged, what those have in common that
have changed something. So a batch in which nothing is wrong asks for no more than its records.
What has to be read is said by pure functions of `judge`; nothing is decided here. `save` is the
one place that writes; what is wide but simple is one statement, however many rows it is about.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from monitor.alerting.dispatch import load_context
from monitor.judge.alerts import OPENED_BY, AlertKind
from monitor.judge.batch import Batch
from monitor.judge.checks import Check
from monitor.judge.connectivity import find_unreached, judge_link
from monitor.judge.correlation import CHECK_AT_MOST, find_lost_permissions
from monitor.judge.incidents import FLAPPING_WINDOW, failed_host
from monitor.judge.invites import is_same_name
from monitor.judge.outcome import State
from monitor.judge.sharing import account_key_of, find_short, find_unknown, look_ahead, take_samples
from monitor.store import (
    alerts,
    applications,
    authorizations,
    incidents,
    invites,
    quota,
    results,
)
from monitor.store.schedule import make_all_due, make_due

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from monitor.config.plan import Plan
    from monitor.judge.applications import ApplicationStanding
    from monitor.judge.batch import Effects, Inquiry, Outage, Retractable
    from monitor.judge.checks import Judged, JudgedCheck
    from monitor.judge.connections import ConnectionRecord
    from monitor.judge.dispatch import NewAlert
    from monitor.judge.forecast import Outlook
    from monitor.judge.incidents import Connectivity, HostGroup, LinkVerdict
    from monitor.judge.outcome import Outcome
    from monitor.judge.sharing import Ahead, Member, SharedQuotas, WindowKey
    from monitor.store.engine import Transaction


@dataclass(frozen=True, slots=True)
class FinishedCheck:
    """A check that came to its end.

    Args:
        scheduled_at: Its slot in the rhythm; None if it was asked for by hand.
        at: When it ended.
    """

    connection_id: int
    scheduled_at: datetime | None
    at: datetime
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class LoadedBatch:
    """What the checks of a batch are judged by, each by itself.

    Args:
        outages: The hosts that are out.
        inquiries: Whose answers are waited for.
        link: What the batch says of our own link.
        link_errors: The errors that a link which is gone explains.
        link_outages: Likewise the outages: the alert of each, and its host.
        to_check: Connections that must be checked to know whether the link is there.
    """

    checks: Sequence[Check]
    outages: Mapping[str, Outage]
    inquiries: Sequence[Inquiry]
    applications: Mapping[str, ApplicationStanding]
    link: LinkVerdict
    link_errors: Sequence[Retractable] = ()
    link_outages: Mapping[int, str] = field(default_factory=dict)
    to_check: Sequence[int] = ()

    @property
    def withdrawn(self) -> set[int]:
        """Return the connections whose error is taken back, since the link is to blame."""
        return {one.connection_id for one in self.link_errors}


def load_known(
    tx: Transaction, finished: Sequence[FinishedCheck], plan: Plan, uplink: Connectivity
) -> LoadedBatch:
    """Read what each of *finished* checks is judged by; those that nobody wants are left out."""
    checks = _load_checks(tx, finished, plan)
    time = incidents.find_offline_time(tx)
    has_uplinks = bool(plan.uplink)
    unreached = find_unreached(checks, time, uplink, has_uplinks=has_uplinks)
    others = None
    if unreached:
        others = incidents.failed_hosts_if_all_fail(tx, [one.record.id for one in unreached])
    link = judge_link(checks, time, others, uplink, has_uplinks=has_uplinks)
    names = {one.record.application for one in checks if one.record.application is not None}
    known = applications.load(tx, names) if names else {}
    errors: list[Retractable] = []
    unsent: dict[int, str] = {}
    if link.begun_at is not None:
        listed = alerts.list_retractable(tx, None, link.begun_at)
        errors = [one for one in listed if one.is_doubtful]
        unsent = alerts.list_unsent_outages(tx, link.begun_at)
    return LoadedBatch(
        checks,
        incidents.list_open_outages(tx),
        incidents.list_inquiries(tx),
        {name: one.standing for name, one in known.items()},
        link,
        errors,
        unsent,
        incidents.list_other_hosts(tx, link.doubted, link.doubted_at) if link.doubted_at else (),
    )


def _load_checks(tx: Transaction, finished: Sequence[FinishedCheck], plan: Plan) -> list[Check]:
    records = results.load_records(tx, [each.connection_id for each in finished])
    watched = plan.watched_of(tx, [record.name for record in records.values()])
    checks = []
    for each in finished:
        record = records.get(each.connection_id)
        if record is None or record.name not in watched:
            continue
        check = Check(record, watched[record.name], each.scheduled_at, each.at, each.outcome)
        if check.is_wanted:
            checks.append(check)
    return checks


def load_batch(tx: Transaction, known: LoadedBatch, judged: Judged, plan: Plan) -> Batch:
    """Read what *judged* checks may have in common, and what announcing it depends on."""
    eventful = [one for one in judged.checks if one.is_eventful]
    hosts = _load_hosts(tx, known, judged, eventful)
    quotas = _load_quotas(tx, judged)
    stores = {name: applications.watched_of(tx, name) for name in _named(judged, eventful)}
    changed = [one for one in eventful if one.verdict.transition is not None]
    link = judged.link
    is_any_due = (
        eventful
        or judged.turns
        or hosts.failing
        or hosts.members
        or quotas.accounts
        or quotas.is_any_short
        or link.begun_at is not None
        or link.ended is not None
    )
    context = None
    if is_any_due:
        watched = plan.watched_of(tx, _names_of(judged, hosts, quotas, stores))
        ends = _ends_of(judged, eventful, hosts, quotas, stores)
        since = min(one.at for one in known.checks)
        context = load_context(tx, plan, watched, ends, since)
    return Batch(
        judged,
        known.outages,
        known.inquiries,
        known.link_errors,
        known.link_outages,
        groups=hosts.groups,
        failing=hosts.failing,
        errors=hosts.errors,
        neighbours=hosts.neighbours,
        members=hosts.members,
        records=hosts.records,
        stores=stores,
        flapping=frozenset(incidents.list_flapping(tx)) if eventful or hosts.members else None,
        changes=_load_changes(tx, changed) if changed else {},
        accounts=quotas.accounts,
        outlooks=quotas.outlooks,
        aheads=quotas.aheads,
        context=context,
    )


def _load_changes(tx: Transaction, changed: Sequence[JudgedCheck]) -> dict[int, list[datetime]]:
    since = min(one.at for one in changed) - FLAPPING_WINDOW
    return incidents.list_changes(tx, {one.record.id for one in changed}, since)


def _named(judged: Judged, eventful: Sequence[JudgedCheck]) -> set[str]:
    """Return the applications whose connections may have to be named, or made due."""
    names = {turn.name for turn in judged.turns}
    for one in eventful:
        name, reason = one.record.application, one.outcome.reason
        if name is None or not reason.is_of_application or one.outcome.is_taken_over:
            continue
        if one.raises(AlertKind.ERROR):
            if judged.applications[name].announced_reason is not reason:
                names.add(name)
    return names


# --- hosts


@dataclass(frozen=True, slots=True)
class _Hosts:
    """What is known of the hosts that a batch touches: see `Batch`."""

    groups: Mapping[str, HostGroup]
    failing: Mapping[str, Mapping[int, str]]
    errors: Mapping[str, Sequence[Retractable]]
    neighbours: Mapping[str, Sequence[int]]
    members: Mapping[str, Mapping[int, str]]
    records: Mapping[int, ConnectionRecord]


_NO_HOSTS = _Hosts({}, {}, {}, {}, {}, {})


def _load_hosts(
    tx: Transaction, known: LoadedBatch, judged: Judged, eventful: Sequence[JudgedCheck]
) -> _Hosts:
    # What `judge.correlation` looks up of hosts is read here, under the same conditions.
    notes, is_online = judged.notes, judged.link.time is None
    touched = [host for host in notes.touched if is_online or host in known.outages]
    lost = [host for host, _ in find_lost_permissions(judged.own, known.outages)]
    if not touched and not lost:
        return _NO_HOSTS
    groups = {host: incidents.count_group(tx, host) for host in touched}
    begun = [
        host for host in touched if host not in known.outages and judged.is_out(host, groups[host])
    ]
    errors = {host: _list_errors(tx, judged, host) for host in begun}
    back = [
        host
        for host in touched
        if (host in known.outages or host in begun) and notes.count(groups[host], host).is_back
    ]
    members = {host: incidents.members_of(tx, host) for host in back}
    numbers = {number for each in members.values() for number in each}
    announced = {host for host in begun if errors[host]}
    announced |= _find_announced(known, begun, eventful)
    n_batch = len(judged.checks)
    return _Hosts(
        groups,
        {host: incidents.failing_of(tx, host) for host in announced},
        errors,
        {
            host: incidents.list_neighbours(tx, host, n_batch + CHECK_AT_MOST * lost.count(host))
            for host in set(lost)
        },
        members,
        results.load_records(tx, sorted(numbers)) if numbers else {},
    )


def _list_errors(tx: Transaction, judged: Judged, host: str) -> list[Retractable]:
    now = judged.first.touched.get(host) or judged.notes.touched[host]
    changed = judged.notes.changed.values()
    return alerts.list_retractable(
        tx, host, now, [one.connection_id for one in changed if one.after == host]
    )


def _find_announced(
    known: LoadedBatch, begun: Collection[str], eventful: Sequence[JudgedCheck]
) -> set[str]:
    """Return the hosts that are out and of which an error may make people hear."""
    # Without our own link, outages of which no word has gone out are announced anew.
    found, withdrawn = set(), set(known.link_outages.values())
    for one in eventful:
        if one.raises(AlertKind.ERROR):
            host = failed_host(one.record.standing, one.outcome, one.record.host)
            outage = known.outages.get(host or "")
            is_told = outage is not None and outage.is_told and host not in withdrawn
            if host is not None and (host in begun or (outage and not is_told)):
                found.add(host)
    return found


# --- quotas


@dataclass(frozen=True, slots=True)
class _Quotas:
    """What is known of the quotas that a batch has read: see `Batch`."""

    accounts: Mapping[str, Mapping[int, Member]]
    outlooks: Mapping[WindowKey, Outlook]
    aheads: Sequence[Ahead]
    is_any_short: bool = False


def _load_quotas(tx: Transaction, judged: Judged) -> _Quotas:
    checks = judged.checks
    unknown = find_unknown(checks)
    outlooks = quota.load_outlooks(tx, unknown) if unknown else {}
    aheads = take_samples(checks, outlooks)
    looking = {one.key for one in aheads if one.is_looking}
    if looking:
        aheads = look_ahead(aheads, {key: quota.load_samples(tx, *key) for key in looking})
    short = find_short(aheads)
    due = {one.record.id for one in checks if one.quota.alerts}
    due |= {one.check.record.id for one in short}
    # A connection may be checked twice in a batch, and only one answer name its account.
    keys = {key for one in checks if one.record.id in due and (key := _key_of(one)) is not None}
    if not keys:
        return _Quotas({}, outlooks, aheads, bool(short))
    # What changes its account in this very batch may speak for both.
    keys |= {key for one in checks if one.record.account_key in keys and (key := _key_of(one))}
    accounts = results.load_accounts(tx, keys)
    ids = _ids_by_account(accounts, checks)
    asked = {(n, one.key[1]) for one in short for n in ids.get(_key_of(one.check) or "", ())}
    if asked:
        outlooks |= quota.load_outlooks(tx, asked)
    return _Quotas(accounts, outlooks, aheads)


def _key_of(one: JudgedCheck) -> str | None:
    return account_key_of(one.record, one.outcome.account)


def _ids_by_account(
    accounts: Mapping[str, Mapping[int, Member]], checks: Sequence[JudgedCheck]
) -> dict[str, set[int]]:
    """Return the connections of each account, before the batch and after it."""
    ids = {key: set(members) for key, members in accounts.items()}
    for one in checks:
        key = _key_of(one)
        if key in ids:
            ids[key].add(one.record.id)
    return ids


# --- what announcing depends on


Ends = list[tuple[AlertKind, "Mapping[int, str]"]]


def _names_of(
    judged: Judged, hosts: _Hosts, quotas: _Quotas, stores: Mapping[str, Mapping[int, str]]
) -> set[str]:
    """Return the connections that alerts may be about."""
    names = {one.record.name for one in judged.checks}
    for named in (*hosts.failing.values(), *hosts.members.values(), *stores.values()):
        names.update(named.values())
    for members in quotas.accounts.values():
        names.update(member.name for member in members.values())
    return names


def _ends_of(
    judged: Judged,
    eventful: Sequence[JudgedCheck],
    hosts: _Hosts,
    quotas: _Quotas,
    stores: Mapping[str, Mapping[int, str]],
) -> Ends:
    """Return the ends that may be due: whether they are, depends on what was announced."""
    ends = [*_ends_of_checks(eventful), *_ends_of_hosts(judged, hosts)]
    if any(one.quota.alerts for one in eventful):
        ends += _ends_of_accounts(judged, quotas)
    ends += [
        (AlertKind.RECOVERED, stores[turn.name])
        for turn in judged.turns
        if turn.is_over and turn.before.announced_reason is not None
    ]
    return ends


def _ends_of_checks(eventful: Sequence[JudgedCheck]) -> Ends:
    return [
        (alert.kind, {one.record.id: one.record.name})
        for one in eventful
        for alert in (*one.clock_alerts, *one.verdict.alerts, *one.quota.alerts)
        if alert.kind in OPENED_BY
    ]


def _ends_of_hosts(judged: Judged, hosts: _Hosts) -> Ends:
    """Return the ends that may be due where hosts are back."""
    ends: Ends = [(AlertKind.OUTAGE_OVER, members) for members in hosts.members.values()]
    checked = {one.record.id for one in judged.checks}
    for number, record in hosts.records.items():
        if number in checked or record.standing.state is State.ACTIVE:
            ends.append((AlertKind.RECOVERED, {number: record.name}))
    return ends


def _ends_of_accounts(judged: Judged, quotas: _Quotas) -> Ends:
    """Return the ends that may be due of an account, by whichever connection."""
    names = {one.record.id: one.record.name for one in judged.checks}
    for members in quotas.accounts.values():
        names |= {member.id: member.name for member in members.values()}
    ids = _ids_by_account(quotas.accounts, judged.checks)
    numbers = {number for each in ids.values() for number in each}
    return [(AlertKind.QUOTA_RESTORED, {number: names[number]}) for number in numbers]


# --- what it has led to


def save(
    tx: Transaction,
    known: LoadedBatch,
    batch: Batch,
    effects: Effects,
    made: Sequence[NewAlert | None],
) -> None:
    """Store *effects*, and the alerts that were *made* of what they propose.

    What is taken back goes first: its news must not be mistaken for what is announced now. What
    is known of the connections of the batch goes over what is set for all of an application.
    """
    _take_back(tx, batch, effects)
    _save_applications(tx, batch, effects)
    _save_hosts(tx, batch, effects)
    incidents.extend_flapping(tx, effects.going_on)
    incidents.begin_flapping(tx, effects.flapping)
    ids = alerts.add_all(tx, made)
    _save_link(tx, known, batch, ids)
    _save_checks(tx, batch, effects)
    _save_quotas(tx, batch, effects.quotas)
    _end_outages(tx, known, effects)
    if effects.foreseen is not None:
        foreseen = effects.foreseen
        quota.add_samples(tx, foreseen.samples)
        new = [(number, one) for (number, _), one in foreseen.new.items()]
        old = [(number, one) for (number, _), one in foreseen.known.items()]
        quota.save_outlooks(tx, new, old)


def _take_back(tx: Transaction, batch: Batch, effects: Effects) -> None:
    if effects.withdrawn:
        alerts.take_back(tx, effects.withdrawn)
    if batch.link_outages:
        alerts.withdraw_outages(tx, batch.link_outages)


def _save_applications(tx: Transaction, batch: Batch, effects: Effects) -> None:
    for turn in batch.judged.turns:
        make_all_due(tx, turn.name, len(batch.stores[turn.name]), turn.every, turn.at)
        if turn.is_over:
            applications.forget_refusal(tx, turn.name)
    for name, standing in effects.applications.items():
        applications.save_standing(tx, name, standing)


def _save_hosts(tx: Transaction, batch: Batch, effects: Effects) -> None:
    notes = batch.judged.notes
    incidents.note_hosts(
        tx, [(one.connection_id, one.after, one.is_unexplained) for one in notes.changed.values()]
    )
    waiting = {one.connection_id for one in batch.inquiries}
    incidents.end_inquiries(tx, waiting & notes.answered)
    incidents.add_inquiries(tx, effects.asked)
    incidents.end_inquiries(tx, {one.connection_id for one in effects.asked} & notes.answered)


def _save_link(
    tx: Transaction, known: LoadedBatch, batch: Batch, ids: Sequence[int | None]
) -> None:
    link = batch.judged.link
    if link.begun_at is not None:
        assert link.time is not None
        incidents.begin_offline(tx, link.time.started_at, ids[0], link.time.n_missed)
    elif link.time is not None and link.has_missed:
        incidents.save_missed_checks(tx, link.time)
    if link.ended is not None:
        time, now = link.ended
        incidents.end_offline(tx, time, now)
        incidents.withdraw_overtaken(tx, now)
    if link.doubted_at is not None:
        for number in known.to_check:
            make_due(tx, number, link.doubted_at)


def _save_checks(tx: Transaction, batch: Batch, effects: Effects) -> None:
    checks = batch.judged.checks
    changes = [(one.record.id, one.verdict.transition) for one in checks if one.verdict.transition]
    results.add_transitions(tx, changes)
    results.add_checks(tx, [(one.record.id, one.at, one.outcome) for one in checks])
    rows = []
    for one, verdict in zip(checks, effects.verdicts, strict=True):
        account = one.outcome.account or one.record.account
        rows.append((one.record.id, verdict.standing, one.next_check_at(verdict), account))
    results.save_standings(tx, rows)
    for one in checks:
        known, shown = one.record.account, one.outcome.account
        if known is not None and shown is not None and not is_same_name(known, shown):
            # Whoever was invited to renew the one account must not see the other.
            invites.revoke_open_of(tx, [one.record.id], one.at)
    clocks = {one.record.id: one for one in checks if one.is_clock_changed}
    authorizations.save(
        tx,
        [
            (number, one.clock, one.watched.rules.expiring_soon_days)
            for number, one in clocks.items()
        ],
    )
    sold_in = {
        one.record.id: one.outcome.marketplaces
        for one in checks
        if one.outcome.marketplaces is not None and not one.is_disregarded
    }
    if sold_in:
        results.save_marketplaces(tx, sold_in)


def _save_quotas(tx: Transaction, batch: Batch, quotas: SharedQuotas) -> None:
    keys = {one.record.id: one.record.account_key for one in batch.judged.checks}
    changed, changed_windows = {}, {}
    for number, after in quotas.latest.items():
        before = quotas.before[number]
        key = quotas.keys.get(number) or quotas.shared.get(number)
        is_moved = number in keys and key != keys[number]
        if is_moved or number in quotas.shared or results.is_quota_news(before, after):
            changed[number] = (after, key)
        if results.have_windows_changed(before.others, after.others):
            changed_windows[number] = after.others
    results.save_quotas(tx, changed)
    results.save_windows(tx, changed_windows)


def _end_outages(tx: Transaction, known: LoadedBatch, effects: Effects) -> None:
    here = dict(known.outages)
    for host, now in effects.begun.items():
        here[host] = incidents.begin_outage(tx, host, now)
    for host in effects.announced_outages:
        incidents.mark_outage_announced(tx, here[host])
    for host, now in effects.ended.items():
        incidents.end_outage(tx, here[host], now)
    results.save_announced(tx, effects.announced)
