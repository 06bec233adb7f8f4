"""Call the Sellers API, which lists where an account sells, and read what it says.

Decides what the list means, compared with the marketplaces that the connection should cover, and
whose fault a refusal is: `code` and `details` count, not the status alone, because one 403 stands
for a stale token, a secret past its date, a lost permission and a storm at Amazon. What is not the
API's own word is no refusal.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import Enum
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from monitor.config.marketplaces import by_id
from monitor.judge.outcome import Marketplace, Outcome, Reason
from monitor.providers import answers as bodies
from monitor.providers.amazon_lwa import AmazonAnswer
from monitor.providers.answers import MAX_ACCOUNT, REDIRECTS, SERVER_ERRORS
from monitor.providers.fetcher import Failure, fetch_before
from monitor.providers.masking import MAX_READ

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import httpx

    from monitor.providers.amazon_lwa import Credentials
    from monitor.providers.fetcher import Deadline


@dataclass(frozen=True, slots=True)
class _Saying:
    """Words that follow each other in a text, whatever stands between them.

    One pattern with `.*` in it would begin anew at each of its first words: minutes,
    for an answer that is full of them.
    """

    first: re.Pattern[str]
    then: re.Pattern[str]

    def search(self, text: str) -> bool:
        begun = self.first.search(text)
        return begun is not None and self.then.search(text, begun.end()) is not None


_SECRET = re.compile("secret", re.IGNORECASE)
_ACCESS_TOKEN = re.compile(r"access\s{1,9}token", re.IGNORECASE)
_EXPIRED = re.compile("expired", re.IGNORECASE)
_REFUSED = re.compile("revoked|malformed|invalid", re.IGNORECASE)

_SECRET_EXPIRED = _Saying(_SECRET, _EXPIRED)
_TOKEN_EXPIRED = _Saying(_ACCESS_TOKEN, _EXPIRED)
_TOKEN_REFUSED = _Saying(_ACCESS_TOKEN, _REFUSED)


_NO_ROUTE = "missingauthenticationtoken"
_USUAL = frozenset({"", "unauthorized"})
_SAYS_NOTHING = frozenset(
    {"", "access to requested resource is denied", "unauthorized", "forbidden", "access denied"}
)
"""What stands in `message` where no reason is given: the first of them is Amazon's usual one."""


class Complaint(Enum):
    """What is said against an access token, and may be mended by a new one."""

    EXPIRED = "expired"
    REFUSED = "refused"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Doubt:
    """A refusal that counts, as *outcome*, only if a fresh access token meets it as well."""

    complaint: Complaint
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class _Error:
    """What an answer says is wrong, and whether it stands in the API's own envelope."""

    code: str
    message: str
    details: str
    is_of_api: bool


def read_refusal(heard: AmazonAnswer) -> Outcome | Doubt:
    """Return what an answer other than 200 means."""
    status = heard.answer.status
    error = _read_error(heard)
    if heard.is_throttled or (error is not None and error.code.lower() == "quotaexceeded"):
        return heard.conclude_pause()
    if status in SERVER_ERRORS:
        return heard.conclude_failure()
    if error is not None and status == HTTPStatus.UNAUTHORIZED:
        return _read_401(heard, error)
    if error is not None and status == HTTPStatus.FORBIDDEN:
        return _read_403(heard, error)
    return _conclude_surprise(heard, error)


def _read_error(heard: AmazonAnswer) -> _Error | None:
    """Return the first error of the API's envelope; a gateway's bare message will do."""
    value = heard.read_json()
    errors = value.get("errors") if isinstance(value, dict) else None
    if not isinstance(errors, list):
        message = bodies.find_message(value, heard.secrets) if isinstance(value, dict) else None
        return None if message is None else _Error("", message, "", is_of_api=False)
    for error in errors:
        if isinstance(error, dict) and error:
            code, message, details = (
                found[:MAX_READ].strip() if isinstance(found := error.get(name), str) else ""
                for name in ("code", "message", "details")
            )
            return _Error(code, message, details, is_of_api=True)
    return None


def _read_401(heard: AmazonAnswer, error: _Error) -> Outcome | Doubt:
    if _SECRET_EXPIRED.search(error.details):
        return _conclude_secret_expired(heard, error)
    outcome = heard.conclude(
        Reason.TOKEN_REJECTED,
        f"{heard.host} rejected an access token (401) that Amazon has just issued."
        + _quote(heard, error),
    )
    return Doubt(Complaint.REJECTED, outcome)


def _read_403(heard: AmazonAnswer, error: _Error) -> Outcome | Doubt:
    said = f"{error.details} {error.message}"
    if _SECRET_EXPIRED.search(said):
        return _conclude_secret_expired(heard, error)
    if _TOKEN_EXPIRED.search(said):
        detail = (
            f"{heard.host} calls an access token expired (403) that is seconds old, twice in a row."
            " This says nothing about the authorization."
        )
        outcome = heard.conclude(Reason.UNEXPECTED_RESPONSE, detail + _quote(heard, error))
        return Doubt(Complaint.EXPIRED, outcome)
    if _TOKEN_REFUSED.search(said):
        detail = (
            f"{heard.host} rejected two fresh access tokens (403): the seller revoked the"
            " authorization, or it belongs to Amazon's sandbox."
        )
        outcome = heard.conclude(Reason.AUTHORIZATION_REVOKED, detail + _quote(heard, error))
        return Doubt(Complaint.REFUSED, outcome)
    if error.is_of_api and not error.details and error.code.lower() != _NO_ROUTE:
        return _conclude_unexplained(heard, error)
    return _conclude_denial(heard, error)


def _conclude_secret_expired(heard: AmazonAnswer, error: _Error) -> Outcome:
    detail = f"The app's client secret is past its 180 days ({heard.status})."
    return heard.conclude(Reason.CLIENT_SECRET_EXPIRED, detail + _quote(heard, error))


def _conclude_unexplained(heard: AmazonAnswer, error: _Error) -> Outcome:
    how = "denies access (403)" if _gives_reason(error) else "denies access without a reason (403)"
    outcome = heard.conclude(Reason.PERMISSION_DENIED, f"{heard.host} {how}.")
    return replace(outcome, failed_host=heard.host, is_unexplained=True)


def _gives_reason(error: _Error) -> bool:
    return (
        bool(error.details)
        or error.code.lower() not in _USUAL
        or error.message.rstrip(".!").lower() not in _SAYS_NOTHING
    )


def quote_reason(heard: AmazonAnswer) -> str:
    """Return a sentence that quotes why access is denied; empty where Amazon gives no reason."""
    error = _read_error(heard)
    return _quote(heard, error) if error is not None and _gives_reason(error) else ""


def _conclude_denial(heard: AmazonAnswer, error: _Error) -> Outcome:
    detail = f"{heard.host} denies access ({heard.status})."
    if error.code.lower() == _NO_ROUTE:
        detail += " It does not know this path: the address is probably wrong. Check `endpoint`."
    return heard.conclude(Reason.PERMISSION_DENIED, detail + _quote(heard, error))


def _conclude_surprise(heard: AmazonAnswer, error: _Error | None) -> Outcome:
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


def _quote(heard: AmazonAnswer, error: _Error) -> str:
    said = error.details or error.message
    return heard.quote(f"{error.code}: {said}" if error.code and said else said or error.code)


PATH = "/sellers/v1/marketplaceParticipations"


@dataclass(frozen=True, slots=True)
class Expected:
    """The country by marketplace id that an account should hold; None: whatever it has is right."""

    marketplaces: Mapping[str, str] | None


@dataclass(frozen=True, slots=True)
class _ListedMarketplace:
    id: str
    is_participating: bool
    has_suspended_listings: bool
    store_name: str


async def request_sellers(
    client: httpx.AsyncClient, address: str, credentials: Credentials, deadline: Deadline
) -> AmazonAnswer | Failure:
    """Call the API at *address* with the access token, and return what it answered."""
    # The token goes bare, without `Bearer` and without a body, which is refused.
    headers = {"x-amz-access-token": credentials.access_token}
    request = client.build_request("GET", address + PATH, headers=headers)
    fetched = await fetch_before(deadline, client, request)
    if isinstance(fetched, Failure):
        return fetched
    return AmazonAnswer(fetched, urlsplit(address).netloc, credentials.secrets)


def read_sellers(heard: AmazonAnswer, expected: Expected) -> Outcome | Doubt:
    """Return what the answer says about the authorization."""
    if heard.answer.status != HTTPStatus.OK:
        return read_refusal(heard)
    payload = _read_payload(heard)
    if payload is None:
        return heard.conclude(
            Reason.UNEXPECTED_RESPONSE,
            f"{heard.host} did not answer as the Sellers API does ({heard.status}): expected a"
            f" list of marketplaces, got {heard.describe()}."
            " Check `endpoint`; a proxy or a maintenance page may stand in the way.",
        )
    entries = _read_entries(payload)
    if payload and not entries:
        return heard.conclude(
            Reason.UNEXPECTED_RESPONSE,
            f"{heard.host} answered with a list of marketplaces of which no entry can be read"
            f" ({heard.status}).",
        )
    return _compare(heard, entries, expected)


def lists_marketplaces(heard: AmazonAnswer) -> bool:
    """Tell whether the token was let in and opens an account there."""
    if heard.answer.status != HTTPStatus.OK:
        return False
    return bool(_read_entries(_read_payload(heard) or []))


def _read_payload(heard: AmazonAnswer) -> list[Any] | None:
    value = heard.read_json()
    payload = value.get("payload") if isinstance(value, dict) else None
    return payload if isinstance(payload, list) else None


def _read_entries(payload: list[Any]) -> list[_ListedMarketplace]:
    """Return one entry per marketplace; what cannot be read is left out."""
    entries: dict[str, _ListedMarketplace] = {}
    for item in payload:
        entry = _read_entry(item) if isinstance(item, dict) else None
        if entry and (entry.id not in entries or not entries[entry.id].is_participating):
            entries[entry.id] = entry
    return list(entries.values())


def _read_entry(item: dict[str, Any]) -> _ListedMarketplace | None:
    marketplace, participation = item.get("marketplace"), item.get("participation")
    if not isinstance(marketplace, dict) or not isinstance(participation, dict):
        return None
    marketplace_id, is_participating = (marketplace.get("id"), participation.get("isParticipating"))
    if not isinstance(marketplace_id, str) or not isinstance(is_participating, bool):
        return None
    store_name = item.get("storeName")
    return _ListedMarketplace(
        marketplace_id.strip(),
        is_participating,
        participation.get("hasSuspendedListings") is True,
        store_name if isinstance(store_name, str) else "",
    )


def _compare(heard: AmazonAnswer, entries: list[_ListedMarketplace], expected: Expected) -> Outcome:
    marketplaces = tuple(_list_marketplaces(entries, expected))
    mismatch = _name_mismatch(entries, marketplaces, is_compared=expected.marketplaces is not None)
    outcome = heard.conclude(Reason.MARKETPLACE_MISMATCH if mismatch else Reason.OK, mismatch)
    return replace(outcome, account=_find_account(heard, entries), marketplaces=marketplaces)


def _list_marketplaces(
    entries: list[_ListedMarketplace], expected: Expected
) -> Iterable[Marketplace]:
    """List the configured ones first, then what the account has beside them.

    Where none is configured, those count as such in which the account sells; all of
    them where it sells in none, since that is what is wrong.
    """
    found = {entry.id: entry for entry in entries}
    is_idle = not any(entry.is_participating for entry in entries if by_id(entry.id) is not None)
    configured = expected.marketplaces or {}
    for marketplace_id, country in configured.items():
        entry = found.get(marketplace_id)
        yield Marketplace(
            country,
            marketplace_id,
            is_participating=entry is not None and entry.is_participating,
            has_suspended_listings=entry is not None and entry.has_suspended_listings,
            is_configured=True,
        )
    for entry in entries:
        known = by_id(entry.id)
        # Orders from elsewhere have marketplaces that nobody can be asked about.
        if known is not None and entry.id not in configured:
            yield Marketplace(
                known.country,
                entry.id,
                entry.is_participating,
                entry.has_suspended_listings,
                is_configured=expected.marketplaces is None and (entry.is_participating or is_idle),
            )


def _name_mismatch(
    entries: list[_ListedMarketplace], marketplaces: tuple[Marketplace, ...], *, is_compared: bool
) -> str:
    if not entries:
        return (
            "Amazon accepts the authorization but lists no marketplace for it: the account sells"
            " nowhere in this region. Check `region` against the Seller Central where the seller"
            " authorized the application."
        )
    missing = [one for one in marketplaces if one.is_configured and not one.is_participating]
    if not is_compared:
        return "" if _sells_anywhere(entries, marketplaces) else _name_idle(marketplaces)
    if not missing:
        return ""
    ids = {entry.id for entry in entries}
    absent = [one.country for one in missing if one.id not in ids]
    idle = [one.country for one in missing if one.id in ids]
    has = [one.country for one in marketplaces if one.is_participating]
    return " ".join(
        [
            "The account does not cover all marketplaces of this connection.",
            *([f"Not in the account: {', '.join(absent)}."] if absent else []),
            *([f"In the account, but not participating: {', '.join(idle)}."] if idle else []),
            f"It participates in: {', '.join(has) or 'none'}.",
        ]
    )


def _sells_anywhere(
    entries: list[_ListedMarketplace], marketplaces: tuple[Marketplace, ...]
) -> bool:
    """Tell whether the account sells somewhere: what is known decides, where anything is known.

    An entry that is not in our table may be a marketplace that Amazon has just
    opened, or a channel of another shop's.
    """
    if marketplaces:
        return any(one.is_participating for one in marketplaces)
    return any(entry.is_participating for entry in entries)


def _name_idle(marketplaces: tuple[Marketplace, ...]) -> str:
    listed = ", ".join(one.country for one in marketplaces) or "those that it lists"
    return (
        "Amazon accepts the authorization, but the account participates in none of its"
        f" marketplaces: {listed}. The seller must register there again, or check in Seller"
        " Central whether the account is active; `region` may be the wrong one."
    )


def _find_account(heard: AmazonAnswer, entries: list[_ListedMarketplace]) -> str | None:
    for entry in entries:
        if entry.is_participating and by_id(entry.id) is not None:
            if account := heard.clean(entry.store_name, MAX_ACCOUNT):
                return account
    return None
