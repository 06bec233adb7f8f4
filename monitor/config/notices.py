"""
Say what this release understands and does not act on yet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.config.errors import Notice
from monitor.config.plugins import UnusableConnection
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
    "channels.template",
    "channels.quiet_hours",
    "channels.digest",
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
        *_unusable_plugins(config),
    ]


def _kinds_not_raised(config: Config) -> Iterator[Notice]:
    for index, channel in enumerate(config.channels):
        later = sorted(set(channel.kinds or ()) - set(AlertKind))
        if later:
            named = ", ".join(later)
            yield Notice(f"channels[{index}].kinds", f"this release never sends {named}")


def _unusable_plugins(config: Config) -> Iterator[Notice]:
    for index, connection in enumerate(config.connections):
        if isinstance(connection, UnusableConnection):
            yield Notice(
                f"connections[{index}].provider",
                f"the plug-in cannot be used, so nobody checks this: {connection.problem}",
            )
