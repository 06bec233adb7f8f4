"""
Damage rows of the database: what cannot be read is set aside, and stops nothing.
"""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Self

from structlog.testing import capture_logs

from monitor.clock import utc_now
from monitor.config.load import load_config
from monitor.config.plan import make_plan
from monitor.engine.batch import FinishedCheck
from monitor.engine.evaluate import evaluate
from monitor.engine.sweep import sweep
from monitor.store import retention
from monitor.store.connections import list_records
from monitor.store.engine import Database, StoreError
from monitor.store.migrate import upgrade
from tests.bench import OK, REFUSED, Bench
from tests.command_line import ROOT
from tests.fuzz import bait
from tests.fuzz.core import FaultError
from tests.web_client import open_web

if TYPE_CHECKING:
    from collections.abc import Iterable
    from random import Random

    import httpx

    from monitor.config.model import Config
    from monitor.config.plan import Plan
    from tests.fuzz.core import Case

CONFIG = """
[web]
listen = ""
[[channels]]
name = "ops-slack"
url = "json://127.0.0.1:9/hook"
[[channels]]
name = "ops-mail"
url = "json://127.0.0.1:9/mail"
[[applications]]
name = "our-app"
client_id = "amzn1.application-oa2-client.x"
client_secret = "amzn1.oa2-cs.v1.x"
token_url = "http://127.0.0.1:9/auth/o2/token"
[[connections]]
name = "soldscope-production"
provider = "soldscope"
base_url = "http://127.0.0.1:9/api/v1"
token = "ss_live_x"
tags = ["production"]
[[connections]]
name = "acme-north-america"
provider = "amazon"
application = "our-app"
region = "na"
endpoint = "http://127.0.0.1:9"
refresh_token = "Atzr|x"
"""
READABLE = (
    """UPDATE participations SET marketplaces = '[{"country": "US", "id": "ATVPDKIKX0DER",
    "is_participating": true, "has_suspended_listings": false, "is_configured": true}]'""",
    "UPDATE applications SET announced_reason = 'client_rejected'",
)
"""What the rows of the schema's test hold in place of what the code writes."""

UNDAMAGED = {"alembic_version", "keys"}

VALUES = (
    "NULL",
    "''",
    "'x'",
    "-1",
    "0",
    "1.5",
    "9e999",
    "9223372036854775807",
    "-9223372036854775808",
    "253402300800000000",
    "95617584000000000",
    "x'ff00fe'",
    "'null'",
    "'[]'",
    "'{'",
    "'{\"a\": [1, null]}'",
    "'[{}]'",
    "'NaN'",
)
COMMANDS = (
    "status",
    "status --json",
    "history soldscope-production",
    "history acme-north-america --json",
    "alerts list",
    "alerts list --json",
    "alerts retry",
    "quota",
    "quota --json",
    "silence list",
    "doctor --offline",
    "doctor --offline --json",
    "web token list",
    "db current",
    "pause acme-north-america",
    "resume acme-north-america",
    "renew soldscope-production",
    "ack acme-north-america",
)
PAGES = (
    "/",
    "/connections/soldscope-production",
    "/connections/acme-north-america",
    "/alerts",
    "/calendar",
    "/metrics",
    "/readyz",
    "/calendar.ics",
    "/badge/acme-north-america.svg",
    "/api/v1/connections",
    "/api/v1/connections/acme-north-america/history",
    "/api/v1/alerts",
)
ENGINE = ("evaluate", "sweep", "prune")


class Rows:
    """
    Rows of every table with any value in any column.

    The first piece is what is done then, the others are statements that damage rows.
    """

    name = "rows"

    def __enter__(self) -> Self:
        self._stack = ExitStack()
        top = Path(self._stack.enter_context(TemporaryDirectory()))
        self._kept, self._bench = top / "kept.db", Bench(top / "here")
        self._bench.folder.mkdir()
        script = (ROOT / "tests/store/schemas/0001.sql").read_text("utf-8")
        with closing(sqlite3.connect(self._kept)) as database:
            database.executescript(script)
        opened = Database(f"sqlite:///{self._kept}")
        upgrade(opened)
        opened.close()
        _execute(self._kept, READABLE)
        self._bench.configure(more=CONFIG)
        self._columns = _find_columns(self._kept)
        self._config = load_config(self._bench.config_path)
        self._plan = make_plan(self._config)
        self._runner = self._stack.enter_context(asyncio.Runner())
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def make(self, random: Random) -> Case:
        damage = [_make_damage(random, self._columns) for _ in range(random.choice((1, 1, 2, 5)))]
        return (random.choice((*COMMANDS, *PAGES, *ENGINE * 4)), *damage)

    def run(self, case: Case) -> None:
        action, *statements = (str(piece) for piece in case) if case else [""]
        shutil.copy(self._kept, self._bench.database)
        for suffix in ("-wal", "-shm"):
            self._bench.database.with_name(f"connwatch.db{suffix}").unlink(missing_ok=True)
        _execute(self._bench.database, statements)
        with capture_logs() as logs:
            if action in COMMANDS:
                self._command(action)
            elif action in PAGES or action in ENGINE:
                self._open(action)
        for one in logs:
            if isinstance(one.get("exc_info"), BaseException):
                raise one["exc_info"]

    def _command(self, action: str) -> None:
        ended = self._bench.run(*action.split())
        if ended.code not in {0, 1, 2, 3}:
            raise FaultError(f"exit code {ended.code}: {ended.err}")
        if "Traceback" in ended.err or "fault of connwatch" in ended.err:
            raise FaultError(f"traceback of {action}: {ended.err}")

    def _open(self, action: str) -> None:
        database = Database(f"sqlite:///{self._bench.database}")
        try:
            with suppress(StoreError):  # said in one sentence
                if action in PAGES:
                    self._runner.run(_look_at(action, database, self._config))
                else:
                    _work(action, database, self._plan)
        finally:
            database.close()


def _work(action: str, database: Database, plan: Plan) -> None:
    now = utc_now()
    with database.write() as tx:
        match action:
            case "evaluate":
                finished = [
                    FinishedCheck(record.id, None, now, outcome)
                    for record, outcome in zip(list_records(tx), (OK, REFUSED), strict=False)
                ]
                evaluate(tx, finished, plan)
            case "sweep":
                sweep(tx, plan, now)
            case _:
                retention.roll_up(tx, now)


async def _look_at(path: str, database: Database, config: Config) -> None:
    async with open_web(database, make_plan(config), config) as web:
        answer: httpx.Response = await web.get(path)
    if answer.status_code >= 500 and answer.status_code != 503:
        raise FaultError(f"status {answer.status_code} of {path}: {answer.text[:500]}")


def _execute(path: Path, statements: Iterable[str]) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("PRAGMA foreign_keys = OFF")
        database.execute("PRAGMA ignore_check_constraints = ON")
        for statement in statements:
            with suppress(sqlite3.Error, UnicodeError):  # what the database itself refuses
                database.execute(statement)


def _find_columns(path: Path) -> list[tuple[str, str, str]]:
    """
    Return table, column and declared type of all that can be damaged.
    """
    with closing(sqlite3.connect(path)) as database:
        tables = [
            name
            for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            if name not in UNDAMAGED and not name.startswith("sqlite")
        ]
        return [
            (table, row[1], row[2])
            for table in tables
            for row in database.execute(f"PRAGMA table_info({table})")
        ]


def _make_damage(random: Random, columns: list[tuple[str, str, str]]) -> str:
    table, column, _ = random.choice(columns)
    if random.random() < 0.05:
        return f"DELETE FROM {table}"
    value = random.choice(VALUES)
    if random.random() < 0.3:
        quoted = bait.text(random).replace("'", "''").replace("\x00", "")
        value = f"'{quoted}'"
    where = random.choice(("", " WHERE rowid = 1", " WHERE rowid = 2"))
    return f'UPDATE {table} SET "{column}" = {value}{where}'
