# ruff: noqa: TC003 - pydantic reads the annotations when the program runs
"""
Describe the JSON to those who read `/api/docs`.

What is answered comes from `monitor.report`; these classes are its description,
and a test holds one against the other.
"""

from __future__ import annotations

from datetime import date, datetime

from pydantic import BaseModel, ConfigDict, Field


class Model(BaseModel):
    """
    An object of the API: it has these members and no others.
    """

    model_config = ConfigDict(extra="forbid")


class LastCheck(Model):
    """
    The latest attempt.
    """

    at: datetime
    conclusive: bool = Field(description="The service said yes or no.")
    reason: str
    in_a_row: int = Field(description="How many attempts in a row ended like this one.")


class Authorization(Model):
    """
    The grant that somebody declared.
    """

    authorized_at: datetime
    expires_at: datetime | None
    days_left: int | None
    source: str


class Clock(Model):
    """
    Something with an end.
    """

    kind: str = Field(description="authorization, client_secret or token")
    of: str = Field(description="The connection or application that it belongs to.")
    ends_at: datetime
    days_left: int
    source: str


class Quota(Model):
    """
    What is left to call.
    """

    limit: int | None
    remaining: int | None
    resets_at: datetime | None
    level: str | None = Field(description="ok, low or exhausted; null where unknown")
    exhausts_at: datetime | None


class Marketplace(Model):
    """
    Where an Amazon account sells.
    """

    country: str
    id: str
    participating: bool
    suspended_listings: bool
    configured: bool


class Connection(Model):
    """
    One connection.
    """

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
    last_check: LastCheck | None
    expiring_soon: bool
    renewal_unrecorded: bool
    authorization: Authorization | None
    clocks: list[Clock]
    quota: Quota | None
    marketplaces: list[Marketplace] | None


class Summary(Model):
    """
    How many connections of the list are in which state.
    """

    active: int
    error: int
    expired: int
    pending: int
    paused: int
    expiring_soon: int


class ConnectionList(Model):
    """
    A page of the list.
    """

    connections: list[Connection]
    summary: Summary
    next: str | None = Field(description="The cursor of the next page.")


class Transition(Model):
    """
    A change of state or reason.
    """

    model_config = ConfigDict(extra="forbid", validate_by_alias=True)

    at: datetime
    from_: str = Field(alias="from")
    to: str
    reason: str
    detail: str


class Check(Model):
    """
    One attempt.
    """

    at: datetime
    conclusive: bool
    reason: str
    latency_ms: float | None
    detail: str


class Notification(Model):
    """
    How far an alert came on one channel.
    """

    channel: str
    state: str = Field(description="due, sent, dead or held")
    attempts: int
    sent_at: datetime | None


class Alert(Model):
    """
    Something people were told, or are being told.
    """

    id: int
    kind: str
    severity: str
    connections: list[str]
    born_at: datetime
    notifications: list[Notification]


class AlertList(Model):
    """
    A page of the list, the newest first.
    """

    alerts: list[Alert]
    next: str | None = Field(description="The cursor of the next page.")


class History(Model):
    """
    What happened to one connection, the newest first.
    """

    name: str
    transitions: list[Transition]
    checks: list[Check]
    alerts: list[Alert]


class Step(Model):
    """
    One thing that a validation looked at.
    """

    name: str
    target: str
    state: str = Field(description="ok, warning, failed or skipped")
    words: str
    took_ms: float | None


class Advice(Model):
    """
    What to do, and on which page.
    """

    remedy: str
    words: str | None
    url: str | None


class Validation(Model):
    """
    What a validation found.
    """

    name: str
    steps: list[Step]
    advice: list[Advice]
    connection: Connection


class Renewal(BaseModel):
    """
    A renewed authorization.
    """

    on: date | None = Field(default=None, description="When; default: today, in UTC.")


class Revived(Model):
    """
    How many dead notifications are due again.
    """

    revived: int


class Alive(Model):
    """
    The process lives.
    """

    status: str


class Ready(Model):
    """
    Whether the daemon is at work.
    """

    status: str
    failing: list[str] = Field(description="database, migration, checks")


class FieldProblem(Model):
    """
    What was wrong with one field.
    """

    place: str
    why: str


class Problem(Model):
    """
    An error, as RFC 9457 describes it.
    """

    type: str
    title: str
    status: int
    detail: str
    errors: list[FieldProblem] | None = None
