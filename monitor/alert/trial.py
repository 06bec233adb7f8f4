"""
Try a channel's template before an alert needs it.

Decides on which alerts it is tried: a sample of each kind that the channel
receives. The form makes no difference to what can go wrong, and the URL that
decides on it may not be readable here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.alert.formats import Form
from monitor.alert.samples import sample_message
from monitor.alert.template import TemplateError, render
from monitor.judge.alerts import ONLY_IF_NAMED, AlertKind

if TYPE_CHECKING:
    from datetime import datetime

    from monitor.config.channel import Channel


def kinds_of(channel: Channel) -> list[AlertKind]:
    """
    Return the kinds of alert that *channel* receives.
    """
    if channel.kinds is None:
        return [kind for kind in AlertKind if kind not in ONLY_IF_NAMED]
    return [kind for kind in AlertKind if kind.value in channel.kinds]


def try_template(channel: Channel, now: datetime) -> str | None:
    """
    Return why the template of *channel* cannot be used, or None if it can.
    """
    if channel.template is None:
        return None
    for kind in kinds_of(channel):
        try:
            render(channel.template, sample_message(kind, now), Form.PLAIN)
        except TemplateError as error:
            return f"{error} (tried with a sample of `{kind.value}`)"
    return None
