"""
Store what a batch of checks has led to: the one place that writes.

Decides nothing. What is wide but simple (make all connections of an application due, forget what
was known against it) is one statement each, however many rows it is about.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.store import alerts, applications, authorizations, incidents, quota, results
from monitor.store.schedule import make_all_due, make_due

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.engine.batch import LoadedBatch
    from monitor.judge.batch import Batch, Effects
    from monitor.judge.dispatch import NewAlert
    from monitor.judge.sharing import SharedQuotas
    from monitor.store.engine import Transaction


def save(
    tx: Transaction,
    known: LoadedBatch,
    batch: Batch,
    effects: Effects,
    made: Sequence[NewAlert | None],
) -> None:
    """
    Store *effects*, and the alerts that were *made* of what they propose.

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
