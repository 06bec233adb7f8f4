"""
Settings are rows: nothing asks the database for one connection after the other.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from monitor.config.load import load_config
from monitor.config.plan import Describer, make_plan
from monitor.engine.settings import FileReading
from monitor.store import connections
from monitor.store.engine import Database
from tests.builders import MINUTE, REFUSED, Story
from tests.fakes import NOON
from tests.statements import counted
from tests.web_client import open_web

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.anyio

PATHS = (
    "/",
    "/alerts",
    "/calendar",
    "/monitor",
    "/metrics",
    "/readyz",
    "/api/v1/connections",
    "/api/v1/alerts",
)
FEW, MANY = 3, 40


def take_in(database: Database, folder: Path, n_connections: int) -> Story:
    """
    A story of so many tokens that were refused, and of as many countdowns.
    """
    tables = [
        f'[[connections]]\nname = "t{n}"\nprovider = "http"\nurl = "https://a.example"\n'
        f'[[connections]]\nname = "c{n}"\nprovider = "countdown"\nauthorized_on = 2026-01-15\n'
        for n in range(n_connections)
    ]
    path = folder / f"{n_connections}.toml"
    path.write_text("".join(tables))
    path.chmod(0o600)
    config = load_config(path)
    reading = FileReading.of(config, b"k" * 32)
    common = config.with_connections(())
    say = Describer(common)
    with database.write() as tx:
        reading.store(tx)
        connections.sync(tx, [say.entry(one) for one in config.connections], NOON)
    story = Story(database, make_plan(common, reading.settings))
    for turn in range(2):
        story.evaluate(NOON + turn * MINUTE, **{f"t{n}": REFUSED for n in range(n_connections)})
    return story


@pytest.fixture
def stories(tmp_path: Path, empty_database: Path) -> Iterator[list[Story]]:
    def open_story(n_connections: int) -> Story:
        path = tmp_path / f"{n_connections}.db"
        shutil.copy(empty_database, path)
        database = Database(f"sqlite:///{path}")
        opened.append(database)
        return take_in(database, tmp_path, n_connections)

    opened: list[Database] = []
    yield [open_story(FEW), open_story(MANY)]
    for database in opened:
        database.close()


@pytest.mark.parametrize("path", PATHS)
async def test_a_page_asks_no_more_often_for_many_connections(stories, path):
    n_asked = []
    for story in stories:
        async with open_web(story.database, story.plan) as web:
            assert (await web.get(path)).status_code in {200, 503}
            with counted(story.database) as seen:
                await web.get(path)
        n_asked.append(seen["SELECT"])
    assert n_asked[0] == n_asked[1]
