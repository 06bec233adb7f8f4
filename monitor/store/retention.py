"""Keep history small for ever: raw checks, hours, days.

Raw checks stay 48 hours, hourly sums 90 days, daily sums and the audit two years; outages
and times without a link, 90 days after they ended. Whole
hours and days are summed once, after they ended.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, case, cast, delete, func, insert, literal, select

from monitor.judge.outcome import OutcomeClass, Reason
from monitor.store.audit import prune_audit
from monitor.store.history import DAY, HOUR
from monitor.store.invites import prune_invites
from monitor.store.quota import prune_samples
from monitor.store.schema import (
    EPOCH,
    MICROSECOND,
    check_days,
    check_hours,
    checks,
    offline_times,
    outages,
)
from monitor.store.watermarks import find_watermark, save_watermark

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Table

    from monitor.store.engine import Transaction

KEEP_RAW = timedelta(hours=48)
KEEP_HOURS = timedelta(days=90)
KEEP_DAYS = timedelta(days=730)

LATEST_ARRIVAL = timedelta(minutes=5)
"""A check may be written this long after it was made, while the database was locked."""


def roll_up(tx: Transaction, now: datetime) -> None:
    """Sum the hours and days that ended, then drop what is too old."""
    complete_until = now - LATEST_ARRIVAL
    _sum_hours(tx, _floor(complete_until, HOUR))
    _sum_days(tx, _floor(complete_until, DAY))
    tx.execute(delete(checks).where(checks.c.id <= _last_raw_before(tx, now - KEEP_RAW)))
    tx.execute(delete(check_hours).where(check_hours.c.starts_at < now - KEEP_HOURS))
    tx.execute(delete(check_days).where(check_days.c.starts_at < now - KEEP_DAYS))
    for table in (outages, offline_times):
        tx.execute(delete(table).where(table.c.ended_at < now - KEEP_HOURS))
    prune_samples(tx, now)
    prune_invites(tx, now)
    prune_audit(tx, now)


def _last_raw_before(tx: Transaction, at: datetime) -> int:
    """Return the id of the last raw check before *at*.

    Ids grow with time, give or take the second in which a batch is collected;
    only the front of the table is read.
    """
    first_kept = select(checks.c.id).where(checks.c.at >= at).order_by(checks.c.id).limit(1)
    kept: int | None = tx.execute(first_kept).scalar_one_or_none()
    if kept is not None:
        return kept - 1
    last: int = tx.execute(select(func.coalesce(func.max(checks.c.id), 0))).scalar_one()
    return last


def _last_raw_well_before(tx: Transaction, at: datetime) -> int:
    """Return an id before which no check was made after *at*; reads from the end."""
    earlier = (
        select(checks.c.id)
        .where(checks.c.at < at - LATEST_ARRIVAL)
        .order_by(checks.c.id.desc())
        .limit(1)
    )
    return tx.execute(earlier).scalar_one_or_none() or 0


def _sum_hours(tx: Transaction, until: datetime) -> None:
    after = _watermark(tx, "hours")
    starts_at = _start_of(checks.c.at, HOUR)
    kind = case(_CLASSES, value=checks.c.reason, else_=OutcomeClass.INCONCLUSIVE.value)
    sums = (
        select(
            starts_at,
            checks.c.connection_id,
            func.sum(case((kind == OutcomeClass.SUCCESS.value, 1), else_=0)),
            func.sum(case((kind == OutcomeClass.REFUSAL.value, 1), else_=0)),
            func.sum(case((kind == OutcomeClass.INCONCLUSIVE.value, 1), else_=0)),
            func.coalesce(func.sum(checks.c.latency_us), 0),
            func.coalesce(func.max(checks.c.latency_us), 0),
            func.count(checks.c.latency_us),
        )
        .where(
            checks.c.id > _last_raw_well_before(tx, after),
            checks.c.at >= after,
            checks.c.at < until,
        )
        .group_by(starts_at, checks.c.connection_id)
    )
    _store_sums(tx, check_hours, sums, "hours", until)


def _sum_days(tx: Transaction, until: datetime) -> None:
    after = _watermark(tx, "days")
    hours = check_hours.c
    starts_at = _start_of(hours.starts_at, DAY)
    sums = (
        select(
            starts_at,
            hours.connection_id,
            func.sum(hours.n_success),
            func.sum(hours.n_refusal),
            func.sum(hours.n_inconclusive),
            func.sum(hours.latency_us_sum),
            func.max(hours.latency_us_max),
            func.sum(hours.n_latency),
        )
        .where(hours.starts_at >= after, hours.starts_at < until)
        .group_by(starts_at, hours.connection_id)
    )
    _store_sums(tx, check_days, sums, "days", until)


def _store_sums(tx: Transaction, table: Table, sums: Any, name: str, until: datetime) -> None:
    if _watermark(tx, name) < until:
        tx.execute(insert(table).from_select([each.name for each in table.c], sums))
        save_watermark(tx, name, until)


def _watermark(tx: Transaction, name: str) -> datetime:
    return find_watermark(tx, name) or EPOCH


def _start_of(column: Any, length: timedelta) -> Any:
    microseconds = literal(length // MICROSECOND, BigInteger)
    instant = cast(column, BigInteger)
    return instant - instant % microseconds


def _floor(at: datetime, length: timedelta) -> datetime:
    return at - (at - EPOCH) % length


_CLASSES = {reason.value: reason.outcome_class.value for reason in Reason}
