# ruff: noqa: TC001 - pydantic reads the annotations when the program runs
"""
Declare the tables that stand once in the file.

What the daemon does with each is decided where it is used.
"""

from __future__ import annotations

import os
import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator

from monitor.config.base import Reading, Settings, reading_of
from monitor.config.fields import (
    Count,
    Duration,
    FiveSecondsOrMore,
    OneSecondOrMore,
    TenSecondsOrMore,
)
from monitor.config.quiet_hours import QuietHours
from monitor.config.secret import Secret
from monitor.config.urls import CalledUrl, PublicUrl, is_host, is_loopback, refuse_uncallable
from monitor.config.wording import got, quoted

DATABASE_NAME = "connwatch.db"
SYSTEM_FOLDER = Path("/etc/connwatch")
SYSTEM_STATE = Path("/var/lib/connwatch")
"""Where the unit in `deploy/systemd/` has its file, and systemd its state."""

_SQLITE = "sqlite:///"
_LISTEN = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<host>[^:\[\]]+)):(?P<port>[0-9]{1,5})")
_LAST_PORT = 65_535


class MonitorSettings(Settings):
    """
    Where the daemon keeps what it knows.
    """

    database: str = Field(
        default="",
        validate_default=True,
        description=(
            'A SQLite file, as "sqlite:///connwatch.db"; a relative path is taken from the folder'
            " of this file. Default: $STATE_DIRECTORY/connwatch.db, else beside this file; for"
            " /etc/connwatch/config.toml that of the systemd unit, in /var/lib/connwatch, if there"
            " is one."
        ),
    )

    @field_validator("database", mode="before")
    @classmethod
    def _locate(cls, value: Any, info: ValidationInfo) -> str:
        reading = reading_of(info)
        folder = reading.folder if reading else Path.cwd()
        if value == "":
            value = _SQLITE + str((_find_state(reading) if reading else folder) / DATABASE_NAME)
        return _SQLITE + str(folder / _path_in(value))

    @property
    def database_path(self) -> Path:
        """
        Return the file that *database* names.
        """
        return Path(self.database.removeprefix(_SQLITE))


def _find_state(reading: Reading) -> Path:
    """
    Return the folder for the database of a file that does not name one.
    """
    # systemd lists several folders with colons between them.
    state = reading.environment.get("STATE_DIRECTORY", "").split(":")[0]
    beside = reading.folder / (state or ".")
    is_system_wide = not state and reading.folder == SYSTEM_FOLDER
    # Commands beside the unit do not see its $STATE_DIRECTORY; nor, unless they
    # are root's, into its folder: that it is there has to do.
    if is_system_wide and not os.path.lexists(beside / DATABASE_NAME):
        return SYSTEM_STATE if os.path.lexists(SYSTEM_STATE) else beside
    return beside


def _path_in(url: Any) -> str:
    if not isinstance(url, str):
        raise ValueError(f'a URL such as "sqlite:///connwatch.db", {got(url)}')  # noqa: TRY004 - pydantic collects ValueErrors only
    path = url.removeprefix(_SQLITE)
    if path == url:
        raise ValueError('only SQLite so far: write "sqlite:///" and the path of a file')
    if not path.strip("/") or path.endswith("/") or path == ":memory:":
        raise ValueError('it must be a file that outlives the daemon: "sqlite:///connwatch.db"')
    if not path.isprintable() or "?" in path or "%" in path:
        raise ValueError("no options, and none of ? % or control characters in the path")
    return path


class CheckSettings(Settings):
    """
    How often and how patiently connections are checked.
    """

    every: TenSecondsOrMore = Field(
        default=timedelta(minutes=5), description="How often a connection is checked."
    )
    timeout: OneSecondOrMore = Field(
        default=timedelta(seconds=10),
        description="How long one check may take as a whole; at most `every`.",
    )
    concurrency: Count = Field(default=200, description="How many checks run at the same time.")
    recheck_after: OneSecondOrMore = Field(
        default=timedelta(seconds=30),
        description="How soon a refusal is checked again, until it is confirmed.",
    )
    alert_after_refusals: Count = Field(
        default=2, description="How many refusals in a row are told to people."
    )
    error_after_failures: Count = Field(
        default=3, description="How many checks without an answer in a row make an error."
    )
    outage_hold: OneSecondOrMore = Field(
        default=timedelta(hours=1),
        description="How long an outage made of refusals may last before it is told as errors.",
    )
    uplink: tuple[CalledUrl, ...] = Field(
        default=(),
        description='URLs that tell "they are down" from "we are"; any answer counts as up.',
    )


def _sort_steps(steps: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted(set(steps), reverse=True))


_DaySteps = Annotated[
    tuple[Annotated[int, Field(strict=True, ge=1, le=3650)], ...], AfterValidator(_sort_steps)
]
_PercentSteps = Annotated[
    tuple[Annotated[int, Field(strict=True, ge=1, le=100)], ...], AfterValidator(_sort_steps)
]


class AlertSettings(Settings):
    """
    When people are told, and how often.
    """

    expiring_soon_days: _DaySteps = Field(
        default=(30, 14, 7, 3, 1),
        description="Days before the end of an authorization at which to warn.",
    )
    quota_low_percent: _PercentSteps = Field(
        default=(20, 10, 5), description="Percent of a quota that is left when people are warned."
    )
    quota_min_window: Duration = Field(
        default=timedelta(hours=12),
        description="Quotas that are refilled more often than this are shown, not warned about.",
    )
    remind_every: FiveSecondsOrMore = Field(
        default=timedelta(hours=24),
        description="How often people are reminded of what is critical and not acknowledged.",
    )
    group_wait: OneSecondOrMore = Field(
        default=timedelta(seconds=10),
        description="How long alerts of one kind are collected into one message.",
    )
    retry_for: FiveSecondsOrMore = Field(
        default=timedelta(hours=24),
        description="How long a notification that could not be delivered is tried again.",
    )
    quiet_hours: QuietHours | None = Field(
        default=None, description="When only critical alerts are delivered."
    )


def _check_listen(value: Any) -> str:
    if value == "":
        return ""
    match = _LISTEN.fullmatch(value) if isinstance(value, str) else None
    if match is None or not is_host(match["v6"] or match["host"]):
        found = f"got {quoted(value)}" if isinstance(value, str) else got(value)
        raise ValueError(f'an address and a port such as "127.0.0.1:8080", or "" for none, {found}')
    if int(match["port"]) > _LAST_PORT:
        raise ValueError(f"ports end at {_LAST_PORT}, got {match['port']}")
    return str(value)


def is_reachable_from_outside(listen: str) -> bool:
    """
    Tell whether an address such as `0.0.0.0:8080` is one of more than this machine.
    """
    match = _LISTEN.fullmatch(listen)
    return match is not None and not is_loopback(match["v6"] or match["host"])


class WebSettings(Settings):
    """
    The dashboard and the HTTP interface.
    """

    listen: Annotated[str, BeforeValidator(_check_listen)] = Field(
        default="127.0.0.1:8080",
        description='Where to listen; "" switches it off; beyond this machine it needs `password`.',
    )
    public_url: PublicUrl = Field(
        default="", description="The address for links in alerts; default: http://<listen>."
    )
    password: Secret | None = Field(
        default=None, description="The password of the dashboard, plain or as an Argon2 hash."
    )
    key: Secret | None = Field(
        default=None, description="The Fernet key that encrypts tokens obtained by handshake."
    )


def _require_callable(secret: Secret) -> Secret:
    return secret.require(refuse_uncallable)


class HeartbeatSettings(Settings):
    """
    The outside watcher that is told while all is well here.
    """

    url: Annotated[Secret, AfterValidator(_require_callable)] | None = Field(
        default=None, description="Called while every due check ran; with /fail when one did not."
    )
    every: TenSecondsOrMore = Field(
        default=timedelta(minutes=1), description="How often it is called."
    )
