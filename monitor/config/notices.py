"""
Say what this release understands and does not act on yet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.config.errors import Notice
from monitor.config.walk import walk
from monitor.judge.alerts import AlertKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from monitor.config.model import Config

# Delete a line here when a setting begins to do something, and add the setting
# to config.example.toml: a test compares the two.
NOT_YET = (
    "web",
    "heartbeat",
    "checks.outage_hold",
    "checks.uplink",
    "alerts.remind_every",
    "alerts.group_wait",
    "alerts.quiet_hours",
    "channels.quiet_hours",
    "channels.digest",
)

# Likewise for kinds of alert that nothing raises yet.
KINDS_NOT_YET = frozenset(
    {
        AlertKind.SECRET_EXPIRING,
        AlertKind.QUOTA_FORECAST,
        AlertKind.FLAPPING,
        AlertKind.OUTAGE,
        AlertKind.OUTAGE_OVER,
        AlertKind.MONITOR_OFFLINE,
        AlertKind.MONITOR_ONLINE,
        AlertKind.CHANNEL_FAILED,
        AlertKind.CHANNEL_RESTORED,
        AlertKind.RESUMED,
        AlertKind.DIGEST,
    }
)

MESSAGE = "is understood but not acted on by this release"


def notices(config: Config) -> list[Notice]:
    """
    Return what the file sets that has no effect yet, once per table or key.
    """
    sections = [section for section in NOT_YET if section in config.model_fields_set]
    return [
        *(Notice(section, MESSAGE) for section in sections),
        *(
            Notice(leaf.place, MESSAGE)
            for leaf in walk(config)
            if leaf.is_set and f"{leaf.section}.{leaf.key}" in NOT_YET
        ),
        *_kinds_not_raised(config),
    ]


def _kinds_not_raised(config: Config) -> Iterator[Notice]:
    for index, channel in enumerate(config.channels):
        later = sorted(KINDS_NOT_YET & set(channel.kinds or ()))
        if later:
            named = ", ".join(later)
            yield Notice(f"channels[{index}].kinds", f"this release never sends {named}")
