"""
Answer requests for tokens, as Login with Amazon does.

Decides the order of the checks and the texts of the refusals. Which faults take
an answer's place is left to `amazon_misbehave`, sending it to `amazon_server`.
"""

from __future__ import annotations

import json
import secrets
import uuid
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from monitor.simulator.amazon_faults import Wording
from monitor.simulator.amazon_tokens import ACCESS_TOKEN_LIFE
from monitor.simulator.answer import json_answer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from monitor.simulator.amazon import Amazon
    from monitor.simulator.amazon_applications import Application
    from monitor.simulator.answer import Answer

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
    """
    Read the fields of a token request, a form or JSON; what is neither has none.
    """
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
) -> Answer:
    """
    Answer a request for tokens.

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


def refusal(status: int, error: str, description: str) -> Answer:
    """
    Return LWA's form of an error; two more keys come now and then.
    """
    body = {"error_description": description, "error": error}
    if secrets.randbelow(2):
        body |= {"error_index": secrets.token_urlsafe(90), "request_id": str(uuid.uuid4())}
    return json_answer(status, body, NO_STORE)


def unauthorized_client() -> Answer:
    """
    Return the refusal of a client that may use no grant.
    """
    description = "Not authorized for requested operation"
    return refusal(HTTPStatus.BAD_REQUEST, "unauthorized_client", description)


def _check_fields(fields: Mapping[str, str]) -> Answer | None:
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
    application: Application,
    fields: Mapping[str, str],
    now: datetime,
    is_expired: bool,
    wording: Wording,
) -> Answer:
    refresh_token = fields["refresh_token"]
    grant = amazon.grant_of(refresh_token)
    if grant is None or not amazon.accepts(refresh_token, application, now):
        return _invalid_grant("refresh_token", _INVALID_TOKEN[wording])
    token = amazon.access_tokens.issue_for_seller(grant, now, is_of_expired_secret=is_expired)
    # The refresh token is not used up: the answer repeats it.
    return _granted(token, {"refresh_token": refresh_token})


def _redeem(
    amazon: Amazon,
    application: Application,
    fields: Mapping[str, str],
    now: datetime,
    is_expired: bool,
) -> Answer:
    grant = amazon.codes.redeem(fields["code"], application, fields.get("redirect_uri"), now)
    if grant is None or grant.revoked_at is not None:
        return _invalid_grant("code", "")
    issued = amazon.issue_refresh_token(grant)
    token = amazon.access_tokens.issue_for_seller(grant, now, is_of_expired_secret=is_expired)
    return _granted(token, {"refresh_token": issued.refresh_token})


def _grantless(
    amazon: Amazon, application: Application, scope: str, now: datetime, is_expired: bool
) -> Answer:
    scopes = frozenset(scope.split())
    if not scopes <= SCOPES:
        # The status and the text could not be confirmed.
        description = "The request has an invalid scope"
        return refusal(HTTPStatus.BAD_REQUEST, "invalid_scope", description)
    token = amazon.access_tokens.issue_grantless(
        application, scopes, now, is_of_expired_secret=is_expired
    )
    return _granted(token, {"scope": scope})


def _granted(access_token: str, more: Mapping[str, str]) -> Answer:
    body: dict[str, Any] = {
        "access_token": access_token,
        "token_type": "bearer",
        "expires_in": int(ACCESS_TOKEN_LIFE.total_seconds()),
        **more,
    }
    return json_answer(HTTPStatus.OK, body, NO_STORE)


def _missing(name: str) -> Answer:
    description = f"The request is missing a required parameter : {name}"
    return refusal(HTTPStatus.BAD_REQUEST, "invalid_request", description)


def _invalid_grant(name: str, more: str) -> Answer:
    description = f"The request has an invalid grant parameter : {name}{more}"
    return refusal(HTTPStatus.BAD_REQUEST, "invalid_grant", description)
