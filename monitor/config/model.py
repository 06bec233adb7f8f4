"""
Declare the whole file: frozen settings, every table a class.

Rules that look at several entries at once are in `cross`; what the daemon does
with a setting is decided where it is used.
"""

from __future__ import annotations

from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import Field, PrivateAttr

from monitor.config.amazon import AmazonConnection
from monitor.config.application import Application
from monitor.config.base import Reading, Settings
from monitor.config.channel import Channel
from monitor.config.connection import Connection
from monitor.config.countdown import CountdownConnection
from monitor.config.providers import PROVIDERS, AnyConnection
from monitor.config.quiet_hours import QuietHours
from monitor.config.settings import (
    AlertSettings,
    CheckSettings,
    HeartbeatSettings,
    MonitorSettings,
    WebSettings,
)
from monitor.config.soldscope import SoldscopeConnection
from monitor.judge.digest import Digest

__all__ = [
    "PROVIDERS",
    "AlertSettings",
    "AmazonConnection",
    "Application",
    "Channel",
    "CheckSettings",
    "Config",
    "Connection",
    "CountdownConnection",
    "Digest",
    "HeartbeatSettings",
    "MonitorSettings",
    "QuietHours",
    "SoldscopeConnection",
    "WebSettings",
]


class Config(Settings):
    """
    Everything the file says, with defaults for what it does not.
    """

    monitor: MonitorSettings = Field(
        default_factory=MonitorSettings, description="The daemon itself."
    )
    checks: CheckSettings = Field(default=CheckSettings(), description="How checks are made.")
    alerts: AlertSettings = Field(default=AlertSettings(), description="When people are told.")
    web: WebSettings = Field(default=WebSettings(), description="The dashboard.")
    heartbeat: HeartbeatSettings = Field(
        default=HeartbeatSettings(), description="Who watches the watcher."
    )
    channels: tuple[Channel, ...] = Field(default=(), description="Where alerts are delivered.")
    applications: tuple[Application, ...] = Field(
        default=(), description="Amazon applications, each shared by its stores."
    )
    connections: tuple[AnyConnection, ...] = Field(default=(), description="What is watched.")

    _path: Path = PrivateAttr(default=Path("config.toml"))

    def model_post_init(self, context: Any, /) -> None:
        """
        Remember the file that the settings came from.
        """
        if isinstance(context, Reading):
            self._path = context.path

    @property
    def path(self) -> Path:
        """
        Return the file that the settings came from.
        """
        return self._path

    def connection(self, name: str) -> Connection | None:
        """
        Return the connection called *name*, or None.
        """
        return self._connections_by_name.get(name)

    def application(self, name: str) -> Application | None:
        """
        Return the application called *name*, or None.
        """
        return self._applications_by_name.get(name)

    @cached_property
    def _connections_by_name(self) -> dict[str, Connection]:
        return {connection.name: connection for connection in self.connections}

    @cached_property
    def _applications_by_name(self) -> dict[str, Application]:
        return {application.name: application for application in self.applications}

    def every_of(self, connection: Connection) -> timedelta:
        """
        Return how often *connection* is checked.
        """
        return connection.every or connection.own_rhythm or self.checks.every

    def timeout_of(self, connection: Connection) -> timedelta:
        """
        Return how long one check of *connection* may take, never longer than its rhythm.
        """
        return min(connection.timeout or self.checks.timeout, self.every_of(connection))

    @cached_property
    def longest_timeout(self) -> timedelta:
        """
        Return how long a check may take at most; nothing where there is none.
        """
        return max(map(self.timeout_of, self.connections), default=timedelta())
