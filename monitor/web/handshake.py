"""Have a seller authorize an application again, and take what comes of it into use.

Decides why that is not possible where it is not; which answers of a consent page count:
begun here, by the same browser, not long ago, and not answered before; and whose
authorization is taken: that of the account from before, in the region of the connection.
One transaction keeps the token, starts the year anew and stores the first check with it.
Pages are left to `monitor.web.pages.handshake`.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from base64 import b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from http import HTTPStatus
from struct import Struct
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlencode

import structlog
from starlette.exceptions import HTTPException

from monitor.config.connections import AmazonConnection
from monitor.config.renewal import target_of
from monitor.engine.batch import FinishedCheck
from monitor.engine.ciphers import MAKE_KEY, Cipher, KeyUnusable
from monitor.engine.evaluate import evaluate
from monitor.engine.renewals import CREDENTIAL, CredentialDesk, NewCredential, NothingToRenew
from monitor.judge.audit import Action, AuditRow
from monitor.judge.invites import Holder, is_same_name
from monitor.judge.outcome import Reason
from monitor.notify.words import place_of
from monitor.providers.amazon_lwa import CodeRefused, redeem_code
from monitor.providers.registry import build_checker
from monitor.providers.tokens import HandshakeTokens
from monitor.store import connections, credentials
from monitor.store.audit import add_audit
from monitor.store.schedule import make_due
from monitor.web.api import no_such_connection
from monitor.web.sessions import Pass

if TYPE_CHECKING:
    from collections.abc import Mapping

    from monitor.config.connections import Application, Connection
    from monitor.config.model import Config
    from monitor.engine.evaluate import Evaluated
    from monitor.judge.connections import ConnectionRecord
    from monitor.judge.outcome import Outcome
    from monitor.store.engine import Transaction
    from monitor.web.parts import Parts
    from monitor.web.sessions import Visitor

log = structlog.get_logger()

STATE_LIFE = timedelta(minutes=10)
USED_KEPT = timedelta(days=2)
"""Much longer than an answer counts: a clock that is set back must not make it count again."""

NONCE_BYTES = 24
_STATE = Struct(f">qq?q32s{NONCE_BYTES}s")
"""Connection, beginning in seconds, whether it was renamed, invite, browser, nonce."""

MAX_FIELD = 2048
"""What is longer than this was not sent by Amazon."""


# --- why there is no way


@dataclass(frozen=True, slots=True)
class Obstacle:
    """What stands in the way of a handshake.

    Args:
        why: A sentence.
        remedy: What to do about it.
        lines: What to type or to write into the file for that.
    """

    why: str
    remedy: str
    lines: tuple[str, ...] = ()


def find_obstacle(config: Config, connection: Connection) -> Obstacle | None:
    """Return what keeps *connection* from a handshake; None if nothing does."""
    return find_own_obstacle(config, connection) or find_key_obstacle(config)


def find_own_obstacle(config: Config, connection: Connection) -> Obstacle | None:
    """Return what keeps this connection from a handshake, and perhaps not others."""
    if not isinstance(connection, AmazonConnection):
        return Obstacle(
            f"{connection.name} is not an Amazon store: only those are authorized at Amazon.",
            "Renew it at its service, then record that on its page, under “Record a renewal…”.",
        )
    if not connection.valid_days:
        return Obstacle(
            "Its application is self-authorized (valid_days = 0): Amazon has no consent page for"
            " those.",
            "Authorize it in Seller Central under Develop Apps, then put the new refresh token"
            f" {place_of(None)}.",
        )
    return find_setting_obstacle(_application_of(config, connection), connection.region)


def find_setting_obstacle(application: Application, region: str) -> Obstacle | None:
    """Return which setting of *application* keeps sellers from its consent page; None for none."""
    for key, value, example in (
        ("application_id", application.application_id, "amzn1.sp.solution.…"),
        ("redirect_url", application.redirect_url, "https://…/oauth/amazon/callback"),
    ):
        if value is None:
            return Obstacle(
                f"Application {application.name} has no {key}, so no one can be sent to the"
                f" consent page of the region {region.upper()}.",
                "Add it under its [[applications]], as Developer Central shows it:",
                (f'{key} = "{example}"',),
            )
    return None


def find_key_obstacle(config: Config) -> Obstacle | None:
    """Return why no secret can be stored; None if it can."""
    try:
        Cipher.of(config.web)
    except KeyUnusable as error:
        return Obstacle(
            f"Secrets are stored encrypted, and that is not possible: {error}.",
            "Create a key beside the configuration file, name it there, and reload connwatch:",
            (MAKE_KEY, "[web]", 'key = { file = "fernet-key" }'),
        )
    return None


class HandshakeImpossible(Exception):  # noqa: N818 - it states a condition
    """Raised where no handshake can be begun."""

    def __init__(self, name: str, obstacle: Obstacle) -> None:
        super().__init__(obstacle.why)
        self.name = name
        self.obstacle = obstacle


def _application_of(config: Config, connection: AmazonConnection) -> Application:
    """Return the application that *connection* was granted to."""
    application = config.application(connection.application)
    assert application is not None, "the configuration was checked for that"
    return application


# --- to the consent page and back


class HandshakeRefused(Exception):  # noqa: N818 - it states a condition
    """Raised where an answer of a consent page changes nothing; says why, for people.

    Args:
        title: What happened, in a few words.
        name: The connection it was for, where that is certain.
        is_by_name: Only the store's name speaks against it, and stores are renamed.
    """

    def __init__(
        self, title: str, why: str, name: str | None = None, *, is_by_name: bool = False
    ) -> None:
        super().__init__(why)
        self.title = title
        self.why = why
        self.name = name
        self.is_by_name = is_by_name


def sign_state(key: bytes, purpose: str, payload: bytes) -> str:
    """Return *payload* as the `state` of a consent page; a change of any letter is found out.

    Args:
        purpose: What it begins: what was signed for something else is none of that.
    """
    return urlsafe_b64encode(payload + _sign(key, purpose, payload)).decode()


def read_state(key: bytes, purpose: str, state: str) -> bytes | None:
    """Return what was signed as *state*; None if it was not, with *key* and for that."""
    try:
        raw = b64decode(state, altchars=b"-_", validate=True)
    except ValueError:
        return None
    payload, signature = raw[:-_SIGNATURE_BYTES], raw[-_SIGNATURE_BYTES:]
    return payload if hmac.compare_digest(signature, _sign(key, purpose, payload)) else None


_SIGNATURE_BYTES = hashlib.sha256().digest_size


def _sign(key: bytes, purpose: str, payload: bytes) -> bytes:
    return hmac.digest(key, f"{purpose}\0".encode() + payload, "sha256")


class Begun(Protocol):
    """What was begun at a consent page, whatever for."""

    @property
    def started_at(self) -> datetime:
        """Return when."""

    @property
    def browser(self) -> bytes:
        """Return what binds it to the browser that began it."""

    @property
    def nonce(self) -> bytes:
        """Return what tells it from others."""


_PURPOSE = "handshake"


@dataclass(frozen=True, slots=True)
class BegunHandshake:
    """A handshake that was begun, as the browser carries it to Amazon and back.

    Args:
        browser: What binds it to the browser that began it.
        is_renamed: Somebody has said that the store goes by another name now.
        invite: The id of the invite with which it was begun; 0 for none.
        nonce: Tells it from others.
    """

    connection_id: int
    started_at: datetime
    browser: bytes
    is_renamed: bool = False
    invite: int = 0
    nonce: bytes = field(default_factory=partial(secrets.token_bytes, NONCE_BYTES))

    def sign(self, key: bytes) -> str:
        """Return it as the `state` of a consent page; who changes a letter of it is found out."""
        payload = _STATE.pack(
            self.connection_id,
            int(self.started_at.timestamp()),
            self.is_renamed,
            self.invite,
            self.browser,
            self.nonce,
        )
        return sign_state(key, _PURPOSE, payload)

    @classmethod
    def read(cls, key: bytes, state: str) -> BegunHandshake | None:
        """Return what *state* says; None if it was not signed with *key* for a connection."""
        payload = read_state(key, _PURPOSE, state)
        if payload is None:
            return None
        number, started, is_renamed, invite, browser, nonce = _STATE.unpack(payload)
        started_at = datetime.fromtimestamp(started, UTC)
        return cls(number, started_at, browser, is_renamed, invite, nonce)


def browser_mark(session: str) -> bytes:
    """Return what binds a handshake to the browser that *session* stands for."""
    return hashlib.sha256(session.encode("utf-8", "surrogatepass")).digest()


def browser_of(who: Visitor) -> str:
    """Return what binds a handshake to the browser: its session, or the word in its cookie.

    Raises:
        HTTPException: A program has neither.
    """
    if who.by is Pass.TOKEN:
        raise HTTPException(
            HTTPStatus.FORBIDDEN, "An authorization is given in a browser, not with an API token."
        )
    return who.browser


@dataclass(frozen=True, slots=True)
class Seller:
    """Who confirmed.

    Args:
        id: As Amazon names the account; None where it did not say.
        is_renamed: Somebody has said that the store goes by another name now.
    """

    id: str | None
    is_renamed: bool = False


async def begin_handshake(
    parts: Parts, name: str, session: str, *, is_renamed: bool = False, invite: int = 0
) -> str:
    """Return the address of the consent page on which *name* is authorized again.

    Args:
        is_renamed: The name of the store is not to be compared with that from before.
        invite: The id of the invite that leads there; 0 for none.

    Raises:
        HTTPException: There is no such connection.
        HandshakeImpossible: Something is missing for that.
    """
    connection = await parts.reader.read(lambda tx: parts.plan.connection(tx, name))
    if connection is None:
        raise no_such_connection()
    obstacle = find_obstacle(parts.config, connection)
    if obstacle is not None:
        raise HandshakeImpossible(name, obstacle)
    assert isinstance(connection, AmazonConnection), "all others are an obstacle"
    application = _application_of(parts.config, connection)
    now = parts.clock()

    def find(tx: Transaction) -> tuple[bytes, int]:
        record = connections.find_record(tx, name)
        if record is None:
            raise no_such_connection()
        return credentials.find_or_make_key(tx, credentials.HANDSHAKE_KEY), record.id

    # Nothing is kept of a beginning but the key: whoever has this address fetched again and
    # again, another site through a browser for one, leaves nothing behind.
    key, number = await parts.store.write(find)
    begun = BegunHandshake(number, now, browser_mark(session), is_renamed, invite)
    log.info("handshake.begun", connection=name, is_renamed=is_renamed)
    fields = {
        "application_id": application.application_id,
        "state": begun.sign(key),
        "redirect_uri": application.redirect_url,
    }
    return f"{parts.consent_page(connection)}?{urlencode(fields)}"


async def find_begun(parts: Parts, query: Mapping[str, str]) -> BegunHandshake | None:
    """Return the handshake that this answer of the consent page is for; None for none of these."""
    state = query.get("state", "")[:MAX_FIELD]
    key = await parts.reader.read(lambda tx: credentials.find_key(tx, credentials.HANDSHAKE_KEY))
    return None if key is None else BegunHandshake.read(key, state)


async def finish_handshake(parts: Parts, query: Mapping[str, str], session: str, who: str) -> str:
    """Take an answer of the consent page into use; return the connection's name.

    Args:
        who: Who renews, as the audit names them.

    Raises:
        HandshakeRefused: Nothing was changed.
    """
    answer = await read_answer(parts, query, session)
    token = await redeem_grant(parts, answer.connection, answer.code)
    seller = Seller(read_seller_id(query), answer.begun.is_renamed)
    await take_grant(parts, answer.connection, token, seller, who)
    return answer.connection.name


@dataclass(frozen=True, slots=True)
class ConsentAnswer:
    """What the consent page answered to a handshake that was begun here.

    Args:
        code: What Amazon gives a refresh token for.
    """

    begun: BegunHandshake
    connection: AmazonConnection
    code: str = field(repr=False)


async def read_answer(parts: Parts, query: Mapping[str, str], session: str) -> ConsentAnswer:
    """Return what the consent page answered; it counts this once.

    Raises:
        HandshakeRefused: It does not count.
    """
    state = query.get("state", "")[:MAX_FIELD]
    code = query.get("spapi_oauth_code", "")[:MAX_FIELD]
    name, begun = await _take(parts, state, session)
    if not code:
        raise HandshakeRefused(
            "Not confirmed",
            "The consent page was closed without a confirmation. The authorization is unchanged.",
            name,
        )
    connection = await parts.reader.read(lambda tx: parts.plan.connection(tx, name))
    if not isinstance(connection, AmazonConnection) or find_obstacle(parts.config, connection):
        raise HandshakeRefused(
            "The settings have changed",
            f"{name} can no longer be authorized from here; its page says why.",
            name,
        )
    return ConsentAnswer(begun, connection, code)


def read_seller_id(query: Mapping[str, str]) -> str | None:
    """Return which account the consent page says has confirmed."""
    return query.get("selling_partner_id", "")[:100] or None


async def _take(parts: Parts, state: str, session: str) -> tuple[str, BegunHandshake]:
    """Return the connection of the handshake that *state* stands for, and have it count this once.

    Raises:
        HandshakeRefused: It was not begun here, by this browser, just now, or is used already.
    """
    key = await parts.reader.read(lambda tx: credentials.find_key(tx, credentials.HANDSHAKE_KEY))
    begun = None if key is None else BegunHandshake.read(key, state)
    if begun is None:
        raise HandshakeRefused(
            "This link was not started here",
            "It does not belong to any authorization that was started here. If you came from"
            " Amazon, start again with the button on the connection's page.",
        )
    name = await use_begun(parts, begun, session, begun.connection_id)
    assert name is not None, "one without a connection is refused"
    return name, begun


def note_first_refusal(tx: Transaction, begun: Begun, now: datetime) -> bool:
    """Note that an answer to *begun* was refused; tell whether that is worth a row of the audit.

    An answer can be repeated as often as one likes, by links without a login: one counts, and
    none of what was begun too long ago to be remembered.
    """
    if abs(now - begun.started_at) > USED_KEPT:
        return False
    mark = hashlib.sha256(b"refused\0" + begun.nonce).hexdigest()
    return credentials.use_handshake(tx, mark, None, begun.browser.hex(), begun.started_at)


_USED_FOR_NEW = "If the store was not saved, start again."
_USED_FOR_KNOWN = (
    "Check the connection: if its authorization is still the old one, start again there."
)


async def use_begun(
    parts: Parts, begun: Begun, session: str, connection_id: int | None
) -> str | None:
    """Have the answer to *begun* count this once; return the name of its connection.

    Args:
        connection_id: None for a store that there is no connection of yet.

    Raises:
        HandshakeRefused: It was not begun by this browser, just now, or is used already.
    """
    if not hmac.compare_digest(begun.browser, browser_mark(session)):
        raise HandshakeRefused(
            "Started in another browser",
            "The authorization was started in another browser, or before you logged in again."
            " Start again, and stay in this browser.",
        )
    now = parts.clock()
    is_late = abs(now - begun.started_at) > STATE_LIFE
    mark = hashlib.sha256(begun.nonce).hexdigest()

    def take(tx: Transaction) -> tuple[str | None, bool]:
        name = None if connection_id is None else connections.find_name(tx, connection_id)
        credentials.forget_handshakes(tx, now - USED_KEPT)
        if is_late or (name is None and connection_id is not None):
            return name, False
        session_hash = begun.browser.hex()
        return name, credentials.use_handshake(
            tx, mark, connection_id, session_hash, begun.started_at
        )

    name, is_first = await parts.store.write(take)
    if name is None and connection_id is not None:
        raise HandshakeRefused("Connection deleted", "The connection has been deleted.")
    if is_late:
        raise HandshakeRefused(
            "Link expired",
            "The consent page was open for longer than ten minutes. Nothing was changed. Start"
            " again.",
            name,
        )
    if not is_first:
        again = _USED_FOR_NEW if connection_id is None else _USED_FOR_KNOWN
        raise HandshakeRefused("Already used", f"This link was used before. {again}")
    return name


# --- into use


async def redeem_grant(parts: Parts, connection: AmazonConnection, code: str) -> str:
    """Return the refresh token that the *code* of a consent page stands for.

    Raises:
        HandshakeRefused: There is none.
    """
    config = parts.config
    try:
        return await redeem_code(
            parts.now.calls.clients.get(connection.ca_file, config.proxy_of(connection)),
            _application_of(config, connection),
            code,
            config.timeout_of(connection),
        )
    except CodeRefused as error:
        raise HandshakeRefused("No new token", f"{error} Start again.", connection.name) from None


async def take_grant(
    parts: Parts, connection: AmazonConnection, token: str, seller: Seller, who: str
) -> None:
    """Try a new refresh token of *connection*, and take it into use.

    Args:
        who: Who renews, as the audit names them.

    Raises:
        HandshakeRefused: It is another account's, or another region's.
    """
    name, outcome = connection.name, await try_grant(parts, connection, token)
    evaluated = await _save_grant(parts, connection, token, seller, outcome, who)
    parts.now.calls.held.put(name, token, connection.refresh_token)
    log.info("handshake.finished", connection=name, reason=outcome.reason.value)
    parts.announce(evaluated)


async def try_grant(parts: Parts, connection: AmazonConnection, token: str) -> Outcome:
    """Return what a check with a new refresh token says.

    Raises:
        HandshakeRefused: It is another region's.
    """
    name, config, calls = connection.name, parts.config, parts.now.calls
    trial = HandshakeTokens(calls.fingerprint)
    trial.put(name, token, connection.refresh_token)
    # This token is new: what worked before was another one.
    checker = build_checker(connection, config, calls.clients, calls.grants, trial)
    outcome = await checker.check()
    if outcome.reason is Reason.REGION_MISMATCH:
        raise HandshakeRefused(
            "Wrong region",
            f"The account that confirmed is not in the region {connection.region.upper()}. The"
            " former authorization stays in use. Start again, signed in as the seller of"
            f" {name}.",
            name,
        )
    return outcome


async def _save_grant(
    parts: Parts,
    connection: AmazonConnection,
    token: str,
    seller: Seller,
    outcome: Outcome,
    who: str,
) -> list[Evaluated]:
    """Keep the token and all that follows, unless it is another account's."""
    name, target = connection.name, target_of(connection)

    def store(tx: Transaction) -> list[Evaluated]:
        now = parts.clock()
        record = connections.find_record(tx, name)
        if record is None or parts.plan.entry(tx, name) is None:
            raise HandshakeRefused("Connection deleted", f"{name} has been deleted.")
        before = credentials.find_refresh_token(tx, record.id)
        known_id = None if before is None else before.seller_id
        _refuse_other_account(record, known_id, seller, outcome)
        new = NewCredential(token, Holder(outcome.account, seller.id), now, target)
        try:
            CredentialDesk.open(tx, parts.config, parts.plan).put_in_use(tx, record, new, now)
        except NothingToRenew as error:
            why = f"Nothing was changed: {error}. Start again."
            raise HandshakeRefused("Settings changed", why, name) from None
        add_audit(tx, AuditRow(now, who, Action.RENEW, name, keys=(CREDENTIAL,)))
        if not outcome.reason.is_conclusive:
            make_due(tx, record.id, now)
        return evaluate(tx, [FinishedCheck(record.id, None, now, outcome)], parts.plan)

    return await parts.store.write(store)


def _refuse_other_account(
    record: ConnectionRecord, known_id: str | None, seller: Seller, outcome: Outcome
) -> None:
    """Raise unless the account that confirmed is the one from before, as far as both are known.

    Who confirmed is said by the browser and by nobody's signature, so that it speaks against an
    account and never for one: what the new token itself shows must agree as well. That is the
    store's name, which its seller can change.
    """
    is_other_id = None not in {known_id, seller.id} and known_id != seller.id
    known, shown = record.account, outcome.account
    is_compared = known is not None and not seller.is_renamed
    if is_compared and shown is None and outcome.reason is not Reason.OK:
        raise HandshakeRefused(
            "Account unknown",
            f"Amazon issued a new token for {record.name}, but did not show whose account it"
            f" belongs to ({outcome.reason.value}). {outcome.detail} The former authorization"
            f" stays in use: {known}. Start again, signed in as its seller.",
            record.name,
        )
    is_other_name = (
        is_compared and known is not None and shown is not None and not is_same_name(known, shown)
    )
    if not is_other_id and not is_other_name:
        return
    who = outcome.account or seller.id or "another account"
    before = f" ({record.account})" if record.account else ""
    raise HandshakeRefused(
        "Another account",
        f"{who} confirmed, and {record.name} belongs to another account{before}. Nothing was"
        " changed. Sign in at Amazon as that account's seller and start again. To use the"
        " connection for another account, give it a new name in the file instead.",
        record.name,
        is_by_name=not is_other_id,
    )
