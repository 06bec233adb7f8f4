from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from monitor.clock import utc_now
from monitor.config.load import load_config
from monitor.config.plan import make_plan
from monitor.engine import app
from monitor.judge.alerts import AlertDue, AlertKind, Severity
from monitor.judge.suppression import Scope, SuppressedBy, Suppression
from monitor.simulator.server import start_simulator
from monitor.store import alerts, suppression
from monitor.store.alerts import NotificationStart
from monitor.store.engine import Database, StoreError
from monitor.store.migrate import upgrade
from monitor.store.schema import offline_times
from monitor.web.dashboard import WebDashboard
from tests.builders import HOUR, Story
from tests.waiting import PATIENCE_S, until

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

pytestmark = pytest.mark.anyio

CONFIG = """
[web]
listen = ""

[[connections]]
name = "one"
provider = "soldscope"
base_url = "{url}"
token = "any"
"""


async def test_a_daemon_that_can_store_nothing_any_more_ends_with_the_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def fail(*_: object) -> None:
        raise RuntimeError("nobody expected this")

    simulator = await start_simulator()
    try:
        config = tmp_path / "config.toml"
        config.write_text(CONFIG.format(url=simulator.soldscope_url))
        config.chmod(0o600)
        monkeypatch.setattr(app, "log_and_wake", fail)

        with pytest.raises(RuntimeError, match="nobody expected this"):
            async with asyncio.timeout(PATIENCE_S):
                await app.App(load_config(config), WebDashboard).run(asyncio.Event())
    finally:
        await simulator.stop()


async def test_the_daemon_notices_that_its_link_is_gone_and_back_between_checks(tmp_path: Path):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        config = tmp_path / "config.toml"
        text = CONFIG.format(url=f"http://127.0.0.1:{port}")
        config.write_text(f'[checks]\nuplink = ["http://127.0.0.1:{port}/"]\n{text}')
        config.chmod(0o600)
        daemon, stop = app.App(load_config(config), WebDashboard), asyncio.Event()
        running = asyncio.create_task(daemon.run(stop))
        await until(lambda: ended_at(tmp_path) == [None])
    page = await asyncio.start_server(answer_anything, "127.0.0.1", port)
    try:
        await until(lambda: ended_at(tmp_path) not in ([], [None]))
    finally:
        stop.set()
        await running
        page.close()
        await page.wait_closed()


TAGGED = """
[[channels]]
name = "ops"
url = "json://127.0.0.1:9"

[[connections]]
name = "two"
provider = "soldscope"
base_url = "http://127.0.0.1:9"
token = "any"
tags = ["quiet"]
"""


async def test_a_start_holds_and_lets_go_by_the_tags_that_the_file_has_now(tmp_path: Path):
    """
    Before it, "one" had the tag that is silenced, and "two" had not.
    """
    path = tmp_path / "config.toml"
    path.write_text(CONFIG.format(url="http://127.0.0.1:9") + TAGGED)
    path.chmod(0o600)
    config, now = load_config(path), utc_now()
    database = Database(config.monitor.database)
    upgrade(database)
    story = Story.begin(database, make_plan(config), now)
    alert = AlertDue(AlertKind.EXPIRED, Severity.CRITICAL, {})
    silenced = NotificationStart(now, Suppression(SuppressedBy.SILENCE, now + HOUR))
    with database.write() as tx:
        for name, births in (("one", {"ops": silenced}), ("two", {})):
            alerts.add_alert(tx, alert, [story.record(name).id], ["ops"], now, births)
        suppression.add_silence(tx, Scope.TAG, "quiet", "", now, now + HOUR)

    def states() -> dict[str, str]:
        return {one.connections[0]: one.notifications[0].state.value for one in story.alerts()}

    assert states() == {"one": "held", "two": "due"}
    daemon, stop = app.App(config, WebDashboard), asyncio.Event()
    running = asyncio.create_task(daemon.run(stop))
    try:
        await until(lambda: states() == {"one": "due", "two": "held"})
    finally:
        stop.set()
        await running
        database.close()


async def answer_anything(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    await writer.drain()
    writer.close()
    await writer.wait_closed()


def ended_at(folder: Path) -> list[datetime | None]:
    """
    The ends of the times without a link.
    """
    database = Database(f"sqlite:///{folder / 'connwatch.db'}")
    if not database.exists():
        return []
    try:
        with database.read() as tx:
            return list(tx.execute(select(offline_times.c.ended_at)).scalars())
    except StoreError:
        return []
    finally:
        database.close()
