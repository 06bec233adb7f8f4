"""
Run round after round of checking, judging, storing and telling, each in a process that is killed.

`python -m tests.e2e.mortal_tellers CONFIG` reads a line for each round: after how many seconds to
kill it, or `live` to let it come to its end. When it is over it answers with `killed` or `done`.

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
from pathlib import Path
from typing import TYPE_CHECKING

from apprise import NotifyBase

from monitor.alerting.outbox import StoredOutbox
from monitor.clock import utc_now
from monitor.config.load import load_config
from monitor.config.plan import make_plan
from monitor.engine.batch import FinishedCheck
from monitor.engine.evaluate import evaluate
from monitor.log import configure_logging
from monitor.notify.apprise import AppriseSender
from monitor.notify.delivery import Delivery, DeliveryTerms
from monitor.providers.base import GrantLocks
from monitor.providers.registry import build_checker
from monitor.providers.transport import HttpClients
from monitor.store import connections, outbox
from monitor.store.engine import Database, StoreWorker

if TYPE_CHECKING:
    from monitor.config.model import Config
    from monitor.config.plan import Plan
    from monitor.judge.connections import ConnectionRecord

OWNER = "run"
AT_A_TIME = 3
CYCLES = 2
"""So many times a round finds something new, if it lives so long."""


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

    async def check_some(self, clients: HttpClients) -> bool:
        """
        Check a few; return whether there were any left.
        """
        fresh = [each for each in await self._records() if each.standing.checked_at is None]
        chosen = fresh[:AT_A_TIME]
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

    async def _records(self) -> list[ConnectionRecord]:
        return await self._store.read(connections.list_records)


async def live(config: Config, plan: Plan, *, is_last: bool) -> None:
    database = Database(config.monitor.database)
    store = StoreWorker(database)
    clients = HttpClients(10)
    await store.write(lambda tx: outbox.release_claims_of(tx, OWNER))
    teller = Teller(config, plan, store)
    await teller.delivery.deliver_due()
    n_cycles, is_more = 0, True
    while is_more and (is_last or n_cycles < CYCLES):
        is_more = await teller.check_some(clients)
        await teller.delivery.deliver_due()
        n_cycles += 1
    while is_last and (await teller.delivery.deliver_due()).sent:
        pass
    await clients.aclose()
    store.close()
    database.close()


def run_round(config: Config, plan: Plan, order: str) -> str:
    child = os.fork()
    if child == 0:
        asyncio.run(live(config, plan, is_last=order == "live"))
        os._exit(0)
    if order != "live":
        time.sleep(float(order))
        # Nobody has waited for it yet: the number is still its own.
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return "killed" if os.WIFSIGNALED(status) else f"done {os.waitstatus_to_exitcode(status)}"


def main(path: str) -> None:
    configure_logging()
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
