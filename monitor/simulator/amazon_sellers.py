"""
Answer calls to the Sellers API: where a seller takes part.

Decides what a good token must be good for, when there were too many calls, and
the body of the answer.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from monitor.simulator.amazon import PROBE_RATE
from monitor.simulator.amazon_faults import AmazonFault
from monitor.simulator.amazon_marketplaces import MARKETPLACES, NON_AMAZON
from monitor.simulator.amazon_sp import (
    RATE_HEADER,
    SpError,
    denied,
    find_token,
    sp_error,
    throttled,
)
from monitor.simulator.amazon_stores import Participation
from monitor.simulator.answer import json_answer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from monitor.simulator.amazon import Amazon
    from monitor.simulator.amazon_marketplaces import Marketplace
    from monitor.simulator.amazon_sp import SpCall
    from monitor.simulator.amazon_stores import Grant
    from monitor.simulator.answer import Answer
    from monitor.simulator.fault_values import Value

PARTICIPATIONS_PATH = "sellers/v1/marketplaceParticipations"


def answer_participations(
    amazon: Amazon, call: SpCall, faults: Mapping[AmazonFault, Value], now: datetime
) -> Answer:
    """
    Answer where the seller of the token takes part.

    Refused calls do not draw from the bucket; whether they do at Amazon could
    not be confirmed. Raises `SpError`.
    """
    grant = find_token(amazon, call, faults, now).grant
    if grant is None or grant.region is not call.region or not grant.opens_sellers_api:
        raise SpError(denied(""))
    if AmazonFault.ACCOUNT_DEACTIVATED in faults:
        raise SpError(denied(""))
    if not amazon.probes(grant, now).take(now):
        raise SpError(throttled())
    if call.has_body:
        raise SpError(sp_error(HTTPStatus.BAD_REQUEST, "InvalidInput", "Invalid Input", ""))
    rate = {} if AmazonFault.MISSING_RATE_HEADER in faults else {RATE_HEADER: str(PROBE_RATE)}
    return json_answer(HTTPStatus.OK, {"payload": _payload(grant, faults)}, rate)


def _payload(grant: Grant, faults: Mapping[AmazonFault, Value]) -> list[dict[str, Any]]:
    if AmazonFault.EMPTY_PAYLOAD in faults:
        return []
    store_name = None if AmazonFault.MISSING_STORE_NAME in faults else grant.store_name
    items = [
        _item(MARKETPLACES[country], store_name, own)
        for country, own in grant.participations.items()
    ]
    if AmazonFault.EXTRA_MARKETPLACES in faults:
        items += [
            _item(marketplace, store_name, Participation())
            for marketplace in NON_AMAZON
            if marketplace.region is grant.region
        ]
    return items


def _item(
    marketplace: Marketplace, store_name: str | None, participation: Participation
) -> dict[str, Any]:
    item: dict[str, Any] = {"marketplace": marketplace.describe()}
    if store_name is not None:
        item["storeName"] = store_name
    item["participation"] = {
        "isParticipating": participation.is_participating,
        "hasSuspendedListings": participation.has_suspended_listings,
    }
    return item
