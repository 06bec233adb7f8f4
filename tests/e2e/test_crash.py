"""
Kill the daemon at every step between a check and the record that people were told.

Whatever was due is delivered by the next run: nothing is lost, and only what was on its way
when the daemon died may arrive twice.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, update

from monitor.clock import utc_now
from monitor.store import connections, history, schema
from monitor.store.engine import Database
from tests.command_line import clean_environment
from tests.e2e import dying_daemon
from tests.e2e.dying_daemon import ORDER_STEPS, RELOAD_STEPS, STEPS, SWEEP_STEPS
from tests.e2e.outside import Outside, run_outside
from tests.forking import Forked, Streams, run_command
from tests.waiting import PATIENCE_S, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

REFUSED = frozenset({"alpha", "beta", "gamma"})
NAMES = REFUSED | {"delta", "epsilon"}
MESSAGES = (REFUSED, frozenset({"delta"}), frozenset({"epsilon"}))
"""Who is told of together: three refused, one whose authorization has ended, one that ends soon."""

CONFIG = """
[checks]
every = "1h"
alert_after_refusals = 1
[alerts]
group_wait = "1s"
[web]
listen = ""
[[channels]]
name = "hook"
url = "json://127.0.0.1:{port}/hook"
"""

CONNECTION = """
[[connections]]
name = "{name}"
provider = "soldscope"
base_url = "http://127.0.0.1:{port}"
token = "token-of-{name}"
"""

ENDED = """
[[connections]]
name = "delta"
provider = "countdown"
authorized_on = 2020-01-01

[[connections]]
name = "epsilon"
provider = "countdown"
authorized_on = {day}
"""

NEWCOMER = """
[[connections]]
name = "zeta"
provider = "countdown"
authorized_on = 2020-01-01
"""


class Daemon:
    """
    The daemon over five connections that are broken, run after run.
    """

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self._config = folder / "config.toml"
        parts = [CONFIG, *(CONNECTION.replace("{name}", name) for name in sorted(REFUSED)), ENDED]
        self._config.touch(mode=0o600)
        day = (utc_now() - timedelta(days=360)).date()
        text = "".join(parts).replace("{port}", str(port)).replace("{day}", str(day))
        self._config.write_text(text)
        self.database = Database(f"sqlite:///{folder / 'connwatch.db'}")

    def add(self, table: str) -> None:
        with self._config.open("a") as file:
            file.write(table)

    def order(self, *arguments: str, dying_at: str | None = None) -> int:
        """
        Run a command, and kill it at a step.
        """
        process = Forked(
            *((dying_daemon.order, dying_at) if dying_at else (run_command,)),
            "--config",
            str(self._config),
            *arguments,
            cwd=self.folder,
            env=clean_environment(),
            streams=Streams(os.devnull, str(self.folder / "log")),
        )
        try:
            return process.wait(PATIENCE_S)
        finally:
            process.kill()

    def authorized_at(self, name: str) -> datetime | None:
        database = Database(f"sqlite:///{self.folder / 'connwatch.db'}")
        try:
            with database.read() as tx:
                record = connections.find_record(tx, name)
        finally:
            database.close()
        assert record is not None
        return record.clock.authorized_at

    @contextmanager
    def run(self, *step: str) -> Iterator[Forked]:
        process = Forked(
            dying_daemon.main,
            str(self._config),
            *step,
            cwd=self._config.parent,
            env=clean_environment(),
            streams=Streams(os.devnull, str(self._config.parent / "log")),
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def is_everyone_told(self, outside: Outside) -> bool:
        if {name for names in messages(outside) for name in names} != NAMES:
            return False
        with self.database.read() as tx:
            alerts = history.list_alerts(tx, 100)
        sent = [all(one.sent_at for one in alert.notifications) for alert in alerts]
        return len(sent) == len(NAMES) and all(sent)

    def run_until_everyone_is_told(self, outside: Outside) -> None:
        """
        Start again; what is due goes out long before a lease would end.
        """
        with self.run() as process:
            wait_until(lambda: self.is_everyone_told(outside))
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=PATIENCE_S) == 0


@pytest.fixture
def outside():
    with run_outside() as outside:
        yield outside


@pytest.fixture
def daemon(outside, tmp_path):
    daemon = Daemon(tmp_path, outside.port)
    yield daemon
    daemon.database.close()


def messages(outside: Outside) -> list[frozenset[str]]:
    """
    Whom each message was about.
    """
    return [frozenset(name for name in NAMES if name in text) for text in list(outside.told)]


def expect_everyone_told(daemon: Daemon, outside: Outside, n_twice: int) -> None:
    """
    One alert each, sent and recorded; no message three times, and few twice.
    """
    with daemon.database.read() as tx:
        alerts = history.list_alerts(tx, 100)
        claims = tx.execute(
            select(schema.notifications.c.id).where(schema.notifications.c.claimed_by.is_not(None))
        ).all()
        checked = [record.standing.checked_at for record in connections.list_records(tx)]
    assert sorted((alert.kind, alert.connections) for alert in alerts) == [
        *(("error", (name,)) for name in sorted(REFUSED)),
        ("expired", ("delta",)),
        ("expiring_soon", ("epsilon",)),
    ]
    assert [one.state for alert in alerts for one in alert.notifications] == ["sent"] * len(NAMES)
    assert claims == []
    assert all(checked)
    times = Counter(messages(outside))
    assert sorted(times.values()) == [1] * (len(MESSAGES) - n_twice) + [2] * n_twice
    assert set(times) == set(MESSAGES)


# The second of three messages, so that some were told before and some are left; but batches
# may be one only. What was sent and not recorded is sent again: rather twice than never.
CASES = [
    (
        step,
        1 if step.startswith("batch") else 2,
        step in {"sent", "arrival recorded, not committed"},
    )
    for step in STEPS
]


@pytest.mark.parametrize(("step", "nth", "is_sent_twice"), CASES, ids=list(STEPS))
def test_a_daemon_that_dies_loses_nothing(daemon, outside, step, nth, is_sent_twice):
    with daemon.run(step, str(nth)) as process:
        assert process.wait(timeout=PATIENCE_S) == -signal.SIGKILL
    daemon.run_until_everyone_is_told(outside)
    expect_everyone_told(daemon, outside, n_twice=int(is_sent_twice))


@pytest.mark.long
@pytest.mark.parametrize("step", SWEEP_STEPS)
def test_a_daemon_that_dies_while_it_looks_at_the_clocks_loses_nothing(daemon, outside, step):
    with daemon.run(step) as process:
        assert process.wait(timeout=PATIENCE_S) == -signal.SIGKILL
    daemon.run_until_everyone_is_told(outside)
    expect_everyone_told(daemon, outside, n_twice=0)


@pytest.mark.long
@pytest.mark.parametrize("step", RELOAD_STEPS)
def test_a_daemon_that_dies_at_a_reload_watches_all_at_its_next_start(daemon, outside, step):
    with daemon.run(step) as process:
        wait_until(lambda: daemon.is_everyone_told(outside))
        daemon.add(NEWCOMER)
        process.send_signal(signal.SIGHUP)
        assert process.wait(timeout=PATIENCE_S) == -signal.SIGKILL
    with daemon.run() as process:
        wait_until(lambda: any("zeta" in text for text in list(outside.told)))
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=PATIENCE_S) == 0
    assert sorted(Counter(messages(outside)).values()) == [1] * (len(MESSAGES) + 1)


RENEWALS = [step for step in ORDER_STEPS if "renewed" in step]
RESTORATIONS = [step for step in ORDER_STEPS if step not in RENEWALS]


@pytest.mark.parametrize("step", RENEWALS)
def test_a_renewal_that_is_killed_has_not_happened_and_can_be_repeated(daemon, step):
    daemon.order("check", "delta")
    before = daemon.authorized_at("delta")
    assert daemon.order("renew", "delta", "--on", "2026-11-20", dying_at=step) == -signal.SIGKILL
    assert daemon.authorized_at("delta") == before
    assert daemon.order("renew", "delta", "--on", "2026-11-20") == 0
    assert daemon.authorized_at("delta") != before


@pytest.mark.parametrize("step", RESTORATIONS)
def test_a_restoration_that_is_killed_leaves_one_whole_database_and_can_be_repeated(daemon, step):
    daemon.order("check", "delta")
    old = daemon.authorized_at("delta")
    assert daemon.order("db", "backup", "copy.db") == 0
    assert daemon.order("renew", "delta", "--on", "2026-11-20") == 0
    new = daemon.authorized_at("delta")

    assert daemon.order("db", "restore", "copy.db", dying_at=step) == -signal.SIGKILL

    assert daemon.authorized_at("delta") == (old if step == "copy in its place" else new)
    assert daemon.order("db", "restore", "copy.db") == 0
    assert daemon.authorized_at("delta") == old
    assert not list(daemon.folder.glob("*.restoring*"))


def test_a_daemon_that_dies_while_a_message_is_on_its_way_loses_nothing(daemon, outside):
    outside.fatal = 2
    with daemon.run() as process:
        outside.victim = process.pid
        assert process.wait(timeout=PATIENCE_S) == -signal.SIGKILL
    daemon.run_until_everyone_is_told(outside)
    expect_everyone_told(daemon, outside, n_twice=1)


@pytest.mark.long
def test_a_daemon_that_dies_again_and_again_loses_nothing(daemon, outside):
    for step in ("batch judged, not committed", "claim committed", "sent", "not sent yet"):
        with daemon.run(step, "1") as process:
            assert process.wait(timeout=PATIENCE_S) == -signal.SIGKILL
    daemon.run_until_everyone_is_told(outside)
    expect_everyone_told(daemon, outside, n_twice=1)


def test_a_daemon_that_lives_tells_everyone_once(daemon, outside):
    daemon.run_until_everyone_is_told(outside)
    expect_everyone_told(daemon, outside, n_twice=0)
    # Nothing is told again by the next run, although it is refused again.
    with daemon.database.write() as tx:
        tx.execute(update(schema.connections).values(next_check_at=schema.EPOCH))
    outside.asked.clear()
    with daemon.run() as process:
        wait_until(lambda: len(outside.asked) == len(REFUSED))
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=PATIENCE_S) == 0
    expect_everyone_told(daemon, outside, n_twice=0)
