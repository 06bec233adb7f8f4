"""Describe to those who read `/api/docs` what is sent to the API, and what only it answers.

What is sent is read by these classes (`...Schema`); what is answered are plain objects,
which are declared (`...Json`) and never built by way of them. The connections, alerts and
silences within are declared in `monitor.report`, where they are made.
"""

# ruff: noqa: TC001 - pydantic reads the annotations when the program runs
from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, WithJsonSchema
from typing_extensions import TypedDict

from monitor.config.values import PATTERN, parse_duration
from monitor.judge.invites import LONGEST_VALID, USUALLY_VALID
from monitor.judge.suppression import Scope
from monitor.report.audit import AuditRowJson
from monitor.report.history import AlertJson, SilenceJson
from monitor.report.invites import InviteJson
from monitor.report.status import ConnectionJson, Instant

LONGEST_TEXT = 500
LONGEST_NAME = 100

NextPage = Annotated[str | None, Field(description="The cursor of the next page.")]


# --- what is answered


class SummaryJson(TypedDict):
    """How many of the connections that match are in which state, and need attention."""

    active: int
    error: int
    expired: int
    pending: int
    paused: int
    expiring_soon: int
    needs_attention: int


class ConnectionListJson(TypedDict):
    """A page of the list."""

    connections: list[ConnectionJson]
    summary: SummaryJson
    next: NextPage


class GroupJson(TypedDict):
    """A customer or team, and how its connections are."""

    name: str
    title: Annotated[str, Field(description="What people read instead; empty without one.")]
    notes: str
    worst: Annotated[str | None, Field(description="The worst state of any connection.")]
    summary: SummaryJson
    next_end: Annotated[Instant | None, Field(description="What expires next, and when.")]


class GroupListJson(TypedDict):
    """All groups: those that the file names, then the others by name."""

    groups: list[GroupJson]
    next: NextPage


class EntrySchema(BaseModel, extra="allow"):
    """The entry of a connection; the other keys are those of its provider."""

    name: str
    provider: str
    owner: str = Field(description='"file", "dashboard" or the name of a source.')
    shadowed_by: str | None = Field(description="Whose entry of the same name counts instead.")


class ChannelSchema(BaseModel, extra="allow"):
    """A channel; the other keys are those of `[[channels]]`."""

    name: str
    url: dict[str, bool] = Field(description='Always {"set": true}: it is a secret.')
    kinds: list[str] | None = Field(
        default=None, description="The kinds of alert it receives; without it, nearly all."
    )
    owner: str = Field(description='"file" or "dashboard".')
    shadowed_by: str | None = Field(description='"file" where the file has one of this name.')


class ChannelListSchema(BaseModel, extra="forbid"):
    """All channels: those of the file, then the others by name."""

    channels: list[ChannelSchema]
    next: None = Field(description="Always null: they all stand here.")


class AlertListJson(TypedDict):
    """A page of the list, the newest first."""

    alerts: list[AlertJson]
    next: NextPage


class AuditJson(TypedDict):
    """Who changed what, the newest first."""

    audit: list[AuditRowJson]
    next: str | None


class StepJson(TypedDict):
    """One thing that a validation looked at."""

    name: str
    target: str
    state: Annotated[str, Field(description="ok, warning, failed or skipped")]
    words: str
    took_ms: float | None


class AdviceJson(TypedDict):
    """What to do, and on which page."""

    remedy: str
    words: str | None
    url: str | None


class ValidationJson(TypedDict):
    """What a validation found."""

    name: str
    steps: list[StepJson]
    advice: list[AdviceJson]
    connection: ConnectionJson


class MistakeJson(TypedDict):
    """What keeps the file from being used."""

    place: Annotated[str, Field(description="Where, such as connections[2].every, counted from 0.")]
    message: str


class ConfigurationJson(TypedDict):
    """How reading the configuration file went."""

    path: str
    read_at: Annotated[str | None, Field(description="When the settings in force were read.")]
    failed_at: Annotated[
        str | None,
        Field(
            description="When a reload found that the file cannot be used; null if the latest did"
            " well."
        ),
    ]
    mistakes: list[MistakeJson]
    needs_restart: Annotated[
        list[str],
        Field(description="Settings that the file has changed and only a restart puts in force."),
    ]


class SilenceListJson(TypedDict):
    """The silences that last, the one that ends first at the top."""

    silences: list[SilenceJson]
    next: Annotated[str | None, Field(description="Always null: they all stand here.")]


class BegunSilenceJson(SilenceJson):
    """A silence that has just begun."""

    held: Annotated[int, Field(description="Messages held back that were about to be sent.")]


class EndedSilenceJson(TypedDict):
    """What follows from the end of a silence."""

    due: Annotated[int, Field(description="Messages that were held back and are sent now.")]


class AcknowledgementJson(TypedDict):
    """An acknowledged problem: no reminders are sent for it."""

    connection: str
    trouble: str
    at: Instant
    until: Instant | None
    note: str


class MadeInviteJson(InviteJson):
    """A renewal link that was just made."""

    url: Annotated[str, Field(description="Its address, which is not shown again.")]


class RevivedJson(TypedDict):
    """How many dead notifications are due again."""

    revived: int


class TestedJson(TypedDict):
    """A test message that is on its way."""

    alert: Annotated[int, Field(description="Its id in the list of alerts.")]


class AliveJson(TypedDict):
    """The process lives."""

    status: str


class ReadyJson(TypedDict):
    """Whether the daemon is at work."""

    status: str
    failing: Annotated[list[str], Field(description="database, migration, checks")]
    notes: Annotated[
        list[str],
        Field(
            description="What keeps alerts from reaching people: no_channel, muted_all,"
            " channel_failed, reload_failed."
        ),
    ]


class FieldProblemSchema(BaseModel, extra="forbid"):
    """What was wrong with one field."""

    place: str
    why: str


class ProblemSchema(BaseModel, extra="forbid"):
    """An error, as RFC 9457 describes it."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[FieldProblemSchema] | None = None
    owner: str = Field(default="", description="Whose connection it is, where that is why.")


# --- what is sent


def _read_day(value: object) -> object:
    """Let only a day pass that is written as one: a number would be taken for seconds."""
    if value is not None and not (isinstance(value, str) and _DAY.fullmatch(value)):
        raise ValueError("a day such as 2026-01-15, as text")
    return value


_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

Day = Annotated[date | None, BeforeValidator(_read_day)]


class RenewalSchema(BaseModel, extra="forbid"):
    """A renewed authorization."""

    on: Day = Field(
        default=None, description="When; default: today, in UTC, where an expiry is known."
    )


def _check_length(length: timedelta) -> timedelta:
    if not length:
        raise ValueError("longer than nothing, such as 2h")
    return length


Length = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    AfterValidator(_check_length),
    WithJsonSchema({"type": "string", "pattern": PATTERN}),
]


class NewSilenceSchema(BaseModel, extra="forbid", validate_by_alias=True):
    """What is to be silent, and for how long."""

    scope: Scope
    target: str | None = Field(
        default=None,
        max_length=LONGEST_NAME,
        description="The connection, group or tag; null for all.",
    )
    length: Length = Field(alias="for", description="How long: 90s, 5m, 2h, 7d.")
    reason: str = Field(default="", max_length=LONGEST_TEXT, description="For those who see it.")


class NewAcknowledgementSchema(BaseModel, extra="forbid"):
    """Acknowledge a problem."""

    until: Day = Field(
        default=None,
        description="Remind again from that day on, in UTC; default: while it lasts.",
    )
    note: str = Field(default="", max_length=LONGEST_TEXT, description="What is being done.")


def _check_validity(length: timedelta) -> timedelta:
    if length > LONGEST_VALID:
        raise ValueError(f"at most {LONGEST_VALID.days} days")
    return _check_length(length)


class NewInviteSchema(BaseModel, extra="forbid"):
    """How long a renewal link is to be valid."""

    valid: Annotated[
        timedelta,
        BeforeValidator(parse_duration),
        AfterValidator(_check_validity),
        WithJsonSchema({"type": "string", "pattern": PATTERN}),
    ] = Field(default=USUALLY_VALID, description="How long: 12h, 7d; default: 30d.")


class NewTestSchema(BaseModel, extra="forbid"):
    """Which channel is tried."""

    channel: str = Field(max_length=LONGEST_NAME)
