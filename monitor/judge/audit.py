"""Name what an audit tells: who did what, to which connection, and when."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


class Action(StrEnum):
    """What was done."""

    PAUSE = "pause"
    RESUME = "resume"
    VALIDATE = "validate"
    RENEW = "renew"
    ACK = "ack"
    MUTE = "mute"
    PUT = "put"
    DELETE = "delete"
    INVITE = "invite"
    PROPOSE = "propose"
    ACCEPT = "accept"
    IMPORT = "import"
    READING = "reading"
    ROTATE = "rotate"
    LOGIN = "login"


FILE = "file"
"""Who changed what the configuration file says."""


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One change.

    Args:
        who: As `user:ana`, `token:ci`, `cli:root`, `link:12`, `source:stores`, or `file`.
        connection: Its name then; None where several or none were changed.
        group: The group it belonged to then.
        keys: The names of what was changed, never a value.
        count: How many were changed.
    """

    at: datetime
    who: str
    action: Action
    connection: str | None = None
    group: str | None = None
    keys: tuple[str, ...] = ()
    count: int = 1
