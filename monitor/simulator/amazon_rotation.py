"""
Give applications new client secrets when they ask for them.

Decides who may ask and how often, and the message that brings the secret: the
answer itself is empty. The queue stands in `amazon`.
"""

from __future__ import annotations

import uuid
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from monitor.simulator.amazon import ROTATION_RATE
from monitor.simulator.amazon_lwa import ROTATION_SCOPE
from monitor.simulator.amazon_sp import (
    RATE_HEADER,
    SpError,
    denied,
    find_token,
    sp_error,
    throttled,
)
from monitor.simulator.answer import Answer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from monitor.simulator.amazon import Amazon
    from monitor.simulator.amazon_applications import Application, IssuedSecret
    from monitor.simulator.amazon_faults import AmazonFault
    from monitor.simulator.amazon_sp import SpCall
    from monitor.simulator.fault_values import Value

ROTATION_PATH = "applications/2023-11-30/clientSecret"
NOT_ENROLLED = (
    "Application is not enrolled for rotation notification. "
    "Please update application notification preference in Developer console."
)
PAYLOAD_VERSION = "2023-11-30"


def answer_rotation(
    amazon: Amazon, call: SpCall, faults: Mapping[AmazonFault, Value], now: datetime
) -> Answer:
    """
    Make a new client secret and put it into the queue.

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
    return Answer(HTTPStatus.NO_CONTENT, b"", headers={RATE_HEADER: str(ROTATION_RATE)})


def _new_secret(
    application: Application, issued: IssuedSecret, old_dies_at: datetime, now: datetime
) -> dict[str, Any]:
    """
    Return the message that brings a new secret.
    """
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
    """
    Write an instant with milliseconds, as these messages do.
    """
    return f"{instant:%Y-%m-%dT%H:%M:%S}.{instant.microsecond // 1000:03}Z"
