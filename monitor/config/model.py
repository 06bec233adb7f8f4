"""Declare the whole file: frozen settings, every table a class.

What the daemon does with a setting is decided where it is used. Rules that look at several entries
at once are in `load`, which channels receive an alert is decided in `monitor.judge.routing`.
"""

from __future__ import annotations

import os
import re
from datetime import time, timedelta
from functools import cached_property, lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self, get_args, get_origin
from urllib.parse import quote

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    PrivateAttr,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from monitor.config.commands import REFRESH_EVERY
from monitor.config.connections import AmazonConnection, Application, Connection
from monitor.config.errors import did_you_mean, got, got_text, place_of, quoted
from monitor.config.examination import SecretUse
from monitor.config.hosts import AllowedHosts, check_allowed_host
from monitor.config.registry import AnyConnection
from monitor.config.secret import ProxyUrl, Secret, must_pass, must_serve, secret_fields
from monitor.config.sources import AnySource
from monitor.config.values import (
    CalledUrl,
    Count,
    Duration,
    FiveSecondsOrMore,
    HeaderName,
    Name,
    OneSecondOrMore,
    PublicUrl,
    Reading,
    RelativePath,
    Settings,
    SomeNames,
    TenSecondsOrMore,
    choice_of,
    is_host,
    is_loopback,
    reading_of,
    refuse_uncallable,
)
from monitor.config.zones import ZoneName, read_zone
from monitor.judge.access import Access, Role
from monitor.judge.alerts import AlertKind, Severity
from monitor.judge.connections import OWNER_FILE
from monitor.judge.invites import PATH
from monitor.judge.routing import Digest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from datetime import tzinfo


# ruff: noqa: TC001 - pydantic reads the annotations when the program runs

# --- quiet hours

_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])", re.ASCII)


def _read_time(value: Any) -> time:
    match = _TIME.fullmatch(value) if isinstance(value, str) else None
    if match is not None:
        return time(int(match[1]), int(match[2]))
    if isinstance(value, time):
        raise ValueError(f'a time in quotes: write "{value:%H:%M}"')  # noqa: TRY004 - pydantic collects ValueErrors only
    raise ValueError(f'a time of day such as "22:00", {got_text(value)}')


TimeOfDay = Annotated[
    time,
    BeforeValidator(_read_time),
    PlainSerializer(lambda moment: f"{moment:%H:%M}", return_type=str),
    WithJsonSchema({"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$"}),
]


class QuietHours(Settings):
    """A span of each day; it goes over midnight where it ends before it starts."""

    zone: ZoneName | None = Field(
        default=None,
        description="The time zone of both times; default: `timezone` of the same table.",
    )
    start: TimeOfDay = Field(alias="from", description="When quiet begins.")
    end: TimeOfDay = Field(alias="to", description="When quiet ends.")

    @model_validator(mode="after")
    def _refuse_no_time(self) -> Self:
        if self.start == self.end:
            raise ValueError("it ends when it begins: write two different times")
        return self


# --- tables that stand once

DATABASE_NAME = "connwatch.db"
SYSTEM_FOLDER = Path("/etc/connwatch")
SYSTEM_STATE = Path("/var/lib/connwatch")
"""Where the unit in `deploy/systemd/` has its file, and systemd its state."""

_SQLITE = "sqlite:///"
_LISTEN = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<host>[^:\[\]]+)):(?P<port>[0-9]{1,5})")
_LAST_PORT = 65_535


class MonitorSettings(Settings):
    """Where the daemon keeps what it knows."""

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
        """Return the file that *database* names."""
        return Path(self.database.removeprefix(_SQLITE))


def _find_state(reading: Reading) -> Path:
    """Return the folder for the database of a file that does not name one."""
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
    """How often and how patiently connections are checked."""

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
        description="How soon a rejection is checked again, until it is confirmed.",
    )
    alert_after_refusals: Count = Field(
        default=2, description="How many rejections in a row are an error."
    )
    error_after_failures: Count = Field(
        default=3, description="How many checks without a response in a row are an error."
    )
    outage_hold: OneSecondOrMore = Field(
        default=timedelta(hours=1),
        description="How long an outage made of rejections may last before error alerts are sent.",
    )
    proxy: ProxyUrl | None = Field(
        default=None,
        description="The URL of an HTTP proxy for checks, uplinks, heartbeat; default: none.",
    )
    secrets_refresh: TenSecondsOrMore = Field(
        default=REFRESH_EVERY,
        description="How often a command that prints a secret is run again.",
    )
    uplink: tuple[CalledUrl, ...] = Field(
        default=(),
        description="URLs that show whether this machine is online; any response counts as up.",
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
    """When alerts are sent, and how often."""

    expiring_soon_days: _DaySteps = Field(
        default=(30, 14, 7, 3, 1),
        description="Days before an authorization expires at which to warn.",
    )
    quota_low_percent: _PercentSteps = Field(
        default=(20, 10, 5), description="Percent of a quota left at which to warn."
    )
    quota_min_window: Duration = Field(
        default=timedelta(hours=12),
        description="Quotas that are refilled more often than this are shown, not warned about.",
    )
    remind_every: FiveSecondsOrMore = Field(
        default=timedelta(hours=24),
        description="How often a critical alert is repeated until it is acknowledged.",
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
    timezone: ZoneName = Field(
        default="UTC", description="The time zone of the times that people read: an IANA name."
    )

    @property
    def zone(self) -> tzinfo:
        """Return the zone of the times that people read."""
        return read_zone(self.timezone)


def _check_listen(value: Any) -> str:
    if value == "":
        return ""
    match = _LISTEN.fullmatch(value) if isinstance(value, str) else None
    if match is None or not is_host(match["v6"] or match["host"]):
        form = 'an address and a port such as "127.0.0.1:8080", or "" for none'
        raise ValueError(f"{form}, {got_text(value)}")
    if int(match["port"]) > _LAST_PORT:
        raise ValueError(f"ports end at {_LAST_PORT}, got {match['port']}")
    return str(value)


def is_reachable_from_outside(listen: str) -> bool:
    """Tell whether an address such as `0.0.0.0:8080` is one of more than this machine."""
    match = _LISTEN.fullmatch(listen)
    return match is not None and not is_loopback(match["v6"] or match["host"])


def _check_network(value: str) -> str:
    try:
        ip_network(value)
    except ValueError as error:
        hint = ""
        if "host bits" in str(error):
            hint = f"; did you mean {quoted(str(ip_network(value, strict=False)))}?"
        form = 'an address or network such as "127.0.0.1" or "10.0.0.0/8"'
        raise ValueError(f"{form}, got {quoted(value)}{hint}") from None
    return value


_NOT_FOR_NAMES = {
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "cookie",
    "forwarded",
    "host",
    "origin",
    "referer",
    "x-csrf-token",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
}
"""Headers that browsers and proxies send about other things than who signed in."""


def _check_names_header(name: str) -> str:
    if name.lower() in _NOT_FOR_NAMES:
        raise ValueError(
            f"{quoted(name)} does not say who signed in: name the header in which the proxy sends"
            ' the user, such as "Remote-User"'
        )
    return name


class ProxyAuthSettings(Settings):
    """The proxies that stand before the dashboard."""

    header: Annotated[HeaderName, AfterValidator(_check_names_header)] | None = Field(
        default=None,
        description="The header in which such a proxy names the user who signed in, such as"
        ' "Remote-User"; default: it signs in no one.',
    )
    trusted: Annotated[
        tuple[Annotated[str, AfterValidator(_check_network)], ...], Field(min_length=1)
    ] = Field(
        description="Addresses and networks of proxies: `header` and X-Forwarded-For are believed"
        " from these only.",
    )


ADMIN = "admin"
"""The user that `web.password` makes, and who logs in without a name."""


class OwnedSettings(Settings):
    """A table that the file or the dashboard may hold."""

    _owner: str = PrivateAttr(default=OWNER_FILE)

    @property
    def owner(self) -> str:
        """Return who wrote it: the file, or the dashboard."""
        return self._owner

    def belong_to(self, owner: str) -> None:
        """Note who wrote it, if that was not the file."""
        self._owner = owner


class WebUser(OwnedSettings):
    """Somebody who may sign in to the dashboard."""

    name: Name = Field(description="The name to log in with, or the one that the proxy sends.")
    password: Annotated[Secret, must_serve(SecretUse.PASSWORD)] | None = Field(
        default=None,
        description="The password, plain or as an Argon2 hash; required without"
        " `proxy_auth.header`.",
    )
    role: Annotated[Role, BeforeValidator(choice_of(Role))] = Field(
        description="What they may do: read (viewer); also validate, pause, acknowledge, mute and"
        " renew (operator); everything (admin)."
    )
    groups: SomeNames | None = Field(
        default=None,
        description="Only connections of these groups, and nothing of the others; default: all;"
        " not for admin.",
    )

    @property
    def access(self) -> Access:
        """Return what they may do and see."""
        return Access(self.role, None if self.groups is None else frozenset(self.groups))


class WebSettings(Settings):
    """The dashboard and the HTTP interface."""

    listen: Annotated[str, BeforeValidator(_check_listen)] = Field(
        default="127.0.0.1:8080",
        description='Where to listen; "" switches it off; beyond this machine it needs `password`,'
        " `users` or `proxy_auth`.",
    )
    public_url: PublicUrl = Field(
        default="", description="The address for links in alerts; default: http://<listen>."
    )
    password: Annotated[Secret, must_serve(SecretUse.PASSWORD)] | None = Field(
        default=None,
        description="The password of the user admin, plain or as an Argon2 hash.",
    )
    users: tuple[WebUser, ...] = Field(
        default=(), description="Who may sign in, and what they may do and see."
    )
    key: Annotated[Secret, must_serve(SecretUse.HEADER_TOKEN)] | None = Field(
        default=None, description="The Fernet key that encrypts tokens obtained by handshake."
    )
    old_keys: tuple[Annotated[Secret, must_serve(SecretUse.HEADER_TOKEN)], ...] = Field(
        default=(),
        description="Former keys: they still decrypt, until `connwatch keys rotate` was run.",
    )
    allowed_hosts: tuple[Annotated[str, BeforeValidator(check_allowed_host)], ...] = Field(
        default=(),
        description="Names, addresses and networks that are not public and may be called all the"
        " same by what is set up outside this file.",
    )
    proxy_auth: ProxyAuthSettings | None = Field(
        default=None, description="The trusted proxies in front of the dashboard."
    )

    @property
    def is_open(self) -> bool:
        """Tell whether everybody who reaches it may do everything, since nobody can sign in."""
        return self.password is None and not self.users and self.proxy_auth is None

    @property
    def accounts(self) -> tuple[WebUser, ...]:
        """Return all who may sign in, with the one that `password` makes."""
        if self.password is None:
            return self.users
        admin = WebUser.model_construct(name=ADMIN, password=self.password, role=Role.ADMIN)
        return (admin, *self.users)

    @property
    def file_users(self) -> tuple[WebUser, ...]:
        """Return the users that the file has."""
        return tuple(one for one in self.users if one.owner == OWNER_FILE)

    def with_people(self, others: Iterable[WebUser]) -> WebSettings:
        """Return the same settings with the file's users, and those *others* that it lacks."""
        own = self.file_users
        names = {one.name for one in own} | ({ADMIN} if self.password is not None else set())
        added = tuple(one for one in others if one.name not in names)
        return self.model_copy(update={"users": (*own, *added)})

    def account(self, name: str) -> WebUser | None:
        """Return who signs in as *name*."""
        return next((one for one in self.accounts if one.name == name), None)

    @cached_property
    def reachable(self) -> AllowedHosts:
        """Return what may be called by connections and channels that are not in the file."""
        return AllowedHosts.of(self.allowed_hosts)

    @cached_property
    def trusted_proxies(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """Return the networks of the proxies whose word counts."""
        trusted = () if self.proxy_auth is None else self.proxy_auth.trusted
        return tuple(ip_network(one) for one in trusted)


class HeartbeatSettings(Settings):
    """The outside service that is called while all is well here."""

    url: Annotated[Secret, must_pass(refuse_uncallable)] | None = Field(
        default=None, description="Called while every due check ran; with /fail when one did not."
    )
    every: TenSecondsOrMore = Field(
        default=timedelta(minutes=1), description="How often it is called."
    )


# --- channels

_KINDS = tuple(kind.value for kind in AlertKind)


def _check_kind(kind: str) -> str:
    if kind not in _KINDS:
        hint = did_you_mean(kind, _KINDS)
        known = "" if hint else f"; known: {', '.join(_KINDS)}"
        raise ValueError(f"unknown kind {quoted(kind)}{hint}{known}")
    return kind


Kind = Annotated[
    str, AfterValidator(_check_kind), WithJsonSchema({"type": "string", "enum": list(_KINDS)})
]


class Channel(OwnedSettings):
    """A place where alerts are delivered."""

    name: Name = Field(description="The name of the channel, used everywhere.")
    url: Secret = Field(description="An Apprise URL: e-mail, Slack, Telegram, a webhook, …")
    kinds: Annotated[frozenset[Kind], Field(min_length=1)] | None = Field(
        default=None,
        description="The kinds of alert it receives; default: all but digest, resumed.",
    )
    min_severity: Annotated[Severity, BeforeValidator(choice_of(Severity))] = Field(
        default=Severity.INFO, description="The least severity it receives."
    )
    tags: SomeNames = Field(
        default=(), description="Only connections with one of these tags; default: all."
    )
    connections: SomeNames = Field(
        default=(), description="Only these connections, by name; default: all."
    )
    groups: SomeNames = Field(
        default=(),
        description="Only connections of these groups, and nothing about the others or about"
        " connwatch itself; default: all.",
    )
    template: RelativePath | None = Field(
        default=None, description="A Jinja2 file with the text of its messages; default: built in."
    )
    quiet_hours: QuietHours | None = Field(
        default=None, description="When only critical alerts are delivered here."
    )
    digest: Annotated[Digest, BeforeValidator(choice_of(Digest))] | None = Field(
        default=None, description="How often a summary is sent here; default: never."
    )
    timezone: ZoneName | None = Field(
        default=None,
        description="The time zone of the times in its messages; default: that of `alerts`.",
    )
    renewal_links: bool = Field(
        default=True,
        description="Whether its messages carry links with which a store is renewed without a"
        " login; else they name a page at Amazon.",
    )


# --- groups


class Group(Settings):
    """What people read of a group; connections name theirs with `group`."""

    name: Name = Field(description="The name of the group, as connections write it.")
    title: str = Field(
        default="", description="What people read in the place of its name; default: the name."
    )
    notes: str = Field(default="", description="What the next person should know.")


# --- the file


def secret_keys(kind: type[Settings]) -> frozenset[str]:
    """Return the keys of a table that may hold secrets."""
    return frozenset(key for _, key in secret_fields(kind))


def list_secrets(table: Settings) -> Iterator[tuple[tuple[str | int, ...], Secret]]:
    """Yield the secrets of *table*, each with the keys below which it stands there."""
    for name, key in secret_fields(type(table)):
        for keys, value in _list_values(getattr(table, name)):
            if isinstance(value, Secret):
                yield (key, *keys), value
    for name, key in _inner_lists(type(table)):
        for position, inner in enumerate(getattr(table, name)):
            for keys, secret in list_secrets(inner):
                yield (key, position, *keys), secret


def _list_values(value: Any) -> Iterable[tuple[tuple[str | int, ...], Any]]:
    """Return what stands in *value*: itself, or the entries of a table or list."""
    if isinstance(value, dict):
        return [((inner,), each) for inner, each in value.items()]
    if isinstance(value, tuple):
        return [((position,), each) for position, each in enumerate(value)]
    return [((), value)]


@lru_cache
def _inner_lists(kind: type[Settings]) -> tuple[tuple[str, str], ...]:
    """Return the fields of a table that are lists of tables, each with its key in the file."""
    return tuple(
        (name, field.alias or name)
        for name, field in kind.model_fields.items()
        if get_origin(field.annotation) is tuple and _is_table(get_args(field.annotation)[0])
    )


def _is_table(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Settings)


def place_secrets(table: Settings, form: str, entry: int | str, refresh_every: timedelta) -> None:
    """Have each secret of *table* know where it stands in the file."""
    for keys, secret in list_secrets(table):
        secret.stand_at(_form_of(form, *keys), entry)
        secret.repeat_every(refresh_every)


@lru_cache(maxsize=1024)
def _form_of(form: str, *path: str | int) -> str:
    # Kept once for all entries; braces in a name of the file are no place for a number.
    return f"{form}.{place_of(path).replace('{', '{{').replace('}', '}}')}"


class Config(Settings):
    """Everything the file says, with defaults for what it does not."""

    monitor: MonitorSettings = Field(
        default_factory=MonitorSettings, description="The daemon itself."
    )
    checks: CheckSettings = Field(default=CheckSettings(), description="How checks are made.")
    alerts: AlertSettings = Field(default=AlertSettings(), description="When alerts are sent.")
    web: WebSettings = Field(default=WebSettings(), description="The dashboard.")
    heartbeat: HeartbeatSettings = Field(
        default=HeartbeatSettings(), description="A dead man's switch for connwatch itself."
    )
    channels: tuple[Channel, ...] = Field(default=(), description="Where alerts are delivered.")
    applications: tuple[Application, ...] = Field(
        default=(), description="Amazon applications, each shared by its stores."
    )
    connections: tuple[AnyConnection, ...] = Field(default=(), description="What is monitored.")
    groups: tuple[Group, ...] = Field(
        default=(), description="Titles and notes of groups of connections."
    )
    sources: tuple[AnySource, ...] = Field(
        default=(), description="Lists of more connections, outside this file."
    )

    _path: Path = PrivateAttr(default=Path("config.toml"))
    _written: tuple[dict[str, Any], ...] = PrivateAttr(default=())
    _outside: frozenset[str] = PrivateAttr(default=frozenset())

    def model_post_init(self, context: Any, /) -> None:
        """Remember the file that the settings came from."""
        if isinstance(context, Reading):
            self._path = context.path
        for section in type(self).model_fields:
            content = getattr(self, section)
            is_list = isinstance(content, tuple)
            for entry, table in enumerate(content if is_list else (content,)):
                place_secrets(
                    table,
                    section + ("[{}]" if is_list else ""),
                    entry,
                    self.checks.secrets_refresh,
                )

        for connection in self.connections:
            self.complete(connection)

    def complete(self, connection: Connection) -> None:
        """Give *connection* what it takes from other tables."""
        if isinstance(connection, AmazonConnection):
            connection.belong_to(self.application(connection.application))

    @property
    def path(self) -> Path:
        """Return the file that the settings came from."""
        return self._path

    @property
    def written(self) -> tuple[dict[str, Any], ...]:
        """Return the entries of the connections as the file writes them, secrets included."""
        return self._written

    def remember(self, written: Sequence[dict[str, Any]]) -> None:
        """Remember the entries of the connections as the file writes them."""
        self._written = tuple(written)

    def with_connections(
        self, connections: Iterable[Connection], outside: Collection[str] = ()
    ) -> Config:
        """Return the same settings with other connections, or none: what all have in common.

        Args:
            outside: The names of those that are not in the file.
        """
        kept = self.model_copy(update={"connections": tuple(connections)})
        kept._written = ()  # noqa: SLF001 - of the same class
        kept._outside = frozenset(outside)  # noqa: SLF001 - of the same class
        for name in ("_connections_by_name", "longest_timeout"):
            kept.__dict__.pop(name, None)
        return kept

    @property
    def file_channels(self) -> tuple[Channel, ...]:
        """Return the channels that the file has."""
        return tuple(one for one in self.channels if one.owner == OWNER_FILE)

    def with_channels(self, others: Iterable[Channel]) -> Config:
        """Return the same settings with the file's channels, and those *others* that it lacks."""
        own = self.file_channels
        names = {one.name for one in own}
        added = tuple(one for one in others if one.name not in names)
        return self.model_copy(update={"channels": (*own, *added)})

    def with_people(self, others: Iterable[WebUser]) -> Config:
        """Return the same settings with the file's users, and those *others* that it lacks."""
        return self.model_copy(update={"web": self.web.with_people(others)})

    @property
    def reach_of_channels(self) -> dict[str, AllowedHosts]:
        """Return what channels that are not in the file may call beside public addresses."""
        return {one.name: self.web.reachable for one in self.channels if one.owner != OWNER_FILE}

    def connection(self, name: str) -> Connection | None:
        """Return the connection called *name*, or None."""
        return self._connections_by_name.get(name)

    def application(self, name: str) -> Application | None:
        """Return the application called *name*, or None."""
        return self._applications_by_name.get(name)

    def reach_of(self, connection: Connection) -> AllowedHosts | None:
        """Return what a check of *connection* may call beside public addresses; None for all."""
        return self.web.reachable if connection.name in self._outside else None

    @cached_property
    def _connections_by_name(self) -> dict[str, Connection]:
        return {connection.name: connection for connection in self.connections}

    @cached_property
    def _applications_by_name(self) -> dict[str, Application]:
        return {application.name: application for application in self.applications}

    def zone_of(self, channel: str) -> tzinfo:
        """Return the zone of the times in messages to *channel*."""
        own = next((one.timezone for one in self.channels if one.name == channel), None)
        return read_zone(own) if own else self.alerts.zone

    def every_of(self, connection: Connection) -> timedelta:
        """Return how often *connection* is checked."""
        return connection.every or connection.own_rhythm or self.checks.every

    def timeout_of(self, connection: Connection) -> timedelta:
        """Return how long one check of *connection* may take, never longer than its rhythm."""
        return min(connection.timeout or self.checks.timeout, self.every_of(connection))

    @property
    def own_proxy(self) -> Secret | None:
        """Return the proxy for calls that are no connection's: uplinks, heartbeat."""
        return self.checks.proxy or None

    def proxy_of(self, connection: Connection) -> Secret | None:
        """Return the proxy for checks of *connection*; None where there is none."""
        return self.own_proxy if connection.proxy is None else connection.proxy or None

    @cached_property
    def longest_timeout(self) -> timedelta:
        """Return how long a check may take at most; nothing where there is none."""
        return max(map(self.timeout_of, self.connections), default=timedelta())


def dashboard_address(config: Config) -> str | None:
    """Return the address of the dashboard, without a slash at its end; None if it is off."""
    if not config.web.listen:
        return None
    return (config.web.public_url or f"http://{config.web.listen}").rstrip("/")


def renewal_address(config: Config, token: str) -> str:
    """Return the address of the page that the *token* of an invite opens."""
    return f"{config.web.public_url.rstrip('/')}{PATH}{token}"


def link_to(config: Config, connections: Sequence[str]) -> str | None:
    """Return the page about *connections*: its own for one, the list for several."""
    address = dashboard_address(config)
    if address is None:
        return None
    if len(connections) == 1:
        return f"{address}/connections/{quote(connections[0], safe='')}"
    return f"{address}/"
