"""Describe in JSON what happened: checks, transitions, alerts, and what suppresses them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field
from typing_extensions import TypedDict

from monitor.report.status import Instant, instant, milliseconds

if TYPE_CHECKING:
    from collections.abc import Iterable

    from monitor.judge.outcome import Transition
    from monitor.judge.suppression import Silence
    from monitor.store.history import AlertRow, CheckRow


class CheckJson(TypedDict):
    """One attempt."""

    at: Instant
    conclusive: bool
    reason: str
    latency_ms: float | None
    detail: str


TransitionJson = TypedDict(
    "TransitionJson", {"at": Instant, "from": str, "to": str, "reason": str, "detail": str}
)
TransitionJson.__doc__ = "A change of state or reason."


class NotificationJson(TypedDict):
    """How far an alert came on one channel."""

    channel: str
    state: Annotated[str, Field(description="due, sent, dead or held")]
    attempts: int
    sent_at: Instant | None
    error: Annotated[str | None, Field(description="What went wrong last, in the library's words")]


class AlertJson(TypedDict):
    """Something people were told, or are being told."""

    id: int
    kind: str
    severity: str
    connections: list[str]
    born_at: Instant
    notifications: list[NotificationJson]


class HistoryJson(TypedDict):
    """What happened to one connection, the newest first."""

    name: str
    transitions: list[TransitionJson]
    checks: list[CheckJson]
    alerts: list[AlertJson]


class SilenceJson(TypedDict):
    """A span in which nobody is told of something."""

    id: int
    scope: Annotated[str, Field(description="connection, tag, group or all")]
    target: Annotated[str | None, Field(description="The connection, tag or group; null for all.")]
    reason: str
    starts_at: Instant
    ends_at: Instant


def check_json(row: CheckRow) -> CheckJson:
    """Return one check of a connection's history."""
    return {
        "at": instant(row.at),
        "conclusive": row.reason.is_conclusive,
        "reason": row.reason.value,
        "latency_ms": milliseconds(row.latency_ms),
        "detail": row.detail,
    }


def transition_json(transition: Transition) -> TransitionJson:
    """Return one change of state or reason."""
    return {
        "at": instant(transition.at),
        "from": transition.from_state.value,
        "to": transition.to_state.value,
        "reason": transition.reason.value,
        "detail": transition.detail,
    }


def alert_json(row: AlertRow) -> AlertJson:
    """Return one alert and how far it came on each channel."""
    return {
        "id": row.id,
        "kind": row.kind,
        "severity": row.severity,
        "connections": list(row.connections),
        "born_at": instant(row.born_at),
        "notifications": [
            {
                "channel": each.channel,
                "state": each.state.value,
                "attempts": each.attempts,
                "sent_at": instant(each.sent_at),
                "error": None if each.sent_at else each.error,
            }
            for each in row.notifications
        ],
    }


def silence_json(silence: Silence) -> SilenceJson:
    """Return one silence."""
    return {
        "id": silence.id,
        "scope": silence.scope.value,
        "target": silence.target,
        "reason": silence.reason,
        "starts_at": instant(silence.starts_at),
        "ends_at": instant(silence.ends_at),
    }


def history_json(
    name: str,
    transitions: Iterable[Transition],
    checks: Iterable[CheckRow],
    alerts: Iterable[AlertRow],
) -> HistoryJson:
    """Return what `history --json` prints."""
    return {
        "name": name,
        "transitions": [transition_json(each) for each in transitions],
        "checks": [check_json(each) for each in checks],
        "alerts": [alert_json(each) for each in alerts],
    }
