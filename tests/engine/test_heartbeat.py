"""
Who watches the watcher: what the outside URL is told, and when.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from sqlalchemy import update
from structlog.testing import capture_logs

from monitor.config.errors import ConfigError
from monitor.config.load import build_config
from monitor.config.values import Reading
from monitor.engine import heartbeat
from monitor.engine.heartbeat import Heartbeat
from monitor.engine.live import Live, build_connectivity_check
from monitor.judge.health import Liveness
from monitor.judge.incidents import Connectivity
from monitor.judge.outcome import State
from monitor.providers.fetcher import fetch
from monitor.providers.probes import Signal, address_of
from monitor.providers.transport import HttpClients
from monitor.store import connections, outbox
from monitor.store.engine import StoreError, StoreWorker
from monitor.store.outbox import oldest_wait
from monitor.store.schedule import lateness
from monitor.store.schema import connections as rows
from tests.builders import OK, REFUSED, Story, entry, plan_of, snapshot_of
from tests.fakes import NOON
from tests.shortage import full_disk, no_descriptors

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from monitor.store.engine import Database

pytestmark = pytest.mark.anyio

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
WELL = Liveness(SECOND, SECOND, SECOND)
STALLED = Liveness(timedelta(hours=1), SECOND, SECOND)


@dataclass
class Call:
    method: str
    path: str
    body: str


class Outside:
    """
    A service that watches watchers.
    """

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.status = 200
        self.port = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.calls.append(Call(request.method, request.path_qs, await request.text()))
        return web.Response(status=self.status, headers={"Location": "/elsewhere"})

    def said(self) -> list[str]:
        return [call.path for call in self.calls]


@asynccontextmanager
async def serve(outside: Outside) -> AsyncIterator[None]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", outside.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", outside.port)
    await site.start()
    outside.port = runner.addresses[0][1]
    try:
        yield
    finally:
        await runner.cleanup()


class Bench:
    """
    A heartbeat over a database, and who hears it.
    """

    def __init__(self, database: Database, outside: Outside, folder: Path) -> None:
        self.outside = outside
        self.story = Story.begin(database, plan_of(entry("one")), NOON)
        self.store = StoreWorker(database)
        self.signs = WELL
        self.config = build_config(
            {"heartbeat": {"url": f"http://127.0.0.1:{outside.port}/ping/uuid-1?rid=7"}},
            Reading(folder / "config.toml", NOON, {}),
        )
        self.live = Live(snapshot_of(self.story.plan, config=self.config))
        self.clients = self.live.now.calls.clients
        self.failing: dict[str, timedelta] = {}
        guard: Any = SimpleNamespace(signs=lambda: self.signs, failing_for=lambda: self.failing)
        self.heartbeat = Heartbeat(self.live, self.store, guard)


@pytest.fixture
async def outside(anyio_backend: str) -> AsyncIterator[Outside]:
    outside = Outside()
    async with serve(outside):
        yield outside


@pytest.fixture
async def bench(
    database: Database, outside: Outside, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Bench]:
    monkeypatch.setattr(heartbeat, "utc_now", lambda: NOON)
    bench = Bench(database, outside, tmp_path)
    yield bench
    await bench.clients.aclose()
    bench.store.close()


async def test_all_is_well_is_said_to_the_url_as_it_stands(bench: Bench, outside: Outside):
    await bench.heartbeat.beat()
    assert outside.calls == [Call("GET", "/ping/uuid-1?rid=7", "")]


async def test_trouble_is_said_with_its_reason(bench: Bench, outside: Outside):
    bench.signs = STALLED
    with capture_logs() as logs:
        await bench.heartbeat.beat()
        await bench.heartbeat.beat()
        bench.signs = WELL
        await bench.heartbeat.beat()
    reason = "no due check was looked for in 3600 s"
    assert outside.calls[:2] == 2 * [Call("POST", "/ping/uuid-1/fail?rid=7", reason)]
    assert outside.said()[2] == "/ping/uuid-1?rid=7"
    assert [each["event"] for each in logs] == ["heartbeat.failing", "heartbeat.well_again"]


async def test_a_check_that_is_overdue_is_trouble(
    bench: Bench, outside: Outside, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(heartbeat, "utc_now", lambda: NOON + timedelta(hours=1))
    await bench.heartbeat.beat()
    [call] = outside.calls
    assert call.path == "/ping/uuid-1/fail?rid=7"
    assert call.body.startswith("a check has been due for ")
    with bench.story.database.write() as tx:
        connections.pause(tx, bench.story.record("one").id)
    await bench.heartbeat.beat()
    assert outside.said()[1] == "/ping/uuid-1?rid=7"


async def test_a_job_that_fails_and_fails_is_trouble(bench: Bench, outside: Outside):
    """
    Without the sweep nobody hears that an authorization ends; nothing else would be late.
    """
    bench.failing = {"sweep_clocks": 6 * MINUTE}
    await bench.heartbeat.beat()
    [call] = outside.calls
    assert call == Call(
        "POST", "/ping/uuid-1/fail?rid=7", "the job sweep_clocks has failed for 6 min"
    )


async def test_a_database_that_cannot_be_read_is_trouble_and_no_path_is_told(
    bench: Bench, outside: Outside
):
    bench.story.database.close()
    bench.story.database.path.write_bytes(b"this is no database" * 1000)
    await bench.heartbeat.beat()
    assert [(call.path, call.body) for call in outside.calls] == [
        ("/ping/uuid-1/fail?rid=7", "the database cannot be read")
    ]


async def test_a_database_that_cannot_be_written_is_trouble_until_it_can(
    bench: Bench, outside: Outside
):
    number = bench.story.record("one").id
    with full_disk(), pytest.raises(StoreError):
        await bench.store.write(lambda tx: connections.pause(tx, number))
    await bench.heartbeat.beat()
    await bench.store.write(lambda tx: connections.pause(tx, number))
    await bench.heartbeat.beat()
    assert [(call.path, call.body) for call in outside.calls] == [
        ("/ping/uuid-1/fail?rid=7", "the disk of the database is full or failing"),
        ("/ping/uuid-1?rid=7", ""),
    ]


async def test_a_database_that_hangs_is_trouble(
    bench: Bench, outside: Outside, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(heartbeat, "ANSWER_WITHIN_S", 0.05)
    hanging = asyncio.create_task(bench.store.read(lambda _: time.sleep(0.5)))
    await asyncio.sleep(0)
    await bench.heartbeat.beat()
    assert outside.calls[0].body == "the database gave no answer in 0.05 s"
    await hanging


async def test_the_start_is_said_once_and_the_rhythm_follows(
    bench: Bench, outside: Outside, monkeypatch: pytest.MonkeyPatch
):
    look = bench.heartbeat.job().work
    await look()
    await look()
    assert outside.said() == ["/ping/uuid-1/start?rid=7"]
    monkeypatch.setattr(bench.heartbeat, "_last_at", -1e9)
    await look()
    await look()
    assert outside.said()[1:] == ["/ping/uuid-1?rid=7"]


async def test_without_descriptors_the_signal_is_tried_again_at_once(
    bench: Bench, outside: Outside
):
    look = bench.heartbeat.job().work
    with capture_logs() as logs:
        with no_descriptors():
            await look()
            await look()
        await look()
        await look()
    assert [each["event"] for each in logs if "heartbeat" in each["event"]] == ["heartbeat.waits"]
    assert outside.said() == ["/ping/uuid-1?rid=7"]


async def test_checks_that_hang_hold_up_neither_the_signal_nor_the_look_at_our_link(
    bench: Bench, outside: Outside
):
    """
    Else a service that hangs would have the monitor taken for dead, or for offline.
    """
    has_come, may_end = asyncio.Event(), asyncio.Event()

    async def hang(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        has_come.set()
        await may_end.wait()
        writer.close()

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with HttpClients(1) as clients, server:
        client = clients.get()
        request = client.build_request("GET", f"http://127.0.0.1:{port}/")
        check = asyncio.create_task(fetch(client, request, MINUTE))
        await has_come.wait()
        bench.live.now = replace(
            bench.live.now, calls=replace(bench.live.now.calls, clients=clients)
        )
        plan: Any = SimpleNamespace(uplink=(f"http://127.0.0.1:{outside.port}/link",))

        async with asyncio.timeout(30):
            await bench.heartbeat.beat()
            assert await build_connectivity_check(plan, clients).check() is Connectivity.UP

        may_end.set()
        await check
    assert outside.said() == ["/ping/uuid-1?rid=7", "/link"]


async def test_without_a_url_nobody_is_called(bench: Bench, outside: Outside):
    config = build_config({}, Reading(bench.config.path, NOON, {}))
    bench.live.now = replace(bench.live.now, config=config)
    await bench.heartbeat.job().work()
    assert outside.calls == []


async def test_a_url_that_is_taken_out_while_it_looks_is_called_once_more(
    bench: Bench, outside: Outside, monkeypatch: pytest.MonkeyPatch
):
    usual = bench.store.read

    async def read_and_reload(work: Any) -> Any:
        read = await usual(work)
        config = build_config({}, Reading(bench.config.path, NOON, {}))
        bench.live.now = replace(bench.live.now, config=config)
        return read

    monkeypatch.setattr(bench.store, "read", read_and_reload)
    await bench.heartbeat.beat()
    await bench.heartbeat.job().work()
    assert outside.said() == ["/ping/uuid-1?rid=7"]


@pytest.mark.parametrize("status", [301, 404, 500])
async def test_a_refusal_is_said_once_a_streak_and_nobody_is_followed(
    bench: Bench, outside: Outside, status: int
):
    outside.status = status
    with capture_logs() as logs:
        await bench.heartbeat.beat()
        await bench.heartbeat.beat()
        outside.status = 200
        await bench.heartbeat.beat()
    assert [each["event"] for each in logs] == ["heartbeat.unreached", "heartbeat.reached_again"]
    assert logs[0]["why"] == f"127.0.0.1 answered {status}"
    assert len(outside.calls) == 3


async def test_a_url_that_cannot_be_reached_is_said_once_without_its_path(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(heartbeat, "utc_now", lambda: NOON)
    gone = Outside()
    async with serve(gone):
        pass
    bench = Bench(database, gone, tmp_path)
    try:
        with capture_logs() as logs:
            await bench.heartbeat.beat()
            await bench.heartbeat.beat()
    finally:
        await bench.clients.aclose()
        bench.store.close()
    assert [each["event"] for each in logs] == ["heartbeat.unreached"]
    assert "uuid-1" not in str(logs)


@pytest.mark.parametrize(
    ("url", "signal", "expected"),
    [
        ("https://hc.example/a", Signal.SUCCESS, "https://hc.example/a"),
        ("https://hc.example/a/", Signal.SUCCESS, "https://hc.example/a/"),
        ("https://hc.example/a", Signal.START, "https://hc.example/a/start"),
        ("https://hc.example/a/", Signal.FAIL, "https://hc.example/a/fail"),
        ("https://hc.example/a?x=1&y", Signal.FAIL, "https://hc.example/a/fail?x=1&y"),
        ("https://hc.example", Signal.START, "https://hc.example/start"),
        ("https://hc.example?x=1", Signal.FAIL, "https://hc.example/fail?x=1"),
    ],
)
def test_a_signal_stands_at_the_end_of_the_path(url: str, signal: Signal, expected: str):
    assert address_of(url, signal) == expected


@pytest.mark.parametrize(
    "url", ["http://hc.example/hunter2", "ftp://x/hunter2", "hunter2", "https://x/hunter2#a"]
)
def test_a_url_that_cannot_be_called_is_refused_and_not_repeated(tmp_path: Path, url: str):
    with pytest.raises(ConfigError) as refused:
        build_config({"heartbeat": {"url": url}}, Reading(tmp_path / "c.toml", NOON, {}))
    assert [one.place for one in refused.value.problems] == ["heartbeat.url"]
    assert "hunter2" not in str(refused.value)


# What counts as waiting.


def refused_story(database: Database) -> Story:
    """
    One connection whose confirmed refusal is told to one channel.
    """
    story = Story.begin(database, plan_of(entry("one")), NOON)
    story.evaluate(NOON, one=REFUSED)
    story.evaluate(NOON + MINUTE, one=REFUSED)
    assert story.record("one").standing.state is State.ERROR
    return story


def test_an_alert_ages_from_when_it_may_go_until_it_is_sent(database: Database):
    story = refused_story(database)
    with database.write() as tx:
        assert oldest_wait(tx, NOON + MINUTE) == timedelta()
        assert oldest_wait(tx, NOON + 21 * MINUTE) == 20 * MINUTE
        outbox.mark_failed(tx, [1], "500", NOON + timedelta(hours=5))
        # A retry that lies ahead does not make it younger.
        assert oldest_wait(tx, NOON + 21 * MINUTE) == 20 * MINUTE
        outbox.mark_sent(tx, [1], NOON + 22 * MINUTE)
        assert oldest_wait(tx, NOON + timedelta(days=1)) == timedelta()
    assert story.record("one").standing.state is State.ERROR


def test_what_is_given_up_or_waits_for_a_paused_connection_does_not_age(database: Database):
    story = refused_story(database)
    later = NOON + timedelta(days=1)
    with database.write() as tx:
        connections.pause(tx, story.record("one").id)
        assert oldest_wait(tx, later) == timedelta()
        connections.resume(tx, story.record("one"), NOON)
        outbox.mark_dead(tx, [1], "gone")
        assert oldest_wait(tx, later) == timedelta()


def test_lateness_is_that_of_the_most_overdue_of_ours(database: Database):
    story = Story.begin(database, plan_of(entry("one"), entry("two")), NOON)
    story.evaluate(NOON, one=OK)
    with database.read() as tx:
        at = story.record("two").next_check_at
        assert at is not None
        assert lateness(tx, {"two"}, at + MINUTE) == MINUTE
        assert lateness(tx, set(), at + MINUTE) == timedelta()


def test_however_many_are_not_ours_none_of_them_hides_one_that_is(database: Database):
    others = [f"other-{number}" for number in range(1001)]
    Story.begin(database, plan_of(*map(entry, others), entry("ours")), NOON)
    with database.write() as tx:
        tx.execute(update(rows).values(next_check_at=NOON - MINUTE))
        tx.execute(update(rows).where(rows.c.name == "ours").values(next_check_at=NOON))

        assert lateness(tx, {"ours"}, NOON + MINUTE) == MINUTE
