"""
Kill the daemon's work again and again, at random instants and at the steps of its work.

Every alert reaches the web hook and the mail server at least once, and again only if its
message was on its way when the sender was killed. `CONNWATCH_CRASH_ROUNDS` asks for a longer run.
"""

from __future__ import annotations

import asyncio
import os
import random
import re
import subprocess
import sys
import threading
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from monitor.clock import utc_now
from monitor.config.load import load_config
from monitor.config.plan import make_plan
from monitor.store import connections, migrate
from monitor.store.engine import Database
from monitor.store.schema import alert_connections, notifications
from monitor.store.schema import connections as connection_table
from tests.builders import entries_of
from tests.e2e.mortal_tellers import AT_A_TIME, CYCLES, ROUND_STEPS
from tests.e2e.outside import run_outside
from tests.sinks import MailBox, run_mail_server
from tests.waiting import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.outside import Outside

ROOT = Path(__file__).resolve().parents[2]

N_ROUNDS = 30
MOST_ROUNDS = int(os.environ.get("CONNWATCH_CRASH_ROUNDS", "100"))
CONNECTIONS_A_ROUND = AT_A_TIME * CYCLES
LONGEST_LIFE_S = 0.4

CONFIG = """
[checks]
alert_after_refusals = 1
[web]
listen = ""
[[channels]]
name = "hook"
url = "json://127.0.0.1:{port}/hook"
[[channels]]
name = "mail"
url = "{mail}"
"""

CONNECTION = """
[[connections]]
name = "store-{number}-"
provider = "soldscope"
base_url = "http://127.0.0.1:{port}"
token = "token-of-{number}"
"""

_NAME = re.compile(r"store-\d+-")


@contextmanager
def run_mails() -> Iterator[MailBox]:
    """
    Run a mail server in a thread of its own.
    """
    box, is_ready, stop = [], threading.Event(), asyncio.Event()
    loops = []

    async def serve() -> None:
        loops.append(asyncio.get_running_loop())
        async with run_mail_server() as mailbox:
            box.append(mailbox)
            is_ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert is_ready.wait(PATIENCE_S)
    try:
        yield box[0]
    finally:
        loops[0].call_soon_threadsafe(stop.set)
        thread.join()


class Tellers:
    """
    The processes that check and tell, one after another.
    """

    def __init__(self, config: Path, database: Database) -> None:
        self.database = database
        self.n_rounds = self.n_killed = 0
        self.in_flight: Counter[tuple[str, str]] = Counter()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.e2e.mortal_tellers", str(config)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def live(self, order: str) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{order}\n")
        self._process.stdin.flush()
        *_, end = self._process.stdout.readline().split(maxsplit=0) or [""]
        return end.strip()

    def live_and_die(self) -> None:
        """
        Let one live for a random while or to a step, and note what was on its way when it died.
        """
        if self.n_rounds % 2:
            order = f"{random.randrange(len(ROUND_STEPS))} {random.randint(1, 2)}"
        else:
            order = f"{random.uniform(0, LONGEST_LIFE_S):.4f}"
        self.n_rounds += 1
        self.n_killed += self.live(order) == "killed"
        with self.database.read() as tx:
            self.in_flight.update(
                (row.channel, row.name)
                for row in tx.execute(
                    select(notifications.c.channel, connection_table.c.name)
                    .join(
                        alert_connections,
                        alert_connections.c.alert_id == notifications.c.alert_id,
                    )
                    .join(connection_table)
                    .where(notifications.c.claimed_by.is_not(None))
                )
            )

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=PATIENCE_S)
        self._process.stdout.close()


@contextmanager
def run_world(folder: Path, n_connections: int) -> Iterator[tuple[Outside, MailBox, Tellers]]:
    with run_outside() as outside, run_mails() as mails:
        path = folder / "config.toml"
        parts = [CONFIG.format(port=outside.port, mail=mails.url())]
        parts += [
            CONNECTION.format(number=number, port=outside.port) for number in range(n_connections)
        ]
        path.touch(mode=0o600)
        path.write_text("".join(parts))
        config = load_config(path)
        database = Database(config.monitor.database)
        migrate.upgrade(database)
        with database.write() as tx:
            connections.sync(tx, entries_of(make_plan(config)), utc_now())
        tellers = Tellers(path, database)
        try:
            yield outside, mails, tellers
        finally:
            tellers.close()
            database.close()


@pytest.mark.parametrize(
    "n_rounds",
    [
        pytest.param(N_ROUNDS, id="a few"),
        pytest.param(MOST_ROUNDS, id="many", marks=pytest.mark.long),
    ],
)
def test_no_kill_loses_an_alert_and_only_what_was_on_its_way_comes_twice(tmp_path, n_rounds):
    n_connections = CONNECTIONS_A_ROUND * n_rounds
    with run_world(tmp_path, n_connections) as (outside, mails, tellers):
        for _ in range(n_rounds):
            tellers.live_and_die()
        assert tellers.live("live") == "done 0"
        with tellers.database.read() as tx:
            states = Counter(tx.execute(select(notifications.c.state)).scalars())

    told = Counter(("hook", name) for text in outside.told for name in set(_NAME.findall(text)))
    bodies = [mail.get_body(("plain",)) for mail in mails.mails]
    mailed = [body.get_content() for body in bodies if body is not None]
    told += Counter(("mail", name) for text in mailed for name in set(_NAME.findall(text)))
    everybody = {f"store-{number}-" for number in range(n_connections)}
    again = told - Counter(dict.fromkeys(told, 1))
    print(
        f"\n{n_rounds} rounds, {tellers.n_killed} killed, {states.total()} notifications:"
        f" {len(told)} told, {2 * n_connections - len(told)} lost, {again.total()} told again,"
        f" of {tellers.in_flight.total()} on their way at a kill"
    )
    assert set(told) == {(channel, name) for channel in ("hook", "mail") for name in everybody}
    assert states == {"sent": 2 * n_connections}
    assert again <= tellers.in_flight
    assert tellers.n_killed > n_rounds / 2
