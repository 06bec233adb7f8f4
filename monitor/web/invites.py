"""Let store owners renew one connection by a link, without a login.

Decides who may be invited to what, which tries count, and what becomes of a credential that a link
brings: it is used if it certainly answers for the account that is known, else it waits for an
operator. Pages are left to `monitor.web.pages.renewals`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from enum import Enum, auto
from http import HTTPStatus
from typing import TYPE_CHECKING, NoReturn

import structlog

from monitor.config.connections import AmazonConnection
from monitor.config.examination import SecretUse, find_flaw
from monitor.config.owners import EntryRefused
from monitor.config.renewal import aim_of, credential_of, target_of
from monitor.engine.batch import FinishedCheck
from monitor.engine.ciphers import KeyUnusable
from monitor.engine.evaluate import evaluate
from monitor.engine.renewals import CREDENTIAL, CredentialDesk, NewCredential, NothingToRenew
from monitor.engine.settings import RowSettings
from monitor.judge.audit import Action, AuditRow
from monitor.judge.connections import OWNER_DASHBOARD, OWNER_FILE
from monitor.judge.invites import SAMPLE, Holder, Invite, InviteState, wait_for
from monitor.judge.outcome import OutcomeClass
from monitor.notify.words import place_of
from monitor.providers.registry import build_checker
from monitor.providers.tokens import HandshakeTokens
from monitor.store import connections, invites
from monitor.store.audit import add_audit
from monitor.web.handshake import (
    HandshakeRefused,
    Obstacle,
    find_begun,
    find_key_obstacle,
    find_obstacle,
    note_first_refusal,
    read_answer,
    read_seller_id,
    redeem_grant,
    try_grant,
)
from monitor.web.trials import describe_trial

if TYPE_CHECKING:
    from collections.abc import Mapping

    from monitor.config.connections import Connection
    from monitor.config.hosts import AllowedHosts
    from monitor.config.model import Config
    from monitor.engine.evaluate import Evaluated
    from monitor.judge.connections import ConnectionRecord
    from monitor.judge.outcome import Outcome
    from monitor.store.engine import Transaction
    from monitor.web.parts import Parts

log = structlog.get_logger()

LONGEST_TOKEN = 8192


# --- who may be invited


def find_invite_obstacle(config: Config, connection: Connection) -> Obstacle | None:
    """Return what keeps *connection* from being renewed by a link; None if nothing does."""
    if not config.web.public_url:
        return Obstacle(
            "A renewal link needs the address under which people reach the dashboard.",
            "Set it in the configuration file, and reload connwatch:",
            ("[web]", 'public_url = "https://…"'),
        )
    if isinstance(connection, AmazonConnection):
        return find_obstacle(config, connection)
    if credential_of(connection) is None:
        return Obstacle(
            f"{connection.name} has no token that could be replaced.",
            "Renew it at its service, then record that with `connwatch renew NAME`.",
        )
    return find_key_obstacle(config)


# --- what a link leads to


class RenewalRefused(Exception):  # noqa: N818 - it states a condition
    """Raised where a link changes nothing; says why, for whoever opened it.

    Args:
        title: In a few words.
        retry_after: When to come again.
    """

    def __init__(
        self, status: HTTPStatus, title: str, why: str, retry_after: timedelta | None = None
    ) -> None:
        super().__init__(why)
        self.status = status
        self.title = title
        self.why = why
        self.retry_after = retry_after


_AGAIN = "Ask the person who sent it to you for a new one."
_OVER = {
    InviteState.USED: ("Link already used", "It has renewed the connection, and works once."),
    InviteState.REVOKED: ("Link withdrawn", "It is not valid any more."),
    InviteState.EXPIRED: ("Link expired", "It is not valid any more."),
}
UNKNOWN = RenewalRefused(
    HTTPStatus.NOT_FOUND,
    "Link not found",
    "Check that the whole address was copied. If it was, ask the person who sent it to you for a"
    " new one.",
)


def _over(state: InviteState) -> RenewalRefused:
    title, why = _OVER[state]
    again = "" if state is InviteState.USED else f" {_AGAIN}"
    return RenewalRefused(HTTPStatus.GONE, title, f"{why}{again}")


@dataclass(frozen=True, slots=True)
class Invited:
    """What an open invite is for."""

    invite: Invite
    record: ConnectionRecord
    connection: Connection


def find_invited(tx: Transaction, here: Parts, token: str) -> Invited:
    """Return what the link with this *token* is for.

    Raises:
        RenewalRefused: It is not open.
    """
    if token == SAMPLE:
        raise RenewalRefused(
            HTTPStatus.GONE, "Test link", "This link came with a test message and renews nothing."
        )
    invite = invites.find_by_token(tx, token)
    if invite is None:
        raise UNKNOWN
    return _look_up(tx, here, invite)


def _look_up(tx: Transaction, here: Parts, invite: Invite) -> Invited:
    state = invite.state(here.clock())
    if state is not InviteState.OPEN:
        raise _over(state)
    name = invite.connection or ""
    record, connection = connections.find_record(tx, name), here.plan.connection(tx, name)
    if record is None or connection is None or not record.is_configured:
        raise _over(InviteState.REVOKED)
    if find_invite_obstacle(here.config, connection) is not None:
        raise RenewalRefused(
            HTTPStatus.CONFLICT,
            "Not possible now",
            "The settings do not allow a renewal by this link at the moment. Tell the person who"
            " sent it to you.",
        )
    return Invited(invite, record, connection)


async def begin_try(here: Parts, token: str) -> Invited:
    """Count a try of the link with this *token*, and return what it is for.

    Raises:
        RenewalRefused: It is not open, or was tried too often.
    """

    def take(tx: Transaction) -> Invited | RenewalRefused:
        now = here.clock()
        invite = None if token == SAMPLE else invites.find_by_token(tx, token)
        if invite is not None:
            wait = wait_for(invites.list_tries(tx, invite.id), now)
            if wait:
                return RenewalRefused(
                    HTTPStatus.TOO_MANY_REQUESTS,
                    "Too many tries",
                    f"Try again in {-(-wait // timedelta(minutes=1))} minutes.",
                    wait,
                )
            invites.note_try(tx, invite.id, now)
        try:
            return find_invited(tx, here, token)
        except RenewalRefused as refused:
            if invite is not None and invite.connection is not None:
                _note_failure(tx, here, invite, invite.state(now).value)
            return refused

    found = await here.store.write(take)
    if isinstance(found, RenewalRefused):
        raise found
    return found


def _note_failure(tx: Transaction, here: Parts, invite: Invite, why: str) -> None:
    """Write down that a link was tried and nothing was changed."""
    who = f"link:{invite.id}"
    row = AuditRow(here.clock(), who, Action.RENEW, invite.connection, keys=(why,), count=0)
    add_audit(tx, row)


class Ending(Enum):
    """What became of a new credential."""

    IN_USE = auto()
    PROPOSED = auto()


async def take_token(here: Parts, invited: Invited, value: str) -> Ending:
    """Try a new token, and use it or keep it for an operator.

    Raises:
        RenewalRefused: It does not work; nothing was changed.
    """
    flaw = _find_token_flaw(value)
    if flaw is not None:
        await _refuse(here, invited.invite, "malformed", "Token not usable", flaw)
    outcome = await _try_token(here, invited.connection, value)
    if outcome.reason.outcome_class is not OutcomeClass.SUCCESS:
        # What a service sends back is not for whoever holds a link, nor is where it is.
        trial = describe_trial(invited.connection, replace(outcome, detail=""), place_of(None))
        words = [trial.words, trial.remedy if outcome.reason.is_conclusive else "Try again later."]
        await _refuse(here, invited.invite, "rejected", trial.title, " ".join(words))
    target = target_of(invited.connection)
    new = NewCredential(value, Holder(outcome.account), here.clock(), target)
    return await _keep(here, invited.invite, new, outcome)


def _find_token_flaw(value: str) -> str | None:
    if not value:
        return "Enter the new token."
    if len(value) > LONGEST_TOKEN:
        return "This is too long to be a token."
    flaw = find_flaw(value, SecretUse.HEADER_TOKEN)
    return None if flaw is None else f"{flaw[0].upper()}{flaw[1:]}."


async def _refuse(here: Parts, invite: Invite, key: str, title: str, why: str) -> NoReturn:
    await here.store.write(lambda tx: _note_failure(tx, here, invite, key))
    raise RenewalRefused(HTTPStatus.UNPROCESSABLE_ENTITY, title, why)


async def _try_token(here: Parts, connection: Connection, value: str) -> Outcome:
    config, calls = here.config, here.now.calls
    configured = credential_of(connection)
    assert configured is not None, "others are not invited"
    trial = HandshakeTokens(calls.fingerprint)
    trial.put(connection.name, value, configured, aim_of(connection))
    checker = build_checker(
        connection,
        config,
        calls.clients,
        calls.grants,
        trial,
        allowed=await here.reader.read(lambda tx: _reach_of(tx, here, connection)),
    )
    return await checker.check()


def _reach_of(tx: Transaction, here: Parts, connection: Connection) -> AllowedHosts | None:
    watched = here.plan.find(tx, connection.name)
    is_of_file = watched is not None and watched.owner == OWNER_FILE
    return None if is_of_file else here.config.web.reachable


async def take_consent(here: Parts, query: Mapping[str, str], session: str) -> Ending:
    """Take what the consent page answered to somebody who came by a link.

    Raises:
        HandshakeRefused: Nothing was changed.
        RenewalRefused: The link is not open any more.
    """
    try:
        answer = await read_answer(here, query, session)
        invite = await here.reader.read(lambda tx: _find_open(tx, here, answer.begun.invite))
    except (HandshakeRefused, RenewalRefused):
        await _note_refused_answer(here, query)
        raise
    try:
        token = await redeem_grant(here, answer.connection, answer.code)
        outcome = await try_grant(here, answer.connection, token)
    except HandshakeRefused:
        await here.store.write(lambda tx: _note_failure(tx, here, invite, "rejected"))
        raise
    holder = Holder(outcome.account, read_seller_id(query))
    new = NewCredential(token, holder, here.clock(), target_of(answer.connection))
    return await _keep(here, invite, new, outcome)


def _find_open(tx: Transaction, here: Parts, number: int) -> Invite:
    invite = invites.find_invite(tx, number)
    if invite is None:
        raise UNKNOWN
    return _look_up(tx, here, invite).invite


async def _note_refused_answer(here: Parts, query: Mapping[str, str]) -> None:
    begun = await find_begun(here, query)

    def note(tx: Transaction) -> None:
        invite = None if begun is None else invites.find_invite(tx, begun.invite)
        if begun is None or invite is None or invite.connection is None:
            return
        if note_first_refusal(tx, begun, here.clock()):
            _note_failure(tx, here, invite, "rejected")

    await here.store.write(note)


async def _keep(here: Parts, invite: Invite, new: NewCredential, outcome: Outcome) -> Ending:
    """Use *new* if it certainly answers for the account that is known, else keep it aside."""

    def store(tx: Transaction) -> tuple[Ending, Invited, list[Evaluated]]:
        now = here.clock()
        known = invites.find_invite(tx, invite.id)
        if known is None:
            raise UNKNOWN
        # It may have been used or withdrawn while the service was called.
        invited = _look_up(tx, here, known)
        record, who = invited.record, f"link:{invite.id}"
        desk = CredentialDesk.open(tx, here.config, here.plan)
        is_good = outcome.reason.outcome_class is OutcomeClass.SUCCESS
        if not is_good or not desk.answers_for_known(tx, record, new):
            desk.propose(tx, record, new, invite.id)
            row = AuditRow(now, who, Action.PROPOSE, record.name, keys=(CREDENTIAL,))
            add_audit(tx, row)
            return Ending.PROPOSED, invited, []
        desk.put_in_use(tx, record, new, now)
        invites.use_invite(tx, invite.id, now)
        add_audit(tx, AuditRow(now, who, Action.RENEW, record.name, keys=(CREDENTIAL,)))
        checked = FinishedCheck(record.id, None, now, outcome)
        return Ending.IN_USE, invited, evaluate(tx, [checked], here.plan)

    try:
        ending, invited, evaluated = await here.store.write(store)
    except (NothingToRenew, KeyUnusable, EntryRefused) as error:
        log.warning(
            "renewal.not_kept", connection=invite.connection, invite=invite.id, why=str(error)
        )
        raise RenewalRefused(
            HTTPStatus.CONFLICT,
            "Not possible now",
            "The new credential works, but could not be stored. Tell the person who sent you the"
            " link.",
        ) from None
    log.info(
        "renewal.finished", connection=invited.record.name, invite=invite.id, ending=ending.name
    )
    if ending is Ending.IN_USE:
        await use_now(here, invited.record.name, new.value)
        here.announce(evaluated)
    return ending


async def use_now(here: Parts, name: str, value: str) -> None:
    """Check with a credential that was just stored from now on, and not with the one before."""

    def look(tx: Transaction) -> tuple[Connection | None, bool]:
        watched = here.plan.find(tx, name)
        is_kept_beside = watched is not None and watched.owner != OWNER_DASHBOARD
        return here.plan.connection(tx, name), is_kept_beside

    connection, is_kept_beside = await here.reader.read(look)
    configured = None if connection is None else credential_of(connection)
    if connection is None or configured is None:
        return
    if is_kept_beside or isinstance(connection, AmazonConnection):
        here.now.calls.held.put(name, value, configured, aim_of(connection))
    settings = here.plan.settings
    assert isinstance(settings, RowSettings), "a daemon goes by rows"
    settings.build_anew([name])
    here.void([name])
