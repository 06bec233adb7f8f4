"""
Describe a connection of the configuration file, as far as keeping it is concerned.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from monitor.judge.renewal import Declared

if TYPE_CHECKING:
    from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Entry:
    """
    A connection of the configuration file, as the store needs it.

    Args:
        host: Host and port that checks go to; empty where nothing is called.
        renamed_from: The name whose history it carries on.
        steps: Days before the end of the authorization that are told.
        application: The OAuth client that it shares with others.
        token_host: Host and port that gives its access tokens.
    """

    name: str
    provider: str
    host: str
    every: timedelta
    is_enabled: bool = True
    renamed_from: str | None = None
    declared: Declared = field(default_factory=Declared)
    steps: tuple[int, ...] = ()
    application: str | None = None
    token_host: str | None = None
