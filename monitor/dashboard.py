"""
Join the web to the daemon; with `web.listen = ""` nothing of it is even loaded.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING

from monitor.clock import utc_now
from monitor.consent import consent_page_of
from monitor.counting import CountedSender
from monitor.store import keys, web_access
from monitor.store.worker import StoreWorker

if TYPE_CHECKING:
    from collections.abc import Callable

    from monitor.alert.post import Sender
    from monitor.calls import Calls
    from monitor.config.amazon import AmazonConnection
    from monitor.config.model import Config
    from monitor.cycle import Settled
    from monitor.plan import Plan
    from monitor.reloads import Reloads
    from monitor.store.engine import Database, Transaction
    from monitor.web.counters import Metrics
    from monitor.web.parts import Parts
    from monitor.web.serving import NewWeb, WebServer


class Dashboard:
    """
    The web as a part of the daemon, or nothing.

    Args:
        consent_page: Where sellers authorize an application again; another
            than Amazon's own only where there is no Amazon.
    """

    def __init__(
        self,
        config: Config,
        plan: Plan,
        database: Database,
        store: StoreWorker,
        reloads: Reloads,
        consent_page: Callable[[AmazonConnection], str] = consent_page_of,
    ) -> None:
        self._config = config
        self._plan = plan
        self._database = database
        self._store = store
        self._metrics: Metrics | None = None
        self._server: WebServer | None = None
        self._reader: StoreWorker | None = None
        self._started_at = utc_now()
        self._parts: Parts | None = None
        self._reloads = reloads
        self._consent_page = consent_page
        if config.web.listen:
            self._metrics = _make_metrics(config)
            self.note_reading(reloads)

    def note_checks(self, settled: list[Settled]) -> None:
        """
        Count checks that were stored.
        """
        if self._metrics is not None:
            self._metrics.note_checks(settled)

    def counted(self, sender: Sender) -> Sender:
        """
        Return *sender*, counted where anybody can see the count.
        """
        if self._metrics is None:
            return sender
        return CountedSender(sender, self._metrics.note_sent)

    async def start(
        self,
        calls: Calls,
        on_settled: Callable[[list[Settled]], None],
        wake: Callable[[], None],
    ) -> None:
        """
        Load the web and begin to serve; checks go on meanwhile.

        Args:
            on_settled: Told of checks that somebody asked for by a button.
            wake: Has what is due sent at once.
        """
        if self._metrics is None:
            return
        # It takes a good part of a second, in which checks must not wait.
        await asyncio.to_thread(import_module, "monitor.web.serving")
        from monitor.web.serving import WebServer

        secret_keys = await self._store.write(_find_keys)
        self._parts = self._put_together(calls, on_settled, wake, secret_keys)
        self._server = WebServer(self._parts)
        await self._server.start()

    async def prepare(self, config: Config, plan: Plan, calls: Calls) -> NewWeb | None:
        """
        Build what answers by other settings, without a word of it to anybody yet.
        """
        if self._parts is None:
            return None
        from monitor.web.overview import Overview
        from monitor.web.server import build_app
        from monitor.web.serving import NewWeb

        parts = replace(
            self._parts,
            config=config,
            plan=plan,
            overview=Overview(plan, utc_now),
            fingerprint=calls.fingerprint,
        )
        return NewWeb(parts, await asyncio.to_thread(build_app, parts))

    def adopt(self, config: Config, plan: Plan, calls: Calls, web: NewWeb | None) -> None:
        """
        Go on with other settings.

        Args:
            web: What `prepare` has built for them.
        """
        self._config, self._plan = config, plan
        if web is None or self._server is None or self._metrics is None:
            return
        channels = tuple(channel.name for channel in config.channels)
        self._parts = web.parts
        self._metrics.show_channels(channels)
        web.parts.validations.adopt(config, plan, calls.checkers)
        web.parts.hub.adopt(web.parts.overview, channels)
        self._server.adopt(web)

    def note_reading(self, reloads: Reloads) -> None:
        """
        Show how the latest reading of the file went.
        """
        if self._metrics is not None and reloads.read_at is not None:
            self._metrics.note_reading(reloads.read_at, is_success=reloads.failed_at is None)

    def _put_together(
        self,
        calls: Calls,
        on_settled: Callable[[list[Settled]], None],
        wake: Callable[[], None],
        secret_keys: tuple[bytes, bytes],
    ) -> Parts:
        from monitor.web.hub import Hub
        from monitor.web.overview import Overview
        from monitor.web.parts import Parts
        from monitor.web.validations import Validations

        assert self._metrics is not None, "without a web there are no parts"
        config, plan = self._config, self._plan
        self._reader = reader = StoreWorker(self._database)
        overview = Overview(plan, utc_now)
        csrf_key, calendar_key = secret_keys
        return Parts(
            config=config,
            plan=plan,
            reader=reader,
            store=self._store,
            overview=overview,
            validations=Validations(config, plan, calls.checkers, self._store, utc_now, on_settled),
            hub=Hub(reader, overview, tuple(channel.name for channel in config.channels)),
            metrics=self._metrics,
            wake=wake,
            clock=utc_now,
            started_at=self._started_at,
            csrf_key=csrf_key,
            calendar_key=calendar_key,
            clients=calls.clients,
            grants=calls.grants,
            held=calls.held,
            fingerprint=calls.fingerprint,
            announce=on_settled,
            consent_page=self._consent_page,
            reloads=self._reloads,
        )

    async def stop(self) -> None:
        """
        Stop serving, if it was begun.
        """
        if self._server is not None:
            await self._server.stop()
        if self._reader is not None:
            self._reader.close()


def _make_metrics(config: Config) -> Metrics:
    from prometheus_client import CollectorRegistry

    from monitor.web.counters import Metrics

    return Metrics(CollectorRegistry(), [channel.name for channel in config.channels])


def _find_keys(tx: Transaction) -> tuple[bytes, bytes]:
    return keys.find_or_make(tx, web_access.CSRF), keys.find_or_make(tx, web_access.CALENDAR)
