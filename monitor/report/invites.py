"""Describe invites and proposed credentials to programs; never what is secret of them."""

# ruff: noqa: TC001 - FastAPI reads the annotations when the program runs
from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import TypedDict

from monitor.judge.invites import InviteState
from monitor.report.status import Instant, instant

if TYPE_CHECKING:
    from datetime import datetime

    from monitor.judge.invites import Invite, ProposedCredential


class InviteJson(TypedDict):
    """A link with which somebody without a login renews one connection."""

    id: int
    connection: str
    created_at: Instant
    valid_until: Instant
    by: str
    state: InviteState


class ProposalJson(TypedDict):
    """A credential that a link brought and that waits for an operator."""

    id: int
    connection: str
    at: Instant
    by: str
    account: str | None


def invite_json(invite: Invite, now: datetime) -> InviteJson:
    """Return *invite* as it is shown."""
    return {
        "id": invite.id,
        "connection": invite.connection or "",
        "created_at": instant(invite.created_at),
        "valid_until": instant(invite.valid_until),
        "by": invite.by,
        "state": invite.state(now),
    }


def proposal_json(proposal: ProposedCredential) -> ProposalJson:
    """Return *proposal* as it is shown."""
    return {
        "id": proposal.id,
        "connection": proposal.connection,
        "at": instant(proposal.at),
        "by": f"link:{proposal.invite_id}",
        "account": proposal.account,
    }
