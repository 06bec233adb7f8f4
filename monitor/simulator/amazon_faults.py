"""
Name what can go wrong with Amazon.

Decides which faults exist and which value each takes. A fault is on everywhere,
in one region (`na`) or for one store (`store_1`). How it looks is left to
`amazon_misbehave`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from monitor.simulator.fault_values import ChoiceValue, NumberValue
from monitor.simulator.switches import FaultKind

if TYPE_CHECKING:
    from collections.abc import Mapping


class AmazonFault(StrEnum):
    """
    Everything that can be switched on.

    Those of one service that take an answer's place come first, and the first of
    them wins; the others only change an answer and can be combined.
    """

    LWA_HANG = "lwa_hang"
    LWA_RESET = "lwa_reset"
    LWA_500 = "lwa_500"
    LWA_503 = "lwa_503"
    LWA_HTML = "lwa_html"
    LWA_EMPTY = "lwa_empty"
    LWA_THROTTLE = "lwa_throttle"
    LWA_ACCESS_DENIED = "lwa_access_denied"
    LWA_UNAUTHORIZED_CLIENT = "lwa_unauthorized_client"

    LWA_SLOW = "lwa_slow"
    LWA_WORDING = "lwa_wording"

    SP_HANG = "sp_hang"
    SP_RESET = "sp_reset"
    SP_500 = "sp_500"
    SP_503 = "sp_503"
    SP_HTML = "sp_html"
    SP_EMPTY = "sp_empty"
    SP_THROTTLE = "sp_throttle"
    SP_401 = "sp_401"
    SP_404 = "sp_404"
    STORM_403 = "storm_403"
    TOKEN_REFUSED = "token_refused"  # noqa: S105 - the name of a fault

    SP_SLOW = "sp_slow"
    EARLY_TOKEN_DEATH = "early_token_death"  # noqa: S105 - likewise
    ACCOUNT_DEACTIVATED = "account_deactivated"
    EMPTY_PAYLOAD = "empty_payload"
    EXTRA_MARKETPLACES = "extra_marketplaces"
    MISSING_STORE_NAME = "missing_store_name"
    MISSING_RATE_HEADER = "missing_rate_header"
    MISSING_DETAILS = "missing_details"
    SHUFFLED_KEYS = "shuffled_keys"

    CONSENT_ERROR = "consent_error"


class Wording(StrEnum):
    """
    The texts in which LWA was seen to refuse a refresh token.
    """

    USUAL = "usual"
    OLD = "old"
    VARIANT = "variant"


_HTML_STATUS = NumberValue(503.0, 200, 599, "status")
_LATE = NumberValue(5.0, 0.001, 3600, "seconds")

AMAZON_FAULT_KINDS: Mapping[AmazonFault, FaultKind] = {
    AmazonFault.LWA_HANG: FaultKind("LWA takes the request and never answers"),
    AmazonFault.LWA_RESET: FaultKind("LWA resets the connection (RST)"),
    AmazonFault.LWA_500: FaultKind("LWA answers 500 server_error"),
    AmazonFault.LWA_503: FaultKind("LWA answers 503 temporarily_unavailable"),
    AmazonFault.LWA_HTML: FaultKind("LWA answers with a page in HTML", _HTML_STATUS),
    AmazonFault.LWA_EMPTY: FaultKind("LWA answers 200 with an empty body"),
    AmazonFault.LWA_THROTTLE: FaultKind("LWA answers 429"),
    AmazonFault.LWA_ACCESS_DENIED: FaultKind("LWA answers 403 access_denied"),
    AmazonFault.LWA_UNAUTHORIZED_CLIENT: FaultKind(
        "LWA answers 400 unauthorized_client, though id and secret are right"
    ),
    AmazonFault.LWA_SLOW: FaultKind("LWA answers properly, but late", _LATE),
    AmazonFault.LWA_WORDING: FaultKind(
        "LWA refuses a refresh token in other words", ChoiceValue("old", tuple(Wording))
    ),
    AmazonFault.SP_HANG: FaultKind("the regional host takes the request and never answers"),
    AmazonFault.SP_RESET: FaultKind("the regional host resets the connection (RST)"),
    AmazonFault.SP_500: FaultKind("the regional host answers 500 InternalFailure"),
    AmazonFault.SP_503: FaultKind("the regional host answers 503 ServiceUnavailable"),
    AmazonFault.SP_HTML: FaultKind("the regional host answers with a page in HTML", _HTML_STATUS),
    AmazonFault.SP_EMPTY: FaultKind(
        "the regional host answers with an empty body", NumberValue(200.0, 200, 599, "status")
    ),
    AmazonFault.SP_THROTTLE: FaultKind("the regional host answers 429 QuotaExceeded"),
    AmazonFault.SP_401: FaultKind("the regional host answers 401, which its model does not know"),
    AmazonFault.SP_404: FaultKind("the regional host answers 404 NotFound"),
    AmazonFault.STORM_403: FaultKind("the regional host answers 403 without details to all"),
    AmazonFault.TOKEN_REFUSED: FaultKind(
        "every access token, fresh ones too, is “revoked, malformed or invalid”"
    ),
    AmazonFault.SP_SLOW: FaultKind("the regional host answers properly, but late", _LATE),
    AmazonFault.EARLY_TOKEN_DEATH: FaultKind(
        "access tokens expire before their hour is over", NumberValue(60.0, 0, 3600, "seconds")
    ),
    AmazonFault.ACCOUNT_DEACTIVATED: FaultKind("403 without details for a good token"),
    AmazonFault.EMPTY_PAYLOAD: FaultKind("200 with an empty list of marketplaces"),
    AmazonFault.EXTRA_MARKETPLACES: FaultKind("200 with marketplaces that are not Amazon's own"),
    AmazonFault.MISSING_STORE_NAME: FaultKind("200 without any storeName, as years ago"),
    AmazonFault.MISSING_RATE_HEADER: FaultKind("leaves x-amzn-RateLimit-Limit out"),
    AmazonFault.MISSING_DETAILS: FaultKind("leaves `details` out where it would be empty"),
    AmazonFault.SHUFFLED_KEYS: FaultKind("turns the order of the keys in every body round"),
    AmazonFault.CONSENT_ERROR: FaultKind(
        "the consent page shows an error",
        ChoiceValue(
            "SPDC8143",
            ("SPDC8143", "CONSENT_LIMIT_REACHED", "MD1000", "MD5101", "MD5110", "MD9100"),
        ),
    ),
}
