"""
Follow a step of the wall clock: bring what was to come at an instant in line with the new time.

Instants of next checks, claims and next attempts are stored as the wall clock
had them. Clocks of authorizations need nothing: each look at them compares instants.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from monitor.alert.backoff import LONGEST_DELAY
from monitor.alert.delivery import LEASE
from monitor.clock import utc_now
from monitor.holding import review_held
from monitor.store import digests, outbox, reminders, slots

if TYPE_CHECKING:
    from datetime import timedelta

    from monitor.alert.delivery import Delivery
    from monitor.plan import Plan
    from monitor.store.engine import Transaction
    from monitor.store.worker import StoreWorker

log = structlog.get_logger()


async def follow_step(store: StoreWorker, plan: Plan, delivery: Delivery, by: timedelta) -> None:
    """
    Let checks and notifications go on after the clock was stepped *by*.

    Raises:
        StoreError: The database cannot be written; nothing was changed.
    """
    now = utc_now()

    def follow(tx: Transaction) -> int:
        outbox.follow_step(tx, by, now, LEASE, LONGEST_DELAY)
        reminders.follow_step(tx, now, plan.remind_every)
        digests.follow_step(tx, now)
        review_held(tx, plan, now, all_of_it=True)
        return slots.reslot(tx, plan.entries, now)

    delivery.note_step()
    n_moved = await store.write(follow)
    log.info("clock.step_followed", checks_moved=n_moved)
