"""
A reload within one process: what the web says of it, and faults on the way.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from contextlib import asynccontextmanager, closing
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from structlog.testing import capture_logs

from monitor.config.load import load_config
from monitor.engine import reload as reload_engine
from monitor.engine.app import App
from monitor.engine.supervisor import Systemd
from monitor.report.conditions import find_failed_reload
from monitor.store.engine import Database, StoreError
from monitor.web.dashboard import WebDashboard
from tests.notify_socket import abstract_name, listen
from tests.waiting import PATIENCE_S, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from datetime import datetime
    from pathlib import Path

    from monitor.config.model import Config

pytestmark = pytest.mark.anyio


class Bench:
    """
    A daemon in this process, and a client of its web.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.read: Callable[[], Config] = lambda: load_config(path)
        self.reload = asyncio.Event()
        self.logs: list[Any] = []
        self.client = httpx.AsyncClient(trust_env=False, timeout=PATIENCE_S)

    def write(self, *names: str, more: str = "") -> None:
        tables = "".join(
            f'[[connections]]\nname = "{name}"\nprovider = "countdown"\n'
            "authorized_on = 2026-01-01\n"
            for name in names
        )
        self.path.write_text(f'[web]\nlisten = "127.0.0.1:0"\n{more}{tables}')
        self.path.chmod(0o600)

    def load(self) -> Config:
        return self.read()

    def n_logged(self, event: str) -> int:
        return sum(each["event"] == event for each in self.logs)

    async def hup(self, event: str = "config.reloaded") -> None:
        before = self.n_logged(event)
        self.reload.set()
        await until(lambda: self.n_logged(event) > before)

    async def get(self, path: str) -> httpx.Response:
        [started] = [each for each in self.logs if each["event"] == "web.started"]
        return await self.client.get(f"{started['address']}{path}")

    async def names(self) -> list[str]:
        shown = (await self.get("/api/v1/connections")).json()["connections"]
        return [each["name"] for each in shown]


@asynccontextmanager
async def running(bench: Bench) -> AsyncIterator[None]:
    stop = asyncio.Event()
    with capture_logs() as bench.logs:
        daemon = App(load_config(bench.path), WebDashboard, load=bench.load)
        task = asyncio.create_task(daemon.run(stop, bench.reload))
        try:
            await until(lambda: bench.n_logged("web.started") or task.done())
            yield
        finally:
            stop.set()
            await task
            await bench.client.aclose()


@pytest.fixture
async def bench(anyio_backend: str, tmp_path: Path) -> AsyncIterator[Bench]:
    bench = Bench(tmp_path / "config.toml")
    bench.write("one")
    async with running(bench):
        yield bench


async def test_the_web_answers_by_the_settings_of_now(bench):
    assert await bench.names() == ["one"]
    bench.write("two", more='public_url = "https://watch.example"\n')
    await bench.hup()
    assert await bench.names() == ["two"]
    assert (await bench.get("/connections/two")).status_code == 200
    assert (await bench.get("/connections/one")).status_code == 404
    bench.write("two", more='listen = "again"\n')
    await bench.hup("config.not_reloaded")
    assert await bench.names() == ["two"]
    said = (await bench.get("/api/v1/configuration")).json()
    assert (len(said["mistakes"]), said["failed_at"] is None) == (1, False)
    assert "connwatch_config_reload_success 0.0" in (await bench.get("/metrics")).text


async def test_faults_that_nobody_foresaw_keep_the_former_settings_and_can_be_tried_again(
    bench, monkeypatch
):
    def fail() -> Config:
        raise RuntimeError("nobody expected this")

    def refuse(*_: object) -> None:
        raise StoreError("database is locked")

    usual = bench.read
    bench.write("one", "two")
    bench.read = fail
    await bench.hup("job.failed")
    said = (await bench.get("/api/v1/configuration")).json()
    assert [each["message"] for each in said["mistakes"]] == [reload_engine.FAULT]
    bench.read = usual
    with monkeypatch.context() as patched:
        patched.setattr(reload_engine, "prepare_checkers", refuse)
        await bench.hup("config.not_reloaded")
    # Its transaction was taken back: nothing of the newer file is there.
    assert await bench.names() == ["one"]
    await bench.hup()
    assert await bench.names() == ["one", "two"]


async def test_a_stop_during_a_reload_is_no_fault_and_has_the_last_word(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text('[web]\nlisten = ""\n')
    reads, may_go_on = threading.Event(), threading.Event()

    def read_slowly() -> Config:
        reads.set()
        may_go_on.wait(PATIENCE_S)
        return load_config(path)

    stop, reload = asyncio.Event(), asyncio.Event()
    with capture_logs() as logs, listen(abstract_name()) as systemd:
        daemon = App(
            load_config(path), WebDashboard, systemd=Systemd(systemd.address), load=read_slowly
        )
        task = asyncio.create_task(daemon.run(stop, reload))
        reload.set()
        await until(reads.is_set)
        stop.set()
        await until(lambda: "daemon.checks_finished" in [one["event"] for one in logs])
        may_go_on.set()
        await task
        said = systemd.order("RELOADING", "READY", "STOPPING")

    assert [one for one in logs if one["log_level"] == "error"] == []
    assert said == ["READY", "RELOADING", "STOPPING"]


def read_failure(bench: Bench) -> datetime | None:
    database = Database(f"sqlite:///{bench.path.with_name('connwatch.db')}")
    try:
        with database.read() as tx:
            return find_failed_reload(tx)
    finally:
        database.close()


async def test_commands_know_that_the_latest_reload_failed(bench):
    bench.write("two", more='listen = "again"\n')
    await bench.hup("config.not_reloaded")
    await until(lambda: read_failure(bench) is not None)
    assert (await bench.get("/readyz")).json()["notes"] == ["no_channel", "reload_failed"]
    bench.write("two")
    await bench.hup()
    await until(lambda: read_failure(bench) is None)
    assert (await bench.get("/readyz")).json()["notes"] == ["no_channel"]


async def test_settings_that_were_set_aside_are_read_from_the_file_again(bench):
    before = bench.n_logged("config.reloaded")
    with closing(sqlite3.connect(bench.path.with_name("connwatch.db"))) as raw, raw:
        raw.execute("UPDATE entries SET content = '{'")
    # This page reads all rows, for the tags in them.
    assert (await bench.get("/alerts")).status_code == 200
    await until(lambda: bench.n_logged("config.reloaded") > before)
    assert bench.n_logged("database.row_set_aside") == 1
    assert await bench.names() == ["one"]
