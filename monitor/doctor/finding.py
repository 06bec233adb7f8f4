"""
Say what was found, how bad it is, and what to do about it.
"""

from __future__ import annotations

import stat
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import os

    from monitor.validation import Mark


class Area(StrEnum):
    """
    What was looked at.
    """

    SETTINGS = "settings"
    SECRETS = "secrets"
    DATABASE = "database"
    DISK = "disk"
    DAEMON = "daemon"
    CHANNELS = "channels"
    CLOCK = "clock"
    NETWORK = "network"


@dataclass(frozen=True, slots=True)
class Finding:
    """
    One thing that was found.

    Args:
        state: SKIPPED where it cannot be told from here.
        words: What is so, on what.
        remedy: What to do next; empty where there is nothing to do.
    """

    area: Area
    state: Mark
    words: str
    remedy: str = ""


def may_others_read(facts: os.stat_result) -> bool:
    """
    Tell whether more than the owner may read a file.
    """
    return bool(facts.st_mode & (stat.S_IRGRP | stat.S_IROTH))
