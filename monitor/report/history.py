"""Describe in JSON what happened: checks, transitions, alerts, and what suppresses them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.report.status import instant, milliseconds

if TYPE_CHECKING:
    from collections.abc import Iterable

    from monitor.judge.outcome import Transition
    from monitor.judge.suppression import Silence
    from monitor.report.status import Json
    from monitor.store.history import AlertRow, CheckRow


def check_json(row: CheckRow) -> Json:
    """Return one check of a connection's history."""
    return {
        "at": instant(row.at),
        "conclusive": row.reason.is_conclusive,
        "reason": row.reason.value,
        "latency_ms": milliseconds(row.latency_ms),
        "detail": row.detail,
    }


def transition_json(transition: Transition) -> Json:
    """Return one change of state or reason."""
    return {
        "at": instant(transition.at),
        "from": transition.from_state.value,
        "to": transition.to_state.value,
        "reason": transition.reason.value,
        "detail": transition.detail,
    }


def alert_json(row: AlertRow) -> Json:
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
            }
            for each in row.notifications
        ],
    }


def silence_json(silence: Silence) -> Json:
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
) -> Json:
    """Return what `history --json` prints."""
    return {
        "name": name,
        "transitions": [transition_json(each) for each in transitions],
        "checks": [check_json(each) for each in checks],
        "alerts": [alert_json(each) for each in alerts],
    }
