"""Answer as Amazon does: Login with Amazon, the Sellers API, and the rotation of client secrets.

Decides the order of the checks, which access tokens are let in, and the texts of the refusals.
Which faults take an answer's place, and sending it, is left to `amazon_server`.
"""

from __future__ import annotations

import json
import secrets
import uuid
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from monitor.simulator.amazon import (
    ACCESS_TOKEN_LIFE,
    MARKETPLACES,
    NON_AMAZON,
    PROBE_RATE,
    ROTATION_RATE,
    Participation,
    StoreState,
)
from monitor.simulator.base import SimulatedAnswer, json_answer
from monitor.simulator.faults import AmazonFault, Wording

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from monitor.simulator.amazon import (
        AccessToken,
        Amazon,
        AmazonApplication,
        AmazonMarketplace,
        AmazonRegion,
        Grant,
        IssuedSecret,
    )
    from monitor.simulator.faults import Value


NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}
MAX_FIELDS = 50

ROTATION_SCOPE = "sellingpartnerapi::client_credential:rotation"
SCOPES = frozenset({"sellingpartnerapi::notifications", ROTATION_SCOPE})

_NEEDED = {
    "refresh_token": ("client_id", "client_secret", "refresh_token"),
    "authorization_code": ("client_id", "client_secret", "code"),
    "client_credentials": ("client_id", "client_secret", "scope"),
}
_INVALID_TOKEN = {
    Wording.USUAL: ". User may have revoked or didn't grant the permission.",
    Wording.OLD: "",
    Wording.VARIANT: ". User may have unauthorized or didn't grant the permission.",
}


def read_token_request(raw: bytes, content_type: str) -> dict[str, str]:
    """Read the fields of a token request, a form or JSON; what is neither has none."""
    text = raw.decode("utf-8", "replace")
    try:
        if content_type != "application/json":
            return dict(parse_qsl(text, max_num_fields=MAX_FIELDS))
        body = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(body, dict):
        return {}
    return {name: value for name, value in body.items() if isinstance(value, str)}


def answer_token_request(
    amazon: Amazon, fields: Mapping[str, str], now: datetime, wording: Wording = Wording.USUAL
) -> SimulatedAnswer:
    """Answer a request for tokens.

    The client is checked before its grant, which is OAuth's order; Amazon's own
    could not be confirmed.
    """
    refused = _check_fields(fields)
    if refused is not None:
        return refused
    client = amazon.authenticate_client(fields["client_id"], fields["client_secret"], now)
    if client is None:
        return refusal(HTTPStatus.UNAUTHORIZED, "invalid_client", "Client authentication failed")
    application, secret = client
    if not application.is_enabled:
        return unauthorized_client()
    is_expired = secret.is_expired(now)
    match fields["grant_type"]:
        case "refresh_token":
            return _refresh(amazon, application, fields, now, is_expired, wording)
        case "authorization_code":
            return _redeem(amazon, application, fields, now, is_expired)
        case _:
            return _grantless(amazon, application, fields["scope"], now, is_expired)


def refusal(status: int, error: str, description: str) -> SimulatedAnswer:
    """Return LWA's form of an error; two more keys come now and then."""
    body = {"error_description": description, "error": error}
    if secrets.randbelow(2):
        body |= {"error_index": secrets.token_urlsafe(90), "request_id": str(uuid.uuid4())}
    return json_answer(status, body, NO_STORE)


def unauthorized_client() -> SimulatedAnswer:
    """Return the refusal of a client that may use no grant."""
    description = "Not authorized for requested operation"
    return refusal(HTTPStatus.BAD_REQUEST, "unauthorized_client", description)


def _check_fields(fields: Mapping[str, str]) -> SimulatedAnswer | None:
    grant_type = fields.get("grant_type")
    if not grant_type:
        return _missing("grant_type")
    if grant_type not in _NEEDED:
        description = "The authorization grant type is not supported by the authorization server"
        return refusal(HTTPStatus.BAD_REQUEST, "unsupported_grant_type", description)
    absent = (name for name in _NEEDED[grant_type] if not fields.get(name))
    return next((_missing(name) for name in absent), None)


def _refresh(
    amazon: Amazon,
    application: AmazonApplication,
    fields: Mapping[str, str],
    now: datetime,
    is_expired: bool,
    wording: Wording,
) -> SimulatedAnswer:
    refresh_token = fields["refresh_token"]
    grant = amazon.grant_of(refresh_token)
    if grant is None or not amazon.accepts(refresh_token, application, now):
        return _invalid_grant("refresh_token", _INVALID_TOKEN[wording])
    token = amazon.access_tokens.issue_for_seller(grant, now, is_of_expired_secret=is_expired)
    # The refresh token is not used up: the answer repeats it.
    return _granted(token, {"refresh_token": refresh_token})


def _redeem(
    amazon: Amazon,
    application: AmazonApplication,
    fields: Mapping[str, str],
    now: datetime,
    is_expired: bool,
) -> SimulatedAnswer:
    grant = amazon.codes.redeem(fields["code"], application, fields.get("redirect_uri"), now)
    if grant is None or grant.revoked_at is not None:
        return _invalid_grant("code", "")
    issued = amazon.issue_refresh_token(grant)
    token = amazon.access_tokens.issue_for_seller(grant, now, is_of_expired_secret=is_expired)
    return _granted(token, {"refresh_token": issued.refresh_token})


def _grantless(
    amazon: Amazon, application: AmazonApplication, scope: str, now: datetime, is_expired: bool
) -> SimulatedAnswer:
    scopes = frozenset(scope.split())
    if not scopes <= SCOPES:
        # The status and the text could not be confirmed.
        description = "The request has an invalid scope"
        return refusal(HTTPStatus.BAD_REQUEST, "invalid_scope", description)
    token = amazon.access_tokens.issue_grantless(
        application, scopes, now, is_of_expired_secret=is_expired
    )
    return _granted(token, {"scope": scope})


def _granted(access_token: str, more: Mapping[str, str]) -> SimulatedAnswer:
    body: dict[str, Any] = {
        "access_token": access_token,
        "token_type": "bearer",
        "expires_in": int(ACCESS_TOKEN_LIFE.total_seconds()),
        **more,
    }
    return json_answer(HTTPStatus.OK, body, NO_STORE)


def _missing(name: str) -> SimulatedAnswer:
    description = f"The request is missing a required parameter : {name}"
    return refusal(HTTPStatus.BAD_REQUEST, "invalid_request", description)


def _invalid_grant(name: str, more: str) -> SimulatedAnswer:
    description = f"The request has an invalid grant parameter : {name}{more}"
    return refusal(HTTPStatus.BAD_REQUEST, "invalid_grant", description)


TOKEN_HEADER = "x-amz-access-token"  # noqa: S105 - the name of a header
RATE_HEADER = "x-amzn-RateLimit-Limit"
ERROR_HEADER = "x-amzn-ErrorType"

DENIED = "Access to requested resource is denied."
MISSING = "Access token is missing in the request header."
EXPIRED = "The access token you provided has expired."
REFUSED = "The access token you provided is revoked, malformed or invalid."
SECRET_EXPIRED = "The LWA secret token you provided has expired."  # noqa: S105 - a text


@dataclass(frozen=True, slots=True)
class SpCall:
    """What a regional host looks at in a call.

    Args:
        region: Whose host was called.
        path: Without a leading slash.
        token: The value of the token header.
        has_body: A body or its length came along.
    """

    region: AmazonRegion
    method: str
    path: str
    token: str | None = None
    has_body: bool = False


class SpError(Exception):
    """A call that is refused, with the answer that says so."""

    def __init__(self, answer: SimulatedAnswer) -> None:
        super().__init__(f"status {answer.status}")
        self.answer = answer


def sp_error(status: int, code: str, message: str, details: str | None = None) -> SimulatedAnswer:
    """Return the API's envelope of an error; None leaves `details` out."""
    error = {"code": code, "message": message}
    if details is not None:
        error["details"] = details
    headers = {ERROR_HEADER: "AccessDeniedException"} if status == HTTPStatus.FORBIDDEN else {}
    return json_answer(status, {"errors": [error]}, headers)


def denied(details: str) -> SimulatedAnswer:
    """Return a refusal of the token or of what it may do."""
    return sp_error(HTTPStatus.FORBIDDEN, "Unauthorized", DENIED, details)


def not_routed() -> SimulatedAnswer:
    """Return what a path or method that is not known gets."""
    return sp_error(HTTPStatus.FORBIDDEN, "MissingAuthenticationToken", DENIED)


def throttled() -> SimulatedAnswer:
    """Return what an empty bucket answers: no word about when it fills up."""
    message = "You exceeded your quota for the requested resource."
    return sp_error(HTTPStatus.TOO_MANY_REQUESTS, "QuotaExceeded", message, "")


def find_token(
    amazon: Amazon, call: SpCall, faults: Mapping[AmazonFault, Value], now: datetime
) -> AccessToken:
    """Return what the call's token stands for, or refuse it.

    Raises `SpError`.
    """
    if not call.token:
        raise SpError(denied(MISSING))
    token = amazon.access_tokens.find(call.token)
    if token is None or token.is_spoiled:
        raise SpError(denied(REFUSED))
    life = ACCESS_TOKEN_LIFE.total_seconds()
    early = faults.get(AmazonFault.EARLY_TOKEN_DEATH)
    if (now - token.issued_at).total_seconds() >= (life if early is None else float(early)):
        raise SpError(denied(EXPIRED))
    if token.is_of_expired_secret:
        raise SpError(denied(SECRET_EXPIRED))
    if token.grant is not None and amazon.policy.revoking_ends_access_tokens:
        if amazon.state_of(token.grant, now) is not StoreState.LIVE:
            raise SpError(denied(REFUSED))
    return token


PARTICIPATIONS_PATH = "sellers/v1/marketplaceParticipations"


def answer_participations(
    amazon: Amazon, call: SpCall, faults: Mapping[AmazonFault, Value], now: datetime
) -> SimulatedAnswer:
    """Answer where the seller of the token takes part.

    Refused calls do not draw from the bucket; whether they do at Amazon could
    not be confirmed. Raises `SpError`.
    """
    grant = find_token(amazon, call, faults, now).grant
    if grant is None or grant.region is not call.region or not grant.opens_sellers_api:
        raise SpError(denied(""))
    if AmazonFault.ACCOUNT_DEACTIVATED in faults:
        raise SpError(denied(""))
    if AmazonFault.DENIED_IN_MESSAGE in faults:
        message = "The seller account is not active."
        raise SpError(sp_error(HTTPStatus.FORBIDDEN, "Unauthorized", message, ""))
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
    idle = Participation(is_participating=False)
    items = [
        _item(
            MARKETPLACES[country],
            store_name,
            idle if AmazonFault.IDLE_MARKETPLACES in faults else own,
        )
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
    marketplace: AmazonMarketplace, store_name: str | None, participation: Participation
) -> dict[str, Any]:
    item: dict[str, Any] = {"marketplace": marketplace.describe()}
    if store_name is not None:
        item["storeName"] = store_name
    item["participation"] = {
        "isParticipating": participation.is_participating,
        "hasSuspendedListings": participation.has_suspended_listings,
    }
    return item


ROTATION_PATH = "applications/2023-11-30/clientSecret"
NOT_ENROLLED = (
    "Application is not enrolled for rotation notification. "
    "Please update application notification preference in Developer console."
)
PAYLOAD_VERSION = "2023-11-30"


def answer_rotation(
    amazon: Amazon, call: SpCall, faults: Mapping[AmazonFault, Value], now: datetime
) -> SimulatedAnswer:
    """Make a new client secret and put it into the queue.

    Every regional host does it; Amazon's model names the American one only.
    Raises `SpError`.
    """
    token = find_token(amazon, call, faults, now)
    application = token.application
    if ROTATION_SCOPE not in token.scopes:
        raise SpError(denied(""))
    if not application.is_enrolled:
        raise SpError(sp_error(HTTPStatus.BAD_REQUEST, "InvalidInput", NOT_ENROLLED, ""))
    if not application.rotations.take(now):
        raise SpError(throttled())
    previous = application.secret
    issued = amazon.rotate_secret(application.id, now)
    amazon.queue.append(_new_secret(application, issued, previous.dies_at or now, now))
    return SimulatedAnswer(HTTPStatus.NO_CONTENT, b"", headers={RATE_HEADER: str(ROTATION_RATE)})


def _new_secret(
    application: AmazonApplication, issued: IssuedSecret, old_dies_at: datetime, now: datetime
) -> dict[str, Any]:
    """Return the message that brings a new secret."""
    return {
        "notificationVersion": "1.0",
        "notificationType": "APPLICATION_OAUTH_CLIENT_NEW_SECRET",
        "payloadVersion": PAYLOAD_VERSION,
        "eventTime": _write(now),
        "payload": {
            "applicationOAuthClientNewSecret": {
                "clientId": application.client_id,
                "newClientSecret": issued.value,
                "newClientSecretExpiryTime": _write(issued.secret.expires_at),
                "oldClientSecretExpiryTime": _write(old_dies_at),
            }
        },
        "notificationMetadata": {
            "applicationId": application.application_id,
            "subscriptionId": str(uuid.uuid4()),
            "publishTime": _write(now),
            "notificationId": str(uuid.uuid4()),
        },
    }


def _write(instant: datetime) -> str:
    """Write an instant with milliseconds, as these messages do."""
    return f"{instant:%Y-%m-%dT%H:%M:%S}.{instant.microsecond // 1000:03}Z"
