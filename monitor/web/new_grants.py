"""
Exchange the code of a consent page, and take what it brings into use.

Decides whose authorization is taken: that of the account from before, in the
region of the connection. One transaction keeps the token, starts the year anew
and stores the first check with it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from monitor.check.amazon_code import CodeRefused, redeem_code
from monitor.check.held import HeldTokens
from monitor.check.registry import build_checker, read_app
from monitor.cycle import Finished, settle
from monitor.judge.outcome import Reason
from monitor.judge.renewal import set_date
from monitor.store import authorizations, connections, stored_tokens
from monitor.store.due import make_due
from monitor.stored_secrets import Cipher

if TYPE_CHECKING:
    from monitor.config.amazon import AmazonConnection
    from monitor.config.application import Application
    from monitor.cycle import Settled
    from monitor.judge.connections import ConnectionRecord
    from monitor.judge.outcome import Outcome
    from monitor.store.engine import Transaction
    from monitor.web.parts import Parts


class HandshakeRefused(Exception):  # noqa: N818 - likewise
    """
    Raised where an answer of a consent page changes nothing; says why, for people.

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


@dataclass(frozen=True, slots=True)
class Seller:
    """
    Who confirmed.

    Args:
        id: As Amazon names the account; None where it did not say.
        is_renamed: Somebody has said that the store goes by another name now.
    """

    id: str | None
    is_renamed: bool = False


def application_of(parts: Parts, connection: AmazonConnection) -> Application:
    """
    Return the application that *connection* was granted to.
    """
    application = parts.config.application(connection.application)
    assert application is not None, "the configuration was checked for that"
    return application


async def try_code(parts: Parts, connection: AmazonConnection, code: str) -> tuple[str, Outcome]:
    """
    Return the new refresh token, and what a check with it says.
    """
    name = connection.name
    application = application_of(parts, connection)
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
    # This token is new: what worked before was another one.
    checker = build_checker(connection, parts.config, parts.clients, parts.grants, trial)
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


async def keep(
    parts: Parts,
    connection: AmazonConnection,
    token: str,
    seller: Seller,
    outcome: Outcome,
) -> list[Settled]:
    """
    Keep the token and all that follows, unless it is another account's.
    """
    name = connection.name
    entry = next(entry for entry in parts.plan.entries if entry.name == name)
    held = HeldTokens(parts.fingerprint).hold(name, token, connection.refresh_token)
    encrypted = Cipher(parts.config.web.key).encrypt(token)

    def store(tx: Transaction) -> list[Settled]:
        now = parts.clock()
        record = connections.find_record(tx, name)
        if record is None:
            raise HandshakeRefused("Deleted meanwhile", f"{name} was deleted meanwhile.")
        before = stored_tokens.find_token(tx, record.id)
        known_id = None if before is None else before.seller_id
        _refuse_other_account(record, known_id, seller, outcome)
        kept = stored_tokens.StoredToken(encrypted, held.file_fingerprint, seller.id, now)
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

    return await parts.store.write(store)


def _refuse_other_account(
    record: ConnectionRecord, known_id: str | None, seller: Seller, outcome: Outcome
) -> None:
    """
    Raise unless the account that confirmed is the one from before, as far as both are known.

    Amazon's own name for an account is sure. Before the first handshake only that
    of the store is known, which its seller can change.
    """
    is_by_name = known_id is None or seller.id is None
    if is_by_name:
        known, said = record.account, outcome.account
        is_other = known is not None and said is not None and not _is_same_name(known, said)
        is_other = is_other and not seller.is_renamed
    else:
        is_other = known_id != seller.id
    if not is_other:
        return
    who = outcome.account or seller.id or "another account"
    before = f" ({record.account})" if record.account else ""
    raise HandshakeRefused(
        "Another account",
        f"{who} confirmed, and {record.name} belongs to another account{before}. Nothing was"
        " changed. Sign in at Amazon as that account's seller and begin again. If the connection"
        " is to change hands, give it a new name in the file instead.",
        record.name,
        is_by_name=is_by_name,
    )


def _is_same_name(known: str, said: str) -> bool:
    return known.casefold().split() == said.casefold().split()
