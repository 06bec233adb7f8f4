"""Word, format and deliver messages: the only package that knows Apprise.

`drafts` and `texts` say what an alert reads like, `message` composes it for a medium, `delivery`
sends what is queued and `apprise` hands it over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor import lazily

if TYPE_CHECKING:
    from monitor.notify.apprise import AppriseSender
    from monitor.notify.delivery import Delivery
    from monitor.notify.message import Message

__all__ = ["AppriseSender", "Delivery", "Message"]

__getattr__ = lazily(
    {
        "AppriseSender": "monitor.notify.apprise",
        "Delivery": "monitor.notify.delivery",
        "Message": "monitor.notify.message",
    }
)
