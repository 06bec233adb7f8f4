"""Decide what is known against an application: an OAuth client that connections share.

A rejected client id or secret is one cause: one alert for all its connections, and one of them,
the asker, is checked until it is accepted again. The others take its verdict. Who they are is left
to the store.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from monitor.judge.authorizations import sent_at
from monitor.judge.outcome import Outcome, OutcomeClass, Reason

if TYPE_CHECKING:
    from datetime import datetime

SECRET_VALID_DAYS = 180
"""Amazon wants a client secret rotated after that many days (reference 4.2)."""

ACCEPTS_SECRET = frozenset(
    {
        Reason.MARKETPLACE_MISMATCH,
        Reason.REGION_MISMATCH,
        Reason.PERMISSION_DENIED,
        Reason.TOKEN_REJECTED,
    }
)
"""Refusals by the API itself: a client secret that has expired would have been named first."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """What is known against an application.

    Args:
        at: Since when.
        asker_id: The connection that is asked until the application is accepted again;
            None if that one is not watched any more.
    """

    reason: Reason
    detail: str
    at: datetime
    asker_id: int | None


@dataclass(frozen=True, slots=True)
class ApplicationStanding:
    """How an application stands.

    Args:
        announced_reason: What people were told against it, while that lasts.
    """

    refusal: Refusal | None = None
    announced_reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class ApplicationVerdict:
    """What one connection's answer means for its application.

    Args:
        is_begun: It was refused just now: the others need not ask.
        is_over: It is accepted again: the others must ask for themselves.
    """

    standing: ApplicationStanding
    is_begun: bool = False
    is_over: bool = False


def judge_application(
    standing: ApplicationStanding, connection_id: int, outcome: Outcome, now: datetime
) -> ApplicationVerdict:
    """Take what a connection was answered for its application's sake."""
    if outcome.is_taken_over:
        return ApplicationVerdict(standing)
    refusal = standing.refusal
    if outcome.reason.is_of_application:
        return _judge_refusal(standing, connection_id, outcome, now)
    if refusal is None:
        return ApplicationVerdict(standing)
    if _accepts(refusal, outcome, now):
        return ApplicationVerdict(ApplicationStanding(), is_over=True)
    if connection_id == refusal.asker_id and outcome.reason is not Reason.THROTTLED:
        # It cannot tell any more: its own trouble comes before the application's.
        return ApplicationVerdict(replace(standing, refusal=replace(refusal, asker_id=None)))
    return ApplicationVerdict(standing)


def _judge_refusal(
    standing: ApplicationStanding, connection_id: int, outcome: Outcome, now: datetime
) -> ApplicationVerdict:
    before = standing.refusal
    if before is not None and before.asker_id not in {None, connection_id}:
        return ApplicationVerdict(standing)
    since = before.at if before is not None else now
    refusal = Refusal(outcome.reason, outcome.detail, since, connection_id)
    return ApplicationVerdict(replace(standing, refusal=refusal), is_begun=before is None)


def _accepts(refusal: Refusal, outcome: Outcome, now: datetime) -> bool:
    """Tell whether *outcome* shows that the refusal is a thing of the past."""
    if sent_at(outcome, now) < refusal.at:
        return False
    if refusal.reason is Reason.CLIENT_REJECTED:
        # Whoever got as far as any other answer was let in with id and secret.
        return outcome.reason.is_conclusive or outcome.is_token_issued
    is_success = outcome.reason.outcome_class is OutcomeClass.SUCCESS
    return outcome.reason in ACCEPTS_SECRET or (is_success and outcome.marketplaces is not None)
