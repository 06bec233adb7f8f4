# ruff: noqa: TC001 - pydantic reads the annotations when the program runs
"""
Describe silences and acknowledgements to those who read `/api/docs`, and read those sent.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from monitor.config.duration import PATTERN, parse_duration
from monitor.judge.silence import Scope
from monitor.web.models import Model

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


class Silence(Model):
    """
    A span in which nobody is told of something.
    """

    id: int
    scope: str = Field(description="connection, tag or all")
    target: str | None = Field(description="The connection or tag; null for all.")
    reason: str
    starts_at: datetime
    ends_at: datetime


class SilenceList(Model):
    """
    The silences that last, the one that ends first at the top.
    """

    silences: list[Silence]
    next: str | None = Field(description="Always null: they all stand here.")


class NewSilence(BaseModel):
    """
    What is to be silent, and for how long.
    """

    model_config = ConfigDict(extra="forbid", validate_by_alias=True)

    scope: Scope
    target: str | None = Field(
        default=None,
        max_length=LONGEST_NAME,
        description="The connection or tag; null for all.",
    )
    length: Length = Field(alias="for", description="How long: 90s, 5m, 2h, 7d.")
    reason: str = Field(default="", max_length=LONGEST_TEXT, description="For those who see it.")


class BegunSilence(Silence):
    """
    A silence that has just begun.
    """

    held: int = Field(description="Messages held back that were about to be sent.")


class EndedSilence(Model):
    """
    What follows from the end of a silence.
    """

    due: int = Field(description="Messages held back until now that are told.")


class NewAcknowledgement(BaseModel):
    """
    That somebody takes care of a trouble.
    """

    model_config = ConfigDict(extra="forbid")

    until: date | None = Field(
        default=None,
        description="Remind again from that day on, in UTC; default: while it lasts.",
    )
    note: str = Field(default="", max_length=LONGEST_TEXT, description="What is being done.")


class Acknowledgement(Model):
    """
    Somebody's word that a trouble is taken care of: nobody is reminded of it.
    """

    connection: str
    trouble: str
    at: datetime
    until: datetime | None
    note: str


class NewTest(BaseModel):
    """
    Which channel is tried.
    """

    model_config = ConfigDict(extra="forbid")

    channel: str = Field(max_length=LONGEST_NAME)


class Tested(Model):
    """
    A test message that is on its way.
    """

    alert: int = Field(description="Its id in the list of alerts.")
