"""
Set up what the demo shows: a simulator, a channel, a daemon, and a folder for them.

Decides what those who are watched have left at the start; who they are stands in
`demo_config`. What happens to them is decided in `demo`. The daemon is the real
one, a process of its own.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import sys
import tempfile
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import monitor
from monitor.cli.demo_config import ACCOUNTS, APPLICATION, SELLER, token_path, write_config
from monitor.cli.ending import CommandError, complain
from monitor.config.starter import write_new
from monitor.simulator.inbox import start_inbox
from monitor.simulator.server import start_simulator

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator, Mapping

    from monitor.simulator.amazon_stores import Grant
    from monitor.simulator.inbox import Inbox
    from monitor.simulator.server import Simulator
    from monitor.simulator.soldscope import Token

SPENT = {"acme": 2_579, "globex": 77, "initech": 970}
"""Of 10,000, of 100 and of 1,000: plenty is left, a bit more than 20 %, and 3 %."""

SELLER_CONSENTED_AGO = timedelta(days=100)

STOP_WITHIN_S = 12
"""The daemon promises to stop within ten seconds."""

LOG_LINES_SHOWN = 12

# What would send the daemon's words or data elsewhere, or another's to it.
_FOREIGN = ("CONNWATCH_", "STATE_DIRECTORY", "CREDENTIALS_DIRECTORY", "NOTIFY_", "WATCHDOG_")


@dataclass(slots=True)
class Stage:
    """
    Everything that takes part in the demo.

    Args:
        tokens: The token of each connection, as the simulator knows it.
        grant: What the seller of the store on Amazon has authorized.
        port: Where the daemon serves its dashboard.
    """

    folder: Path
    simulator: Simulator
    inbox: Inbox
    tokens: dict[str, Token]
    grant: Grant
    port: int
    daemon: Process

    @property
    def config_path(self) -> Path:
        """
        The daemon's configuration.
        """
        return self.folder / "config.toml"

    @property
    def database_url(self) -> str:
        """
        The daemon's database.
        """
        return f"sqlite:///{self.folder / 'connwatch.db'}"

    def replace_token(self, connection: str) -> None:
        """
        Make a new token and put it where the configuration says, as a person would.
        """
        account = ACCOUNTS[connection]
        issued = self.simulator.create_token(account, f"{connection} (new)")
        self.tokens[connection] = issued.token
        self._put(connection, issued.value)

    def revoke_grant(self) -> None:
        """
        End the authorization of the store on Amazon, as its seller can at any moment.
        """
        self.simulator.amazon.revoke(self.grant.id, self.simulator.clock.now())

    def renew_grant(self) -> None:
        """
        Let the seller authorize again, and put the new refresh token in the old one's place.
        """
        now = self.simulator.clock.now()
        self._put(SELLER, self.simulator.amazon.reauthorize(self.grant.id, now).refresh_token)

    def _put(self, connection: str, value: str) -> None:
        fresh = self.folder / "fresh.token"
        write_new(fresh, value)
        fresh.replace(token_path(self.folder, connection))

    def last_log_lines(self) -> str:
        """
        Return the end of the daemon's log.
        """
        text = (self.folder / "daemon.log").read_text("utf-8", errors="replace")
        return "\n".join(text.splitlines()[-LOG_LINES_SHOWN:])

    async def run(self, *words: str) -> None:
        """
        Run a command of connwatch, which prints.
        """
        command = connwatch_command("--config", str(self.config_path), *words)
        sys.stdout.flush()
        process = await asyncio.create_subprocess_exec(*command, env=_environment(os.environ))
        await process.wait()


@asynccontextmanager
async def set_stage() -> AsyncIterator[Stage]:
    """
    Start everything; in the end stop it and remove the folder.

    Raises:
        CommandError: There is no place for the folder.
    """
    async with AsyncExitStack() as stack:
        folder = _make_folder()
        stack.callback(_remove, folder)
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
    # Whoever takes it in the meantime keeps the dashboard away, not the daemon.
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def connwatch_command(*arguments: str) -> list[str]:
    """
    Return a command line that runs this connwatch, whatever the folder holds.
    """
    return [sys.executable, "-P", "-m", "monitor", *arguments]


def _make_folder() -> Path:
    try:
        return Path(tempfile.mkdtemp(prefix="connwatch-demo-"))
    except OSError as error:
        raise CommandError(
            f"there is no place for the demo's data: {error.strerror}; make room, or name a"
            " folder in $TMPDIR"
        ) from error


def _remove(folder: Path) -> None:
    try:
        shutil.rmtree(folder)
    except OSError as error:
        complain(f"cannot remove {folder}: {error.strerror}; please do it")


def _open_accounts(simulator: Simulator, folder: Path) -> dict[str, Token]:
    """
    Give each account its tokens and its history of spending.
    """
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
    """
    Register an application with Amazon, and have a seller authorize it.
    """
    amazon, since = simulator.amazon, simulator.clock.now() - SELLER_CONSENTED_AGO
    registered = amazon.add_application(APPLICATION, since)
    write_new(token_path(folder, APPLICATION), registered.client_secret)
    authorized = amazon.add_grant(
        registered.application.id, "na", "Initech Store", since, marketplaces=("US", "CA", "MX")
    )
    write_new(token_path(folder, SELLER), authorized.refresh_token)
    return authorized.grant


async def _start_daemon(folder: Path) -> Process:
    command = connwatch_command("--config", str(folder / "config.toml"), "run")
    log = os.open(folder / "daemon.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        # In a process group of its own, so that Ctrl-C reaches the demo alone,
        # which then ends the daemon before what the daemon talks to.
        return await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=_environment(os.environ),
            process_group=0,
        )
    finally:
        os.close(log)


def _environment(present: Mapping[str, str]) -> dict[str, str]:
    """
    Return an environment in which this connwatch is found and no other's settings are.
    """
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
        complain(f"the daemon did not stop within {STOP_WITHIN_S} s and is killed")
        daemon.kill()
        await daemon.wait()
