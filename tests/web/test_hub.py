"""
What is told as it happens, over a real port.
"""

from __future__ import annotations

import asyncio
import json
import socket
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from monitor.config.model import Config, WebSettings
from monitor.config.secret import Secret
from monitor.judge.access import Role
from monitor.store import connections, credentials, outbox
from monitor.web import api, guard, hub
from monitor.web import server as server_web
from monitor.web.overview import Overview
from monitor.web.server import WebServer
from tests.builders import MINUTE, OK, OPS, REFUSED, Story, entry, plan_of
from tests.fakes import NOON
from tests.loopback import free_port
from tests.waiting import PATIENCE_S
from tests.web_client import open_web

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from monitor.store.engine import Database
    from tests.web_client import Web

pytestmark = pytest.mark.anyio

PLAN = plan_of(*(entry(f"c{number}") for number in range(120)), channels=[OPS])


@pytest.fixture
def story(database: Database) -> Story:
    return Story.begin(database, PLAN)


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(hub, "LOOK_EVERY_S", 0.02)
    monkeypatch.setattr(api, "HEARTBEAT_S", 0.05)
    monkeypatch.setattr(api, "RIGHTS_LAST_S", 0.02)
    monkeypatch.setattr(server_web, "TRY_AGAIN_AFTER_S", 0.02)


@asynccontextmanager
async def serve(story: Story, listen: str = "127.0.0.1:0") -> AsyncIterator[tuple[str, WebServer]]:
    """
    Serve on a port, and give out the address.
    """
    port = free_port() if listen.endswith(":0") else int(listen.rpartition(":")[2])
    config = Config(web=WebSettings(listen=f"127.0.0.1:{port}"))
    async with open_web(story.database, PLAN, config) as web:
        server = WebServer(lambda: web.parts)
        await server.start()
        try:
            yield f"http://127.0.0.1:{port}", server
        finally:
            await server.stop()


async def read_until(lines: AsyncIterator[str], wanted: str) -> list[str]:
    seen = []
    async with asyncio.timeout(PATIENCE_S):
        async for line in lines:
            seen.append(line)
            if line.startswith(wanted):
                return seen
    raise AssertionError(seen)


@asynccontextmanager
async def listening(story: Story) -> AsyncIterator[AsyncIterator[str]]:
    """
    Listen to the events: all that happens once the stream is open is told.
    """
    async with (
        serve(story) as (address, _),
        httpx.AsyncClient(base_url=address, timeout=PATIENCE_S) as client,
        client.stream("GET", "/api/v1/events") as response,
    ):
        assert response.headers["content-type"].startswith("text/event-stream")
        lines = response.aiter_lines()
        yield lines


async def test_changes_alerts_and_deliveries_are_told_as_they_happen(story):
    async with listening(story) as lines:
        story.evaluate(NOON, c1=REFUSED)
        await read_until(lines, "event: state")
        told = json.loads((await anext(lines)).removeprefix("data: "))
        assert told == {"name": "c1", "state": "error", "reason": "token_rejected"}
        story.evaluate(NOON + MINUTE, c1=REFUSED)
        await read_until(lines, "event: alert")
        assert json.loads((await anext(lines)).removeprefix("data: "))["kind"] == "error"
        with story.database.write() as tx:
            outbox.mark_sent(tx, [1], NOON + MINUTE)
        await read_until(lines, "event: sent")
        assert json.loads((await anext(lines)).removeprefix("data: ")) == {
            "alert": 1,
            "channel": "ops",
            "at": "2026-11-22T12:01:00Z",
        }


async def test_what_a_command_changes_is_told_too(story):
    async with listening(story) as lines:
        with story.database.write() as tx:
            connections.pause(tx, story.record("c2").id)
            connections.delete_connection(tx, story.record("c3"), NOON)
        seen = await read_until(lines, 'data: {"name": "c2"')
        assert 'data: {"name": "c3", "state": null, "reason": null}' in seen


async def test_more_than_can_be_told_one_by_one_is_told_in_one_word(story):
    async with listening(story) as lines:
        story.evaluate(NOON, **{f"c{number}": OK for number in range(hub.MOST_CHANGES + 1)})
        seen = await read_until(lines, "event: ")
    assert seen[-1] == "event: reload"


async def test_who_does_not_read_is_told_to_look_again(story, monkeypatch):
    monkeypatch.setattr(hub, "LOOK_EVERY_S", 0.02)
    async with open_web(story.database, PLAN) as web:
        running = asyncio.create_task(web.parts.hub.run())
        with web.parts.hub.listen() as queue:
            for number in range(hub.MOST_WAITING - 1):
                queue.put_nowait(hub.Event(hub.EventKind.STATE, {"name": str(number)}))
            async with asyncio.timeout(PATIENCE_S):
                turn = 0
                while queue.qsize() > 1:
                    turn += 1
                    story.evaluate(NOON + turn * MINUTE, c1=REFUSED if turn % 2 else OK, c2=OK)
                    await asyncio.sleep(0.05)
            assert queue.get_nowait() == hub.RELOAD
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def test_too_many_listeners_are_sent_away(story, monkeypatch):
    monkeypatch.setattr(hub, "MOST_LISTENERS", 0)
    async with open_web(story.database, PLAN) as web:
        response = await web.get("/api/v1/events")
    assert (response.status_code, response.headers["retry-after"]) == (503, "30")


async def test_of_a_burst_no_more_than_the_cap_listen(story, monkeypatch):
    """To look whether there is room and to take it were two steps."""
    monkeypatch.setattr(hub, "MOST_LISTENERS", 5)
    async with serve(story) as (address, server), asyncio.timeout(PATIENCE_S):
        statuses: asyncio.Queue[int] = asyncio.Queue()

        async def knock(client: httpx.AsyncClient) -> None:
            async with client.stream("GET", "/api/v1/events") as response:
                statuses.put_nowait(response.status_code)
                async for _ in response.aiter_lines():
                    pass

        async with (
            httpx.AsyncClient(base_url=address, timeout=PATIENCE_S) as client,
            asyncio.TaskGroup() as group,
        ):
            for _ in range(20):
                group.create_task(knock(client))
            seen = sorted([await statuses.get() for _ in range(20)])
            await server.stop()
    assert seen == [200] * 5 + [503] * 15


async def test_a_place_among_the_listeners_is_free_again_when_its_holder_goes(story, monkeypatch):
    monkeypatch.setattr(hub, "MOST_LISTENERS", 1)
    async with serve(story) as (address, _), asyncio.timeout(PATIENCE_S):
        for _ in range(3):
            async with httpx.AsyncClient(base_url=address, timeout=PATIENCE_S) as client:
                status = 503
                while status == 503:
                    async with client.stream("GET", "/api/v1/events") as response:
                        status = response.status_code
            assert status == 200


async def listen(web: Web, token: str, lines: asyncio.Queue[bytes]) -> None:
    """
    Put all that a holder of *token* is told into *lines*, until the end.
    """
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/api/v1/events",
        "query_string": b"",
        "headers": [(b"authorization", f"Bearer {token}".encode()), (b"host", b"localhost")],
    }

    async def receive() -> dict[str, object]:
        await asyncio.Event().wait()
        raise AssertionError("nobody goes away")

    async def send(message: dict[str, Any]) -> None:
        await lines.put(message.get("body", b""))

    await web.app(scope, receive, send)  # type: ignore[arg-type]


@pytest.mark.parametrize("is_busy", [False, True], ids=["nothing happens", "much happens"])
async def test_a_stream_ends_with_the_token_that_opened_it(story, is_busy):
    with story.database.write() as tx:
        token = credentials.add_api_token(tx, "ci", NOON, Role.VIEWER)
    assert token is not None
    config = Config(web=WebSettings(password=Secret("correct horse")))
    async with open_web(story.database, PLAN, config) as web, asyncio.timeout(PATIENCE_S):
        lines: asyncio.Queue[bytes] = asyncio.Queue()
        listening = asyncio.create_task(listen(web, token, lines))
        while b": still here" not in await lines.get():
            assert not listening.done()
        with story.database.write() as tx:
            credentials.revoke_api_token(tx, "ci")
        while not listening.done():
            if is_busy:
                for listener in web.parts.hub._listeners:
                    listener.queue.put_nowait(hub.RELOAD)
            await asyncio.sleep(0.01)
        await listening


NEXT_SIGN_OF_LIFE_S = 3600.0


async def listen_as_ci(web: Web, story: Story) -> asyncio.Task[None]:
    """
    Begin a stream with the token `ci`, which says nothing for an hour but what happens.
    """
    with story.database.write() as tx:
        token = credentials.add_api_token(tx, "ci", NOON, Role.VIEWER)
    assert token is not None
    lines: asyncio.Queue[bytes] = asyncio.Queue()
    listening = asyncio.create_task(listen(web, token, lines))
    while b": connwatch" not in await lines.get():
        assert not listening.done()
    return listening


async def revoke(story: Story, web: Web) -> None:
    with story.database.write() as tx:
        credentials.revoke_api_token(tx, "ci")


async def grant_anew(story: Story, web: Web) -> None:
    """
    The same token, of another group.
    """
    with story.database.write() as tx:
        tx.execute(text("UPDATE api_tokens SET groups = '[\"acme\"]'"))


async def reload_quietly(story: Story, web: Web) -> None:
    """
    Other settings, which nobody was told of: the stream had not begun to listen.
    """
    web.views.append(replace(web.parts, overview=Overview(PLAN, web.parts.clock)))


@pytest.mark.parametrize("change", [revoke, grant_anew, reload_quietly])
async def test_a_stream_does_not_outlive_its_rights_until_it_next_says_something(
    story, monkeypatch, change
):
    monkeypatch.setattr(api, "HEARTBEAT_S", NEXT_SIGN_OF_LIFE_S)
    config = Config(web=WebSettings(password=Secret("correct horse")))
    async with open_web(story.database, PLAN, config) as web, asyncio.timeout(PATIENCE_S):
        listening = await listen_as_ci(web, story)
        await change(story, web)
        await listening


async def test_a_stream_that_a_reload_overtakes_on_its_way_in_ends(story, monkeypatch):
    """It was let in by the settings of before, and came to listen after all were sent home."""
    monkeypatch.setattr(api, "HEARTBEAT_S", NEXT_SIGN_OF_LIFE_S)
    config = Config(web=WebSettings(password=Secret("correct horse")))
    on_its_way: list[Web] = []

    def monotonic() -> float:
        while on_its_way:
            on_its_way.pop().reload(PLAN)
        return 1000.0

    async with (
        open_web(story.database, PLAN, config, monotonic=monotonic) as web,
        asyncio.timeout(PATIENCE_S),
    ):
        on_its_way.append(web)
        await (await listen_as_ci(web, story))
    assert not on_its_way


async def test_a_stream_ends_with_the_session_that_opened_it(story, monkeypatch):
    monkeypatch.setattr(api, "HEARTBEAT_S", NEXT_SIGN_OF_LIFE_S)
    port = free_port()
    settings = WebSettings(listen=f"127.0.0.1:{port}", password=Secret("correct horse"))
    async with open_web(story.database, PLAN, Config(web=settings)) as web:
        server = WebServer(lambda: web.parts)
        await server.start()
        await web.log_in("correct horse")
        cookies = dict(web.client.cookies)
        async with (
            asyncio.timeout(PATIENCE_S),
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", cookies=cookies) as client,
            client.stream("GET", "/api/v1/events") as response,
        ):
            lines = response.aiter_lines()
            await read_until(lines, ": connwatch")
            await web.change("/logout")
            async for line in lines:
                assert not line
        await server.stop()


async def test_other_settings_have_everybody_come_back(story):
    async with open_web(story.database, PLAN) as web:
        with web.parts.hub.listen() as queue:
            web.reload(PLAN)
            assert [queue.get_nowait(), queue.get_nowait()] == [hub.RELOAD, None]


async def test_settings_that_come_while_it_looks_do_not_end_the_telling(story, monkeypatch):
    """They take the horizon away under the hands of who looks."""
    async with open_web(story.database, PLAN) as web, asyncio.timeout(PATIENCE_S):
        event = hub.Event

        def interrupt(*known: Any) -> hub.Event:
            monkeypatch.setattr(hub, "Event", event)
            web.reload(PLAN)
            return event(*known)

        monkeypatch.setattr(hub, "Event", interrupt)
        running = asyncio.create_task(web.parts.hub.run())
        with web.parts.hub.listen() as queue:
            turn = 0
            told: list[hub.Event | None] = []
            while not any(one and one.kind == "state" for one in told):
                assert not running.done(), running
                turn += 1
                story.evaluate(NOON + turn * MINUTE, c1=REFUSED if turn % 2 else OK)
                await asyncio.sleep(0.03)
                while not queue.empty():
                    told.append(queue.get_nowait())
        assert told[:2] == [hub.RELOAD, None]
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_a_stop_does_not_wait_for_those_who_listen(story):
    loop = asyncio.get_running_loop()
    async with (
        serve(story) as (address, server),
        httpx.AsyncClient(base_url=address, timeout=PATIENCE_S) as client,
        client.stream("GET", "/api/v1/events") as response,
    ):
        await read_until(response.aiter_lines(), ": connwatch")
        began = loop.time()
        await server.stop()
        assert loop.time() - began < server_web.STOP_WITHIN_S


async def test_an_address_that_is_taken_is_told_and_tried_again(story):
    with socket.create_server(("127.0.0.1", 0)) as taken, capture_logs() as logs:
        port = taken.getsockname()[1]
        async with serve(story, f"127.0.0.1:{port}") as (address, _):
            assert "web.not_started" in [each["event"] for each in logs]
            taken.close()
            async with (
                asyncio.timeout(PATIENCE_S),
                httpx.AsyncClient(base_url=address, timeout=PATIENCE_S) as client,
            ):
                while True:
                    try:
                        response = await client.get("/healthz")
                    except httpx.ConnectError:
                        await asyncio.sleep(0.02)
                    else:
                        break
    assert response.json() == {"status": "alive"}


async def test_who_has_asked_may_wait_for_the_answer(story, monkeypatch):
    monkeypatch.setattr(guard, "REQUEST_WITHIN_S", 0.1)
    async with listening(story) as lines:
        for _ in range(5):
            await read_until(lines, ": still here")


async def test_who_wants_the_head_of_events_does_not_wait_for_them(story):
    async with serve(story) as (address, _), httpx.AsyncClient(timeout=PATIENCE_S) as client:
        head = await client.head(f"{address}/api/v1/events", timeout=PATIENCE_S)
    assert (head.status_code, head.headers["content-type"]) == (
        200,
        "text/event-stream; charset=utf-8",
    )
