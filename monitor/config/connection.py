# ruff: noqa: TC001 - pydantic reads the annotations when the program runs
"""
Declare what every connection may say, whatever its provider.

What a provider needs beside it stands in that provider's own module.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from monitor.config.base import Settings
from monitor.config.fields import (
    Days,
    Flag,
    Name,
    Names,
    OneSecondOrMore,
    PastDay,
    RelativePath,
    TenSecondsOrMore,
)
from monitor.config.urls import Link
from monitor.judge.expiry import DEFAULT_VALID_DAYS

if TYPE_CHECKING:
    from datetime import timedelta


class Connection(Settings):
    """
    An API credential that is watched: the part that all providers share.
    """

    own_rhythm: ClassVar[timedelta | None] = None
    """The provider's default for `every`, where it does not follow `checks.every`."""

    name: Name = Field(description="How the connection is called everywhere.")
    provider: str = Field(description="How the connection is checked.")
    every: TenSecondsOrMore | None = Field(
        default=None, description="How often it is checked; default: the rhythm of [checks]."
    )
    timeout: OneSecondOrMore | None = Field(
        default=None,
        description="How long one check may take; default: that of [checks], at most `every`.",
    )
    tags: Names = Field(default=(), description="Words that channels and silences choose by.")
    channels: Names | None = Field(
        default=None, description="Only these channels are told; default: all that want to hear."
    )
    enabled: Flag = Field(default=True, description="Off: nothing is called, nobody is told.")
    ca_file: RelativePath | None = Field(
        default=None, description="Certificates to trust instead of the usual ones, as a PEM file."
    )
    valid_days: Days = Field(
        default=DEFAULT_VALID_DAYS,
        description="How long an authorization lasts; 0: no limit is known.",
    )
    authorized_on: PastDay | None = Field(
        default=None, description="When the authorization was granted; default: unknown."
    )
    renew_url: Link | None = Field(
        default=None, description="The page on which a person can renew it."
    )
    notes: str = Field(default="", description="Anything the next person should know.")
    renamed_from: Name | None = Field(
        default=None, description="Its former name; history and stored tokens are carried over."
    )

    @property
    def host(self) -> str:
        """
        Return the host and port that checks go to; empty where nothing is called.
        """
        return ""
