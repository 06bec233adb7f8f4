"""
A folder with Amazon stores to watch, people who are told, and an eye on every secret.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from monitor.store.engine import Database
from monitor.store.history import list_alerts
from monitor.store.migrate import HEAD, current_revision
from tests.bench import run_simulator
from tests.e2e.aged_daemon import Commands
from tests.sinks import run_web_hook
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from monitor.simulator.amazon import AmazonApplication, Grant
    from monitor.simulator.server import Simulator
    from monitor.store.history import AlertRow
    from tests.command_line import Ended
    from tests.sinks import WebHook

NO_OFFSET = timedelta()
MANY = 1000

CONFIG = """
[checks]
{checks}

[alerts]
group_wait = "1s"
remind_every = "400d"  # the clock jumps over weeks

[web]
listen = ""

[[channels]]
name = "ops"
url = "{hook}"
"""

APPLICATION = """
[[applications]]
name = "{name}"
client_id = "{client_id}"
client_secret = {{ file = "{name}.secret" }}
token_url = "{token_url}"
"""

STORE = """
[[connections]]
name = "{name}"
provider = "amazon"
application = "{application}"
region = "{region}"
refresh_token = {{ file = "{name}.token" }}
"""


class Stage:
    """
    One installation, whose clock can be moved.

    Args:
        secrets: What must be found nowhere but in its own file.
    """

    def __init__(self, folder: Path, hook: WebHook) -> None:
        self.folder = folder
        self.hook = hook
        self.commands = Commands(folder)
        self.secrets: set[str] = set()
        self.ahead = NO_OFFSET
        self._tables: list[str] = []
        self._database = Database(f"sqlite:///{folder / 'connwatch.db'}")

    def put(self, name: str, value: str) -> None:
        """
        Put a secret where the configuration says, at once and as a whole.
        """
        self.secrets.add(value)
        fresh = self.folder / "fresh"
        fresh.write_text(f"{value}\n", "utf-8")
        fresh.replace(self.folder / name)

    def add_application(self, name: str, client_id: str, secret: str, token_url: str) -> None:
        self.put(f"{name}.secret", secret)
        self._tables.append(APPLICATION.format(name=name, client_id=client_id, token_url=token_url))

    def add_store(
        self,
        name: str,
        application: str,
        token: str,
        endpoint: str | None,
        region: str = "na",
        **more: str,
    ) -> None:
        """
        Args:
            more: Further settings, their values in TOML.
        """
        self.put(f"{name}.token", token)
        table = STORE.format(name=name, application=application, region=region)
        if endpoint is not None:
            more["endpoint"] = f'"{endpoint}"'
        self._tables += [table, *(f"{key} = {value}\n" for key, value in more.items())]

    def configure(self, **checks: str) -> None:
        """
        Write the configuration.
        """
        settings = {"timeout": '"2s"', "recheck_after": '"1s"'} | checks
        lines = "\n".join(f"{key} = {value}" for key, value in settings.items())
        text = CONFIG.format(checks=lines, hook=self.hook.url())
        path = self.folder / "config.toml"
        path.touch(mode=0o600)
        path.write_text(text + "".join(self._tables), "utf-8")

    @property
    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def move_to(self, ahead: timedelta, **more: Any) -> None:
        self.ahead = ahead
        self.commands.move_to(ahead, **more)

    def check(self, *names: str) -> tuple[int, dict[str, Any]]:
        """
        Ask; return the exit code and what `check --json` says, by name.
        """
        ended = self.commands.run("check", "--json", *names)
        return ended.code, _by_name(ended)

    def shown(self) -> dict[str, Any]:
        return _by_name(self.commands.run("status", "--json"))

    def history(self, name: str) -> Any:
        return json.loads(self.commands.run("history", name, "--json").out)

    def alerts(self) -> list[AlertRow]:
        """
        Return all alerts, the first one first.
        """
        if current_revision(self._database) != HEAD:
            return []
        with self._database.read() as tx:
            return list_alerts(tx, MANY)[::-1]

    def kinds(self) -> list[str]:
        return [alert.kind for alert in self.alerts()]

    def titles(self) -> list[str]:
        return [str(body["title"]) for _, body in self.hook.posts]

    def wait_until_told(self, *kinds: str) -> None:
        """
        Return when these alerts, and no others, have been sent.
        """

        def is_told() -> bool:
            alerts = self.alerts()
            sent = all(one.state == "sent" for alert in alerts for one in alert.notifications)
            return sent and [alert.kind for alert in alerts] == [*kinds]

        wait_until(is_told, why=lambda: f"told {self.kinds()} and not {kinds}: {self.log()}")

    def log(self) -> str:
        return "".join(path.read_text("utf-8") for path in self.commands.logs)

    def expect_no_secret(self) -> None:
        """
        Look for every secret in all that was printed, logged, sent and stored.
        """
        for name in sorted({name for alert in self.alerts() for name in alert.connections})[:3]:
            self.history(name)
        stored = [path.read_bytes() for path in self.folder.glob("connwatch.db*")]
        said = "".join([*self.commands.said, self.log(), json.dumps(self.hook.posts)])
        assert self.secrets
        assert "check.finished" in said or "connections" in said
        for secret in self.secrets:
            assert secret not in said, f"{secret[:12]}… was printed, logged or sent"
            assert not any(secret.encode() in each for each in stored), f"{secret[:12]}… is stored"

    def close(self) -> None:
        self._database.close()


def _by_name(ended: Ended) -> dict[str, Any]:
    assert ended.out, ended.err
    return {each["name"]: each for each in json.loads(ended.out)["connections"]}


@contextmanager
def set_stage(folder: Path) -> Iterator[Stage]:
    """
    Open a stage; when the scene is over, nothing secret may have come out.
    """
    with run_web_hook() as hook:
        stage = Stage(folder, hook)
        try:
            yield stage
            stage.expect_no_secret()
        finally:
            stage.close()


class SimulatedAmazon:
    """
    The simulator, whose clock goes with the stage's, and which counts what it is asked.

    Args:
        exchanges: The client id of each exchange that was asked for.
    """

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator
        self.exchanges: list[str] = []
        self.issued: set[str] = set()
        amazon = simulator.amazon
        authenticate, issue = amazon.authenticate_client, amazon.access_tokens.issue_for_seller

        def count(client_id: str, value: str, now: datetime) -> Any:
            self.exchanges.append(client_id)
            return authenticate(client_id, value, now)

        def note(grant: Grant, now: datetime, *, is_of_expired_secret: bool) -> str:
            token = issue(grant, now, is_of_expired_secret=is_of_expired_secret)
            self.issued.add(token)
            return token

        amazon.authenticate_client = count  # type: ignore[method-assign]
        amazon.access_tokens.issue_for_seller = note  # type: ignore[method-assign]

    def move_to(self, ahead: timedelta) -> None:
        self.simulator.clock.offset = ahead

    def open_application(self, stage: Stage, name: str) -> AmazonApplication:
        """
        Register an application, and have the stage know it.
        """
        issued = self.simulator.amazon.add_application(name, self.simulator.clock.now())
        token_url = self.simulator.lwa_token_url
        stage.add_application(name, issued.application.client_id, issued.client_secret, token_url)
        return issued.application

    def open_store(
        self,
        stage: Stage,
        name: str,
        application: AmazonApplication,
        since: datetime | None = None,
        region: str = "na",
        **more: str,
    ) -> Grant:
        """
        Connect a store, and have the stage watch it.
        """
        issued = self.simulator.amazon.add_grant(
            application.id, region, name.title(), since or self.simulator.clock.now()
        )
        endpoint = self.simulator.region_urls[region]
        stage.add_store(name, application.name, issued.refresh_token, endpoint, region, **more)
        return issued.grant


@contextmanager
def run_amazon(stage: Stage) -> Iterator[SimulatedAmazon]:
    """
    Run a simulator for a stage.
    """
    with run_simulator(with_region_hosts=True) as simulator:
        amazon = SimulatedAmazon(simulator)
        yield amazon
        stage.secrets |= amazon.issued
