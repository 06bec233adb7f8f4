"""
Tell an observer how each attempt to send ended.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from monitor.alert.errors import AlertError

if TYPE_CHECKING:
    from monitor.alert.message import Message
    from monitor.alert.post import Sender


class Observer(Protocol):
    """
    Hear of attempts to send, in any thread.
    """

    def __call__(self, channel: str, *, is_sent: bool) -> None:
        """
        Note one attempt.
        """
        ...


class CountedSender:
    """
    Send as *sender* does, and tell *observer* of it.
    """

    def __init__(self, sender: Sender, observer: Observer) -> None:
        self._sender = sender
        self._observer = observer

    def send(self, channel: str, message: Message, key: str = "") -> None:
        """
        Send *message* to *channel*.

        Raises:
            AlertError: It did not arrive.
        """
        try:
            self._sender.send(channel, message, key)
        except AlertError:
            self._observer(channel, is_sent=False)
            raise
        self._observer(channel, is_sent=True)
