"""
Decide what a date means that somebody gave: a renewal, a correction, or nothing new.

Whoever spoke last is right, the file or a command; the file speaks only when
the date in it is another one than before. Counting down is left to `clocks`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

from monitor.judge.clocks import DAY, AuthorizationClock, last_passed
from monitor.judge.expiry import DEFAULT_VALID_DAYS, ClockSource

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class Declared:
    """
    What the configuration file says of an authorization.

    Args:
        authorized_at: When it was granted; None where the file has no date.
        valid_days: How long it lasts; 0 for no known limit.
    """

    authorized_at: datetime | None = None
    valid_days: int = DEFAULT_VALID_DAYS

    def ends_at(self, authorized_at: datetime) -> datetime | None:
        """
        Return the end of an authorization that was granted at *authorized_at*.
        """
        return authorized_at + self.valid_days * DAY if self.valid_days else None


class Change(Enum):
    """
    What a date that somebody gave means.
    """

    NONE = "none"
    FIRST = "first"
    RENEWAL = "renewal"
    CORRECTION = "correction"
    WITHDRAWAL = "withdrawal"


def declare(clock: AuthorizationClock, declared: Declared, now: datetime) -> AuthorizationClock:
    """
    Return the clock after the file was read: only a date that is new there counts.
    """
    if declared.authorized_at != clock.file_authorized_at:
        seen = replace(clock, file_authorized_at=declared.authorized_at)
        clock, _ = set_date(seen, declared.authorized_at, declared, now, is_from_file=True)
    if clock.authorized_at is None:
        return clock
    return _keep_told(replace(clock, ends_at=declared.ends_at(clock.authorized_at)), clock, now)


def set_date(
    clock: AuthorizationClock,
    authorized_at: datetime | None,
    declared: Declared,
    now: datetime,
    *,
    is_from_file: bool = False,
) -> tuple[AuthorizationClock, Change]:
    """
    Return the clock after somebody said when the authorization was granted.

    Args:
        is_from_file: A first date there is no news; a person who gives one has
            renewed.
    """
    if authorized_at == clock.authorized_at:
        return clock, Change.NONE
    if authorized_at is None:
        unknown = AuthorizationClock(
            file_authorized_at=clock.file_authorized_at, fingerprint=clock.fingerprint
        )
        return unknown, Change.WITHDRAWAL
    ends_at = declared.ends_at(authorized_at)
    moved = replace(
        clock, authorized_at=authorized_at, ends_at=ends_at, source=ClockSource.DECLARED
    )
    if clock.authorized_at is None and is_from_file:
        return replace(moved, told_step=None), Change.FIRST
    if clock.authorized_at is not None and authorized_at < clock.authorized_at:
        return _keep_told(moved, clock, now), Change.CORRECTION
    renewed = replace(
        moved,
        told_step=None,
        is_renewal_pending=True,
        is_renewal_unrecorded=False,
        renewal_fingerprint=clock.fingerprint,
    )
    return renewed, Change.RENEWAL


def _keep_told(
    moved: AuthorizationClock, before: AuthorizationClock, now: datetime
) -> AuthorizationClock:
    """
    Forget the steps that a moved end has put back into the future.
    """
    if moved.ends_at == before.ends_at:
        return moved
    if moved.ends_at is None:
        return replace(moved, told_step=None, is_renewal_unrecorded=False)
    is_over = moved.ends_at <= now
    told = None
    if before.told_step is not None:
        told = max(before.told_step, last_passed(moved.ends_at, now))
    return replace(
        moved, told_step=told, is_renewal_unrecorded=moved.is_renewal_unrecorded and is_over
    )
