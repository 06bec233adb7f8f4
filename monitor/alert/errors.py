"""
Name what can go wrong while people are being told.

Senders raise `AlertError` and nothing else, outboxes raise `OutboxUnavailable`
and nothing else; what to do about either is decided in `delivery`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import timedelta


class AlertError(Exception):
    """
    A notification did not arrive.

    Args:
        message: What failed and why, fit for logs and the dashboard: no URL,
            no secret.
        permanent: Trying again cannot help, because the fault is on our side
            of the wire: an unknown channel, a URL that nobody understands.
        retry_after: How long the service asked us to wait, where it said so.
    """

    def __init__(
        self, message: str, *, permanent: bool = False, retry_after: timedelta | None = None
    ) -> None:
        super().__init__(message)
        self.permanent = permanent
        self.retry_after = retry_after


class OutboxUnavailable(Exception):  # noqa: N818 - it names a state that passes, not a mistake
    """
    The outbox cannot be read or written at the moment; later it may.

    The only exception that an `Outbox` may raise.
    """
