"""
Do what every check of a secret does, whoever is asked.

Decides when a refusal is believed, and how often a header that cannot be read
is told of. What is asked, and what an answer means, is left to the provider.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

from monitor.check.body import clean
from monitor.config.secret import SecretUnavailable
from monitor.judge.outcome import OutcomeClass

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from monitor.check.body import Secrets
    from monitor.check.http import Answer
    from monitor.judge.outcome import Outcome

MAX_LOGGED = 50

log = structlog.get_logger()


async def ask_with_latest(
    ask: Callable[[], Awaitable[Outcome]], is_renewed: Callable[[], bool]
) -> Outcome:
    """
    Ask; if the answer is a refusal and a newer secret is at hand, ask once more with that.

    Args:
        is_renewed: Reads the secrets again where they came from; raises
            SecretUnavailable if one is gone.
    """
    outcome = await ask()
    if outcome.reason.outcome_class is not OutcomeClass.REFUSAL:
        return outcome
    try:
        has_newer = is_renewed()
    except SecretUnavailable as error:
        detail = f"{outcome.detail} The token could not be read again: {error}."
        return replace(outcome, detail=detail)
    return await ask() if has_newer else outcome


class UnreadableFields:
    """
    Tell of unreadable header fields, once for each connection.
    """

    def __init__(self, connection: str, event: str = "quota.unreadable") -> None:
        self._connection = connection
        self._event = event
        self._is_told = False

    def tell(self, answer: Answer, fields: Iterable[str], secret: Secrets) -> None:
        """
        Log the texts of *fields*, unless that was done before.
        """
        texts = {field: clean(answer.headers[field], secret, MAX_LOGGED) for field in fields}
        if texts and not self._is_told:
            self._is_told = True
            log.warning(self._event, connection=self._connection, fields=texts)
