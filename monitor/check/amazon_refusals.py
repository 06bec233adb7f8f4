"""
Read what a regional host of the Selling Partner API says instead of an answer.

Decides whose fault a refusal is: `code` and `details` count, not the status
alone, because one 403 stands for a stale token, a secret past its date, a lost
permission and a storm at Amazon. What is not the API's own word is no refusal.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import Enum
from http import HTTPStatus
from typing import TYPE_CHECKING

from monitor.check import body as bodies
from monitor.check.amazon_answer import REDIRECTS, SERVER_ERRORS
from monitor.judge.outcome import Outcome, Reason

if TYPE_CHECKING:
    from monitor.check.amazon_answer import Heard

_SECRET_EXPIRED = re.compile(r"secret.*expired", re.IGNORECASE | re.DOTALL)
_TOKEN_EXPIRED = re.compile(r"access\s+token.*expired", re.IGNORECASE | re.DOTALL)
_TOKEN_REFUSED = re.compile(
    r"access\s+token.*(?:revoked|malformed|invalid)", re.IGNORECASE | re.DOTALL
)


_NO_ROUTE = "missingauthenticationtoken"
_USUAL = "unauthorized"


class Complaint(Enum):
    """
    What is said against an access token, and may be mended by a new one.
    """

    EXPIRED = "expired"
    REFUSED = "refused"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Doubt:
    """
    A refusal that counts only if a fresh access token meets it as well.

    Args:
        outcome: What it means if it does.
    """

    complaint: Complaint
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class _Error:
    """
    What an answer says is wrong.

    Args:
        is_of_api: It stands in the API's own envelope.
    """

    code: str
    message: str
    details: str
    is_of_api: bool


def read_refusal(heard: Heard) -> Outcome | Doubt:
    """
    Return what an answer other than 200 means.
    """
    status = heard.answer.status
    error = _read_error(heard)
    if heard.asks_for_pause or (error is not None and error.code.lower() == "quotaexceeded"):
        return heard.conclude_pause()
    if status in SERVER_ERRORS:
        return heard.conclude_failure()
    if error is not None and status == HTTPStatus.UNAUTHORIZED:
        return _read_401(heard, error)
    if error is not None and status == HTTPStatus.FORBIDDEN:
        return _read_403(heard, error)
    return _conclude_surprise(heard, error)


def _read_error(heard: Heard) -> _Error | None:
    """
    Return the first error of the API's envelope; a gateway's bare message will do.
    """
    value = heard.read_json()
    errors = value.get("errors") if isinstance(value, dict) else None
    if not isinstance(errors, list):
        message = bodies.find_message(value, heard.secrets) if isinstance(value, dict) else None
        return None if message is None else _Error("", message, "", is_of_api=False)
    for error in errors:
        if isinstance(error, dict) and error:
            code, message, details = (
                found.strip() if isinstance(found := error.get(name), str) else ""
                for name in ("code", "message", "details")
            )
            return _Error(code, message, details, is_of_api=True)
    return None


def _read_401(heard: Heard, error: _Error) -> Outcome | Doubt:
    if _SECRET_EXPIRED.search(error.details):
        return _conclude_secret_expired(heard, error)
    outcome = heard.conclude(
        Reason.TOKEN_REJECTED,
        f"{heard.host} refuses even a fresh access token (401), though Amazon has just issued it."
        " The seller must authorize the application again if it lasts." + _quote(heard, error),
    )
    return Doubt(Complaint.REJECTED, outcome)


def _read_403(heard: Heard, error: _Error) -> Outcome | Doubt:
    said = f"{error.details} {error.message}"
    if _SECRET_EXPIRED.search(said):
        return _conclude_secret_expired(heard, error)
    if _TOKEN_EXPIRED.search(said):
        detail = (
            f"{heard.host} calls an access token expired (403) that is seconds old, twice in a row."
            " This says nothing about the authorization; nobody has to do anything unless it"
            " lasts."
        )
        outcome = heard.conclude(Reason.UNEXPECTED_RESPONSE, detail + _quote(heard, error))
        return Doubt(Complaint.EXPIRED, outcome)
    if _TOKEN_REFUSED.search(said):
        detail = (
            f"{heard.host} refuses two fresh access tokens (403): the seller has revoked the"
            " authorization, or it belongs to Amazon's sandbox. The seller must authorize the"
            " application again, and the new refresh token must be put in the old one's place."
        )
        outcome = heard.conclude(Reason.AUTHORIZATION_REVOKED, detail + _quote(heard, error))
        return Doubt(Complaint.REFUSED, outcome)
    if error.is_of_api and not error.details and error.code.lower() != _NO_ROUTE:
        return _conclude_unexplained(heard, error)
    return _conclude_denial(heard, error)


def _conclude_secret_expired(heard: Heard, error: _Error) -> Outcome:
    detail = (
        f"The application's client secret is past its 180 days ({heard.status}): Amazon refuses"
        " all stores of this application. The developer must rotate the secret in the Developer"
        " Console and put the new one into the configuration; sellers need to do nothing."
    )
    return heard.conclude(Reason.CLIENT_SECRET_EXPIRED, detail + _quote(heard, error))


def _conclude_unexplained(heard: Heard, error: _Error) -> Outcome:
    detail = f"{heard.host} denies access without a reason (403)."
    said = "" if error.code.lower() == _USUAL else _quote(heard, error)
    outcome = heard.conclude(Reason.PERMISSION_DENIED, detail + said)
    return replace(outcome, failed_host=heard.host, is_unexplained=True)


def _conclude_denial(heard: Heard, error: _Error) -> Outcome:
    if error.code.lower() == _NO_ROUTE:
        advice = (
            "It does not know what was asked for: the address is probably wrong. Check `endpoint`."
        )
    else:
        advice = (
            "The developer of the application must check its roles, the seller the account and"
            " what was agreed to."
        )
    detail = f"{heard.host} denies access ({heard.status}). {advice}"
    return heard.conclude(Reason.PERMISSION_DENIED, detail + _quote(heard, error))


def _conclude_surprise(heard: Heard, error: _Error | None) -> Outcome:
    if heard.answer.status in REDIRECTS:
        detail = (
            f"{heard.host} redirects ({heard.status}). Redirects are not followed, so that the"
            " token stays where it belongs: check `endpoint`."
        )
        return heard.conclude(Reason.UNEXPECTED_RESPONSE, detail)
    came = "" if error else f" with {heard.describe()}"
    detail = (
        f"{heard.host} answered {heard.status}{came}, where a list of marketplaces was expected."
        " This says nothing about the authorization; check `endpoint` if it lasts."
    )
    words = _quote(heard, error) if error else ""
    return heard.conclude(Reason.UNEXPECTED_RESPONSE, detail + words)


def _quote(heard: Heard, error: _Error) -> str:
    said = error.details or error.message
    return heard.quote(f"{error.code}: {said}" if error.code and said else said or error.code)
