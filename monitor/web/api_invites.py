"""Let programs and pages invite store owners, and decide about what they bring.

The same as the commands `invite` and `proposed`. What a link is worth is decided in
`monitor.web.invites`.
"""

# ruff: noqa: TC001 - FastAPI reads the annotations when the program runs
from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

import structlog
from fastapi import APIRouter, Depends
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from monitor.config.model import renewal_address
from monitor.config.owners import EntryRefused
from monitor.engine import renewals
from monitor.engine.ciphers import KeyUnusable
from monitor.engine.renewals import NothingToRenew
from monitor.judge.audit import Action, AuditRow
from monitor.report.invites import invite_json
from monitor.store import invites as stored
from monitor.store.audit import add_audit
from monitor.web.api import find_or_refuse, no_such_connection
from monitor.web.api_actions import SilenceId
from monitor.web.bodies import refuse_unknown_fields
from monitor.web.invites import find_invite_obstacle, use_now
from monitor.web.parts import Here, Parts
from monitor.web.problems import answers, problems
from monitor.web.schemas import MadeInviteJson, NewInviteSchema
from monitor.web.sessions import Visitor, Who

if TYPE_CHECKING:
    from monitor.judge.invites import Invite
    from monitor.store.engine import Transaction

log = structlog.get_logger()

router = APIRouter(
    prefix="/api/v1", tags=["changing"], dependencies=[Depends(refuse_unknown_fields)]
)


@router.post(
    "/connections/{name}/invites",
    status_code=HTTPStatus.CREATED,
    responses=answers(
        MadeInviteJson,
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.NOT_FOUND,
        HTTPStatus.CONFLICT,
        status=HTTPStatus.CREATED,
        is_change=True,
    ),
)
async def invite(
    here: Here, who: Who, name: str, wanted: NewInviteSchema | None = None
) -> Response:
    """Make a link with which somebody without a login renews this connection.

    Its address is answered this once.
    """
    made, address = await make_invite(here, who, name, wanted or NewInviteSchema())
    body: MadeInviteJson = {**invite_json(made, here.clock()), "url": address}
    return JSONResponse(body, HTTPStatus.CREATED)


async def make_invite(
    here: Parts, who: Visitor, name: str, wanted: NewInviteSchema
) -> tuple[Invite, str]:
    """Make an invite; return it, and its address for the only time.

    Raises:
        HTTPException: There is no such connection, or it cannot be renewed by a link.
    """

    def make(tx: Transaction) -> tuple[Invite, str]:
        record = find_or_refuse(tx, here, name, who.access)
        connection = here.plan.connection(tx, name)
        if connection is None:
            raise no_such_connection()
        obstacle = find_invite_obstacle(here.config, connection)
        if obstacle is not None:
            raise HTTPException(HTTPStatus.CONFLICT, f"{obstacle.why} {obstacle.remedy}")
        now = here.clock()
        made, token = stored.add_invite(tx, record.id, who.who, wanted.valid, now)
        add_audit(tx, AuditRow(now, who.who, Action.INVITE, name))
        return made, token

    made, token = await here.store.write(make)
    log.info("invite.made", connection=name, invite=made.id, by=who.who)
    return made, renewal_address(here.config, token)


@router.delete(
    "/invites/{number}",
    status_code=HTTPStatus.NO_CONTENT,
    responses=problems(HTTPStatus.NOT_FOUND, is_change=True),
)
async def revoke(here: Here, who: Who, number: SilenceId) -> Response:
    """Have a link count no longer."""
    await revoke_invite(here, who, number)
    return Response(status_code=HTTPStatus.NO_CONTENT)


async def revoke_invite(here: Parts, who: Visitor, number: int) -> str:
    """Have an invite count no longer; return the name of its connection.

    Raises:
        HTTPException: There is no such open one.
    """
    unknown = HTTPException(HTTPStatus.NOT_FOUND, "There is no such open invite.")

    def end(tx: Transaction) -> str:
        now, known = here.clock(), stored.find_invite(tx, number)
        if known is None or known.connection is None:
            raise unknown
        try:
            find_or_refuse(tx, here, known.connection, who.access)
        except HTTPException:
            raise unknown from None
        if not stored.revoke_invite(tx, number, now):
            raise unknown
        row = AuditRow(now, who.who, Action.INVITE, known.connection, keys=("revoked",))
        add_audit(tx, row)
        return known.connection

    name = await here.store.write(end)
    log.info("invite.revoked", connection=name, invite=number, by=who.who)
    return name


# --- what is proposed


_NO_PROPOSAL = HTTPException(HTTPStatus.NOT_FOUND, "There is no such proposed credential.")


async def accept_proposal(here: Parts, who: Visitor, number: int) -> str:
    """Use what was proposed; return the name of the connection.

    Raises:
        HTTPException: It is gone, or cannot be used.
    """

    def take(tx: Transaction) -> tuple[str, renewals.NewCredential]:
        _require_seen(tx, here, who, number)
        accepted = renewals.accept(tx, here.config, here.plan, number, who.who, here.clock())
        if accepted is None:
            raise _NO_PROPOSAL
        return accepted

    try:
        name, new = await here.store.write(take)
    except (KeyUnusable, NothingToRenew, EntryRefused) as error:
        raise HTTPException(HTTPStatus.CONFLICT, f"It cannot be used: {error}.") from None
    await use_now(here, name, new.value)
    log.info("proposal.accepted", connection=name, proposal=number, by=who.who)
    return name


async def reject_proposal(here: Parts, who: Visitor, number: int) -> str:
    """Forget what was proposed; return the name of the connection.

    Raises:
        HTTPException: It is gone.
    """

    def drop(tx: Transaction) -> str:
        _require_seen(tx, here, who, number)
        name = renewals.reject(tx, number, who.who, here.clock())
        if name is None:
            raise _NO_PROPOSAL
        return name

    name = await here.store.write(drop)
    log.info("proposal.rejected", connection=name, proposal=number, by=who.who)
    return name


def _require_seen(tx: Transaction, here: Parts, who: Visitor, number: int) -> None:
    kept = stored.find_proposal(tx, number)
    if kept is None:
        raise _NO_PROPOSAL
    try:
        find_or_refuse(tx, here, kept.proposal.connection, who.access)
    except HTTPException:
        raise _NO_PROPOSAL from None
