"""
Put the web application together over a test's database, and ask it without a port.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import httpx
import jsonschema_rs
from prometheus_client import CollectorRegistry

from monitor.config.load import load_config
from monitor.config.model import Config
from monitor.config.plan import Describer, make_plan
from monitor.engine.live import Live
from monitor.engine.settings import FileReading
from monitor.store import connections, credentials
from monitor.store.engine import StoreWorker
from monitor.web.app import build_app
from monitor.web.hub import Hub
from monitor.web.metrics import Metrics
from monitor.web.overview import Overview
from monitor.web.parts import Parts
from monitor.web.sessions import CSRF_COOKIE, CSRF_HEADER, Attempts
from monitor.web.validations import Validations
from tests.builders import plan_of, snapshot_of
from tests.fakes import NOON

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from fastapi import FastAPI

    from monitor.config.plan import Plan
    from monitor.engine.evaluate import Evaluated
    from monitor.providers.base import Checker
    from monitor.store.engine import Database

HOST = "http://127.0.0.1:8080"


class Built:
    """
    An application that shows one database after the other, for to build one takes long.
    """

    def __init__(self) -> None:
        self.views: list[Parts] = []
        self.app = build_app(self.view)

    def view(self) -> Parts:
        return self.views[-1]

    def forget(self) -> None:
        """
        Begin anew with what an application keeps of those who asked it.
        """
        self.views = []  # not cleared: who has asked may still look at what was shown
        self.app.middleware_stack = None  # made at the first request
        self.app.state.attempts = Attempts(lambda: self.view().monotonic())


_FREE: list[Built] = []


@dataclass
class Web:
    """
    The application, one browser or program that uses it, and what it did.
    """

    views: list[Parts]
    app: FastAPI
    client: httpx.AsyncClient
    settled: list[Evaluated] = field(default_factory=list)
    wakes: list[None] = field(default_factory=list)
    now: list[Any] = field(default_factory=lambda: [NOON])
    seconds: list[float] = field(default_factory=lambda: [0.0])

    @property
    def parts(self) -> Parts:
        return self.views[-1]

    def reload(self, plan: Plan, **replaced: Any) -> None:
        """
        Go on by other settings, as after a reload.
        """
        overview = Overview(plan, self.parts.clock)
        now = replace(self.parts.now, plan=plan)
        self.views.append(replace(self.parts, now=now, overview=overview, **replaced))
        self.parts.hub.follow_reload()

    async def get(self, path: str, **more: Any) -> httpx.Response:
        return await self.client.get(path, **more)

    async def change(
        self, path: str, method: str = "POST", headers: Mapping[str, str] | None = None, **more: Any
    ) -> httpx.Response:
        """
        Send a change as a page does: with the word that the cookie holds.
        """
        if CSRF_COOKIE not in self.client.cookies:
            await self.client.get("/login")
        word = self.client.cookies[CSRF_COOKIE]
        return await self.client.request(
            method, path, headers={CSRF_HEADER: word} | dict(headers or {}), **more
        )

    async def log_in(self, password: str) -> httpx.Response:
        return await self.change("/login", data={"password": password})

    def check_described(self, name: str, answer: Any) -> None:
        """
        Fail unless *answer* is the object that the OpenAPI document calls *name*.
        """
        described = self.app.openapi() | {"$ref": f"#/components/schemas/{name}"}
        jsonschema_rs.validator_for(described, validate_formats=True).validate(answer)

    def stranger(self, **headers: str) -> httpx.AsyncClient:
        """
        Somebody else, without any cookie.
        """
        return client_of(self.app, headers)


def client_of(app: FastAPI, headers: Mapping[str, str] | None = None) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url=HOST, headers=headers)


@asynccontextmanager
async def open_web(
    database: Database,
    plan: Plan | None = None,
    config: Config | None = None,
    checkers: Mapping[str, Checker] | None = None,
    **replaced: Any,
) -> AsyncIterator[Web]:
    """
    Give out the application over *database*.

    Args:
        replaced: Other parts than the usual ones.
    """
    plan, config = plan or plan_of(), config or Config()
    now: list[Any] = [NOON]
    seconds = [1000.0]
    settled: list[Evaluated] = []
    wakes: list[None] = []

    def clock() -> Any:
        return now[0]

    reader, store = StoreWorker(database), StoreWorker(database)
    built = _FREE.pop() if _FREE else Built()
    views = built.views
    now_in_force = snapshot_of(plan, checkers, config)
    usual: dict[str, Any] = {
        "now": now_in_force,
        "reader": reader,
        "store": store,
        "overview": Overview(plan, clock),
        "validations": Validations(Live(now_in_force), store, clock, settled.extend),
        "hub": Hub(reader, lambda: views[-1].overview),
        "metrics": Metrics(CollectorRegistry(), [one.name for one in plan.channels]),
        "wake": lambda: wakes.append(None),
        "clock": clock,
        "started_at": NOON,
        "csrf_key": b"c" * 32,
        "calendar_key": b"k" * 32,
        "announce": settled.extend,
        "monotonic": lambda: seconds[0],
    }
    parts = Parts(**usual | replaced)
    views.append(parts)
    try:
        async with client_of(built.app) as client:
            yield Web(views, built.app, client, settled, wakes, now, seconds)
    finally:
        await parts.validations.stop()
        await parts.now.calls.clients.aclose()
        reader.close()
        store.close()
    built.forget()
    _FREE.append(built)


@asynccontextmanager
async def open_file(
    database: Database, folder: Path, text: str, **replaced: Any
) -> AsyncIterator[Web]:
    """
    Give out the application over a file, whose connections are rows as in the daemon.

    Args:
        replaced: Other parts than the usual ones.
    """
    path = folder / "config.toml"
    path.write_text(text)
    path.chmod(0o600)
    config = load_config(path)
    common = config.with_connections(())
    with database.write() as tx:
        key = credentials.find_or_make_key(tx, credentials.FINGERPRINT_KEY)
        reading = FileReading.of(config, key)
        taken_out = reading.store(tx)
        say = Describer(common)
        listed = [say.entry(one) for one in config.connections]
        connections.sync(tx, listed, NOON, taken_out=taken_out.names)
        connections.bring_in_line(tx, taken_out.taken_over, NOON)
        connections.end_invites(tx, taken_out.moved, NOON)
    async with open_web(database, make_plan(common, reading.settings), common, **replaced) as web:
        yield web
