"""Name what an audit tells: who did what, to which connection, and when."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from monitor.judge.suppression import Scope

if TYPE_CHECKING:
    from collections.abc import Sequence
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

ALERTS = "alerts"
"""What was resumed where dead notifications are sent again."""

ENDED = "ended"
"""Says of a silence or an acknowledgement that somebody ended it."""


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One change.

    Args:
        who: As `user:ana`, `token:ci`, `cli:root`, `link:12`, `source:stores`, or `file`.
        connection: Its name then; None where several or none were changed.
        group: The group it belonged to then.
        keys: The names of what was changed, never a value.
        count: How many were changed; 0 where somebody tried and nothing was.
    """

    at: datetime
    who: str
    action: Action
    connection: str | None = None
    group: str | None = None
    keys: tuple[str, ...] = ()
    count: int = 1


def row_of_mute(
    at: datetime, who: str, scope: Scope, target: str | None, keys: Sequence[str] = (), n: int = 1
) -> AuditRow:
    """Return the row that says what was muted, or is no longer.

    A tag is not named: only what is a connection or a group is.

    Args:
        keys: `ENDED` where it is no longer.
        n: How many silences.
    """
    name = target if scope is Scope.CONNECTION else None
    group = target if scope is Scope.GROUP else None
    named = () if scope is Scope.CONNECTION else (scope.value,)
    return AuditRow(at, who, Action.MUTE, name, group, (*named, *keys), n)
