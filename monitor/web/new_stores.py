"""Connect an Amazon store that there is no connection of yet: to the consent page and back.

Decides what the signed state of such a handshake says (the application and the region), which
answers count, whose authorization came, and which connections are of the same account. Until a
person has confirmed a name nothing is stored: the refresh token waits in a sealed field of the
page. A known connection is authorized again in `monitor.web.handshake`.
"""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import structlog

from monitor.config.connections import AmazonConnection
from monitor.config.marketplaces import Region
from monitor.judge.outcome import Reason
from monitor.providers.tokens import HandshakeTokens
from monitor.store import connections, credentials
from monitor.web.entry_forms import propose
from monitor.web.handshake import (
    MAX_FIELD,
    NONCE_BYTES,
    HandshakeImpossible,
    HandshakeRefused,
    Obstacle,
    browser_mark,
    find_key_obstacle,
    find_setting_obstacle,
    read_seller_id,
    read_state,
    redeem_grant,
    sign_state,
    use_begun,
)
from monitor.web.trials import Trial, try_connection

if TYPE_CHECKING:
    from collections.abc import Mapping

    from monitor.config.connections import Application
    from monitor.engine.ciphers import Cipher
    from monitor.store.engine import Transaction
    from monitor.web.parts import Parts

log = structlog.get_logger()

REGIONS = {
    Region.NA: "North America",
    Region.EU: "Europe, India and the Middle East",
    Region.FE: "Far East and Australia",
}
SHORT = {Region.NA: "North America", Region.EU: "Europe", Region.FE: "Far East"}

MOST_ALIKE = 20

# --- the way to the consent page


_PURPOSE = "new store"


@dataclass(frozen=True, slots=True)
class BegunStore:
    """A handshake for a new store, as the browser carries it to Amazon and back.

    Args:
        browser: What binds it to the browser that began it.
        beside: The connection of another region of the same seller, if it began there.
        nonce: Tells it from others.
    """

    application: str
    region: Region
    started_at: datetime
    browser: bytes
    beside: int | None = None
    nonce: bytes = field(default_factory=partial(secrets.token_bytes, NONCE_BYTES))

    def sign(self, key: bytes) -> str:
        """Return it as the `state` of a consent page; who changes a letter of it is found out."""
        said = [
            self.application,
            self.region,
            int(self.started_at.timestamp()),
            self.browser.hex(),
            self.beside,
            self.nonce.hex(),
        ]
        return sign_state(key, _PURPOSE, json.dumps(said).encode())

    @classmethod
    def read(cls, key: bytes, state: str) -> BegunStore | None:
        """Return what *state* says; None if it was not signed with *key* for a new store."""
        payload = read_state(key, _PURPOSE, state)
        if payload is None:
            return None
        application, region, started, browser, beside, nonce = json.loads(payload)
        began_at = datetime.fromtimestamp(started, UTC)
        mark = bytes.fromhex(browser)
        return cls(application, Region(region), began_at, mark, beside, bytes.fromhex(nonce))


def find_store_obstacle(here: Parts, application: Application) -> Obstacle | None:
    """Return why no store of *application* can be connected; None if one can."""
    return find_setting_obstacle(application, "any") or find_key_obstacle(here.config)


async def begin_store(
    here: Parts, application: str, region: str, session: str, beside: str = ""
) -> str:
    """Return the address of the consent page on which a seller authorizes *application*.

    Raises:
        HandshakeImpossible: Something is missing for that.
    """
    known = here.config.application(application)
    if known is None or region not in list(Region):
        raise HandshakeImpossible(
            application,
            Obstacle(
                "There is no such application or region.", "Choose one of those that are offered."
            ),
        )
    obstacle = find_store_obstacle(here, known)
    if obstacle is not None:
        raise HandshakeImpossible(application, obstacle)

    def find(tx: Transaction) -> tuple[bytes, int | None]:
        record = connections.find_record(tx, beside) if beside else None
        key = credentials.find_or_make_key(tx, credentials.HANDSHAKE_KEY)
        return key, None if record is None else record.id

    key, number = await here.store.write(find)
    begun = BegunStore(
        application, Region(region), here.clock(), browser_mark(session), beside=number
    )
    log.info("handshake.begun", application=application, region=region)
    fields = {
        "application_id": known.application_id,
        "state": begun.sign(key),
        "redirect_uri": known.redirect_url,
    }
    return f"{here.consent_page(_stand_in(known, begun.region))}?{urlencode(fields)}"


def _stand_in(application: Application, region: Region) -> AmazonConnection:
    """Return a connection without a token, of which only address and application count."""
    made = AmazonConnection.model_construct(
        name="the new store", provider="amazon", application=application.name, region=region
    )
    made.belong_to(application)
    return made


# --- and back


@dataclass(frozen=True, slots=True)
class StoreGrant:
    """An authorization that came, of a store that has no name yet.

    Args:
        seller_id: Which account the consent page says has confirmed.
        on: The day of the consent, in UTC.
        beside: The connection of another region from which it was begun.
    """

    application: str
    region: Region
    token: str = field(repr=False)
    seller_id: str | None
    on: str
    beside: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as it is sealed."""
        return {
            "application": self.application,
            "region": self.region,
            "token": self.token,
            "seller_id": self.seller_id,
            "on": self.on,
            "beside": self.beside,
        }

    @classmethod
    def of_json(cls, values: Mapping[str, Any]) -> StoreGrant:
        """Return what `to_json` made."""
        return cls(**{**values, "region": Region(values["region"])})

    def to_entry(self, name: str) -> dict[str, Any]:
        """Return the entry of its connection."""
        return {
            "name": name,
            "provider": "amazon",
            "application": self.application,
            "region": self.region.value,
            "refresh_token": self.token,
            "authorized_on": self.on,
        }

    def keep(
        self, tx: Transaction, here: Parts, connection: AmazonConnection, cipher: Cipher
    ) -> None:
        """Keep whose authorization it is: a later one must be of the same account."""
        record = connections.find_record(tx, connection.name)
        assert record is not None, "its entry was just written"
        tokens = HandshakeTokens(here.now.calls.fingerprint)
        held = tokens.put(connection.name, self.token, connection.refresh_token)
        encrypted = cipher.encrypt(self.token)
        kept = credentials.StoredToken(
            encrypted, held.file_fingerprint, self.seller_id, here.clock()
        )
        credentials.save_refresh_token(tx, record.id, kept)


async def read_begun(here: Parts, state: str) -> BegunStore | None:
    """Return the handshake for a new store that *state* stands for; None if it is none."""
    key = await here.reader.read(lambda tx: credentials.find_key(tx, credentials.HANDSHAKE_KEY))
    return None if key is None else BegunStore.read(key, state[:MAX_FIELD])


async def receive_grant(
    here: Parts, begun: BegunStore, query: Mapping[str, str], session: str
) -> StoreGrant:
    """Return the authorization that an answer of the consent page brings; it counts this once.

    Raises:
        HandshakeRefused: It brings none that counts.
    """
    await use_begun(here, begun, session, None)
    code = query.get("spapi_oauth_code", "")[:MAX_FIELD]
    if not code:
        raise HandshakeRefused(
            "Not confirmed",
            "The consent page was closed without a confirmation. Nothing was saved.",
        )
    application = here.config.application(begun.application)
    if application is None or find_store_obstacle(here, application) is not None:
        raise HandshakeRefused(
            "The settings have changed",
            f"Stores of the application {begun.application} can no longer be connected from here.",
        )
    try:
        token = await redeem_grant(here, _stand_in(application, begun.region), code)
    except HandshakeRefused as error:
        raise HandshakeRefused(error.title, error.why) from None  # there is no connection yet
    on = f"{here.clock().astimezone(UTC):%Y-%m-%d}"
    seller_id = read_seller_id(query)
    return StoreGrant(begun.application, begun.region, token, seller_id, on, begun.beside)


async def try_grant(here: Parts, connection: AmazonConnection) -> Trial:
    """Check a store with its new authorization.

    Raises:
        HandshakeRefused: It is one of another region.
    """
    trial = await try_connection(here, connection)
    if trial.outcome.reason is Reason.REGION_MISMATCH:
        raise HandshakeRefused(
            "Wrong region",
            f"The account that confirmed is not in the region {connection.region.upper()}. Nothing"
            " was saved. Start again with its region.",
        )
    return trial


# --- whose it is


@dataclass(frozen=True, slots=True)
class KnownStore:
    """A connection to which the new authorization seems to belong.

    Args:
        is_certain: Amazon's id of the account is the same, not only its name.
    """

    name: str
    is_certain: bool


def find_known_stores(
    tx: Transaction, here: Parts, grant: StoreGrant, account: str | None
) -> list[KnownStore]:
    """Return the connections of the same account, application and region, certain ones first."""
    certain: list[str] = []
    if grant.seller_id:
        certain = credentials.list_names_of_seller(tx, grant.seller_id, MOST_ALIKE)
    by_name: list[str] = []
    if account:
        by_name = connections.list_names_of_account(tx, grant.application, account, MOST_ALIKE)
    found = []
    for name in dict.fromkeys([*certain, *by_name]):
        connection = here.plan.connection(tx, name)
        if (
            isinstance(connection, AmazonConnection)
            and connection.application == grant.application
            and connection.region is grant.region
            and (name in certain or not _is_of_another(tx, name, grant))
        ):
            found.append(KnownStore(name, name in certain))
    return found


def _is_of_another(tx: Transaction, name: str, grant: StoreGrant) -> bool:
    """Tell whether the account of *name* is known, and another one."""
    record = connections.find_record(tx, name)
    stored = None if record is None else credentials.find_refresh_token(tx, record.id)
    known = None if stored is None else stored.seller_id
    return None not in {known, grant.seller_id} and known != grant.seller_id


_REGION_AT_END = re.compile(r"[-_ ](?:na|eu|fe|us|north-?america|europe|far-?east)$", re.IGNORECASE)


def propose_name(account: str | None, beside: str | None, region: Region) -> str:
    """Return what the new store could be called, by its account or a store of the same seller."""
    base = propose(beside or account or "") or "store"
    stem = _REGION_AT_END.sub("", base)
    return f"{stem}-{region}"
