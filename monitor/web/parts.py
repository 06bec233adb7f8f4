"""Name what the web needs of the daemon.

`monitor.web.dashboard` fills it in; tests do with parts of their own.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotations when it runs

from monitor.config.renewal import consent_page_of
from monitor.engine.live import ReloadStatus

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection
    from datetime import datetime

    from monitor.config.connections import AmazonConnection
    from monitor.config.model import Config
    from monitor.config.plan import Plan
    from monitor.engine.evaluate import Evaluated
    from monitor.engine.live import Snapshot
    from monitor.store.engine import StoreWorker
    from monitor.web.hub import Hub
    from monitor.web.metrics import Metrics
    from monitor.web.overview import Overview
    from monitor.web.validations import Validations


def _ignore(_names: Collection[str]) -> None:
    """Where nothing is checked there is nothing to be void."""


async def _stay() -> None:
    """Where nothing is sent nothing stored need be followed."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What routes work with: one of these from the beginning of a request to its end.

    Args:
        now: The settings in force, and what calls services by them.
        reader: A thread for reading; the pages wait for no write.
        store: The daemon's own thread, through which everything is written.
        overview: All connections, short and sorted, without asking for each.
        validations: Runs the steps of `validate`.
        hub: Hands out what happens to everyone who listens.
        metrics: What Prometheus is told.
        wake: Has the daemon send what is due now.
        started_at: When the daemon began.
        csrf_key: Signs what changes must carry.
        calendar_key: Makes the secret addresses of the calendar and of badges.
        announce: Told of what was stored, as of every check.
        void: Has checks under way of some connections count no longer.
        follow_stored: Puts the channels and people in force that are stored.
        consent_page: Where sellers authorize an application again.
        reloads: How reading the file went.
        monotonic: Seconds of a clock that nobody sets: lengths of time are measured by it.
    """

    now: Snapshot
    reader: StoreWorker
    store: StoreWorker
    overview: Overview
    validations: Validations
    hub: Hub
    metrics: Metrics
    wake: Callable[[], None]
    clock: Callable[[], datetime]
    started_at: datetime
    csrf_key: bytes
    calendar_key: bytes
    announce: Callable[[list[Evaluated]], None]
    consent_page: Callable[[AmazonConnection], str] = consent_page_of
    reloads: ReloadStatus = field(default_factory=ReloadStatus)
    monotonic: Callable[[], float] = time.monotonic
    void: Callable[[Collection[str]], None] = _ignore
    follow_stored: Callable[[], Awaitable[None]] = _stay

    @property
    def config(self) -> Config:
        """Return the configuration in force."""
        return self.now.config

    @property
    def plan(self) -> Plan:
        """Return the plan in force."""
        return self.now.plan


def parts_of(request: Request) -> Parts:
    """Return the parts that *request* is answered with; `AccessMiddleware` put them there."""
    parts: Parts = request.state.parts
    return parts


def is_in_force(request: Request) -> bool:
    """Tell whether *request* is still answered by the settings of now."""
    return parts_of(request) is request.state.view()


Here = Annotated[Parts, Depends(parts_of)]
"""The parts, as a parameter of a route."""
