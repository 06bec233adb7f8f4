"""Decide whether the daemon still does its work: liveness, and readiness.

A restarted daemon loses what it had not written, so it is given time where waiting may help: for a
database that is locked or full. Where the missing sign can only be a fault of ours, that time is
short. Readiness is stricter than liveness: it counts what a restart would not fix as well.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


LONGEST_STANDSTILL = timedelta(minutes=2)
"""Jobs run every few seconds; the longest that any waits for is one big transaction."""

LONGEST_WITHOUT_WRITE = timedelta(minutes=5)
"""A backup, a full disk or another program's lock may take minutes; results wait in memory."""


@dataclass(frozen=True, slots=True)
class Liveness:
    """How long ago the daemon gave which sign of life.

    Args:
        ticked: Due checks were looked for.
        delivered: The outbox was looked through.
        written: The database accepted a write.
        stuck: Channels whose delivery stands still by a fault of ours.
    """

    ticked: timedelta
    delivered: timedelta
    written: timedelta
    stuck: tuple[str, ...] = ()


def find_stalls(signs: Liveness) -> list[str]:
    """Return what has come to a halt, in words; nothing while all goes on.

    A dead or hanging channel halts nothing: every send has its limit, others
    go on beside it, and starting anew would not bring it back.
    """
    stalls = []
    if signs.ticked > LONGEST_STANDSTILL:
        stalls.append(f"no due check was looked for in {_seconds(signs.ticked)}")
    if signs.written > LONGEST_WITHOUT_WRITE:
        stalls.append(f"the database accepted no write in {_seconds(signs.written)}")
    if signs.delivered > LONGEST_STANDSTILL:
        stalls.append(f"the outbox was not looked through in {_seconds(signs.delivered)}")
    if signs.stuck:
        stalls.append(f"the delivery stands still on {', '.join(signs.stuck)}")
    return stalls


def _seconds(length: timedelta) -> str:
    return f"{int(length.total_seconds())} s"


LATE_AFTER = timedelta(minutes=1)
"""What is due starts within seconds; its result is written when its answer is there."""

OUTBOX_LATE_AFTER = timedelta(minutes=15)
"""What is collected for five minutes, or tried again soon, is no trouble yet."""


FAILING_AFTER = timedelta(minutes=5)
"""As long as a database may refuse all writes before the daemon is started anew."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """What has not been done in time.

    Args:
        lateness: How long the most overdue check has been due.
        longest_check: How long a check may take.
        outbox_age: How long the oldest notification has waited for its channel.
        failing: For how long each job that fails has done nothing else.
    """

    lateness: timedelta
    longest_check: timedelta
    outbox_age: timedelta
    failing: Mapping[str, timedelta] = field(default_factory=dict)


def is_late(lateness: timedelta, longest_check: timedelta) -> bool:
    """Tell whether a check that has been due for *lateness* should have been done by now."""
    return lateness > LATE_AFTER + longest_check


def find_problems(arrears: Readiness) -> list[str]:
    """Return what is not well, in words for people; nothing while every due check ran."""
    troubles = []
    if is_late(arrears.lateness, arrears.longest_check):
        troubles.append(f"a check has been due for {_minutes(arrears.lateness)}")
    if arrears.outbox_age > OUTBOX_LATE_AFTER:
        troubles.append(f"an alert has waited for its channel for {_minutes(arrears.outbox_age)}")
    troubles += [
        f"the job {name} has failed for {_minutes(length)}"
        for name, length in sorted(arrears.failing.items())
        if length > FAILING_AFTER
    ]
    return troubles


def _minutes(length: timedelta) -> str:
    return f"{int(length.total_seconds() // 60)} min"
