"""Turn rows into values and back."""

from __future__ import annotations

from dataclasses import fields as fields_of
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from monitor.judge.authorizations import AuthorizationClock
from monitor.judge.connections import ConnectionRecord
from monitor.judge.outcome import QuotaReading, Standing
from monitor.judge.quota import NOTHING_READ, Quota
from monitor.store.quota import read_outlook

if TYPE_CHECKING:
    from sqlalchemy import Result

# The columns have the names of the attributes, but for one that `quotas` has as well.
STANDING_COLUMNS = [each.name for each in fields_of(Standing)]
_STANDING_OF = itemgetter(*STANDING_COLUMNS)
_CLOCK = [each.name for each in fields_of(AuthorizationClock)]
_CLOCK_OF = itemgetter(*("clock_told_step" if name == "told_step" else name for name in _CLOCK))


def read_records(result: Result[Any]) -> list[ConnectionRecord]:
    """Return the records in rows of `connections` joined with `quotas`."""
    names = tuple(result.keys())
    return [_read_record(dict(zip(names, row, strict=True))) for row in result]


def _read_record(fields: dict[str, Any]) -> ConnectionRecord:
    return ConnectionRecord(
        id=fields["id"],
        name=fields["name"],
        provider=fields["provider"],
        host=fields["host"],
        is_configured=fields["is_configured"],
        is_enabled=fields["is_enabled"],
        is_paused=fields["is_paused"],
        next_check_at=fields["next_check_at"],
        standing=Standing(*_STANDING_OF(fields)),
        account=fields["account"],
        quota=read_quota(fields),
        account_key=fields["account_key"],
        clock=read_clock(fields),
        application=fields["application"],
        token_host=fields["token_host"],
        failed_host=fields["failed_host"],
        is_unexplained=fields["is_unexplained"],
        outlook=read_outlook(fields),
        has_other_windows=fields["has_others"],
        group_name=fields["group_name"],
    )


def standing_values(standing: Standing) -> dict[str, Any]:
    """Return *standing* as values of the columns of `connections`."""
    return {name: getattr(standing, name) for name in STANDING_COLUMNS}


def read_quota(fields: Any, others: tuple[Quota, ...] = ()) -> Quota:
    """Return the quota in the fields of a row of `quotas`; its *others* are kept apart."""
    window = (fields["window_s"], fields["window"], fields["unit"])
    shown = QuotaReading(
        fields["shown_limit"], fields["shown_remaining"], fields["shown_resets_at"], *window
    )
    known = QuotaReading(
        fields["known_limit"], fields["known_remaining"], fields["known_resets_at"], *window
    )
    return Quota(
        shown=NOTHING_READ if shown.is_empty else shown,
        known=NOTHING_READ if known.is_empty else known,
        seen_at=fields["seen_at"],
        longest_reset_s=fields["longest_reset_s"],
        is_payment_required=fields["is_payment_required"],
        told_step=fields["told_step"],
        told_limit=fields["told_limit"],
        others=others,
    )


def quota_values(quota: Quota) -> dict[str, Any]:
    """Return *quota* as values of the columns of `quotas`."""
    return {
        "shown_limit": quota.shown.limit,
        "shown_remaining": quota.shown.remaining,
        "shown_resets_at": quota.shown.resets_at,
        "known_limit": quota.known.limit,
        "known_remaining": quota.known.remaining,
        "known_resets_at": quota.known.resets_at,
        "window": quota.known.name,
        "unit": quota.known.unit,
        "has_others": bool(quota.others),
        "window_s": quota.known.window_s,
        "seen_at": quota.seen_at,
        "longest_reset_s": quota.longest_reset_s,
        "is_payment_required": quota.is_payment_required,
        "told_step": quota.told_step,
        "told_limit": quota.told_limit,
    }


def read_clock(fields: Any) -> AuthorizationClock:
    """Return the clock in the fields of a row of `authorizations`, or of none."""
    if fields["source"] is None:
        return AuthorizationClock()
    return AuthorizationClock(*_CLOCK_OF(fields))


def clock_values(clock: AuthorizationClock) -> dict[str, Any]:
    """Return *clock* as values of the columns of `authorizations`."""
    return {name: getattr(clock, name) for name in _CLOCK}
