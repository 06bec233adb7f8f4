"""Know for every page what keeps alerts from reaching people.

What counts is decided in `monitor.judge.reach`, how it is said in `monitor.report.reach`. Read once
a page, and shown in a bar below its header.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from monitor.judge.reach import ReachFacts, ReachNote, find_reach_problems
from monitor.report.reach import describe_reach, read_reach
from monitor.store.engine import StoreError
from monitor.web.times import with_times

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request

    from monitor.judge.reach import ReachProblem
    from monitor.store.engine import Transaction
    from monitor.web.parts import Parts

log = structlog.get_logger()


def read_reach_of(tx: Transaction, here: Parts) -> list[ReachProblem]:
    """Return what keeps the alerts of this daemon from reaching people."""
    return read_reach(tx, _channels(here), here.reloads.failed_at, here.clock())


def guess_reach(here: Parts) -> list[ReachProblem]:
    """Return what can be said of it while the database cannot be read."""
    facts = ReachFacts(_channels(here), reload_failed_at=here.reloads.failed_at)
    return find_reach_problems(facts, here.clock())


def _channels(here: Parts) -> list[str]:
    return [channel.name for channel in here.plan.channels]


async def note_reach(request: Request, here: Parts) -> None:
    """Read it for the page that answers *request*."""
    try:
        problems = await here.reader.read(lambda tx: read_reach_of(tx, here))
    except StoreError as error:
        log.warning("web.store_error", error=str(error))
        problems = guess_reach(here)
    request.state.reach = problems


def reach_of(request: Request) -> list[ReachProblem]:
    """Return what was read for this page; nothing for strangers, and for no page."""
    found: list[ReachProblem] = getattr(request.state, "reach", [])
    return found


def describe_all(problems: Sequence[ReachProblem], here: Parts) -> list[tuple[ReachProblem, str]]:
    """Return each with its sentence."""
    now, zone = here.clock(), here.config.alerts.zone
    return [
        (
            one,
            with_times(
                describe_reach(one, now, zone),
                (one.until, one.since, *(failing.next_attempt_at for failing in one.failing)),
                now,
                zone,
            ),
        )
        for one in problems
    ]


def count_failing(problems: Sequence[ReachProblem]) -> int:
    """Return how many channels fail."""
    return sum(len(one.failing) for one in problems if one.note is ReachNote.CHANNEL_FAILED)
