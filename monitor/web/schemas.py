"""
Describe the JSON to those who read `/api/docs`.

What is answered comes from `monitor.report.status`; these classes are its description,
and a test holds one against the other.

Describe silences and acknowledgements to those who read `/api/docs`, and read those sent.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from monitor.config.values import PATTERN, parse_duration
from monitor.judge.suppression import Scope


class Model(BaseModel):
    """An object of the API: it has these members and no others."""

    model_config = ConfigDict(extra="forbid")


class LastCheckSchema(Model):
    """The latest attempt."""

    at: datetime
    conclusive: bool = Field(description="The service said yes or no.")
    reason: str
    in_a_row: int = Field(description="How many attempts in a row ended like this one.")


class AuthorizationSchema(Model):
    """The grant that somebody declared."""

    authorized_at: datetime
    expires_at: datetime | None
    days_left: int | None
    source: str


class ClockSchema(Model):
    """Something with an end."""

    kind: str = Field(description="authorization, client_secret or token")
    of: str = Field(description="The connection or application that it belongs to.")
    ends_at: datetime
    days_left: int
    source: str


class QuotaSchema(Model):
    """What is left to call."""

    limit: int | None
    remaining: int | None
    resets_at: datetime | None
    level: str | None = Field(description="ok, low or exhausted; null where unknown")
    exhausts_at: datetime | None


class MarketplaceSchema(Model):
    """Where an Amazon account sells."""

    country: str
    id: str
    participating: bool
    suspended_listings: bool
    configured: bool


class ConnectionSchema(Model):
    """One connection."""

    name: str
    provider: str
    state: str = Field(description="active, error, expired, pending or paused")
    reason: str
    detail: str
    since: datetime
    checked_at: datetime | None
    latency_ms: float | None
    tags: list[str]
    account: str | None
    last_check: LastCheckSchema | None
    expiring_soon: bool
    renewal_unrecorded: bool
    authorization: AuthorizationSchema | None
    clocks: list[ClockSchema]
    quota: QuotaSchema | None
    marketplaces: list[MarketplaceSchema] | None


class SummarySchema(Model):
    """How many connections of the list are in which state."""

    active: int
    error: int
    expired: int
    pending: int
    paused: int
    expiring_soon: int


class ConnectionListSchema(Model):
    """A page of the list."""

    connections: list[ConnectionSchema]
    summary: SummarySchema
    next: str | None = Field(description="The cursor of the next page.")


class TransitionSchema(Model):
    """A change of state or reason."""

    model_config = ConfigDict(extra="forbid", validate_by_alias=True)

    at: datetime
    from_: str = Field(alias="from")
    to: str
    reason: str
    detail: str


class CheckSchema(Model):
    """One attempt."""

    at: datetime
    conclusive: bool
    reason: str
    latency_ms: float | None
    detail: str


class NotificationSchema(Model):
    """How far an alert came on one channel."""

    channel: str
    state: str = Field(description="due, sent, dead or held")
    attempts: int
    sent_at: datetime | None


class AlertSchema(Model):
    """Something people were told, or are being told."""

    id: int
    kind: str
    severity: str
    connections: list[str]
    born_at: datetime
    notifications: list[NotificationSchema]


class AlertListSchema(Model):
    """A page of the list, the newest first."""

    alerts: list[AlertSchema]
    next: str | None = Field(description="The cursor of the next page.")


class HistorySchema(Model):
    """What happened to one connection, the newest first."""

    name: str
    transitions: list[TransitionSchema]
    checks: list[CheckSchema]
    alerts: list[AlertSchema]


class StepSchema(Model):
    """One thing that a validation looked at."""

    name: str
    target: str
    state: str = Field(description="ok, warning, failed or skipped")
    words: str
    took_ms: float | None


class AdviceSchema(Model):
    """What to do, and on which page."""

    remedy: str
    words: str | None
    url: str | None


class ValidationSchema(Model):
    """What a validation found."""

    name: str
    steps: list[StepSchema]
    advice: list[AdviceSchema]
    connection: ConnectionSchema


class RenewalSchema(BaseModel):
    """A renewed authorization."""

    on: date | None = Field(default=None, description="When; default: today, in UTC.")


class RevivedSchema(Model):
    """How many dead notifications are due again."""

    revived: int


class AliveSchema(Model):
    """The process lives."""

    status: str


class ReadySchema(Model):
    """Whether the daemon is at work."""

    status: str
    failing: list[str] = Field(description="database, migration, checks")


class FieldProblemSchema(Model):
    """What was wrong with one field."""

    place: str
    why: str


class ProblemSchema(Model):
    """An error, as RFC 9457 describes it."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[FieldProblemSchema] | None = None


# ruff: noqa: TC001 - pydantic reads the annotations when the program runs


LONGEST_TEXT = 500
LONGEST_NAME = 100


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


class SilenceSchema(Model):
    """A span in which nobody is told of something."""

    id: int
    scope: str = Field(description="connection, tag or all")
    target: str | None = Field(description="The connection or tag; null for all.")
    reason: str
    starts_at: datetime
    ends_at: datetime


class SilenceListSchema(Model):
    """The silences that last, the one that ends first at the top."""

    silences: list[SilenceSchema]
    next: str | None = Field(description="Always null: they all stand here.")


class NewSilenceSchema(BaseModel):
    """What is to be silent, and for how long."""

    model_config = ConfigDict(extra="forbid", validate_by_alias=True)

    scope: Scope
    target: str | None = Field(
        default=None,
        max_length=LONGEST_NAME,
        description="The connection or tag; null for all.",
    )
    length: Length = Field(alias="for", description="How long: 90s, 5m, 2h, 7d.")
    reason: str = Field(default="", max_length=LONGEST_TEXT, description="For those who see it.")


class BegunSilenceSchema(SilenceSchema):
    """A silence that has just begun."""

    held: int = Field(description="Messages held back that were about to be sent.")


class EndedSilenceSchema(Model):
    """What follows from the end of a silence."""

    due: int = Field(description="Messages held back until now that are told.")


class NewAcknowledgementSchema(BaseModel):
    """That somebody takes care of a trouble."""

    model_config = ConfigDict(extra="forbid")

    until: date | None = Field(
        default=None,
        description="Remind again from that day on, in UTC; default: while it lasts.",
    )
    note: str = Field(default="", max_length=LONGEST_TEXT, description="What is being done.")


class AcknowledgementSchema(Model):
    """Somebody's word that a trouble is taken care of: nobody is reminded of it."""

    connection: str
    trouble: str
    at: datetime
    until: datetime | None
    note: str


class NewTestSchema(BaseModel):
    """Which channel is tried."""

    model_config = ConfigDict(extra="forbid")

    channel: str = Field(max_length=LONGEST_NAME)


class TestedSchema(Model):
    """A test message that is on its way."""

    alert: int = Field(description="Its id in the list of alerts.")
