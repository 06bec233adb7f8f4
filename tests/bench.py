"""
A folder with a configuration and a database, and the command line run on it.
"""

from __future__ import annotations

import asyncio
import io
import json
import threading
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from monitor.cli import app
from monitor.cli.errors import run_command
from monitor.clock import utc_now
from monitor.config.load import load_config
from monitor.config.plan import make_plan
from monitor.engine.batch import FinishedCheck
from monitor.engine.evaluate import evaluate
from monitor.judge.outcome import Outcome, Reason
from monitor.simulator.server import start_simulator
from monitor.store import applications, connections, migrate
from monitor.store.engine import Database
from tests.builders import entries_of
from tests.command_line import Ended, connwatch
from tests.waiting import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from monitor.simulator.server import Simulator

NOWHERE = "http://127.0.0.1:9/api/v1"
"""The discard port: nobody listens there."""

OK = Outcome(Reason.OK, latency_ms=41.2, account="Acme Ltd")
REFUSED = Outcome(Reason.TOKEN_REJECTED, "The token was rejected (401).", latency_ms=9.0)
TIMEOUT = Outcome(Reason.TIMEOUT, "No answer within 10 s.")


@dataclass
class Bench:
    """
    One installation in a folder of its own.
    """

    folder: Path

    @property
    def config_path(self) -> Path:
        return self.folder / "config.toml"

    @property
    def database(self) -> Path:
        return self.folder / "connwatch.db"

    def configure(self, *connections: str, more: str = "") -> None:
        """
        Write a file that only its owner can read, with these [[connections]].

        Daemons of tests that run at the same time would want the same port.
        """
        if "[web]" not in more:
            more += '\n[web]\nlisten = ""\n'
        tables = "".join(f"\n[[connections]]\n{text}" for text in connections)
        self.config_path.touch(mode=0o600)
        self.config_path.write_text(more + tables, encoding="utf-8")

    def evaluate(self, name: str, *outcomes: Outcome) -> None:
        """
        Store *outcomes* as the daemon would, a second apart, the last one now.
        """
        plan = make_plan(load_config(self.config_path))
        database = Database(f"sqlite:///{self.database}")
        migrate.upgrade(database)
        now = utc_now()
        with database.write() as tx:
            applications.sync(tx, plan.applications, now)
            connections.sync(tx, entries_of(plan), now)
            record = connections.find_record(tx, name)
            assert record is not None
            for ago, outcome in zip(range(len(outcomes) - 1, -1, -1), outcomes, strict=True):
                at = now - timedelta(seconds=ago)
                evaluate(tx, [FinishedCheck(record.id, None, at, outcome)], plan)
        database.close()

    def run(self, *arguments: str) -> Ended:
        """
        Run a command in this process, which is quick.
        """
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            try:
                run_command(app, ["--config", str(self.config_path), *arguments])
            except SystemExit as ending:
                code = ending.code
        assert isinstance(code, int)
        return Ended(code, out.getvalue(), err.getvalue())

    def spawn(self, *arguments: str, **env: str) -> Ended:
        """
        Run a command in a process of its own: it logs, or its exit matters.
        """
        return connwatch(*arguments, cwd=self.folder, env=env)

    def shown(self, *names: str) -> dict[str, Any]:
        """
        Return what `status --json` says, by name.
        """
        ended = self.run("status", "--json", *names)
        return {each["name"]: each for each in json.loads(ended.out)["connections"]}


def connection(name: str, base_url: str = NOWHERE, **more: str) -> str:
    """
    Return the table of a SoldScope connection; values of *more* are TOML.
    """
    more = {"token": '"ss_live_hunter2"'} | more
    lines = [
        f'name = "{name}"',
        'provider = "soldscope"',
        f'base_url = "{base_url}"',
        *(f"{key} = {value}" for key, value in more.items()),
    ]
    return "\n".join(lines) + "\n"


@contextmanager
def run_simulator(*, with_region_hosts: bool = False) -> Iterator[Simulator]:
    """
    Serve a simulator from a thread, for commands that have an event loop of their own.

    Args:
        with_region_hosts: Amazon's four hosts have ports of their own.
    """
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        simulator = asyncio.run_coroutine_threadsafe(start_simulator(), loop).result(PATIENCE_S)
        if with_region_hosts:
            asyncio.run_coroutine_threadsafe(simulator.start_region_hosts(), loop).result(
                PATIENCE_S
            )
        yield simulator
        asyncio.run_coroutine_threadsafe(simulator.stop(), loop).result(PATIENCE_S)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
