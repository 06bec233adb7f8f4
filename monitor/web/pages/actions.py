"""Carry out what pages order, about connections and about what people are alerted of.

Orders are those of the API; a person is led back to where the button was, and told there
what was done.
"""

# ruff: noqa: TC001, TC002 - FastAPI reads the annotations when the program runs
from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, TypeVar
from urllib.parse import quote

from fastapi import APIRouter
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from monitor.judge.suppression import Scope
from monitor.web import api_actions, api_entries, api_invites
from monitor.web.api_actions import SilenceId
from monitor.web.bodies import form
from monitor.web.parts import Here
from monitor.web.problems import why_of
from monitor.web.schemas import (
    NewAcknowledgementSchema,
    NewInviteSchema,
    NewSilenceSchema,
    NewTestSchema,
    RenewalSchema,
)
from monitor.web.sessions import Who
from monitor.web.templating import lead_to, render
from monitor.web.views import path_of

if TYPE_CHECKING:
    from collections.abc import Mapping

router = APIRouter()

DONE = {
    "added": "Added. It is being monitored from now on.",
    "saved": "Saved.",
    "saved-paused": "Saved, and paused: no checks and no alerts until it is resumed.",
    "paused": "Paused: no checks and no alerts until it is resumed.",
    "resumed": "Resumed; checking now.",
    "renewed": "Renewal recorded; checking now.",
    "taken": "Acknowledged: reminders are off until it is fixed. New problems still alert.",
    "untaken": "Acknowledgement undone: reminders are on again.",
    "silenced": "Muted. Alerts are held and sent afterwards if still true.",
    "told": "Mute ended: held alerts that are still true are being sent.",
    "authorized": "Authorized again. The new token is in use, and its days count from today.",
    "revoked": "Renewal link withdrawn.",
    "accepted": "Accepted: the new credential is in use; checking now.",
    "rejected": "Rejected: the present credential stays in use.",
    "retried": "Failed messages are being sent again.",
    "tested": "A test message is on its way; it appears below with what came of it.",
}
"""What a page says of the order that led to it."""


def go_back(request: Request, name: str, done: str) -> Response:
    """Lead to the page of a connection, which says what was done."""
    return lead_to(request, f"{path_of(name)}?done={done}")


def _go_to_alerts(request: Request, done: str) -> Response:
    return lead_to(request, f"/alerts?done={done}")


@router.post("/connections/{name}/pause", dependencies=[form()])
async def pause(request: Request, here: Here, who: Who, name: str) -> Response:
    """Pause it, and show that."""
    await api_actions.pause(here, who, name)
    return go_back(request, name, "paused")


@router.post("/connections/{name}/resume", dependencies=[form()])
async def resume(request: Request, here: Here, who: Who, name: str) -> Response:
    """Resume it, and show that."""
    await api_actions.resume(here, who, name)
    return go_back(request, name, "resumed")


@router.post("/connections/{name}/renew")
async def renew(
    request: Request, here: Here, who: Who, name: str, fields: Annotated[dict[str, str], form("on")]
) -> Response:
    """Record a renewal, and show that."""
    renewal = _read(RenewalSchema, {"on": fields.get("on") or None})
    await api_actions.renew(here, who, name, renewal)
    return go_back(request, name, "renewed")


@router.post("/connections/{name}/invites")
async def invite(
    request: Request,
    here: Here,
    who: Who,
    name: str,
    fields: Annotated[dict[str, str], form("valid")],
) -> Response:
    """Make a renewal link, and show its address this once."""
    wanted = _read(NewInviteSchema, {"valid": fields.get("valid") or "30d"})
    made, address = await api_invites.make_invite(here, who, name, wanted)
    context = {"name": name, "path": path_of(name), "made": made, "address": address}
    return render(request, "invited.html", context)


@router.post("/invites/{number}/revoke", dependencies=[form()])
async def revoke_invite(request: Request, here: Here, who: Who, number: SilenceId) -> Response:
    """Withdraw a renewal link, and show its connection."""
    return go_back(request, await api_invites.revoke_invite(here, who, number), "revoked")


@router.post("/proposals/{number}/accept", dependencies=[form()])
async def accept(request: Request, here: Here, who: Who, number: SilenceId) -> Response:
    """Use a proposed credential, and show its connection."""
    return go_back(request, await api_invites.accept_proposal(here, who, number), "accepted")


@router.post("/proposals/{number}/reject", dependencies=[form()])
async def reject(request: Request, here: Here, who: Who, number: SilenceId) -> Response:
    """Forget a proposed credential, and show its connection."""
    return go_back(request, await api_invites.reject_proposal(here, who, number), "rejected")


@router.post("/connections/{name}/delete", dependencies=[form()])
async def delete(request: Request, here: Here, who: Who, name: str) -> Response:
    """Delete it, and show the list."""
    await api_entries.delete(here, who, name)
    return lead_to(request, "/")


@router.post("/connections/{name}/ack")
async def acknowledge(
    request: Request,
    here: Here,
    who: Who,
    name: str,
    fields: Annotated[dict[str, str], form("until", "note")],
) -> Response:
    """Take on its trouble, and show that."""
    sent = {"until": fields.get("until") or None, "note": fields.get("note", "")}
    await api_actions.acknowledge(here, who, name, _read(NewAcknowledgementSchema, sent))
    return go_back(request, name, "taken")


@router.post("/connections/{name}/ack/end", dependencies=[form()])
async def take_back(request: Request, here: Here, who: Who, name: str) -> Response:
    """Take an acknowledgement back, and show that."""
    await api_actions.take_back(here, who, name)
    return go_back(request, name, "untaken")


@router.post("/connections/{name}/silence")
async def silence_connection(
    request: Request,
    here: Here,
    who: Who,
    name: str,
    fields: Annotated[dict[str, str], form("for", "reason")],
) -> Response:
    """Tell nobody of it for a while, and show that."""
    await _silence(here, who, fields, Scope.CONNECTION, name)
    return go_back(request, name, "silenced")


@router.post("/groups/{name}/silence")
async def silence_group(
    request: Request,
    here: Here,
    who: Who,
    name: str,
    fields: Annotated[dict[str, str], form("for", "reason")],
) -> Response:
    """Tell nobody of a group for a while, and show that."""
    await _silence(here, who, fields, Scope.GROUP, name)
    return lead_to(request, f"/groups/{quote(name, safe='')}?done=silenced")


@router.post("/silences")
async def silence(
    request: Request,
    here: Here,
    who: Who,
    fields: Annotated[dict[str, str], form("what", "tag", "group", "for", "reason")],
) -> Response:
    """Tell nobody of a group, of a tag, or of anything, for a while."""
    scope, target = Scope.ALL, None
    kind, _, name = fields.get("what", "").partition(" ")
    for each in (Scope.TAG, Scope.GROUP):
        target = (name if kind == each else fields.get(each)) or None
        if target is not None:
            scope = each
            break
    await _silence(here, who, fields, scope, target)
    return _go_to_alerts(request, "silenced")


async def _silence(
    here: Here, who: Who, fields: Mapping[str, str], scope: Scope, target: str | None
) -> None:
    sent = {
        "scope": scope,
        "target": target,
        "for": fields.get("for", ""),
        "reason": fields.get("reason", ""),
    }
    await api_actions.silence(here, who, _read(NewSilenceSchema, sent))


@router.post("/silences/all/end", dependencies=[form()])
async def end_all_mutes(request: Request, here: Here, who: Who) -> Response:
    """End what mutes everything, and show the alerts."""
    await api_actions.end_all_mutes(here, who)
    return _go_to_alerts(request, "told")


@router.post("/silences/{number}/end")
async def end_silence(
    request: Request,
    here: Here,
    who: Who,
    number: SilenceId,
    fields: Annotated[dict[str, str], form("name")],
) -> Response:
    """End a silence, and go back to the page on which the button was."""
    await api_actions.end_silence(here, who, number)
    name = fields.get("name", "")
    return go_back(request, name, "told") if name else _go_to_alerts(request, "told")


@router.post("/alerts/retry", dependencies=[form()])
async def retry(request: Request, here: Here, who: Who) -> Response:
    """Send again what was given up."""
    await api_actions.retry(here, who)
    return _go_to_alerts(request, "retried")


@router.post("/alerts/test")
async def send_test(
    request: Request, here: Here, who: Who, fields: Annotated[dict[str, str], form("channel")]
) -> Response:
    """Send a test message through the outbox, as any alert."""
    channel = fields.get("channel", "")
    await api_actions.send_test(here, who, NewTestSchema.model_construct(channel=channel))
    return _go_to_alerts(request, "tested")


Read = TypeVar("Read", bound=BaseModel)


def _read(kind: type[Read], sent: Mapping[str, object]) -> Read:
    """Return what a form sent, as the API takes it.

    Raises:
        HTTPException: It cannot be that.
    """
    try:
        return kind.model_validate(sent)
    except ValidationError as error:
        wrong = "; ".join(f"{each['loc'][0]}: {why_of(each['msg'])}" for each in error.errors())
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, wrong) from None
