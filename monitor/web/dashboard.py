"""Join the web to the daemon; with `web.listen = ""` nothing of it is even loaded."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING

from monitor.clock import utc_now
from monitor.config.renewal import consent_page_of
from monitor.notify.delivery import AlertError
from monitor.store import credentials
from monitor.store.engine import StoreWorker

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

    from monitor.config.connections import AmazonConnection
    from monitor.config.model import Config
    from monitor.engine.evaluate import Evaluated
    from monitor.engine.live import Live, ReloadStatus
    from monitor.notify.delivery import Sender
    from monitor.notify.message import Message
    from monitor.store.engine import Database, Transaction
    from monitor.web.metrics import Metrics
    from monitor.web.parts import Parts
    from monitor.web.server import WebServer


class CountedSender:
    """Send as *sender* does, and count it in *metrics*."""

    def __init__(self, sender: Sender, metrics: Metrics) -> None:
        self._sender = sender
        self._metrics = metrics

    def send(self, channel: str, message: Message, key: str = "") -> None:
        """Send *message* to *channel*.

        Raises:
            AlertError: It did not arrive.
        """
        try:
            self._sender.send(channel, message, key)
        except AlertError as error:
            if error.shortage is None:
                self._metrics.note_sent(channel, is_sent=False)
            raise
        self._metrics.note_sent(channel, is_sent=True)


class WebDashboard:
    """The web as a part of the daemon, or nothing.

    Args:
        consent_page: Where sellers authorize an application again; another
            than Amazon's own only where there is no Amazon.
    """

    def __init__(
        self,
        live: Live,
        database: Database,
        store: StoreWorker,
        reloads: ReloadStatus,
        consent_page: Callable[[AmazonConnection], str] = consent_page_of,
    ) -> None:
        self._live = live
        self._database = database
        self._store = store
        self._reloads = reloads
        self._consent_page = consent_page
        self._started_at = utc_now()
        self._metrics: Metrics | None = None
        self._server: WebServer | None = None
        self._parts: Parts | None = None
        if live.config.web.listen:
            self._metrics = _make_metrics(live.config)
            self.note_reading(reloads)

    def note_checks(self, evaluated: list[Evaluated]) -> None:
        """Count checks that were stored."""
        if self._metrics is not None:
            self._metrics.note_checks(evaluated)

    def counted(self, sender: Sender) -> Sender:
        """Return *sender*, counted where anybody can see the count."""
        if self._metrics is None:
            return sender
        return CountedSender(sender, self._metrics)

    async def start(
        self,
        on_evaluated: Callable[[list[Evaluated]], None],
        wake: Callable[[], None],
        void: Callable[[Collection[str]], None],
        follow_stored: Callable[[], Awaitable[None]],
    ) -> None:
        """Load the web and begin to serve; checks go on meanwhile.

        Args:
            on_evaluated: Told of checks that somebody asked for by a button.
            wake: Has what is due sent at once.
            void: Has checks under way of some connections count no longer.
            follow_stored: Puts the channels and people in force that are stored.
        """
        if self._metrics is None:
            return
        # It takes a good part of a second, in which checks must not wait.
        await asyncio.to_thread(import_module, "monitor.web.server")
        from monitor.web.server import WebServer

        csrf_key, calendar_key = await self._store.write(_find_keys)
        self._parts = replace(
            self._put_together(on_evaluated, wake, csrf_key, calendar_key),
            void=void,
            follow_stored=follow_stored,
        )
        self._server = WebServer(self._view)
        await self._server.start()

    def follow_reload(self) -> None:
        """Show the channels of now, and have everybody look at everything again."""
        if self._metrics is None or self._parts is None:
            return
        self._metrics.show_channels([channel.name for channel in self._live.config.channels])
        self._view().hub.follow_reload()

    def _view(self) -> Parts:
        """Return the parts by the settings of now, made anew when those were replaced."""
        assert self._parts is not None, "without a web there are no parts"
        now = self._live.now
        if self._parts.now is now:
            return self._parts
        overview = self._parts.overview
        if overview.plan is not now.plan:
            from monitor.web.overview import Overview

            overview = Overview(now.plan, utc_now)
        self._parts = replace(self._parts, now=now, overview=overview)
        return self._parts

    def note_reading(self, reloads: ReloadStatus) -> None:
        """Show how the latest reading of the file went."""
        if self._metrics is not None and reloads.read_at is not None:
            self._metrics.note_reading(reloads.read_at, is_success=reloads.failed_at is None)

    def _put_together(
        self,
        on_evaluated: Callable[[list[Evaluated]], None],
        wake: Callable[[], None],
        csrf_key: bytes,
        calendar_key: bytes,
    ) -> Parts:
        from monitor.web.conditions import read_own_conditions
        from monitor.web.hub import Hub
        from monitor.web.overview import Overview
        from monitor.web.parts import Parts
        from monitor.web.validations import Validations

        assert self._metrics is not None, "without a web there are no parts"
        now = self._live.now
        reader = StoreWorker(self._database)
        return Parts(
            now=now,
            reader=reader,
            store=self._store,
            overview=Overview(now.plan, utc_now),
            validations=Validations(self._live, self._store, utc_now, on_evaluated),
            hub=Hub(
                reader,
                lambda: self._view().overview,
                lambda tx: read_own_conditions(tx, self._view()),
            ),
            metrics=self._metrics,
            wake=wake,
            clock=utc_now,
            started_at=self._started_at,
            csrf_key=csrf_key,
            calendar_key=calendar_key,
            announce=on_evaluated,
            consent_page=self._consent_page,
            reloads=self._reloads,
        )

    async def stop(self) -> None:
        """Stop serving, if it was begun."""
        if self._server is not None:
            await self._server.stop()
        if self._parts is not None:
            self._parts.reader.close()


def _make_metrics(config: Config) -> Metrics:
    from prometheus_client import CollectorRegistry

    from monitor.web.metrics import Metrics

    return Metrics(CollectorRegistry(), [channel.name for channel in config.channels])


def _find_keys(tx: Transaction) -> tuple[bytes, bytes]:
    return credentials.find_or_make_key(tx, credentials.CSRF_KEY), credentials.find_or_make_key(
        tx, credentials.CALENDAR_KEY
    )
