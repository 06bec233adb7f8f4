"""
Listen as systemd does to what a service says of itself.
"""

from __future__ import annotations

import socket
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class NotifySocket:
    """
    A notification socket, and all that arrived on it.

    Args:
        address: As `$NOTIFY_SOCKET` has it.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self.messages: list[dict[str, str]] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address.replace("@", "\0", 1) if address.startswith("@") else address)
        self._socket.settimeout(0)

    def look(self) -> list[dict[str, str]]:
        """
        Return all messages so far, each as its fields.
        """
        while True:
            try:
                text = self._socket.recv(65536).decode()
            except BlockingIOError:
                return self.messages
            self.messages.append(dict(line.split("=", 1) for line in text.split("\n")))

    def has(self, field: str) -> bool:
        return any(field in message for message in self.look())

    def said(self, field: str) -> list[str]:
        return [message[field] for message in self.look() if field in message]

    def order(self, *fields: str) -> list[str]:
        """
        Return which of *fields* were said, in the order of their arrival.
        """
        return [field for message in self.look() for field in message if field in fields]

    def close(self) -> None:
        self._socket.close()


def abstract_name() -> str:
    return f"@connwatch-test-{uuid.uuid4().hex}"


@contextmanager
def listen(address: str | Path) -> Iterator[NotifySocket]:
    listener = NotifySocket(str(address))
    try:
        yield listener
    finally:
        listener.close()
