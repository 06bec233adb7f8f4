"""
A daemon with its dashboard, a simulated world to watch, and a browser's way in.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from cryptography.fernet import Fernet

from monitor.config.load import load_config
from monitor.engine.app import App
from monitor.web.dashboard import WebDashboard
from tests.bench import run_simulator
from tests.loopback import free_port
from tests.waiting import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from monitor.config.connections import AmazonConnection
    from monitor.simulator.amazon import Grant
    from monitor.simulator.server import Simulator

PASSWORD = "correct horse"

CONFIG = """
[checks]
every = "10s"
timeout = "10s"
recheck_after = "1s"

[web]
listen = "127.0.0.1:{port}"
{web}
"""

APPLICATION = """
[[applications]]
name = "our-app"
client_id = "{client_id}"
client_secret = "{client_secret}"
client_secret_created_on = 2026-09-01
application_id = "{application_id}"
redirect_url = "{redirect_url}"
token_url = "{token_url}"
{more}
"""

STORE = """
[[connections]]
name = "{name}"
provider = "amazon"
application = "our-app"
region = "na"
refresh_token = "{token}"
endpoint = "{endpoint}"
every = "65s"
{more}
"""

TOKEN = """
[[connections]]
name = "{name}"
provider = "soldscope"
base_url = "{base_url}"
token = "{token}"
{more}
"""


@dataclass
class Stage:
    """
    A folder with a configuration, and what it names.
    """

    folder: Path
    simulator: Simulator
    port: int = field(default_factory=free_port)
    grants: dict[str, Grant] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    _tables: list[str] = field(default_factory=list)
    token_id: str = ""
    _application: str = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def callback(self) -> str:
        return f"{self.url}/oauth/amazon/callback"

    def open_application(self, more: str = "") -> None:
        now = self.simulator.clock.now()
        issued = self.simulator.amazon.add_application(
            "our-app", now, redirect_uris=(self.callback,)
        )
        application = issued.application
        self._application = application.id
        self._tables.append(
            APPLICATION.format(
                client_id=application.client_id,
                client_secret=issued.client_secret,
                application_id=application.application_id,
                redirect_url=self.callback,
                token_url=self.simulator.lwa_token_url,
                more=more,
            )
        )

    def open_store(self, name: str, since: datetime | None = None, more: str = "") -> Grant:
        if not self._application:
            self.open_application()
        issued = self.simulator.amazon.add_grant(
            self._application, "na", name.title(), since or self.simulator.clock.now()
        )
        self.grants[name] = issued.grant
        self.tokens[name] = issued.refresh_token
        self._tables.append(
            STORE.format(
                name=name,
                token=issued.refresh_token,
                endpoint=self.simulator.endpoint("na"),
                more=more,
            )
        )
        return issued.grant

    def open_token(self, name: str, more: str = "", account: str = "acme") -> str:
        """
        Watch a token of an account that the simulator begins with; return the token's id.
        """
        issued = self.simulator.create_token(account, name)
        self._tables.append(
            TOKEN.format(
                name=name,
                base_url=self.simulator.soldscope_url,
                token=issued.value,
                more=more,
            )
        )
        return issued.token.id

    def add(self, table: str) -> None:
        self._tables.append(table)

    def replace(self, beginning: str, line: str) -> None:
        """
        Put *line* in the place of all lines with this beginning.
        """
        self._tables = [
            "\n".join(line if each.startswith(beginning) else each for each in table.split("\n"))
            for table in self._tables
        ]

    def configure(self, web: str = "", key: bytes | None = None) -> Path:
        if key is not None:
            web += f'\nkey = "{key.decode()}"'
        path = self.folder / "config.toml"
        path.touch(mode=0o600)
        text = CONFIG.format(port=self.port, web=web) + "".join(self._tables)
        path.write_text(text, "utf-8")
        return path

    def consent_page(self, connection: AmazonConnection) -> str:
        return self.simulator.consent_url(connection.region)


@contextmanager
def set_stage(folder: Path) -> Iterator[Stage]:
    with run_simulator() as simulator:
        yield Stage(folder, simulator)


@contextmanager
def run_daemon(
    stage: Stage, web: str = "", *, with_key: bool = True, as_configured: bool = False
) -> Iterator[None]:
    """
    Run the daemon in a thread, until the end of the block.

    Args:
        as_configured: Sellers are sent where the file says, not to the simulator's page.
    """
    config = load_config(stage.configure(web, Fernet.generate_key() if with_key else None))
    dashboard = (
        WebDashboard if as_configured else partial(WebDashboard, consent_page=stage.consent_page)
    )
    app = App(config, dashboard)
    ready = threading.Event()
    faults: list[BaseException] = []
    ends: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def live() -> None:
        stop = asyncio.Event()
        ends.append((asyncio.get_running_loop(), stop))
        running = asyncio.create_task(app.run(stop))
        while not running.done():
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", stage.port)
            except OSError:
                await asyncio.sleep(0.02)
                continue
            writer.close()
            await writer.wait_closed()
            ready.set()
            break
        await running

    def run() -> None:
        try:
            asyncio.run(live())
        except BaseException as fault:
            faults.append(fault)
            raise
        finally:
            ready.set()

    thread = threading.Thread(target=run, name="daemon")
    thread.start()
    try:
        assert ready.wait(PATIENCE_S), "the dashboard does not answer"
        assert not faults, faults
        yield
    finally:
        if ends and thread.is_alive():
            loop, stop = ends[0]
            loop.call_soon_threadsafe(stop.set)
        thread.join(PATIENCE_S)
        assert not thread.is_alive(), "the daemon does not end"
