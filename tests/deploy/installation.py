"""
An installation of the unit on a machine, as docs/operations.md describes it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.deploy.program import ROOT
from tests.loopback import free_port
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from monitor.simulator.server import Simulator
    from tests.deploy.machine import Machine
    from tests.sinks import WebHook

UNIT = "deploy/systemd/connwatch.service"
CONFIG = "/etc/connwatch/config.toml"
STATE = "/var/lib/private/connwatch"


SETTINGS = """\
[web]
listen = "127.0.0.1:{port}"

[checks]
every = "10s"
recheck_after = "1s"

[alerts]
group_wait = "1s"

[[channels]]
name = "ops"
url = {{ credential = "secret_ops" }}
"""
CONNECTION = """
[[connections]]
name = "{name}"
provider = "soldscope"
base_url = "{base_url}"
token = {{ credential = "secret_{secret}" }}
"""


@dataclass
class Installation:
    """
    What runs on *machine*, and the outside that it sees.
    """

    machine: Machine
    simulator: Simulator
    hook: WebHook
    tokens: dict[str, Any] = field(default_factory=dict)
    port: int = field(default_factory=free_port)

    def install(self) -> None:
        """
        Put unit, settings and secrets in their places.
        """
        unit = (ROOT / UNIT).read_text(encoding="utf-8")
        self.machine.write("/etc/systemd/system/connwatch.service", unit)
        # The program's own default; shorter, or its watchdog would take the tests' time.
        self.drop_in("tests", "[Service]\nWatchdogSec=6s\nRestartSec=1s\n")
        for name in ("acme", "globex"):
            self.tokens[name] = self.simulator.create_token(name, "production")
            self.machine.write(f"/etc/connwatch/secrets/{name}", self.tokens[name].value, 0o600)
        self.machine.write("/etc/connwatch/secrets/ops", self.hook.url(), 0o600)
        self.machine.path("/etc/connwatch/secrets").chmod(0o700)
        self.configure("acme")

    def drop_in(self, name: str, text: str) -> None:
        self.machine.write(f"/etc/systemd/system/connwatch.service.d/{name}.conf", text)
        self.machine.run("systemctl", "daemon-reload")

    def configure(self, *names: str, more: str = "") -> None:
        """
        Write a file that watches the connections called *names*; anybody may read it.
        """
        tables = "".join(
            CONNECTION.format(name=name, base_url=self.simulator.soldscope_url, secret=name)
            for name in names
        )
        self.machine.write(CONFIG, SETTINGS.format(port=self.port) + tables + more)

    def systemctl(self, *arguments: str) -> str:
        """
        Give systemd an order that must succeed, or show what the daemon has to say to it.
        """
        try:
            return self.machine.run("systemctl", *arguments)
        except AssertionError as error:
            lines = self.machine.run("journalctl", "--unit=connwatch", "--no-pager", "--lines=30")
            raise AssertionError(f"{error}\n{lines}") from error

    def command(self, *arguments: str, codes: Sequence[int] = (0,)) -> str:
        """
        Run a command of the program from a root shell, far from the unit.
        """
        return self.machine.run("/opt/connwatch/bin/connwatch", *arguments, codes=codes)

    def shown(self) -> dict[str, dict[str, Any]]:
        """
        Return what `status --json` says, by name.
        """
        text = self.command("status", "--json", codes=range(4))
        return {each["name"]: each for each in json.loads(text)["connections"]}

    def state_of(self, name: str) -> str:
        return str(self.shown().get(name, {}).get("state", "unknown"))

    @property
    def main_pid(self) -> int:
        """
        Return the daemon's process, as the machine counts.
        """
        pid = int(self.machine.property("MainPID"))
        assert pid > 0, "no daemon runs"  # to `kill`, 0 means all of us
        return pid

    def owners(self) -> set[int]:
        """
        Return who owns what is in the daemon's folder, the folder included.
        """
        folder = self.machine.path(STATE)
        return {path.stat().st_uid for path in (folder, *folder.iterdir())}

    def status_of(self, pid: int) -> dict[str, str]:
        """
        Return what the kernel says of a process there.
        """
        lines = self.machine.path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
        return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}

    def wait(self, is_true: Callable[[], object]) -> None:
        wait_until(is_true)


def state_file(machine: Machine, name: str) -> Path:
    return machine.path(f"{STATE}/{name}")
