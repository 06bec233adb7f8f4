"""
Run round after round of checking, judging, storing and telling, each in a process that is killed.

`python -m tests.e2e.mortal_tellers CONFIG` reads a line for each round: after how many seconds to
kill it, or the number of a step and how often that is taken before, or `live` to let it come to its
end. When it is over it answers with `killed` or `done`.

All is imported and read once; a round is a fork, and short.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import time
from dataclasses import replace
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from apprise import NotifyBase
from sqlalchemy import select

from monitor.alerting.outbox import StoredOutbox
from monitor.clock import utc_now
from monitor.config.load import load_config
from monitor.config.plan import make_plan
from monitor.engine.batch import FinishedCheck
from monitor.engine.evaluate import evaluate
from monitor.log import configure_logging
from monitor.notify.apprise import AppriseSender
from monitor.notify.delivery import Delivery, DeliveryTerms
from monitor.providers import transport
from monitor.providers.base import GrantLocks
from monitor.providers.registry import build_checker
from monitor.providers.transport import HttpClients
from monitor.store import outbox, results
from monitor.store.engine import Database, StoreWorker
from monitor.store.schema import connections as table
from tests.e2e.dying_daemon import STEPS, die_at

if TYPE_CHECKING:
    from monitor.config.model import Config
    from monitor.config.plan import Plan
    from monitor.judge.connections import ConnectionRecord
    from monitor.store.engine import Transaction

OWNER = "run"
AT_A_TIME = 2
AT_A_TIME_AT_LAST = 100
CYCLES = 2
"""So many times a round finds something new, if it lives so long."""

ROUND_STEPS = [
    STEPS[name]
    for name in (
        "batch loaded, not judged",
        "batch dispatched, not saved",
        "batch saved, not committed",
        "group chosen, not claimed",
        "claimed, not committed",
        "claim committed",
        "not sent yet",
        "sent",
        "arrival recorded, not committed",
        "arrival committed",
    )
]


class Teller:
    """
    One life: it finds what is wrong with connections that nobody looked at yet, and tells it.
    """

    def __init__(self, config: Config, plan: Plan, store: StoreWorker) -> None:
        self._config = config
        self._plan = plan
        self._store = store
        sender = AppriseSender.for_channels(config.channels)
        terms = DeliveryTerms(sender, timedelta(hours=1), lambda _: None)
        self.delivery = Delivery(
            StoredOutbox(store, OWNER, lambda: plan),
            lambda: terms,
            clock=utc_now,
            jitter=random.random,
        )

    async def check_some(self, clients: HttpClients, at_most: int) -> bool:
        """
        Check a few; return whether there were any left.
        """
        chosen = await self._store.read(lambda tx: find_fresh(tx, at_most))
        known = {connection.name: connection for connection in self._config.connections}
        checkers = [
            build_checker(known[each.name], self._config, clients, GrantLocks()) for each in chosen
        ]
        outcomes = await asyncio.gather(*(checker.check() for checker in checkers))
        finished = [
            FinishedCheck(each.id, each.next_check_at, utc_now(), outcome)
            for each, outcome in zip(chosen, outcomes, strict=True)
        ]
        await self._store.write(lambda tx: evaluate(tx, finished, self._plan))
        return bool(chosen)


def find_fresh(tx: Transaction, at_most: int) -> list[ConnectionRecord]:
    """
    Return some that nobody has looked at yet; to read them all would be most of a round.
    """
    fresh = select(table.c.id).where(table.c.checked_at.is_(None)).order_by(table.c.id)
    ids = list(tx.execute(fresh.limit(at_most)).scalars())
    return list(results.load_records(tx, ids).values())


async def live(config: Config, plan: Plan, *, is_last: bool) -> None:
    database = Database(config.monitor.database)
    store = StoreWorker(database)
    clients = HttpClients(10)
    await store.write(lambda tx: outbox.release_claims_of(tx, OWNER))
    teller = Teller(config, plan, store)
    await teller.delivery.deliver_due()
    n_cycles, is_more = 0, True
    while is_more and (is_last or n_cycles < CYCLES):
        is_more = await teller.check_some(clients, AT_A_TIME_AT_LAST if is_last else AT_A_TIME)
        await teller.delivery.deliver_due()
        n_cycles += 1
    while is_last and (await teller.delivery.deliver_due()).sent:
        pass
    await clients.aclose()
    store.close()
    database.close()


def run_round(config: Config, plan: Plan, order: str) -> str:
    child = os.fork()
    step = [int(word) for word in order.split()] if " " in order else []
    if child == 0:
        if step:
            number, nth = step
            die_at(*ROUND_STEPS[number], nth=nth)
        asyncio.run(live(config, plan, is_last=order == "live"))
        os._exit(0)
    if order != "live" and not step:
        time.sleep(float(order))
        # Nobody has waited for it yet: the number is still its own.
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return "killed" if os.WIFSIGNALED(status) else f"done {os.waitstatus_to_exitcode(status)}"


def main(path: str) -> None:
    configure_logging(is_quiet=True)
    # To read the certificates of the machine would be half of a round.
    transport.trust = cache(transport.trust)
    transport.trust(None)
    config = load_config(Path(path))
    plan = replace(make_plan(config), group_wait=timedelta())
    # Apprise leaves 5.5 seconds between two mails.
    NotifyBase.request_rate_per_sec = 0
    # So that every message names all whom it is about, and none waits for minutes.
    outbox.MOST_TOGETHER = 20
    outbox.CROWD = sys.maxsize
    for line in sys.stdin:
        print(run_round(config, plan, line.strip()), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
