"""
Tell the story of the demo: what breaks, who hears of it, how it is mended.

Decides what happens and in which order. Each step waits until the daemon has
delivered the alert that the step is about.
"""

from __future__ import annotations

import asyncio
import shlex
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from monitor.cli.demo_config import GLOBEX, INITECH, SELLER, STAGING, STORE
from monitor.cli.demo_screen import Screen
from monitor.cli.demo_stage import Stage, set_stage
from monitor.cli.ending import CommandError
from monitor.judge.alerts import AlertKind
from monitor.judge.outcome import State
from monitor.store import connections, migrate
from monitor.store.engine import Database
from monitor.store.history import list_alerts
from monitor.store.outbox import NotificationState

if TYPE_CHECKING:
    from collections.abc import Callable

    from monitor.store.engine import Transaction

PATIENCE_S = 40
"""How long one step may take; usual are ten seconds."""

LOOK_EVERY_S = 0.2
ALERTS_LOOKED_AT = 100


async def run_demo(stop: asyncio.Event, seconds: float | None) -> None:
    """
    Show the demo until *stop* is set, or for so many *seconds*.

    Raises:
        CommandError: The daemon ended, or something did not happen in time.
    """
    screen = Screen()
    screen.say(_OPENING)
    async with set_stage() as stage:
        await _play(stage, screen, stop, seconds)
        screen.lines("\nEnding …")
    screen.lines("Ended. The data is removed.")


async def _play(stage: Stage, screen: Screen, stop: asyncio.Event, seconds: float | None) -> None:
    stopping = asyncio.create_task(stop.wait())
    dying = asyncio.create_task(stage.daemon.wait())
    showing = asyncio.create_task(_show_alerts(stage, screen))
    telling = asyncio.create_task(_Story(stage, screen).tell())
    waiting = {stopping, dying, showing, telling}
    deadline = None if seconds is None else time.monotonic() + seconds
    try:
        while not stopping.done():
            left = None if deadline is None else max(0, deadline - time.monotonic())
            done, waiting = await asyncio.wait(
                waiting, timeout=left, return_when=asyncio.FIRST_COMPLETED
            )
            if not done or stopping in done:
                return
            if dying in done:
                raise CommandError(
                    f"the daemon ended with code {dying.result()}; the last lines of its log:\n"
                    + stage.last_log_lines()
                )
            for task in done:
                task.result()
    finally:
        for task in (stopping, dying, showing, telling):
            task.cancel()
        await asyncio.gather(stopping, dying, showing, telling, return_exceptions=True)


async def _show_alerts(stage: Stage, screen: Screen) -> None:
    while True:
        message = await stage.inbox.messages.get()
        screen.alert(message)
        stage.inbox.messages.task_done()


class _Story:
    def __init__(self, stage: Stage, screen: Screen) -> None:
        self._stage = stage
        self._screen = screen
        self._database = Database(stage.database_url)

    async def tell(self) -> None:
        try:
            await self._begin()
            await self._lose_a_token()
            await self._mend_it_while_globex_spends()
            await self._lose_a_store_while_initech_spends()
            await self._win_it_back_and_upgrade()
            await self._renew()
            await self._show_status()
        finally:
            self._database.close()
        self._screen.lines(_your_turn(self._stage))

    async def _begin(self) -> None:
        self._screen.step(
            "The daemon starts and looks at all six. They work, but Initech has only 3 % of its"
            " quota left, and the authorization of a store ends in less than 3 days: both are told"
            " at once."
        )
        await self._until("every connection was checked", _is_all_active)
        await self._until_told(AlertKind.QUOTA_LOW, INITECH)
        await self._until_told(AlertKind.EXPIRING_SOON, STORE)
        await self._show_status()

    async def _lose_a_token(self) -> None:
        self._screen.step(
            f"Someone revokes the token of {STAGING}. The next check is refused; a second later"
            " connwatch asks again, because people are woken only for what lasts."
        )
        soldscope = self._stage.simulator.soldscope
        token = self._stage.tokens[STAGING]
        soldscope.revoke_token(token.id, self._stage.simulator.clock.now())
        await self._until_told(AlertKind.ERROR, STAGING)
        await self._show_status(STAGING)

    async def _mend_it_while_globex_spends(self) -> None:
        self._screen.step(
            "A new token is made and put into its file; connwatch reads it by itself. Meanwhile"
            " a job of Globex makes five calls more, and less than 20 % is left."
        )
        self._stage.replace_token(STAGING)
        self._spend("globex", 5)
        await self._until_told(AlertKind.RECOVERED, STAGING)
        await self._until_told(AlertKind.QUOTA_LOW, GLOBEX)

    async def _lose_a_store_while_initech_spends(self) -> None:
        self._screen.step(
            f"The seller of {SELLER} revokes the authorization in Seller Central, months before its"
            " end. The daemon asks Amazon every 15 minutes; somebody asks now. Meanwhile a job of"
            " Initech uses up the rest of its quota."
        )
        self._spend("initech", 1_000)
        self._stage.revoke_grant()
        await self._run("check", SELLER)
        await self._until_told(AlertKind.ERROR, SELLER)
        await self._until_told(AlertKind.QUOTA_EXHAUSTED, INITECH)

    async def _win_it_back_and_upgrade(self) -> None:
        self._screen.step(
            "The seller authorizes the application again. That brings a new refresh token, which is"
            " put into its file, and a new year, which is recorded. Initech moves to a larger plan,"
            " which applies at once."
        )
        self._stage.simulator.soldscope.upgrade("initech", "business")
        self._stage.renew_grant()
        await self._run("renew", SELLER)
        await self._until_told(AlertKind.RECOVERED, SELLER)
        await self._until_told(AlertKind.LIMIT_CHANGED, INITECH)

    async def _renew(self) -> None:
        self._screen.step(
            f"The owner of {STORE} confirms the authorization in Seller Central, and somebody"
            " records that: another year begins."
        )
        await self._run("renew", STORE)
        await self._until_told(AlertKind.RENEWED, STORE)

    async def _show_status(self, *names: str) -> None:
        await self._run("status", *names)

    async def _run(self, *words: str) -> None:
        self._screen.command("connwatch", *words)
        await self._stage.run(*words)

    def _spend(self, account: str, n: int) -> None:
        simulator = self._stage.simulator
        simulator.soldscope.spend(account, n, simulator.clock.now())

    async def _until_told(self, kind: AlertKind, connection: str) -> None:
        """
        Wait until the channel took an alert, and it was printed.
        """

        def is_told(tx: Transaction) -> bool:
            return any(
                alert.kind == kind
                and connection in alert.connections
                and any(each.state is NotificationState.SENT for each in alert.notifications)
                for alert in list_alerts(tx, ALERTS_LOOKED_AT)
            )

        await self._until(f"the alert {kind} about {connection} came", is_told)
        await self._stage.inbox.messages.join()

    async def _until(self, what: str, is_so: Callable[[Transaction], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not await asyncio.to_thread(self._look, is_so):
            if time.monotonic() > deadline:
                raise CommandError(
                    f"it took more than {PATIENCE_S} s until {what}; the last lines of the"
                    f" daemon's log:\n{self._stage.last_log_lines()}"
                )
            await asyncio.sleep(LOOK_EVERY_S)

    def _look(self, is_so: Callable[[Transaction], bool]) -> bool:
        if migrate.current_revision(self._database) != migrate.HEAD:
            return False
        with self._database.read() as tx:
            return is_so(tx)


def _is_all_active(tx: Transaction) -> bool:
    records = connections.list_records(tx)
    return bool(records) and all(each.shown_state is State.ACTIVE for each in records)


def _your_turn(stage: Stage) -> str:
    return _YOUR_TURN.format(
        controls=stage.simulator.control_url,
        dashboard=f"http://127.0.0.1:{stage.port}/",
        config=shlex.quote(str(stage.config_path)),
        command=_own_command(),
        staging=STAGING,
    )


def _own_command() -> str:
    """
    Return how to call connwatch from another terminal.
    """
    called = Path(sys.argv[0])
    if called.name != "connwatch":
        return f"{shlex.quote(sys.executable)} -m monitor"
    found = shutil.which("connwatch")
    is_on_path = found is not None and called.exists() and Path(found).samefile(called)
    return "connwatch" if is_on_path else shlex.quote(str(called.absolute()))


_OPENING = (
    "A simulated SoldScope with three customers, a simulated Amazon, the real daemon watching"
    " four API tokens and the authorizations of two stores, and a web hook that stands for your"
    " Slack, e-mail or Telegram. The daemon looks at tokens every 10 seconds here; every"
    " 5 minutes is usual."
)

_YOUR_TURN = """
Now it is your turn. The daemon goes on, and alerts appear here.

  See the dashboard:           {dashboard}

  Break things in a browser:   {controls}
      revoke tokens and stores and give them back, spend quota, switch on faults

  Look from another terminal:
      export CONNWATCH_CONFIG={config}
      {command} status
      {command} history {staging}
      {command} alerts list

Ctrl-C ends the demo and removes its data."""
