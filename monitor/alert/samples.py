"""
Make the message of a realistic alert of each kind.

Decides nothing. `alerts test` sends them, `config check` tries templates on
them, and the documents show them. What they say of whom stands in `texts`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from monitor.alert.message import compose
from monitor.alert.texts.samples import SAMPLES
from monitor.judge.alerts import KINDS, AlertKind

if TYPE_CHECKING:
    from datetime import datetime

    from monitor.alert.message import Message


def sample_message(kind: AlertKind, now: datetime) -> Message:
    """
    Return a message of *kind*, marked as a test.
    """
    sample = SAMPLES[kind]
    return compose(
        kind,
        KINDS[kind].severity,
        sample_facts(kind, now),
        sample.connections,
        now,
        None,
        now,
        is_test=True,
        n_connections=sample.n_connections,
    )


def sample_facts(kind: AlertKind, now: datetime) -> dict[str, Any]:
    """
    Return the facts of a sample, as they are stored.
    """
    facts: dict[str, Any] = _date(SAMPLES[kind].facts, now)
    return facts


def _date(value: Any, now: datetime) -> Any:
    match value:
        case timedelta():
            return (now + value).isoformat()
        case dict():
            return {name: _date(inner, now) for name, inner in value.items()}
        case list():
            return [_date(inner, now) for inner in value]
    return value
