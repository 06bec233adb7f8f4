"""Tell our own shortage from a connection's error, and share out what there is.

A machine that gives out no more descriptors, memory, threads or disk says nothing of the service
that was to be asked: such a check waits, and is judged by nobody. Values only; who asks the
machine, and what is done, is left to others.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from monitor.judge.alerts import SHORTAGE, AlertDue, AlertKind

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from monitor.judge.incidents import OfflineTime


class Shortage(StrEnum):
    """What there is too little of."""

    DESCRIPTORS = "descriptors"
    MEMORY = "memory"
    THREADS = "threads"
    DISK = "disk"

    @property
    def words(self) -> str:
        """What it is called behind "too few" or "too little"."""
        return _WORDS[self][0]

    @property
    def remedy(self) -> str:
        """What gives more of it."""
        return _WORDS[self][1]


_WORDS = {
    Shortage.DESCRIPTORS: (
        "too few file descriptors",
        "raise LimitNOFILE in the unit (or ulimit -n), or lower checks.concurrency",
    ),
    Shortage.MEMORY: ("too little memory", "raise MemoryMax in the unit, or add memory"),
    Shortage.THREADS: ("too few threads", "raise TasksMax in the unit, or ulimit -u"),
    Shortage.DISK: ("no room left on the disk", "make room on the disk"),
}


class OutOfResources(Exception):  # noqa: N818 - it states a condition
    """Raised where something could not be done for want of resources of our own."""

    def __init__(self, kind: Shortage) -> None:
        super().__init__(
            f"connwatch itself cannot check: {kind.words} on this machine; {kind.remedy}"
        )
        self.kind = kind


_BY_NUMBER = {
    errno.EMFILE: Shortage.DESCRIPTORS,
    errno.ENFILE: Shortage.DESCRIPTORS,
    errno.ENOMEM: Shortage.MEMORY,
    errno.ENOBUFS: Shortage.MEMORY,
    errno.ENOSPC: Shortage.DISK,
    errno.EDQUOT: Shortage.DISK,
}

_NO_NAME = "gaierror"
"""Its numbers are of another table; the class itself belongs to a module that does I/O."""

_NAME_NEEDS_MEMORY = -10

_NO_THREAD = "can't start new"
"""How Python says that no thread can be had; it has no class for that."""


def find_shortage(error: BaseException) -> Shortage | None:
    """Return what shortage of our own *error* comes from, itself or by way of a cause."""
    for cause in causes_of(error):
        found = _name_shortage(cause)
        if found is not None:
            return found
    return None


def _name_shortage(error: BaseException) -> Shortage | None:
    match error:
        case OutOfResources():
            return error.kind
        case MemoryError():
            return Shortage.MEMORY
        case RuntimeError() if _NO_THREAD in str(error):
            return Shortage.THREADS
        case OSError() if type(error).__name__ == _NO_NAME:
            return Shortage.MEMORY if error.errno == _NAME_NEEDS_MEMORY else None
        case OSError():
            return _BY_NUMBER.get(error.errno or 0)
        case _:
            return None


def causes_of(error: BaseException) -> Iterator[BaseException]:
    """Yield *error* and all that it comes from, each once."""
    waiting, seen = [error], set()
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        inner = one.exceptions if isinstance(one, BaseExceptionGroup) else ()
        context = None if one.__suppress_context__ else one.__context__
        waiting += [each for each in (one.__cause__, context, *inner) if each is not None]


# --- sharing out

OWN_DESCRIPTORS = 32
"""Database, log, listener, our own calls, messages being sent, name servers."""

FEWEST_OF_WEB = 4
USUAL_OF_WEB = 16
"""A few browsers with six connections each, at least."""

MOST_OF_WEB = 600


@dataclass(frozen=True, slots=True)
class DescriptorShares:
    """How many descriptors there are for what.

    Args:
        checks: How many checks may be under way.
        web: How many connections the dashboard may have.
        wanted: The limit with which nothing has to be less than it is set to.
    """

    checks: int
    web: int
    limit: int
    wanted: int

    @property
    def is_enough(self) -> bool:
        """Tell whether all that is set can be had."""
        return self.limit >= self.wanted


def share_out(limit: int, concurrency: int, *, has_web: bool) -> DescriptorShares:
    """Share *limit* descriptors out; checks come first, and the dashboard always gets some."""
    wanted = OWN_DESCRIPTORS + concurrency + (USUAL_OF_WEB if has_web else 0)
    left = max(limit - OWN_DESCRIPTORS, 0)
    for_web = max(FEWEST_OF_WEB, min(USUAL_OF_WEB, left // 4)) if has_web else 0
    checks = max(1, min(concurrency, left - for_web))
    web = max(for_web, min(MOST_OF_WEB, left - checks)) if has_web else 0
    return DescriptorShares(checks, web, limit, wanted)


# --- what people are told


def describe_shortage(kind: Shortage, since: datetime, n_waiting: int) -> AlertDue:
    """Return the alert of a shortage that keeps checks waiting."""
    facts = {"since": since.isoformat(), SHORTAGE: kind.value, "n_waiting": n_waiting}
    return AlertDue.of(AlertKind.MONITOR_OFFLINE, **facts)


def describe_past(kind: Shortage, since: datetime, now: datetime) -> AlertDue:
    """Return the alert of a shortage that nobody could be alerted to while it lasted."""
    facts = {"since": since.isoformat(), "until": now.isoformat(), SHORTAGE: kind.value}
    return AlertDue.of(AlertKind.MONITOR_ONLINE, **facts)


def describe_enough(kind: Shortage, time: OfflineTime, now: datetime) -> AlertDue | None:
    """Return the alert of its end; None if nobody knows of that."""
    if not time.is_announced:
        return None
    return describe_past(kind, time.started_at, now)
