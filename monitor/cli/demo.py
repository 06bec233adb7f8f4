"""Show the demo: a simulator, a channel, the real daemon, and a story of what breaks.

Decides who is watched, what they have left at the start, and what happens in which order. Each
step waits until the daemon has delivered the alert that the step is about. Everything lives in
a folder that is removed in the end. Frames and colours appear only on a terminal.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import shlex
import shutil
import signal
import socket
import sys
import tempfile
import textwrap
import time
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from rich import box
from rich.panel import Panel
from rich.text import Text

import monitor
from monitor.cli.children import make_mortal
from monitor.cli.errors import CommandError, print_error
from monitor.cli.output import open_console
from monitor.config.starter import write_new
from monitor.judge.alerts import AlertKind
from monitor.judge.authorizations import DEFAULT_VALID_DAYS
from monitor.judge.outbox import NotificationState
from monitor.judge.outcome import State
from monitor.simulator.inbox import start_inbox
from monitor.simulator.server import start_simulator
from monitor.store import connections, migrate
from monitor.store.engine import Database
from monitor.store.history import list_alerts

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping

    from monitor.simulator.amazon import Grant
    from monitor.simulator.inbox import Inbox, ReceivedMessage
    from monitor.simulator.server import Simulator
    from monitor.simulator.soldscope import SoldscopeToken
    from monitor.store.engine import Transaction


PRODUCTION, STAGING = "acme-production", "acme-staging"
GLOBEX, INITECH = "globex-production", "initech-production"

STORE = "globex-store-europe"
"""Its authorization is held elsewhere; only its days are counted."""

STORE_AUTHORIZED_AGO = timedelta(days=DEFAULT_VALID_DAYS - 3)

SELLER = "initech-store-america"
"""A store on Amazon, whose authorization is tried out with every check."""

APPLICATION = "our-app"

ACCOUNTS = {PRODUCTION: "acme", STAGING: "acme", GLOBEX: "globex", INITECH: "initech"}


def token_path(folder: Path, name: str) -> Path:
    """Return where the secret of a connection, or of the application, is kept."""
    return folder / f"{name}.token"


def write_config(folder: Path, simulator: Simulator, inbox: Inbox, grant: Grant, port: int) -> None:
    """Write the configuration into *folder*.

    Args:
        port: Where the dashboard is served.
    """
    tables = [
        _CONNECTION.format(
            name=name,
            base_url=simulator.soldscope_url,
            token=token_path(folder, name).name,
            tag=name.partition("-")[2],
        )
        for name in ACCOUNTS
    ]
    authorized_on = (simulator.clock.now() - STORE_AUTHORIZED_AGO).date()
    store = _STORE.format(name=STORE, authorized_on=authorized_on.isoformat())
    seller = _SELLER.format(
        application=APPLICATION,
        client_id=grant.application.client_id,
        secret=token_path(folder, APPLICATION).name,
        token_url=simulator.lwa_token_url,
        name=SELLER,
        endpoint=simulator.endpoint(grant.region),
        token=token_path(folder, SELLER).name,
        authorized_on=grant.consented_at.date().isoformat(),
    )
    text = _CONFIG.format(
        port=port,
        channel=inbox.url,
        tokens=", ".join(f'"{name}"' for name in ACCOUNTS),
        stores=f'"{STORE}", "{SELLER}"',
        tables="\n".join([*tables, store, seller]),
    )
    write_new(config_path(folder), text)


_CONFIG = """\
# Made by `connwatch demo`, which removes it when it ends.

[monitor]
database = "sqlite:///connwatch.db"

[checks]
every = "10s"
recheck_after = "1s"

[alerts]
group_wait = "1s"

[web]
listen = "127.0.0.1:{port}"

# Two, for a channel that got six messages in five minutes is sent what follows in one piece.
[[channels]]
name = "tokens"
url = "{channel}"
connections = [{tokens}]

[[channels]]
name = "stores"
url = "{channel}"
connections = [{stores}]

{tables}"""

_CONNECTION = """\
[[connections]]
name = "{name}"
provider = "soldscope"
base_url = "{base_url}"
token = {{ file = "{token}" }}
tags = ["{tag}"]
"""

_STORE = """\
[[connections]]
name = "{name}"
provider = "countdown"
authorized_on = {authorized_on}
renew_url = "https://sellercentral.amazon.co.uk/apps/manage"
"""

_SELLER = """\
[[applications]]
name = "{application}"
client_id = "{client_id}"
client_secret = {{ file = "{secret}" }}
token_url = "{token_url}"

[[connections]]
name = "{name}"
provider = "amazon"
application = "{application}"
region = "na"
endpoint = "{endpoint}"
marketplaces = ["US", "CA", "MX"]
refresh_token = {{ file = "{token}" }}
authorized_on = {authorized_on}
"""


WIDTH = 80
INDENT = 8

_COLOURS = {"failure": "red", "warning": "yellow", "info": "green"}


class Screen:
    """The place where the story is told."""

    def __init__(self) -> None:
        self._console = open_console()
        self._began_at = time.monotonic()

    def say(self, text: str, style: str = "") -> None:
        """Print a paragraph."""
        self.lines(textwrap.fill(text, self._width), style)

    def lines(self, text: str, style: str = "") -> None:
        """Print lines as they are."""
        self._console.print(Text(text, style), soft_wrap=True)

    def step(self, text: str) -> None:
        """Print what happens now, with the seconds since the start."""
        seconds = f"{time.monotonic() - self._began_at:4.0f} s"
        margin = " " * INDENT
        body = textwrap.fill(text, self._width, initial_indent=margin, subsequent_indent=margin)
        self._console.print()
        self.lines(f"{seconds:{INDENT}}{body[INDENT:]}", "bold")

    def command(self, *words: str) -> None:
        """Print the command whose output follows."""
        self._console.print()
        self.lines(f"$ {shlex.join(words)}", "cyan")

    def alert(self, message: ReceivedMessage) -> None:
        """Print an alert."""
        self._console.print()
        if not self._console.is_terminal:
            self.lines(f"ALERT   {message.title}")
            self.lines(textwrap.indent(message.body, "      | ", lambda _: True))
            return
        panel = Panel(
            Text.assemble((message.title, "bold"), "\n\n", message.body),
            title="what people are sent",
            title_align="left",
            border_style=_COLOURS.get(message.kind, "blue"),
            box=box.ROUNDED,
            width=self._width,
            padding=(0, 1),
        )
        self._console.print(panel)

    @property
    def _width(self) -> int:
        return min(self._console.width, WIDTH)


SPENT = {"acme": 2_579, "globex": 77, "initech": 970}
"""Of 10,000, of 100 and of 1,000: plenty is left, a bit more than 20 %, and 3 %."""

SELLER_CONSENTED_AGO = timedelta(days=100)

PREFIX = "connwatch-demo-"

STOP_WITHIN_S = 12
"""The daemon promises to stop within ten seconds."""

LOG_LINES_SHOWN = 12

# What would send the daemon's words or data elsewhere, or another's to it.
_FOREIGN = ("CONNWATCH_", "STATE_DIRECTORY", "CREDENTIALS_DIRECTORY", "NOTIFY_", "WATCHDOG_")


@dataclass(slots=True)
class Stage:
    """Everything that takes part in the demo.

    Args:
        tokens: The token of each connection, as the simulator knows it.
        grant: What the seller of the store on Amazon has authorized.
        port: Where the daemon serves its dashboard.
    """

    folder: Path
    simulator: Simulator
    inbox: Inbox
    tokens: dict[str, SoldscopeToken]
    grant: Grant
    port: int
    daemon: Process

    def replace_token(self, connection: str) -> None:
        """Make a new token and put it where the configuration says, as a person would."""
        account = ACCOUNTS[connection]
        issued = self.simulator.create_token(account, f"{connection} (new)")
        self.tokens[connection] = issued.token
        self._put(connection, issued.value)

    def revoke_grant(self) -> None:
        """End the authorization of the store on Amazon, as its seller can at any moment."""
        self.simulator.amazon.revoke(self.grant.id, self.simulator.clock.now())

    def renew_grant(self) -> None:
        """Let the seller authorize again, and put the new refresh token in the old one's place."""
        now = self.simulator.clock.now()
        self._put(SELLER, self.simulator.amazon.reauthorize(self.grant.id, now).refresh_token)

    def _put(self, connection: str, value: str) -> None:
        fresh = self.folder / "fresh.token"
        write_new(fresh, value)
        fresh.replace(token_path(self.folder, connection))

    def last_log_lines(self) -> str:
        """Return the end of the daemon's log."""
        text = (self.folder / "daemon.log").read_text("utf-8", errors="replace")
        return "\n".join(text.splitlines()[-LOG_LINES_SHOWN:])

    async def run(self, *words: str) -> None:
        """Run a command of connwatch, which prints."""
        command = connwatch_command(self.folder, *words)
        sys.stdout.flush()
        process = await asyncio.create_subprocess_exec(
            *command, env=_environment(os.environ), preexec_fn=make_mortal()
        )
        await process.wait()


@asynccontextmanager
async def set_stage() -> AsyncIterator[Stage]:
    """Start everything; in the end stop it and remove the folder.

    Raises:
        CommandError: There is no place for the folder.
    """
    async with AsyncExitStack() as stack:
        folder = _make_folder()
        stack.callback(_remove, folder)
        stack.enter_context(_claim(folder))
        remove_leftovers(folder.parent)
        inbox = await start_inbox()
        stack.push_async_callback(inbox.stop)
        simulator = await start_simulator()
        stack.push_async_callback(simulator.stop)
        tokens = _open_accounts(simulator, folder)
        grant = _open_store(simulator, folder)
        port = _find_free_port()
        write_config(folder, simulator, inbox, grant, port)
        daemon = await _start_daemon(folder)
        stack.push_async_callback(_end, daemon)
        yield Stage(folder, simulator, inbox, tokens, grant, port, daemon)


def _find_free_port() -> int:
    # A program that takes it before then keeps the dashboard away, not the daemon.
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def config_path(folder: Path) -> Path:
    """Return the daemon's configuration."""
    return folder / "config.toml"


def connwatch_command(folder: Path, *words: str) -> list[str]:
    """Return a command line that runs this connwatch, whatever the folder holds."""
    config = str(config_path(folder))
    return [sys.executable, "-P", "-m", "monitor", "--config", config, *words]


def _make_folder() -> Path:
    try:
        return Path(tempfile.mkdtemp(prefix=PREFIX))
    except OSError as error:
        raise CommandError(
            f"there is no place for the demo's data: {error.strerror}; make room, or name a"
            " folder in $TMPDIR"
        ) from error


LOCK = "demo.lock"


@contextmanager
def _claim(folder: Path) -> Iterator[None]:
    """Let others see that the folder is in use, until we end, however that may be."""
    with os.fdopen(os.open(folder / LOCK, os.O_CREAT | os.O_RDWR, 0o600)) as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


def remove_leftovers(place: Path) -> None:
    """Remove the folders of demos that were killed; those of others, and of running ones, stay."""
    for folder in place.glob(f"{PREFIX}*"):
        try:
            if folder.is_symlink() or folder.stat().st_uid != os.geteuid():
                continue
            with (folder / LOCK).open("r+") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder)
        except OSError:
            continue  # it is in use, or nothing that we can do anything about


def _remove(folder: Path) -> None:
    try:
        shutil.rmtree(folder)
    except OSError as error:
        print_error(f"cannot remove {folder}: {error.strerror}; please do it")


def _open_accounts(simulator: Simulator, folder: Path) -> dict[str, SoldscopeToken]:
    """Give each account its tokens and its history of spending."""
    now = simulator.clock.now()
    simulator.soldscope.add_account("initech", "Initech LLC", "it@initech.example", plan="starter")
    for account in simulator.soldscope.accounts:
        # No quota shall be refilled while someone is looking.
        account.cycle_day = (now + timedelta(days=14)).day
        simulator.soldscope.spend(account.id, SPENT[account.id], now)
    tokens = {}
    for connection, account_id in ACCOUNTS.items():
        issued = simulator.create_token(account_id, connection)
        write_new(token_path(folder, connection), issued.value)
        tokens[connection] = issued.token
    return tokens


def _open_store(simulator: Simulator, folder: Path) -> Grant:
    """Register an application with Amazon, and have a seller authorize it."""
    amazon, since = simulator.amazon, simulator.clock.now() - SELLER_CONSENTED_AGO
    registered = amazon.add_application(APPLICATION, since)
    write_new(token_path(folder, APPLICATION), registered.client_secret)
    authorized = amazon.add_grant(
        registered.application.id, "na", "Initech Store", since, marketplaces=("US", "CA", "MX")
    )
    write_new(token_path(folder, SELLER), authorized.refresh_token)
    return authorized.grant


async def _start_daemon(folder: Path) -> Process:
    log = os.open(folder / "daemon.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        # In a process group of its own, so that Ctrl-C reaches the demo alone,
        # which then ends the daemon before what the daemon talks to.
        return await asyncio.create_subprocess_exec(
            *connwatch_command(folder, "run"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=_environment(os.environ),
            process_group=0,
            preexec_fn=make_mortal(),
        )
    finally:
        os.close(log)


def _environment(present: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which this connwatch is found and no other's settings are."""
    kept = {name: value for name, value in present.items() if not name.startswith(_FOREIGN)}
    paths = [str(Path(monitor.__file__).resolve().parent.parent), kept.get("PYTHONPATH", "")]
    no_proxy = ["127.0.0.1", kept.get("NO_PROXY") or kept.get("no_proxy", "")]
    without_proxy = ",".join(filter(None, no_proxy))
    return kept | {
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "NO_PROXY": without_proxy,
        "no_proxy": without_proxy,
    }


async def _end(daemon: Process) -> None:
    if daemon.returncode is not None:
        return
    daemon.send_signal(signal.SIGTERM)
    try:
        await asyncio.wait_for(daemon.wait(), STOP_WITHIN_S)
    except TimeoutError:
        print_error(f"the daemon did not stop within {STOP_WITHIN_S} s and is killed")
        daemon.kill()
        await daemon.wait()


PATIENCE_S = 40
"""How long one step may take; usual are ten seconds."""

LOOK_EVERY_S = 0.2
ALERTS_LOOKED_AT = 100


async def run_demo(stop: asyncio.Event, seconds: float | None) -> None:
    """Show the demo until *stop* is set, or for so many *seconds*.

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
    playing = asyncio.create_task(_Story(stage, screen).play())
    tasks = waiting = {stopping, dying, showing, playing}
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
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _show_alerts(stage: Stage, screen: Screen) -> None:
    while True:
        message = await stage.inbox.messages.get()
        screen.alert(message)
        stage.inbox.messages.task_done()


class _Story:
    def __init__(self, stage: Stage, screen: Screen) -> None:
        self._stage = stage
        self._screen = screen
        self._database = Database(f"sqlite:///{stage.folder / 'connwatch.db'}")

    async def play(self) -> None:
        try:
            await self._begin()
            await self._lose_a_token()
            await self._fix_it_while_globex_spends()
            await self._lose_a_store_while_initech_spends()
            await self._win_it_back_and_upgrade()
            await self._renew()
            await self._run("status")
        finally:
            self._database.close()
        invitation = _YOUR_TURN.format(
            controls=self._stage.simulator.control_url,
            dashboard=f"http://127.0.0.1:{self._stage.port}/",
            config=shlex.quote(str(config_path(self._stage.folder))),
            command=_own_command(),
            staging=STAGING,
        )
        self._screen.lines(invitation)

    async def _begin(self) -> None:
        self._screen.step(
            "The daemon starts and checks all six. They work, but Initech has only 3% of its"
            " quota left, and the authorization of a store expires in 3 days: two alerts."
        )
        await self._until("every connection was checked", _is_all_active)
        await self._until_notified(AlertKind.QUOTA_LOW, INITECH)
        await self._until_notified(AlertKind.EXPIRING_SOON, STORE)
        await self._run("status")

    async def _lose_a_token(self) -> None:
        self._screen.step(
            f"Someone revokes the token of {STAGING}. The next check is rejected; a second later"
            " connwatch checks again, because only lasting failures are worth an alert."
        )
        soldscope = self._stage.simulator.soldscope
        token = self._stage.tokens[STAGING]
        soldscope.revoke_token(token.id, self._stage.simulator.clock.now())
        await self._until_notified(AlertKind.ERROR, STAGING)
        await self._run("status", STAGING)

    async def _fix_it_while_globex_spends(self) -> None:
        self._screen.step(
            "A new token is created and put into its file; connwatch reads it automatically. Then a"
            " job of Globex makes five more calls, and less than 20% of its quota is left."
        )
        self._stage.replace_token(STAGING)
        self._spend("globex", 5)
        await self._until_notified(AlertKind.RECOVERED, STAGING)
        await self._until_notified(AlertKind.QUOTA_LOW, GLOBEX)

    async def _lose_a_store_while_initech_spends(self) -> None:
        self._screen.step(
            f"The seller of {SELLER} revokes the authorization in Seller Central, months before it"
            " expires. The daemon checks Amazon every 15 minutes; here someone checks now. At the"
            " same time a job of Initech uses up the rest of its quota."
        )
        self._spend("initech", 1_000)
        self._stage.revoke_grant()
        await self._run("check", SELLER)
        await self._until_notified(AlertKind.ERROR, SELLER)
        await self._until_notified(AlertKind.QUOTA_EXHAUSTED, INITECH)

    async def _win_it_back_and_upgrade(self) -> None:
        self._screen.step(
            "The seller authorizes the application again. That brings a new refresh token, which is"
            " put into its file, and a new year, which is recorded. Initech moves to a larger plan,"
            " which applies at once."
        )
        self._stage.simulator.soldscope.upgrade("initech", "business")
        self._stage.renew_grant()
        await self._run("renew", SELLER)
        await self._until_notified(AlertKind.RECOVERED, SELLER)
        await self._until_notified(AlertKind.LIMIT_CHANGED, INITECH)

    async def _renew(self) -> None:
        self._screen.step(
            f"The owner of {STORE} confirms the authorization in Seller Central, and someone"
            " records that: another year begins."
        )
        await self._run("renew", STORE)
        await self._until_notified(AlertKind.RENEWED, STORE)

    async def _run(self, *words: str) -> None:
        self._screen.command("connwatch", *words)
        await self._stage.run(*words)

    def _spend(self, account: str, n: int) -> None:
        simulator = self._stage.simulator
        simulator.soldscope.spend(account, n, simulator.clock.now())

    async def _until_notified(self, kind: AlertKind, connection: str) -> None:
        """Wait until the channel took an alert, and it was printed."""

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


def _own_command() -> str:
    """Return how to call connwatch from another terminal."""
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
