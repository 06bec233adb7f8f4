"""Know for every page the conditions that keep alerts from being sent.

Which those are is decided in `monitor.judge.conditions`, how they read in
`monitor.report.conditions`. Read once a page, and shown in a bar below its header.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from monitor.judge.conditions import ConditionFacts, ConditionKind, find_conditions
from monitor.report.conditions import describe_condition, read_conditions
from monitor.store.engine import StoreError
from monitor.store.overview import is_any_grouped
from monitor.web.times import with_times
from monitor.web.visibility import seen_conditions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request

    from monitor.judge.conditions import Condition
    from monitor.store.engine import Transaction
    from monitor.web.parts import Parts
    from monitor.web.sessions import Visitor

log = structlog.get_logger()


def read_own_conditions(tx: Transaction, here: Parts) -> list[Condition]:
    """Return what keeps the alerts of this daemon from being sent."""
    return read_conditions(tx, _channels(here), here.reloads.failed_at, here.clock())


def guess_conditions(here: Parts) -> list[Condition]:
    """Return those that are known while the database cannot be read."""
    facts = ConditionFacts(_channels(here), reload_failed_at=here.reloads.failed_at)
    return find_conditions(facts, here.clock())


def _channels(here: Parts) -> list[str]:
    return [channel.name for channel in here.plan.channels]


async def load_conditions(request: Request, here: Parts) -> None:
    """Read them for the page that answers *request*, and whether there are groups to lead to."""
    has_groups = bool(here.config.groups)
    try:
        conditions, is_any = await here.reader.read(
            lambda tx: (read_own_conditions(tx, here), is_any_grouped(tx))
        )
        has_groups = has_groups or is_any
    except StoreError as error:
        log.warning("web.store_error", error=str(error))
        conditions = guess_conditions(here)
    request.state.has_groups = has_groups
    visitor: Visitor = request.state.visitor
    request.state.conditions = seen_conditions(here, visitor.access, conditions)


def conditions_of(request: Request) -> list[Condition]:
    """Return those that were read for this page; none for strangers, and for no page."""
    found: list[Condition] = getattr(request.state, "conditions", [])
    return found


def describe_all(conditions: Sequence[Condition], here: Parts) -> list[tuple[Condition, str]]:
    """Return each with its sentence."""
    now, zone = here.clock(), here.config.alerts.zone
    return [
        (
            one,
            with_times(
                describe_condition(one, now, zone),
                (one.until, one.since, *(failing.next_attempt_at for failing in one.failing)),
                now,
                zone,
            ),
        )
        for one in conditions
    ]


def count_failing(conditions: Sequence[Condition]) -> int:
    """Return how many channels fail."""
    return sum(len(one.failing) for one in conditions if one.kind is ConditionKind.CHANNEL_FAILED)
