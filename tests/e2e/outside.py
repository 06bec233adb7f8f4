"""
Play the outside: an API that refuses every token, and a web hook that keeps what it is told.
"""

from __future__ import annotations

import json
import os
import signal
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from tests.loopback import Handler, serve

if TYPE_CHECKING:
    from collections.abc import Iterator


class Outside:
    """
    What was asked and told.

    Args:
        told: Title and text of each message.
        victim: The process to kill when the hook is told for the *fatal*th time.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.told: list[str] = []
        self.fatal = 0
        self.victim = 0
        self.port = 0

    def take(self, post: dict[str, Any]) -> None:
        self.told.append(f"{post['title']}\n{post['message']}")
        if len(self.told) == self.fatal:
            os.kill(self.victim, signal.SIGKILL)


@contextmanager
def run_outside() -> Iterator[Outside]:
    outside = Outside()

    class OutsideHandler(Handler):
        def handle(self) -> None:
            with suppress(ConnectionError):  # whoever asked may be dead by now
                super().handle()

        def do_GET(self) -> None:  # noqa: N802 - its name there
            outside.asked.append(self.headers["Authorization"])
            self.answer(401)

        def do_POST(self) -> None:  # noqa: N802 - its name there
            body = self.read_body()
            with suppress(json.JSONDecodeError):  # or dead before it had said all
                outside.take(json.loads(body))
                self.answer()

        def finish(self) -> None:
            with suppress(ConnectionError):
                super().finish()

    with serve(OutsideHandler) as outside.port:
        yield outside
