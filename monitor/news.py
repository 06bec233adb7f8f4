"""
Log what was found, and wake the delivery if people must hear of it.

Decides nothing: what is due was stored before with what made it due.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from monitor.clock import utc_now
from monitor.judge.link import Uplink
from monitor.link import end_offline
from monitor.sweep import is_anything_passed, sweep

if TYPE_CHECKING:
    from monitor.alert.delivery import Delivery
    from monitor.cycle import Settled
    from monitor.plan import Plan
    from monitor.store.worker import StoreWorker
    from monitor.uplinks import Uplinks

log = structlog.get_logger()


async def sweep_and_announce(store: StoreWorker, plan: Plan, delivery: Delivery) -> None:
    """
    Tell what time has changed; the database is written to only if there is anything.

    Raises:
        StoreError: The database cannot be read or written; the next sweep finds the same.
    """
    now = utc_now()
    if not await store.read(lambda tx: is_anything_passed(tx, plan, now)):
        return
    swept = await store.write(lambda tx: sweep(tx, plan, now))
    for one in swept:
        if one.passed.is_check_due:
            log.info("authorization.ended", connection=one.name)
        for alert in one.passed.alerts:
            log.info("alert.due", connection=one.name, kind=alert.kind.value)
    if any(one.passed.alerts for one in swept):
        delivery.wake()


async def look_for_link(
    store: StoreWorker, plan: Plan, uplinks: Uplinks, delivery: Delivery
) -> None:
    """
    Ask whether our own link is there again, however long the next check is off.

    Raises:
        StoreError: The database cannot be written; checks will find the same.
    """
    if not uplinks.is_worth_asking or await uplinks.ask() is not Uplink.UP:
        return
    if await store.write(lambda tx: end_offline(tx, plan, utc_now())):
        log.info("link.restored")
        delivery.wake()


def announce(settled: list[Settled], delivery: Delivery) -> None:
    """
    Log what was stored, and have due alerts sent at once.
    """
    for one in settled:
        outcome, standing = one.finished.outcome, one.verdict.standing
        log.debug(
            "check.finished",
            connection=one.record.name,
            state=standing.state.value,
            reason=outcome.reason.value,
            took_ms=outcome.latency_ms and round(outcome.latency_ms, 1),
        )
        if one.verdict.transition is not None:
            log.info(
                "connection.changed",
                connection=one.record.name,
                before=one.verdict.transition.from_state.value,
                state=standing.state.value,
                reason=standing.reason.value,
                detail=standing.detail,
            )
        for alert in one.alerts:
            log.info("alert.due", connection=one.record.name, kind=alert.kind.value)
    if any(one.alerts for one in settled):
        delivery.wake()
