"""
Decide whether the daemon still does its work, or should be started anew.

Pure. A daemon that is restarted loses what it had not written, so it is given
time where waiting may help: for a database that is locked or full. Where a
signs' absence can only be a fault of ours, it is short.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

LONGEST_STANDSTILL = timedelta(minutes=2)
"""Jobs run every few seconds; the longest that any waits for is one big transaction."""

LONGEST_WITHOUT_WRITE = timedelta(minutes=5)
"""A backup, a full disk or another program's lock may take minutes; results wait in memory."""


@dataclass(frozen=True, slots=True)
class Signs:
    """
    How long ago the daemon gave which sign of life.

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


def find_stalls(signs: Signs) -> list[str]:
    """
    Return what has come to a halt, in words; nothing while all goes on.

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
