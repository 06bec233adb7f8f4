"""
Read the hours during which people are not to be woken.
"""

from __future__ import annotations

import re
from datetime import time
from typing import Annotated, Any, Self
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema, model_validator

from monitor.config.base import Settings
from monitor.config.wording import did_you_mean, got, quoted

_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])", re.ASCII)


def _read_time(value: Any) -> time:
    match = _TIME.fullmatch(value) if isinstance(value, str) else None
    if match is not None:
        return time(int(match[1]), int(match[2]))
    if isinstance(value, time):
        raise ValueError(f'a time in quotes: write "{value:%H:%M}"')  # noqa: TRY004 - pydantic collects ValueErrors only
    found = f"got {quoted(value)}" if isinstance(value, str) else got(value)
    raise ValueError(f'a time of day such as "22:00", {found}')


def _check_zone(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f'a time zone such as "Europe/Berlin", {got(value)}')  # noqa: TRY004 - pydantic collects ValueErrors only
    try:
        ZoneInfo(value)
    # A key such as "Europe" is a folder, and one such as "../x" no key at all.
    except (KeyError, ValueError, OSError):
        hint = did_you_mean(value, sorted(available_timezones()))
        hint = hint or '; write one such as "Europe/Berlin"'
        raise ValueError(f"{quoted(value)} is no time zone{hint}") from None
    return value


TimeOfDay = Annotated[
    time,
    BeforeValidator(_read_time),
    PlainSerializer(lambda moment: f"{moment:%H:%M}", return_type=str),
    WithJsonSchema({"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$"}),
]


class QuietHours(Settings):
    """
    A span of each day; it goes over midnight where it ends before it starts.
    """

    zone: Annotated[
        str, BeforeValidator(_check_zone), Field(description="The time zone of both times.")
    ]
    start: TimeOfDay = Field(alias="from", description="When quiet begins.")
    end: TimeOfDay = Field(alias="to", description="When quiet ends.")

    @model_validator(mode="after")
    def _refuse_no_time(self) -> Self:
        if self.start == self.end:
            raise ValueError("it ends when it begins: write two different times")
        return self
