"""
Stage the daemon for the rows of the contract's section 6, and watch it from outside.

The only file of these tests that knows what the daemon is made of: settings are
read from a real file, the database is a real file, results of checks are
evaluated, clocks swept and notifications delivered by what the daemon's jobs
call, and commands run as people type them. Time stands still until a step moves
it. What is seen is what channels received and what `alerts list --json` prints.

A row is a list of steps; each step is made by one of the functions at the end.
"""

from __future__ import annotations

import asyncio
import io
import json
import shutil
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import partial
from threading import Event, Lock
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from monitor import clock
from monitor.alerting.digests import Resumption, note_absence
from monitor.alerting.outbox import StoredOutbox
from monitor.alerting.suppression import review_suppressed, suppress_unsent
from monitor.cli import app
from monitor.cli.errors import run_command
from monitor.config.load import load_config
from monitor.config.model import link_to
from monitor.config.plan import make_plan
from monitor.config.values import parse_duration
from monitor.engine.batch import FinishedCheck
from monitor.engine.evaluate import evaluate
from monitor.engine.sweep import sweep, sweep_and_wake
from monitor.judge.incidents import Connectivity
from monitor.notify.apprise import fit, open_urls
from monitor.notify.delivery import AlertError, Delivery, DeliveryTerms
from monitor.store import applications, connections, outbox
from monitor.store.engine import Database, StoreWorker
from monitor.store.migrate import upgrade
from tests.builders import entries_of
from tests.fakes import NOON
from tests.waiting import PATIENCE_S
from tests.web_client import open_web

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from pathlib import Path

    import pytest

    from monitor.judge.outcome import Outcome
    from monitor.notify.message import Message
    from monitor.store.engine import Transaction

    Step = Callable[["Stage"], Awaitable[None]]

OWNER = "run"

REFUSES = AlertError("it refuses the message")
REFUSES_FOR_GOOD = AlertError("there is no such receiver", permanent=True)


class KilledError(Exception):
    """The daemon dies in the middle of a transaction."""


@dataclass(frozen=True)
class Received:
    """A message that a channel took."""

    channel: str
    message: Message
    at: datetime

    def __str__(self) -> str:
        content = self.message.content
        assert content is not None
        again = ["again"] if "Reminder: " in self.message.title else []
        words = [*again, self.message.severity.value, content.kind.value, *content.connections]
        return f"{self.channel}: {' '.join(words)}"


@dataclass
class Receivers:
    """
    A `Sender` whose channels take messages, refuse them, or take their time.

    Args:
        now: Reads the clock of the stage.
        failures: What a channel raises instead of taking a message.
        slow: Channels that take nothing before another one did, by that one's name.
        fatal: The channel in whose send the daemon dies.
        is_fatal_after: It had taken the message by then.
    """

    now: Callable[[], datetime]
    failures: dict[str, AlertError] = field(default_factory=dict)
    slow: dict[str, str] = field(default_factory=dict)
    fatal: str = ""
    is_fatal_after: bool = False
    received: list[Received] = field(default_factory=list)
    tried_at: dict[str, list[datetime]] = field(default_factory=dict)
    reached: Event = field(default_factory=Event)
    let_go: Event = field(default_factory=Event)
    _lock: Lock = field(default_factory=Lock)
    _has_taken: dict[str, Event] = field(default_factory=dict)

    def send(self, channel: str, message: Message, key: str = "") -> None:  # noqa: ARG002 - each try is one here
        with self._lock:
            self.tried_at.setdefault(channel, []).append(self.now())
        other = self.slow.get(channel)
        if other is not None and not self.taken_by(other).wait(PATIENCE_S):
            raise AlertError(f"{channel} waited for {other} in vain", permanent=True)
        if channel in self.failures:
            raise self.failures[channel]
        if channel != self.fatal or self.is_fatal_after:
            with self._lock:
                self.received.append(Received(channel, message, self.now()))
            self.taken_by(channel).set()
        if channel == self.fatal:
            self.reached.set()
            self.let_go.wait(PATIENCE_S)
            raise AlertError("nobody is there any more to hear of this")

    def taken_by(self, channel: str) -> Event:
        with self._lock:
            return self._has_taken.setdefault(channel, Event())


class Stage:
    """
    A daemon over a configuration and a database, moved step by step.

    Args:
        folder: Where its files are.
        migrated: A database without rows.
    """

    def __init__(self, folder: Path, migrated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.now = NOON
        self.receivers = Receivers(lambda: self.now)
        self.uplink = Connectivity.UNKNOWN
        self.chance = 0.0
        self.n_compared = 0
        self.output = self.complaint = ""
        shutil.copy(migrated, folder / "connwatch.db")
        monkeypatch.setattr(clock, "datetime", SimpleNamespace(now=lambda _zone: self.now))

    @property
    def config_path(self) -> Path:
        return self.folder / "config.toml"

    def configure(self, text: str) -> None:
        self.config_path.write_text(text, "utf-8")
        self.config_path.chmod(0o600)

    async def play(self, steps: Sequence[Step]) -> None:
        """Start the daemon, take *steps*, and end it."""
        await self.start()
        try:
            for step in steps:
                await step(self)
        finally:
            await self.kill()

    async def start(self) -> None:
        """Start the daemon, as `App` does."""
        self.config = load_config(self.config_path)
        self.plan = make_plan(self.config)
        self.database = Database(self.config.monitor.database)
        self.store = StoreWorker(self.database)
        absence = await self.store.write(lambda tx: note_absence(tx, self.plan, self.now))
        await self.store.write(self._sync)
        terms = DeliveryTerms(
            self.receivers, self.config.alerts.retry_for, partial(link_to, self.config)
        )
        self.delivery = Delivery(
            StoredOutbox(self.store, OWNER, lambda: self.plan),
            lambda: terms,
            clock=lambda: self.now,
            jitter=lambda: self.chance,
        )
        self.resumption = Resumption(self.store, self.delivery, absence)

    def _sync(self, tx: Transaction) -> None:
        applications.sync(tx, self.plan.applications, self.now)
        outbox.release_claims_of(tx, OWNER)
        connections.sync(tx, entries_of(self.plan), self.now)
        review_suppressed(tx, self.plan, self.now, all_of_it=True)
        suppress_unsent(tx, self.plan, self.now)

    async def kill(self) -> None:
        """End the daemon without a word: what it was doing is lost, the database stays."""
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        self.receivers.let_go.set()
        self.store.close()
        self.database.close()

    def evaluate(self, tx: Transaction, outcomes: Mapping[str, Outcome]) -> None:
        """Take in one batch of finished checks, the outcome of each by its connection."""
        finished = []
        for name, outcome in outcomes.items():
            record = connections.find_record(tx, name)
            assert record is not None, name
            finished.append(FinishedCheck(record.id, record.next_check_at, self.now, outcome))
        evaluate(tx, finished, self.plan, self.uplink)

    def sweep(self, tx: Transaction) -> None:
        """Look at what time alone has changed."""
        sweep(tx, self.plan, self.now)

    async def write(self, work: Callable[[Transaction], None], *, is_fatal: bool = False) -> None:
        """
        Do *work* in a transaction of the daemon; where that *is_fatal*, it dies before the end.
        """

        def do(tx: Transaction) -> None:
            work(tx)
            if is_fatal:
                raise KilledError

        try:
            await self.store.write(do)
        except KilledError:
            await self.kill()
            await self.start()

    async def run_jobs(self) -> None:
        """Run once what the daemon does every few seconds."""
        await sweep_and_wake(self.store, self.plan, self.delivery)
        await self.resumption.look(self.plan)
        await self.delivery.deliver_due()

    async def run_command(self, *words: str) -> int:
        """Run `connwatch` with *words* beside the daemon; keep what it printed."""
        arguments = ["--config", str(self.config_path), *words]

        def run() -> int:
            out, errors = io.StringIO(), io.StringIO()
            try:
                with redirect_stdout(out), redirect_stderr(errors):
                    run_command(app, arguments)
            except SystemExit as ended:
                self.output, self.complaint = out.getvalue(), errors.getvalue()
                return int(ended.code or 0)

        # In a thread: some commands have an event loop of their own.
        return await asyncio.to_thread(run)

    async def list_alerts(self, *words: str) -> list[dict[str, Any]]:
        """Return what `alerts list --json` prints, the oldest first."""
        assert await self.run_command("alerts", "list", "--json", *words) == 0
        alerts: list[dict[str, Any]] = json.loads(self.output)["alerts"]
        return alerts[::-1]

    def show(self, received: Received) -> str:
        """Return title and text of a message as the service of its channel shows them."""
        [channel] = [each for each in self.config.channels if each.name == received.channel]
        [target] = open_urls(channel.url.reveal())
        fitted = fit(received.message, target.service, channel.template)
        return f"{fitted.title}\n{fitted.body}"


def make_empty_database(path: Path) -> None:
    """Make a database without rows, to be copied."""
    database = Database(f"sqlite:///{path}")
    upgrade(database)
    database.close()


# Configuration, as text.


def channel(name: str, **keys: Any) -> str:
    return _table("[[channels]]", {"name": name, "url": "json://localhost", **keys})


def connection(name: str, **keys: Any) -> str:
    """
    Configure a SoldScope connection; its token cannot be read here, and nothing here reads it.
    """
    usual = {
        "provider": "soldscope",
        "base_url": "https://api.example.com",
        "token": {"env": "NOT_ON_THIS_STAGE"},
    }
    return _table("[[connections]]", {"name": name, **usual, **keys})


def countdown(name: str, **keys: Any) -> str:
    return _table("[[connections]]", {"name": name, "provider": "countdown", **keys})


def store(name: str, **keys: Any) -> str:
    """Configure an Amazon store of the application `our-app`."""
    usual = {
        "provider": "amazon",
        "application": "our-app",
        "region": "na",
        "refresh_token": {"env": "NOT_ON_THIS_STAGE"},
    }
    return _table("[[connections]]", {"name": name, **usual, **keys})


def application(**keys: Any) -> str:
    usual = {
        "name": "our-app",
        "client_id": "amzn1.application-oa2-client.0123456789abcdef",
        "client_secret": {"env": "NOT_ON_THIS_STAGE"},
    }
    return _table("[[applications]]", usual | keys)


def settings(table: str, **keys: Any) -> str:
    return _table(f"[{table}]", keys)


def configuration(*tables: str) -> str:
    top = [
        settings("monitor", database="sqlite:///connwatch.db"),
        settings("web", public_url="https://watch.example.com"),
    ]
    return "\n".join([*top, *tables])


def _table(heading: str, keys: Mapping[str, Any]) -> str:
    return "\n".join([heading, *(f"{key} = {_toml(value)}" for key, value in keys.items()), ""])


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        inner = ", ".join(f"{key} = {_toml(each)}" for key, each in value.items())
        return f"{{ {inner} }}"
    return value.isoformat() if isinstance(value, date) else json.dumps(value)


# Steps: what happens.


def check(outcomes: Mapping[str, Outcome] | None = None, /, **more: Outcome) -> Step:
    """Have checks end, all in one batch."""

    async def step(stage: Stage) -> None:
        await stage.write(partial(stage.evaluate, outcomes={**(outcomes or {}), **more}))

    return step


def dying_check(**outcomes: Outcome) -> Step:
    """Have the daemon die in the transaction that takes in the results; it is started again."""

    async def step(stage: Stage) -> None:
        await stage.write(partial(stage.evaluate, outcomes=outcomes), is_fatal=True)

    return step


async def dying_sweep(stage: Stage) -> None:
    """Have the daemon die in the transaction of a sweep; it is started again."""
    await stage.write(stage.sweep, is_fatal=True)


def wait(length: str) -> Step:
    """Let time pass, then run what the daemon runs every few seconds."""
    by = parse_duration(length)

    async def step(stage: Stage) -> None:
        stage.now += by
        await stage.run_jobs()

    return step


def wait_until(instant: str) -> Step:
    """Let time pass up to an instant in UTC, then run what the daemon runs every few seconds."""
    at = datetime.fromisoformat(instant).replace(tzinfo=UTC)

    async def step(stage: Stage) -> None:
        assert at > stage.now, "time does not run backwards"
        stage.now = at
        await stage.run_jobs()

    return step


def sleep(length: str) -> Step:
    """Let time pass while the daemon does nothing."""
    by = parse_duration(length)

    async def step(stage: Stage) -> None:
        stage.now += by

    return step


async def restart(stage: Stage) -> None:
    """Kill the daemon and start it again at once."""
    await stage.kill()
    await stage.start()


def restart_with(*tables: str) -> Step:
    """Kill the daemon and start it with another configuration."""

    async def step(stage: Stage) -> None:
        stage.configure(configuration(*tables))
        await restart(stage)

    return step


def restart_after(length: str) -> Step:
    """Kill the daemon and start it again some time later."""
    by: timedelta = parse_duration(length)

    async def step(stage: Stage) -> None:
        await stage.kill()
        stage.now += by
        await stage.start()

    return step


def die_while_sending(name: str, *, is_taken: bool) -> Step:
    """
    Have the daemon die while a message is on its way to a channel; it is started again.

    Args:
        is_taken: The channel has it by then, but could not confirm it.
    """

    async def step(stage: Stage) -> None:
        stage.receivers.fatal, stage.receivers.is_fatal_after = name, is_taken
        await stage.delivery.run_once()
        is_reached = await asyncio.to_thread(stage.receivers.reached.wait, PATIENCE_S)
        assert is_reached, f"nothing was sent to {name}"
        stage.receivers.fatal = ""
        await restart(stage)

    return step


def refuse(name: str, error: AlertError = REFUSES) -> Step:
    """Have a channel take no messages from now on."""

    async def step(stage: Stage) -> None:
        stage.receivers.failures[name] = error

    return step


def accept(name: str) -> Step:
    """Have a channel take messages again."""

    async def step(stage: Stage) -> None:
        del stage.receivers.failures[name]

    return step


def delay(name: str, *, until_taken_by: str) -> Step:
    """Have a channel take its messages only after another channel has taken one."""

    async def step(stage: Stage) -> None:
        stage.receivers.slow[name] = until_taken_by

    return step


def chance(value: float) -> Step:
    """Say what chance there is in the wait before the next try, from 0 to below 1."""

    async def step(stage: Stage) -> None:
        stage.chance = value

    return step


def link(said: Connectivity) -> Step:
    """Say what the URLs of `checks.uplink` answer from now on."""

    async def step(stage: Stage) -> None:
        stage.uplink = said

    return step


def command(line: str, *, exit_code: int = 0) -> Step:
    """Run a command of `connwatch` beside the daemon."""

    async def step(stage: Stage) -> None:
        assert await stage.run_command(*line.split()) == exit_code, stage.complaint

    return step


# Steps: what is seen.


def sent(*lines: str) -> Step:
    """
    Compare what channels took since the last comparison, channel by channel.

    A line is the channel, the severity, the kind, and the connections that are named.
    """

    async def step(stage: Stage) -> None:
        new = stage.receivers.received[stage.n_compared :]
        stage.n_compared = len(stage.receivers.received)
        _compare(_by_channel(lines), _by_channel([str(each) for each in new]))

    return step


def _compare(expected: Sequence[object], found: Sequence[object]) -> None:
    assert list(expected) == list(found), f"expected {list(expected)}, found {list(found)}"


def _by_channel(lines: Sequence[str]) -> list[str]:
    # Channels are served at the same time: only each one's own order means something.
    return sorted(lines, key=lambda line: line.partition(":")[0])


def sent_at(name: str, *instants: str) -> Step:
    """Compare when a channel took its messages, all of them, as 12:00:10."""

    async def step(stage: Stage) -> None:
        at = [each.at for each in stage.receivers.received if each.channel == name]
        _compare(instants, [f"{each:%H:%M:%S}" for each in at])

    return step


def tried_at(name: str, *instants: str) -> Step:
    """Compare when a channel was tried, successfully or not, as 12:00:10."""

    async def step(stage: Stage) -> None:
        at = stage.receivers.tried_at.get(name, [])
        _compare(instants, [f"{each:%H:%M:%S}" for each in at])

    return step


def listed(*lines: str, words: str = "") -> Step:
    """
    Compare what `alerts list --json` says of each alert, the oldest first.

    A line is the kind, the connections, and where it stands on each channel.
    """

    async def step(stage: Stage) -> None:
        found = []
        for alert in await stage.list_alerts(*words.split()):
            where = [f"{each['channel']}={each['state']}" for each in alert["notifications"]]
            found.append(" ".join([alert["kind"], *alert["connections"], *where]))
        _compare(lines, found)

    return step


def confirmed_at(*instants: str | None) -> Step:
    """Compare the `sent_at` of every notification in `alerts list --json`, the oldest first."""

    async def step(stage: Stage) -> None:
        found = [
            each["sent_at"]
            for alert in await stage.list_alerts()
            for each in alert["notifications"]
        ]
        _compare(instants, found)

    return step


def says(name: str, *fragments: str, never: Sequence[str] = ()) -> Step:
    """Look into the last message that a channel took, as plain text."""

    async def step(stage: Stage) -> None:
        message = _last(stage, name).message
        _look_for(f"{message.title}\n{message.body}", fragments, never)

    return step


def shows(name: str, *fragments: str, never: Sequence[str] = ()) -> Step:
    """Look into the last message that a channel took, as its service shows it."""

    async def step(stage: Stage) -> None:
        _look_for(stage.show(_last(stage, name)), fragments, never)

    return step


def _last(stage: Stage, name: str) -> Received:
    return [each for each in stage.receivers.received if each.channel == name][-1]


def _look_for(text: str, fragments: Sequence[str], never: Sequence[str]) -> None:
    missing = [each for each in fragments if each not in text]
    unwanted = [each for each in never if each in text]
    assert not missing, f"{missing} not in: {text}"
    assert not unwanted, f"{unwanted} in: {text}"


def printed(*fragments: str) -> Step:
    """Look into what the last command printed."""

    async def step(stage: Stage) -> None:
        _look_for(stage.output, fragments, ())

    return step


def page(path: str, *fragments: str) -> Step:
    """Look into what the web application answers."""

    async def step(stage: Stage) -> None:
        async with open_web(stage.database, stage.plan, stage.config) as web:
            answer = await web.get(path)
        _look_for(answer.text, fragments, ())

    return step
