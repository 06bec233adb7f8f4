"""
Ask the Sellers API where an account sells: the one call that is made.

Decides what the list of marketplaces means, compared with those the connection
is meant to cover. Refusals are read in `amazon_refusals`; where to ask, and when
to ask again, is left to `amazon` and `amazon_regions`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from monitor.check.amazon_answer import Heard
from monitor.check.amazon_refusals import Doubt, read_refusal
from monitor.check.body import MAX_ACCOUNT
from monitor.check.deadline import fetch_before
from monitor.check.http import Failure
from monitor.judge.outcome import Marketplace, Outcome, Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import httpx

    from monitor.check.amazon_lwa import Credentials
    from monitor.check.deadline import Deadline

PATH = "/sellers/v1/marketplaceParticipations"


@dataclass(frozen=True, slots=True)
class Expected:
    """
    What a store's account should hold.

    Args:
        marketplaces: By Amazon's id the country, as the configuration writes it;
            None where whatever the account has is right.
        country_of: Names the country of an id; None for an id that is not in
            Amazon's own table.
    """

    marketplaces: Mapping[str, str] | None
    country_of: Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class _Entry:
    id: str
    is_participating: bool
    has_suspended_listings: bool
    store_name: str


async def ask_sellers(
    client: httpx.AsyncClient,
    address: str,
    host: str,
    credentials: Credentials,
    deadline: Deadline,
) -> Heard | Failure:
    """
    Call the API at *address* with the access token, and return what it answered.
    """
    # The token goes bare, without `Bearer` and without a body, which is refused.
    headers = {"x-amz-access-token": credentials.access_token}
    request = client.build_request("GET", address + PATH, headers=headers)
    fetched = await fetch_before(deadline, client, request)
    return fetched if isinstance(fetched, Failure) else Heard(fetched, host, credentials.secrets)


def read_sellers(heard: Heard, expected: Expected) -> Outcome | Doubt:
    """
    Return what the answer says about the authorization.
    """
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


def lists_marketplaces(heard: Heard) -> bool:
    """
    Tell whether the token was let in and opens an account there.
    """
    if heard.answer.status != HTTPStatus.OK:
        return False
    return bool(_read_entries(_read_payload(heard) or []))


def _read_payload(heard: Heard) -> list[Any] | None:
    value = heard.read_json()
    payload = value.get("payload") if isinstance(value, dict) else None
    return payload if isinstance(payload, list) else None


def _read_entries(payload: list[Any]) -> list[_Entry]:
    """
    Return one entry per marketplace; what cannot be read is left out.
    """
    entries: dict[str, _Entry] = {}
    for item in payload:
        entry = _read_entry(item) if isinstance(item, dict) else None
        if entry and (entry.id not in entries or not entries[entry.id].is_participating):
            entries[entry.id] = entry
    return list(entries.values())


def _read_entry(item: dict[str, Any]) -> _Entry | None:
    marketplace, participation = item.get("marketplace"), item.get("participation")
    if not isinstance(marketplace, dict) or not isinstance(participation, dict):
        return None
    marketplace_id, is_participating = (
        marketplace.get("id"),
        participation.get("isParticipating"),
    )
    if not isinstance(marketplace_id, str) or not isinstance(is_participating, bool):
        return None
    store_name = item.get("storeName")
    return _Entry(
        marketplace_id.strip(),
        is_participating,
        participation.get("hasSuspendedListings") is True,
        store_name if isinstance(store_name, str) else "",
    )


def _compare(heard: Heard, entries: list[_Entry], expected: Expected) -> Outcome:
    marketplaces = tuple(_list_marketplaces(entries, expected))
    mismatch = _name_mismatch(entries, marketplaces, is_compared=expected.marketplaces is not None)
    outcome = heard.conclude(Reason.MARKETPLACE_MISMATCH if mismatch else Reason.OK, mismatch)
    return replace(
        outcome,
        account=_find_account(heard, entries, expected),
        marketplaces=marketplaces,
    )


def _list_marketplaces(entries: list[_Entry], expected: Expected) -> Iterable[Marketplace]:
    """
    List the configured ones first, then what the account has beside them.
    """
    found = {entry.id: entry for entry in entries}
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
        known = expected.country_of(entry.id)
        # Orders from elsewhere have marketplaces that nobody can be asked about.
        if known is not None and entry.id not in configured:
            yield Marketplace(
                known,
                entry.id,
                entry.is_participating,
                entry.has_suspended_listings,
                is_configured=expected.marketplaces is None,
            )


def _name_mismatch(
    entries: list[_Entry], marketplaces: tuple[Marketplace, ...], *, is_compared: bool
) -> str:
    if not entries:
        return (
            "Amazon accepts the authorization but lists no marketplace for it: the account sells"
            " nowhere in this region. Check `region` against the Seller Central where the seller"
            " authorized the application."
        )
    missing = [one for one in marketplaces if one.is_configured and not one.is_participating]
    if not missing or not is_compared:
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
            "The seller must register there again, or `marketplaces` be changed.",
        ]
    )


def _find_account(heard: Heard, entries: list[_Entry], expected: Expected) -> str | None:
    for entry in entries:
        if entry.is_participating and expected.country_of(entry.id) is not None:
            if account := heard.clean(entry.store_name, MAX_ACCOUNT):
                return account
    return None
