"""
Channels that are not in the file, in a daemon that runs: put in force, reloaded, restarted.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from cryptography.fernet import Fernet
from structlog.testing import capture_logs

from monitor.clock import utc_now
from monitor.config.load import load_config
from monitor.config.model import Config
from monitor.engine.app import App
from monitor.engine.channels import read_channels, with_stored_channels
from monitor.store import channels, credentials
from monitor.store.engine import Database
from monitor.web.dashboard import WebDashboard
from tests.loopback import Handler, serve
from tests.sinks import run_web_hook
from tests.waiting import PATIENCE_S, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from tests.sinks import WebHook

pytestmark = pytest.mark.anyio

KEY = Fernet.generate_key().decode()
ALLOWED = 'allowed_hosts = ["127.0.0.1"]'


class Running:
    """
    A daemon in this process, a program that uses its API, and what it sends to.
    """

    def __init__(self, folder: Path, hook: WebHook) -> None:
        self.path = folder / "config.toml"
        self.hook = hook
        self.reload = asyncio.Event()
        self.logs: list[Any] = []
        self.client = httpx.AsyncClient(trust_env=False, timeout=PATIENCE_S)

    def write(self, tables: str = "", web: str = ALLOWED) -> None:
        self.path.touch(mode=0o600)
        self.path.write_text(
            f'[web]\nlisten = "127.0.0.1:0"\nkey = "{KEY}"\n{web}\n'
            f'[alerts]\ngroup_wait = "1s"\n[checks]\nrecheck_after = "1s"\n{tables}'
        )

    def channel_of_file(self, name: str) -> str:
        return f'[[channels]]\nname = "{name}"\nurl = "{self.hook.url("/file")}"\n'

    @asynccontextmanager
    async def daemon(self) -> AsyncIterator[None]:
        stop = asyncio.Event()
        with capture_logs() as self.logs:
            app = App(load_config(self.path), WebDashboard, load=lambda: load_config(self.path))
            task = asyncio.create_task(app.run(stop, self.reload))
            try:
                await until(lambda: self.logged("web.started") or task.done())
                await self._enter()
                yield
            finally:
                stop.set()
                await task
                await self.client.aclose()

    async def _enter(self) -> None:
        [started] = self.logged("web.started")
        database = Database(load_config(self.path).monitor.database)
        with database.write() as tx:
            name = f"program {utc_now()}"
            token = credentials.add_api_token(tx, name, utc_now())
        database.close()
        self.client = httpx.AsyncClient(
            base_url=f"{started['address']}/api/v1",
            headers={"Authorization": f"Bearer {token}"},
            trust_env=False,
            timeout=PATIENCE_S,
        )

    def logged(self, event: str) -> list[Any]:
        return [each for each in self.logs if each["event"] == event]

    async def wait_for(self, text: str) -> None:
        """
        Wait until the list of alerts says *text*.
        """
        async with asyncio.timeout(PATIENCE_S):
            while text not in (await self.client.get("/alerts")).text:  # noqa: ASYNC110 - the daemon sets no event of ours
                await asyncio.sleep(0.05)

    async def hup(self) -> Any:
        before = len(self.logged("config.reloaded"))
        self.reload.set()
        await until(lambda: len(self.logged("config.reloaded")) > before)
        return self.logged("config.reloaded")[-1]

    async def put_channel(self, name: str, path: str = "/hook", **more: Any) -> None:
        values = {"url": self.hook.url(path), **more}
        answer = await self.client.put(f"/channels/{name}", json=values)
        assert answer.status_code in {200, 201}, answer.text

    async def put_rejected(self, name: str, port: int, **more: Any) -> int:
        values = {"provider": "http", "url": f"http://127.0.0.1:{port}/", "token": "x", **more}
        return (await self.client.put(f"/connections/{name}", json=values)).status_code

    async def tell(self, name: str) -> str:
        """
        Send a test message to a channel, and return where it arrived.
        """
        n_before = len(self.hook.posts)
        assert await self.try_channel(name) == 200
        await until(lambda: len(self.hook.posts) > n_before)
        return self.hook.paths()[-1]

    async def try_channel(self, name: str) -> int:
        return (await self.client.post("/alerts/test", json={"channel": name})).status_code

    def told_of(self, name: str) -> list[str]:
        return [path for path, sent in self.hook.posts if name in str(sent)]


@pytest.fixture
def hook() -> Iterator[WebHook]:
    with run_web_hook() as hook:
        yield hook


class Rejecting(Handler):
    def do_GET(self) -> None:  # noqa: N802 - its name there
        self.answer(401)


@pytest.fixture
def rejecting() -> Iterator[int]:
    with serve(Rejecting) as port:
        yield port


@pytest.fixture
async def running(anyio_backend: str, tmp_path: Path, hook: WebHook) -> Running:
    running = Running(tmp_path, hook)
    running.write()
    return running


async def test_alerts_reach_a_channel_made_by_the_api_also_after_a_restart(running, rejecting):
    async with running.daemon():
        assert await running.try_channel("ops") == 404
        await running.put_channel("ops")
        assert await running.put_rejected("first", rejecting) == 201
        await until(lambda: running.told_of("first"))
    async with running.daemon():
        assert await running.put_rejected("second", rejecting) == 201
        await until(lambda: running.told_of("second"))
        assert (await running.client.delete("/channels/ops")).status_code == 204
        assert await running.try_channel("ops") == 404
    assert {*running.told_of("first"), *running.told_of("second")} == {"/hook"}


async def test_connections_may_name_such_a_channel(running, rejecting):
    async with running.daemon():
        assert await running.put_rejected("first", rejecting, channels=["ops"]) == 422
        await running.put_channel("ops")
        assert await running.put_rejected("first", rejecting, channels=["ops"]) == 201


async def test_a_reload_keeps_it_and_the_file_takes_over_and_gives_back(running):
    async with running.daemon():
        await running.put_channel("ops")
        assert (await running.hup())["tables"] == []
        assert await running.tell("ops") == "/hook"
        running.write(running.channel_of_file("ops"))
        assert (await running.hup())["tables"] == ["channels"]
        shown = (await running.client.get("/channels/ops")).json()
        assert shown["shadowed_by"] == "file"
        assert await running.tell("ops") == "/file"
        running.write()
        await running.hup()
        assert await running.tell("ops") == "/hook"


async def test_a_change_is_in_force_at_once(running):
    async with running.daemon():
        await running.put_channel("ops")
        await running.put_channel("ops", "/other")
        assert await running.tell("ops") == "/other"


async def test_several_put_at_once_are_all_in_force(running):
    async with running.daemon():
        names = [f"c{number}" for number in range(8)]
        await asyncio.gather(*(running.put_channel(name) for name in names), running.hup())
        assert [await running.try_channel(name) for name in names] == [200] * len(names)


async def test_an_address_that_is_let_in_no_more_is_not_called(running):
    async with running.daemon():
        await running.put_channel("ops")
        n_sent = len(running.hook.posts)
        running.write(web="")
        await running.hup()
        assert await running.try_channel("ops") == 200
        await running.wait_for("web.allowed_hosts")
        assert len(running.hook.posts) == n_sent


async def test_without_its_key_it_says_why_and_stops_nothing(running):
    async with running.daemon():
        await running.put_channel("ops")
    running.path.write_text(running.path.read_text().replace(KEY, Fernet.generate_key().decode()))
    async with running.daemon():
        assert await running.try_channel("ops") == 200
        await running.wait_for("web.old_keys")


async def test_a_row_that_means_nothing_is_passed_over(database):
    with database.write() as tx:
        channels.put_channel(tx, "bad", {"name": "bad", "kinds": ["no such"]}, "", b"")
        channels.put_channel(tx, "good", {"name": "good", "url": {"set": True}}, "", b"x")
        with capture_logs() as logs:
            found = read_channels(tx, Config())
        assert [one.name for one in found] == ["good"]
        assert [(each["event"], each["channel"]) for each in logs] == [("channel.unusable", "bad")]
        assert [one.name for one in with_stored_channels(tx, Config()).channels] == ["good"]
