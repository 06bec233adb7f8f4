"""
What pages and programs see of connections whose settings are rows of the database.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import update

from monitor.config.load import load_config
from monitor.config.plan import make_plan
from monitor.engine.settings import FileReading
from monitor.store import connections, entries, schema
from tests.builders import entries_of
from tests.fakes import NOON
from tests.web_client import open_web

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.config.model import Config
    from monitor.store.engine import Database

pytestmark = pytest.mark.anyio

CONNECTION = """
[[connections]]
name = "{name}"
provider = "countdown"
authorized_on = 2026-01-15
"""


@pytest.fixture
def config(tmp_path: Path) -> Config:
    path = tmp_path / "config.toml"
    path.touch(mode=0o600)
    path.write_text("".join(CONNECTION.format(name=name) for name in ("good", "bad")))
    return load_config(path)


@pytest.fixture
def reading(database: Database, config: Config) -> FileReading:
    """
    The rows of the file, of which that of "bad" means nothing by now.
    """
    reading = FileReading.of(config, b"k" * 32)
    meaningless = update(schema.entries).where(schema.entries.c.name == "bad")
    with database.write() as tx:
        reading.store(tx)
        connections.sync(tx, entries_of(make_plan(config)), NOON)
        tx.execute(meaningless.values(content=[], digest="another"))
        assert entries.is_entry(tx, "bad")
    return reading


PATHS = (
    "/connections/{}",
    "/connections/{}/delete",
    "/api/v1/connections/{}",
    "/api/v1/connections/{}/history",
    "/badge/{}.svg",
)
ORDERS = ("validate", "pause", "resume", "ack")


async def test_settings_that_mean_nothing_are_those_of_no_connection(database, config, reading):
    plan = make_plan(config.with_connections(()), reading.settings)
    async with open_web(database, plan, config.with_connections(())) as web:
        listed = (await web.get("/api/v1/connections")).json()["connections"]
        assert [each["name"] for each in listed] == ["good"]
        for path in PATHS:
            assert (await web.get(path.format("good"))).status_code == HTTPStatus.OK, path
            answer = await web.get(path.format("bad"))
            assert answer.status_code == HTTPStatus.NOT_FOUND, path
        for order in ORDERS:
            answer = await web.change(f"/api/v1/connections/bad/{order}")
            assert answer.status_code == HTTPStatus.NOT_FOUND, order
