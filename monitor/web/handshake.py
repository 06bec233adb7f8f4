"""
Have a seller authorize an application again, and take what comes of it into use.

Decides which answers of a consent page count: begun here, by the same browser,
not long ago, not answered before, and for the account it was for until now. One
transaction then keeps the token, starts the year anew and stores the first
check with it. Pages are left to `pages.handshakes`.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import structlog

from monitor.check.amazon_code import CodeRefused, redeem_code
from monitor.check.held import HeldTokens
from monitor.check.registry import build_checker, read_app
from monitor.config.amazon import AmazonConnection
from monitor.cycle import Finished, settle
from monitor.judge.outcome import Reason
from monitor.judge.renewal import set_date
from monitor.store import authorizations, connections, keys, stored_tokens
from monitor.store.due import make_due
from monitor.stored_secrets import Cipher
from monitor.web.obstacles import find_obstacle

if TYPE_CHECKING:
    from collections.abc import Mapping

    from monitor.config.application import Application
    from monitor.cycle import Settled
    from monitor.judge.outcome import Outcome
    from monitor.store.engine import Transaction
    from monitor.store.records import ConnectionRecord
    from monitor.store.stored_tokens import Handshake
    from monitor.web.obstacles import Obstacle
    from monitor.web.parts import Parts

log = structlog.get_logger()

STATE_LIFE = timedelta(minutes=10)
NONCE_BYTES = 24
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


class HandshakeRefused(Exception):  # noqa: N818 - likewise
    """
    Raised where an answer of a consent page changes nothing; says why, for people.

    Args:
        title: What happened, in a few words.
        name: The connection it was for, where that is certain.
    """

    def __init__(self, title: str, why: str, name: str | None = None) -> None:
        super().__init__(why)
        self.title = title
        self.why = why
        self.name = name


@dataclass(frozen=True, slots=True)
class _Back:
    """
    What the consent page sent back with the browser.
    """

    state: str
    code: str
    seller_id: str | None
    error: str


async def begin(parts: Parts, name: str, session: str) -> str:
    """
    Return the address of the consent page on which *name* is authorized again.

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
    application = _application_of(parts, connection)
    nonce = secrets.token_urlsafe(NONCE_BYTES)
    now = parts.clock()

    def remember(tx: Transaction) -> bytes:
        record = connections.find_record(tx, name)
        if record is None:
            raise LookupError(name)
        stored_tokens.forget_handshakes(tx, now - STATE_LIFE)
        stored_tokens.begin_handshake(tx, _hash(nonce), record.id, _hash(session), now)
        return keys.find_or_make(tx, keys.HANDSHAKE)

    key = await parts.store.write(remember)
    log.info("handshake.begun", connection=name)
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
    token, outcome = await _try_code(parts, connection, back.code)
    settled = await _keep(parts, connection, token, back.seller_id, outcome)
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


async def _try_code(parts: Parts, connection: AmazonConnection, code: str) -> tuple[str, Outcome]:
    """
    Return the new refresh token, and what a check with it says.
    """
    name = connection.name
    application = _application_of(parts, connection)
    try:
        token = await redeem_code(
            parts.clients.get(connection.ca_file),
            read_app(connection, parts.config),
            code,
            application.redirect_url,
            parts.config.timeout_of(connection),
        )
    except CodeRefused as error:
        raise HandshakeRefused("Amazon gave no new token", f"{error} Begin again.", name) from None
    trial = HeldTokens(parts.fingerprint)
    trial.hold(name, token, connection.refresh_token)
    checker = build_checker(
        connection, parts.config, parts.clients, parts.grants, parts.fingerprint, trial
    )
    outcome = await checker.check()
    if outcome.reason is Reason.REGION_MISMATCH:
        raise HandshakeRefused(
            "An account of another region",
            f"The account that confirmed is not in the region {connection.region.upper()}. The"
            " authorization from before stays in use. Begin again, signed in as the seller of"
            f" {name}.",
            name,
        )
    return token, outcome


async def _keep(
    parts: Parts,
    connection: AmazonConnection,
    token: str,
    seller_id: str | None,
    outcome: Outcome,
) -> list[Settled]:
    """
    Keep the token and all that follows, unless it is another account's.
    """
    name = connection.name
    entry = next(entry for entry in parts.plan.entries if entry.name == name)
    held = HeldTokens(parts.fingerprint).hold(name, token, connection.refresh_token)
    encrypted = Cipher(parts.config.web.key).encrypt(token)

    def keep(tx: Transaction) -> list[Settled]:
        now = parts.clock()
        record = connections.find_record(tx, name)
        if record is None:
            raise HandshakeRefused("Deleted meanwhile", f"{name} was deleted meanwhile.")
        before = stored_tokens.find_token(tx, record.id)
        known_id = None if before is None else before.seller_id
        _refuse_other_account(record, known_id, seller_id, outcome)
        kept = stored_tokens.StoredToken(encrypted, held.file_fingerprint, seller_id, now)
        stored_tokens.save_token(tx, record.id, kept)
        clock, _ = set_date(record.clock, now, entry.declared, now)
        clock = replace(
            clock,
            told_step=None,
            is_renewal_pending=True,
            is_renewal_unrecorded=False,
            renewal_fingerprint=record.clock.fingerprint,
        )
        authorizations.save(tx, [(record.id, clock, entry.steps)])
        if not outcome.reason.is_conclusive:
            make_due(tx, record.id, now)
        return settle(tx, [Finished(record.id, None, now, outcome)], parts.plan)

    return await parts.store.write(keep)


def _refuse_other_account(
    record: ConnectionRecord, known_id: str | None, seller_id: str | None, outcome: Outcome
) -> None:
    """
    Raise unless the account that confirmed is the one from before, as far as both are known.
    """
    if known_id is not None and seller_id is not None:
        is_other = known_id != seller_id
    else:
        known, said = record.account, outcome.account
        is_other = known is not None and said is not None and known != said
    if not is_other:
        return
    who = outcome.account or seller_id or "another account"
    before = f" ({record.account})" if record.account else ""
    raise HandshakeRefused(
        "Another account",
        f"{who} confirmed, and {record.name} belongs to another account{before}. Nothing was"
        " changed. Sign in at Amazon as that account's seller and begin again. If the connection"
        " is to change hands, give it a new name in the file instead.",
        record.name,
    )


def _application_of(parts: Parts, connection: AmazonConnection) -> Application:
    application = parts.config.application(connection.application)
    assert application is not None, "the configuration was checked for that"
    return application


def _hash(value: str) -> str:
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()


def _sign(key: bytes, nonce: str) -> str:
    return hmac.new(key, b"handshake\0" + nonce.encode("utf-8", "replace"), "sha256").hexdigest()
