"""
Carry an answer of one of Amazon's hosts to where it is read.

Decides what all readings of Amazon's answers share: which outcome names the
host, when an answer asks for a pause, and that no secret is quoted. What an
answer means is left to `amazon_lwa` and `amazon_sellers`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from monitor.check import body as bodies
from monitor.check.fields import parse_retry_after
from monitor.check.http import MAX_BODY
from monitor.check.quota import read_server_date
from monitor.judge.outcome import Outcome, OutcomeClass, Reason

if TYPE_CHECKING:
    from monitor.check.http import Answer

SERVER_ERRORS = range(500, 600)
REDIRECTS = range(300, 400)
MAX_REQUEST_ID = 64

# A server may repeat a part of a secret, in which the secret is not to be found.
_SHAPES = re.compile(
    r"(?:\bAt(?:za|zr|c)(?:\||%7C)|\bamzn1\.oa2-cs\.)[^\s\"'<>,;&]+", re.IGNORECASE
)


def is_sendable(value: str) -> bool:
    """
    Tell whether *value* can travel in a header and a form as it is.
    """
    return bool(value) and value.isascii() and value.isprintable() and " " not in value


@dataclass(frozen=True, slots=True)
class Heard:
    """
    An answer, who gave it, and what must not be repeated of it.

    Args:
        host: Host and port, as outages are grouped by.
        secrets: All that was sent.
    """

    answer: Answer
    host: str
    secrets: tuple[str, ...] = field(repr=False)

    @property
    def status(self) -> str:
        """
        The status, with its usual name.
        """
        try:
            return f"{self.answer.status} {HTTPStatus(self.answer.status).phrase}"
        except ValueError:
            return str(self.answer.status)

    def read_json(self) -> Any:
        """
        Return the JSON value that was answered, or None.
        """
        return bodies.parse_json(self.answer.body)

    def clean(self, text: str, length: int = bodies.MAX_MESSAGE) -> str:
        """
        Return *text* so that it can be shown.
        """
        whole = bodies.clean(text, self.secrets, len(text) * len(bodies.MASK) + 1)
        return bodies.clean(_SHAPES.sub(bodies.MASK, whole), self.secrets, length)

    def quote(self, text: object) -> str:
        """
        Return a sentence that quotes *text*; nothing if it is no text.
        """
        words = self.clean(text) if isinstance(text, str) else ""
        return f' Amazon says: "{words}"' if words else ""

    def describe(self) -> str:
        """
        Say in a few words what came instead of what was expected.
        """
        value = self.read_json()
        if isinstance(value, dict) and value and not any(map(value.get, bodies.ERROR_PLACES)):
            return "JSON of another shape"
        if self.answer.is_oversize:
            return f"more than {MAX_BODY // 1024} KiB"
        content_type = self.answer.headers.get("content-type", "")
        return self.clean(bodies.describe(self.answer.body, content_type, self.secrets))

    def conclude(self, reason: Reason, detail: str = "") -> Outcome:
        """
        Return an outcome; one that is inconclusive names the host.
        """
        is_inconclusive = reason.outcome_class is OutcomeClass.INCONCLUSIVE
        request_id = self.clean(self.answer.headers.get("x-amzn-requestid", ""), MAX_REQUEST_ID)
        return Outcome(
            reason,
            detail,
            http_status=self.answer.status,
            failed_host=self.host if is_inconclusive else None,
            request_id=request_id or None,
        )

    @property
    def asks_for_pause(self) -> bool:
        """
        Tell whether there were too many requests.
        """
        if self.answer.status == HTTPStatus.FORBIDDEN:
            return "retry-after" in self.answer.headers or bodies.says_rate_limited(
                self.answer.body
            )
        return self.answer.status == HTTPStatus.TOO_MANY_REQUESTS

    def conclude_pause(self) -> Outcome:
        """
        Return the outcome of too many requests, with the time that was asked for.
        """
        outcome = self.conclude(
            Reason.THROTTLED,
            f"{self.host} asks for a pause ({self.status}): too many requests."
            " The authorization is not in doubt; the next check waits.",
        )
        retry_after = self.answer.headers.get("retry-after")
        if retry_after is None:
            return outcome
        received_at = self.answer.received_at
        date = read_server_date(self.answer.headers, received_at)
        return replace(outcome, retry_at=parse_retry_after(retry_after, received_at, date))

    def conclude_failure(self) -> Outcome:
        """
        Return the outcome of a fault on Amazon's side.
        """
        return self.conclude(
            Reason.SERVER_ERROR,
            f"{self.host} failed on Amazon's side ({self.status})."
            " There is nothing to do here unless it lasts.",
        )
