"""
One value of the database is damaged, whichever: nothing but its own row stops for that.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from monitor.alerting.digests import note_absence
from monitor.alerting.outbox import StoredOutbox
from monitor.alerting.suppression import review_suppressed, suppress_unsent
from monitor.clock import utc_now
from monitor.config.load import load_config
from monitor.config.plan import make_plan
from monitor.engine import app
from monitor.engine.batch import FinishedCheck
from monitor.engine.checkers import prepare_checkers
from monitor.engine.evaluate import evaluate
from monitor.engine.settings import FileReading
from monitor.engine.sweep import sweep
from monitor.judge.outcome import Outcome, Reason
from monitor.notify.delivery import Delivery, DeliveryTerms
from monitor.providers.transport import HttpClients
from monitor.store import applications, connections, damage, migrate, retention
from monitor.store.credentials import FINGERPRINT_KEY, find_or_make_key
from monitor.store.engine import Database, RowsSetAside, StoreWorker
from monitor.store.outbox import release_claims_of
from monitor.store.schedule import claim_due
from monitor.store.schema import metadata
from monitor.web.dashboard import WebDashboard
from tests.bench import Bench
from tests.builders import entries_of
from tests.waiting import until
from tests.web_client import open_web

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from datetime import datetime

    from monitor.config.model import Config
    from monitor.config.plan import Plan
    from monitor.notify.message import Message
    from monitor.store.engine import Transaction
    from tests.web_client import Web

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

SCHEMA = Path(__file__).parents[1] / "store" / "schemas" / f"{migrate.HEAD}.sql"

CONFIG = """
[web]
listen = ""

[[channels]]
name = "ops-slack"
url = "json://127.0.0.1:9"

[[channels]]
name = "ops-mail"
url = "json://127.0.0.1:9"

[[applications]]
name = "our-app"
client_id = "amzn1.application-oa2-client.x"
client_secret = "secret"
client_secret_created_on = 2026-06-01

[[connections]]
name = "soldscope-production"
provider = "soldscope"
base_url = "http://127.0.0.1:9"
token = "any"

[[connections]]
name = "acme-north-america"
provider = "amazon"
application = "our-app"
region = "na"
refresh_token = "Atzr|any"
authorized_on = 2026-01-15
"""

WORDS = {
    "text": "'damaged'",
    "no text": "CAST(X'C328' AS TEXT)",
    "bytes": "X'FFFE'",
    "half of it": "'{'",
    "too much": "9223372036854775807",
    "the year 10000": "253402300800000000",
}

PAGES = (
    *("/", "/alerts", "/calendar", "/connections/soldscope-production", "/status", "/readyz"),
    *("/connections/acme-north-america", "/metrics", "/calendar.ics", "/api/v1/connections"),
    *("/api/v1/alerts", "/api/v1/connections/soldscope-production/history"),
    *("/api/v1/connections/acme-north-america", "/badge/acme-north-america.svg"),
)

COMMANDS = (
    ("status", "--json"),
    ("history", "soldscope-production", "--json"),
    ("history", "acme-north-america"),
    ("quota",),
    ("alerts", "list"),
    ("silence", "list"),
    ("web", "token", "list"),
)


class Taker:
    """
    A sender that takes everything.
    """

    def send(self, channel: str, message: Message, key: str = "") -> None:
        pass


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """
    Give a database with rows in every table, all of which can be read.
    """
    folder = tmp_path_factory.mktemp("sound")
    path = folder / "connwatch.db"
    with sqlite3.connect(path) as raw:
        raw.executescript(SCHEMA.read_text())
        marketplace = (
            '[{"country": "US", "id": "ATVPDKIKX0DER", "is_participating": true,'
            ' "has_suspended_listings": false, "is_configured": true}]'
        )
        raw.execute("UPDATE participations SET marketplaces = ?", (marketplace,))
        raw.execute("UPDATE alerts SET facts = '{}'")
        raw.execute("UPDATE applications SET announced_reason = NULL")
        windows = '[{"name": "day", "unit": "requests", "limit": 5, "remaining": 3}]'
        raw.execute("UPDATE quota_windows SET windows = ?", (windows,))
    raw.close()
    database = Database(f"sqlite:///{path}")
    with database.read() as tx:
        assert damage.find_damage(tx) == []
    database.close()
    return path


def bench_of(sound: Path, folder: Path) -> Bench:
    bench = Bench(folder)
    bench.config_path.touch(mode=0o600)
    bench.config_path.write_text(CONFIG)
    shutil.copy(sound, bench.database)
    return bench


def harm(path: Path, table: str, column: str, value: str) -> bool:
    """
    Put *value* into a column of the latest row; tell whether SQLite let it in.
    """
    raw = sqlite3.connect(path, isolation_level=None)
    try:
        raw.execute("PRAGMA foreign_keys = OFF")
        without_rowid = {"quota_samples": '"at"', "entries": '"name"', "missing_entries": '"name"'}
        by = without_rowid.get(table, "rowid")
        latest = f"{by} = (SELECT max({by})"
        raw.execute(f'UPDATE "{table}" SET "{column}" = {value} WHERE {latest} FROM "{table}")')
    except sqlite3.Error:
        return False
    finally:
        raw.close()
    return True


def damage_one(bench: Bench, database: Database, sound: Path, column: tuple[str, str]) -> bool:
    """
    Damage a column of one row; tell whether there is a value that cannot be read there.
    """
    for value in WORDS.values():
        database.overwrite_with(sound)
        if not harm(bench.database, *column, value):
            continue
        with database.read() as tx:
            found = damage.find_damage(tx)
        if found:
            assert {(each.table, each.column) for each in found} == {column}
            return True
    return False


@dataclass
class Daemon:
    """
    What a daemon does, each thing once, over a database that is replaced in between.
    """

    config: Config
    plan: Plan
    database: Database
    store: StoreWorker
    clients: HttpClients
    web: Web

    async def live(self) -> None:
        now = utc_now()
        for work in self.works(now):
            await self.store.write(work)
        terms = DeliveryTerms(Taker(), self.config.alerts.retry_for, lambda _name: "")
        outbox = StoredOutbox(self.store, "run", lambda: self.plan)
        await Delivery(outbox, lambda: terms, clock=utc_now).deliver_due(is_final=True)
        for page in PAGES:
            answer = await self.web.get(page)
            if answer.status_code >= 500 and page != "/readyz":
                raise AssertionError((page, answer.text[:2000]))

    def works(self, now: datetime) -> list[Callable[[Any], Any]]:
        plan = self.plan
        outcomes = (Outcome(Reason.OK), Outcome(Reason.TOKEN_REJECTED, "The token was rejected."))

        def check(tx: Any) -> None:
            due = claim_due(tx, now + timedelta(days=400), 100)
            for outcome in outcomes:
                evaluate(tx, [FinishedCheck(each.id, None, now, outcome) for each in due], plan)

        def prepare(tx: Transaction) -> None:
            key = find_or_make_key(tx, FINGERPRINT_KEY)
            reading = FileReading.of(self.config, key)
            reading.store(tx)
            prepare_checkers(tx, self.config, reading.settings, self.clients)

        return [
            lambda tx: note_absence(tx, plan, now),
            lambda tx: applications.sync(tx, plan.applications, now),
            lambda tx: release_claims_of(tx, "run"),
            lambda tx: connections.sync(tx, entries_of(plan), now, lambda: 0.5),
            lambda tx: review_suppressed(tx, plan, now, all_of_it=True),
            lambda tx: suppress_unsent(tx, plan, now),
            prepare,
            check,
            lambda tx: sweep(tx, plan, now),
            lambda tx: retention.roll_up(tx, now + timedelta(days=200)),
        ]


@asynccontextmanager
async def daemon_of(bench: Bench) -> AsyncIterator[Daemon]:
    config = load_config(bench.config_path)
    plan = make_plan(config)
    database = Database(config.monitor.database)
    store = StoreWorker(database)
    async with HttpClients(10) as clients, open_web(database, plan, config) as web:
        yield Daemon(config, plan, database, store, clients, web)
    store.close()
    database.close()


TABLES = [table.name for table in metadata.sorted_tables]


async def stand(bench: Bench, daemon: Daemon, column: tuple[str, str]) -> None:
    """
    Do all that a daemon does over a database with a damaged *column*.
    """
    with structlog.testing.capture_logs() as logs:
        await daemon.live()
    faults = [log for log in logs if "exc_info" in log]
    assert not faults, (column, faults)
    kept = damage.read_set_aside(daemon.database.set_aside_path)
    assert {(each.table, each.column) for each in kept if not each.removed_with} <= {column}


@pytest.mark.parametrize("table", TABLES)
async def test_a_value_that_cannot_be_read_stops_nothing(sound, tmp_path, table):
    """
    One column of each table; `store/test_damage.py` looks at all of them, nearer to the file.
    """
    bench = bench_of(sound, tmp_path)
    async with daemon_of(bench) as daemon:
        columns = ((table, one.name) for one in reversed(metadata.tables[table].c))
        column = next(
            (one for one in columns if damage_one(bench, daemon.database, sound, one)), None
        )
        assert column or table == "alert_connections"
        if column:
            await stand(bench, daemon, column)


@pytest.mark.long
@pytest.mark.parametrize("table", TABLES)
async def test_no_value_of_any_column_stops_anything(sound, tmp_path, table):
    bench = bench_of(sound, tmp_path)
    n_damaged = 0
    async with daemon_of(bench) as daemon:
        for column in (one.name for one in metadata.tables[table].c):
            daemon.database.set_aside_path.unlink(missing_ok=True)
            if not damage_one(bench, daemon.database, sound, (table, column)):
                continue
            n_damaged += 1
            place = f"table {table}, row ", f", column {column}: "
            doctor = await asyncio.to_thread(bench.run, "doctor", "--offline", "--json")
            assert all(words in doctor.out for words in place), (column, doctor.out, doctor.err)
            await stand(bench, daemon, (table, column))
            damage_one(bench, daemon.database, sound, (table, column))
            for command in COMMANDS:
                ended = await asyncio.to_thread(bench.run, *command)
                assert "Traceback" not in ended.err, (column, command, ended.err)
                assert "fault of connwatch" not in ended.err, (column, command, ended.err)
    assert n_damaged or table == "alert_connections"


FROM_THE_START = [
    ("quota_forecasts", "foreseen_at"),
    ("connections", "next_check_at"),
    ("authorizations", "source"),
    ("alerts", "facts"),
    ("notifications", "state"),
    ("connections", "id"),
    ("notifications", "id"),
    ("quotas", "connection_id"),
]


@pytest.mark.parametrize("column", FROM_THE_START, ids=[".".join(one) for one in FROM_THE_START])
async def test_the_daemon_starts_over_a_row_that_cannot_be_read(sound, tmp_path, column):
    bench = bench_of(sound, tmp_path)
    database = Database(f"sqlite:///{bench.database}")
    assert damage_one(bench, database, sound, column)
    daemon, stop = app.App(load_config(bench.config_path), WebDashboard), asyncio.Event()

    with structlog.testing.capture_logs() as logs:
        running = asyncio.create_task(daemon.run(stop))
        await until(lambda: any(log["event"] == "daemon.started" for log in logs) or running.done())
        stop.set()
        await running

    told = [log for log in logs if log["event"] == "database.row_set_aside"]
    assert [(log["table"], log["column"]) for log in told] == [column]
    assert not [log for log in logs if "exc_info" in log]
    doctor = await asyncio.to_thread(bench.run, "doctor", "--offline")
    words = " ".join(doctor.out.split())
    assert f"table {column[0]}, row " in words
    assert "was set aside" in words
    database.close()


async def test_what_was_set_aside_is_kept_for_its_owner_alone(sound, tmp_path):
    bench = bench_of(sound, tmp_path)
    database = Database(f"sqlite:///{bench.database}")
    assert damage_one(bench, database, sound, ("silences", "ends_at"))

    with (
        pytest.raises(RowsSetAside, match="table silences, row 2, column ends_at"),
        database.read() as tx,
    ):
        list(tx.execute(metadata.tables["silences"].select()))
    with database.read() as tx:
        left = [row.id for row in tx.execute(metadata.tables["silences"].select())]

    path = database.set_aside_path
    assert left == [1]
    assert path.stat().st_mode & 0o777 == 0o600
    [record] = [json.loads(line) for line in path.read_text().splitlines()]
    assert (record["table"], record["key"], record["columns"]) == ("silences", "2", ["ends_at"])
    assert bytes.fromhex(record["row"]["ends_at"]["hex"]) == b"damaged"
    database.close()


async def test_a_fault_of_ours_is_no_damage(sound, tmp_path):
    bench = bench_of(sound, tmp_path)
    database = Database(f"sqlite:///{bench.database}")

    for _ in range(3):
        with pytest.raises(KeyError), database.read():
            raise KeyError("a fault of ours")

    assert not database.set_aside_path.exists()
    database.close()
