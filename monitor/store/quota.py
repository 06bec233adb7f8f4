"""Keep what was left of quotas, and what is foreseen of them.

Samples stay a hundred days: a few periods to learn from. After a week one in six
hours is enough.
"""

from __future__ import annotations

from dataclasses import fields as fields_of
from datetime import timedelta
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, bindparam, delete, exists, insert, literal, select, type_coerce

from monitor.judge.forecast import Forecast, Outlook, QuotaSample
from monitor.store.schema import MICROSECOND, connections, quota_forecasts, quota_samples
from monitor.store.statements import execute_many, in_pieces, names_of, update_one, values_of

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from monitor.store.engine import Transaction

KEEP_SAMPLES = timedelta(days=100)
KEEP_ALL_FOR = timedelta(days=7)
THINNED_TO = timedelta(hours=6)

HOURS_OF_DAY = 24

_PREFIX = "outlook_"

OUTLOOK_COLUMNS = [
    column.label(_PREFIX + column.name)
    for column in quota_forecasts.c
    if column.name != "connection_id"
]


_SAMPLE_OF = itemgetter(
    "outlook_sampled_at",
    "outlook_sampled_remaining",
    "outlook_sampled_limit",
    "outlook_sampled_resets_at",
)
_FORECAST_OF = itemgetter("outlook_exhausts_at", "outlook_earliest_at", "outlook_latest_at")


def read_outlook(fields: Any) -> Outlook:
    """Return what is foreseen, from the fields of a row with `OUTLOOK_COLUMNS`, or from none.

    It is about the window that decides, whose name stands in `window`.
    """
    sampled_at = fields["outlook_sampled_at"]
    if sampled_at is None:
        return Outlook(fields["window"])
    return Outlook(
        window=fields["outlook_window"],
        sample=QuotaSample(*_SAMPLE_OF(fields)),
        foreseen_at=fields["outlook_foreseen_at"],
        foreseen_remaining=fields["outlook_foreseen_remaining"],
        forecast=Forecast(*_FORECAST_OF(fields)) if fields["outlook_is_foreseen"] else None,
        told=fields["outlook_told_exhausts_at"],
    )


def _outlook_values(outlook: Outlook) -> dict[str, Any]:
    sample, forecast = outlook.sample, outlook.forecast
    assert sample is not None
    return {
        "window": outlook.window,
        "sampled_at": sample.at,
        "sampled_remaining": sample.remaining,
        "sampled_limit": sample.limit,
        "sampled_resets_at": sample.resets_at,
        "foreseen_at": outlook.foreseen_at,
        "foreseen_remaining": outlook.foreseen_remaining,
        "is_foreseen": forecast is not None,
        "exhausts_at": forecast and forecast.exhausts_at,
        "earliest_at": forecast and forecast.earliest,
        "latest_at": forecast and forecast.latest,
        "told_exhausts_at": outlook.told,
    }


_SAVE_OUTLOOK = update_one(quota_forecasts.c.connection_id, names_of(quota_forecasts)).where(
    quota_forecasts.c.window == bindparam("of_window")
)


def save_outlooks(
    tx: Transaction, new: Sequence[tuple[int, Outlook]], known: Sequence[tuple[int, Outlook]]
) -> None:
    """Keep what is foreseen of windows, by the ids of their connections.

    Args:
        new: Those of which nothing was kept so far.
    """
    rows = [{"connection_id": number} | _outlook_values(each) for number, each in new]
    execute_many(tx, insert(quota_forecasts), rows)
    rows = [
        {"of_id": number, "of_window": each.window} | _outlook_values(each)
        for number, each in known
    ]
    execute_many(tx, _SAVE_OUTLOOK, rows)


_OUTLOOKS = select(quota_forecasts.c.connection_id, *OUTLOOK_COLUMNS).where(
    quota_forecasts.c.connection_id.in_(bindparam("ids", expanding=True)),
    quota_forecasts.c.window.in_(bindparam("windows", expanding=True)),
)


def load_outlooks(
    tx: Transaction, asked: Collection[tuple[int, str]]
) -> dict[tuple[int, str], Outlook]:
    """Return what is foreseen of windows, whether or not they decide: by connection and window."""
    found = {(number, window): Outlook(window) for number, window in asked}
    names = sorted({window for _, window in asked})
    for piece in in_pieces({number for number, _ in asked}):
        for row in tx.execute(_OUTLOOKS, {"ids": piece, "windows": names}):
            key = (row.connection_id, row.outlook_window)
            if key in found:
                found[key] = read_outlook(row._asdict())
    return found


def add_samples(tx: Transaction, rows: Sequence[tuple[int, str, QuotaSample]]) -> None:
    """Append samples: connection, window, what was left."""
    values = [
        {"connection_id": number, "window": window} | values_of(sample)
        for number, window, sample in rows
    ]
    execute_many(tx, insert(quota_samples), values)


_SAMPLES = (
    select(*(quota_samples.c[each.name] for each in fields_of(QuotaSample)))
    .where(
        quota_samples.c.connection_id == bindparam("of_id"),
        quota_samples.c.window == bindparam("of_window"),
    )
    .order_by(quota_samples.c.at)
)


def load_samples(tx: Transaction, connection_id: int, window: str) -> list[QuotaSample]:
    """Return all samples of one quota that are kept, the oldest first."""
    rows = tx.execute(_SAMPLES, {"of_id": connection_id, "of_window": window})
    return [QuotaSample(*row) for row in rows]


def prune_samples(tx: Transaction, now: datetime) -> None:
    """Drop and thin out old samples.

    Each hour a twenty-fourth of the connections has its turn: nobody has to
    wait while millions of rows are looked at.
    """
    samples, later = quota_samples.c, quota_samples.alias("later").c
    in_turn = select(connections.c.id).where(connections.c.id % HOURS_OF_DAY == now.hour)
    mine = samples.connection_id.in_(in_turn)
    tx.execute(delete(quota_samples).where(mine, samples.at < now - KEEP_SAMPLES))
    foreseen = quota_forecasts.c
    tx.execute(
        delete(quota_forecasts).where(
            foreseen.connection_id.in_(in_turn), foreseen.sampled_at < now - KEEP_SAMPLES
        )
    )
    length = literal(THINNED_TO // MICROSECOND, BigInteger)
    at, later_at = type_coerce(samples.at, BigInteger), type_coerce(later.at, BigInteger)
    has_later = exists().where(
        later.connection_id == samples.connection_id,
        later.window == samples.window,
        later_at > at,
        later_at < at - at % length + length,
    )
    tx.execute(delete(quota_samples).where(mine, samples.at < now - KEEP_ALL_FOR, has_later))
