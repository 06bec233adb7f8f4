"""
Put the web application together over a test's database, and ask it without a port.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
from prometheus_client import CollectorRegistry

from monitor.check.client import HttpClients
from monitor.check.grants import Grants
from monitor.check.held import HeldTokens
from monitor.config.model import Config
from monitor.store.worker import StoreWorker
from monitor.web.counters import Metrics
from monitor.web.csrf import COOKIE, HEADER
from monitor.web.hub import Hub
from monitor.web.overview import Overview
from monitor.web.parts import Parts
from monitor.web.server import build_app
from monitor.web.validations import Validations
from tests.builders import plan_of
from tests.fakes import NOON

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from fastapi import FastAPI

    from monitor.check.base import Checker
    from monitor.cycle import Settled
    from monitor.plan import Plan
    from monitor.store.engine import Database

HOST = "http://127.0.0.1:8080"


@dataclass
class Web:
    """
    The application, one browser or program that uses it, and what it did.
    """

    parts: Parts
    app: FastAPI
    client: httpx.AsyncClient
    settled: list[Settled] = field(default_factory=list)
    wakes: list[None] = field(default_factory=list)
    now: list[Any] = field(default_factory=lambda: [NOON])

    async def get(self, path: str, **more: Any) -> httpx.Response:
        return await self.client.get(path, **more)

    async def change(
        self, path: str, method: str = "POST", headers: Mapping[str, str] | None = None, **more: Any
    ) -> httpx.Response:
        """
        Send a change as a page does: with the word that the cookie holds.
        """
        if COOKIE not in self.client.cookies:
            await self.client.get("/login")
        word = self.client.cookies[COOKIE]
        return await self.client.request(
            method, path, headers={HEADER: word} | dict(headers or {}), **more
        )

    async def log_in(self, password: str) -> httpx.Response:
        return await self.change("/login", data={"password": password})

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
    settled: list[Settled] = []
    wakes: list[None] = []

    def clock() -> Any:
        return now[0]

    reader, store = StoreWorker(database), StoreWorker(database)
    overview = Overview(plan, clock)
    validations = Validations(config, plan, checkers or {}, store, clock, settled.extend)
    usual: dict[str, Any] = {
        "config": config,
        "plan": plan,
        "reader": reader,
        "store": store,
        "overview": overview,
        "validations": validations,
        "hub": Hub(reader, overview, tuple(one.name for one in plan.channels)),
        "metrics": Metrics(CollectorRegistry(), [one.name for one in plan.channels]),
        "wake": lambda: wakes.append(None),
        "clock": clock,
        "started_at": NOON,
        "csrf_key": b"c" * 32,
        "calendar_key": b"k" * 32,
        "clients": HttpClients(1),
        "grants": Grants(),
        "held": HeldTokens(lambda value: value),
        "fingerprint": lambda value: value,
        "announce": settled.extend,
    }
    parts = Parts(**usual | replaced)
    app = build_app(parts)
    try:
        async with client_of(app) as client:
            yield Web(parts, app, client, settled, wakes, now)
    finally:
        await parts.validations.stop()
        await parts.clients.aclose()
        reader.close()
        store.close()
