"""
Have a seller authorize an application again, and take what comes of it into use.

Decides which answers of a consent page count: begun here, by the same browser,
not long ago, and not answered before. What is made of their code is decided in
`new_grants`; pages are left to `pages.handshakes`.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import structlog

from monitor.config.amazon import AmazonConnection
from monitor.store import connections, keys, stored_tokens
from monitor.web.new_grants import HandshakeRefused, Seller, application_of, keep, try_code
from monitor.web.obstacles import find_obstacle

if TYPE_CHECKING:
    from collections.abc import Mapping

    from monitor.store.engine import Transaction
    from monitor.store.stored_tokens import Handshake
    from monitor.web.obstacles import Obstacle
    from monitor.web.parts import Parts

log = structlog.get_logger()

STATE_LIFE = timedelta(minutes=10)
NONCE_BYTES = 24
RENAMED = "~"
"""Begins the nonce of those who said that the store has another name now."""

MAX_FIELD = 2048
"""What is longer than this was not sent by Amazon."""


class HandshakeImpossible(Exception):  # noqa: N818 - it states a condition
    """
    Raised where no handshake can be begun.
    """

    def __init__(self, name: str, obstacle: Obstacle) -> None:
        super().__init__(obstacle.why)
        self.name = name
        self.obstacle = obstacle


@dataclass(frozen=True, slots=True)
class _Back:
    """
    What the consent page sent back with the browser.
    """

    state: str
    code: str
    seller_id: str | None
    error: str


async def begin(parts: Parts, name: str, session: str, *, is_renamed: bool = False) -> str:
    """
    Return the address of the consent page on which *name* is authorized again.

    Args:
        is_renamed: The name of the store is not to be compared with that from before.

    Raises:
        LookupError: There is no such connection.
        HandshakeImpossible: Something is missing for that.
    """
    connection = parts.config.connection(name)
    if connection is None:
        raise LookupError(name)
    obstacle = find_obstacle(parts.config, connection)
    if obstacle is not None:
        raise HandshakeImpossible(name, obstacle)
    assert isinstance(connection, AmazonConnection), "all others are an obstacle"
    application = application_of(parts, connection)
    # What the seller brings back says it, and is signed.
    nonce = (RENAMED if is_renamed else "") + secrets.token_urlsafe(NONCE_BYTES)
    now = parts.clock()

    def remember(tx: Transaction) -> bytes:
        record = connections.find_record(tx, name)
        if record is None:
            raise LookupError(name)
        stored_tokens.forget_handshakes(tx, now - STATE_LIFE)
        stored_tokens.begin_handshake(tx, _hash(nonce), record.id, _hash(session), now)
        return keys.find_or_make(tx, keys.HANDSHAKE)

    key = await parts.store.write(remember)
    log.info("handshake.begun", connection=name, is_renamed=is_renamed)
    fields = {
        "application_id": application.application_id,
        "state": f"{nonce}.{_sign(key, nonce)}",
        "redirect_uri": application.redirect_url,
    }
    return f"{parts.consent_page(connection)}?{urlencode(fields)}"


async def finish(parts: Parts, query: Mapping[str, str], session: str) -> str:
    """
    Take an answer of the consent page into use; return the connection's name.

    Raises:
        HandshakeRefused: Nothing was changed.
    """
    back = _Back(
        query.get("state", "")[:MAX_FIELD],
        query.get("spapi_oauth_code", "")[:MAX_FIELD],
        query.get("selling_partner_id", "")[:100] or None,
        query.get("error", "")[:100],
    )
    begun = await _take(parts, back.state, session)
    name = begun.connection
    if not back.code:
        raise HandshakeRefused(
            "Nothing was authorized",
            "The consent page was left without a confirmation. The authorization is as it was.",
            name,
        )
    connection = parts.config.connection(name)
    if not isinstance(connection, AmazonConnection) or find_obstacle(parts.config, connection):
        raise HandshakeRefused(
            "The settings have changed",
            f"{name} can no longer be authorized from here; its page says why.",
            name,
        )
    token, outcome = await try_code(parts, connection, back.code)
    seller = Seller(back.seller_id, back.state.startswith(RENAMED))
    settled = await keep(parts, connection, token, seller, outcome)
    parts.held.hold(name, token, connection.refresh_token)
    log.info("handshake.finished", connection=name, reason=outcome.reason.value)
    parts.announce(settled)
    return name


async def _take(parts: Parts, state: str, session: str) -> Handshake:
    """
    Return the handshake that *state* stands for, and have it count this once.
    """
    nonce, _, signature = state.partition(".")
    now = parts.clock()

    def take(tx: Transaction) -> Handshake | None:
        key = keys.find(tx, keys.HANDSHAKE)
        if key is None or not hmac.compare_digest(
            _sign(key, nonce).encode(), signature.encode("utf-8", "replace")
        ):
            raise HandshakeRefused(
                "Not begun here",
                "This answer does not belong to any authorization that was begun here. If you"
                " came from Amazon, begin again with the button on the connection's page.",
            )
        return stored_tokens.take_handshake(tx, _hash(nonce))

    begun = await parts.store.write(take)
    if begun is None:
        raise HandshakeRefused(
            "Used already",
            "This answer was used before, or it comes much too late. Look at the connection: if"
            " its authorization is still the old one, begin again there.",
        )
    if not hmac.compare_digest(begun.session_hash, _hash(session)):
        raise HandshakeRefused(
            "Begun in another browser",
            "The authorization was begun in another browser, or before you logged in anew. Begin"
            " again, and stay in this browser.",
        )
    if now - begun.started_at > STATE_LIFE:
        raise HandshakeRefused(
            "Too late",
            "The consent page was open for longer than ten minutes. Nothing was changed: begin"
            " again.",
            begun.connection,
        )
    return begun


def _hash(value: str) -> str:
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()


def _sign(key: bytes, nonce: str) -> str:
    return hmac.new(key, b"handshake\0" + nonce.encode("utf-8", "replace"), "sha256").hexdigest()
