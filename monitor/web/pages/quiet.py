"""
Carry out what pages order about being told: take on a trouble, silence, and back.

Orders are those of the API; a person is led back to where the button was.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, TypeVar

from fastapi import APIRouter
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotations when it runs
from starlette.responses import RedirectResponse, Response

from monitor.judge.silence import Scope
from monitor.web import api_quiet
from monitor.web.api_quiet import SilenceId  # noqa: TC001 - likewise
from monitor.web.body import parse_fields
from monitor.web.pages.connection import go_back
from monitor.web.parts import Here  # noqa: TC001 - likewise
from monitor.web.quiet_models import NewAcknowledgement, NewSilence
from monitor.web.templating import base_of
from monitor.web.visitors import Who  # noqa: TC001 - likewise

if TYPE_CHECKING:
    from collections.abc import Mapping

router = APIRouter()

Read = TypeVar("Read", bound=BaseModel)


@router.post("/connections/{name}/ack")
async def acknowledge(request: Request, here: Here, who: Who, name: str) -> Response:
    """
    Take on its trouble, and show that.
    """
    fields = parse_fields(await request.body())
    sent = {"until": fields.get("until") or None, "note": fields.get("note", "")}
    await api_quiet.acknowledge(here, who, name, _read(NewAcknowledgement, sent))
    return go_back(request, name, "taken")


@router.post("/connections/{name}/ack/end")
async def take_back(request: Request, here: Here, who: Who, name: str) -> Response:
    """
    Take an acknowledgement back, and show that.
    """
    await api_quiet.take_back(here, who, name)
    return go_back(request, name, "untaken")


@router.post("/connections/{name}/silence")
async def silence_connection(request: Request, here: Here, who: Who, name: str) -> Response:
    """
    Tell nobody of it for a while, and show that.
    """
    fields = parse_fields(await request.body())
    await _silence(here, who, fields, Scope.CONNECTION, name)
    return go_back(request, name, "silenced")


@router.post("/silences")
async def silence(request: Request, here: Here, who: Who) -> Response:
    """
    Tell nobody of a tag, or of anything, for a while.
    """
    fields = parse_fields(await request.body())
    tag = fields.get("tag") or None
    await _silence(here, who, fields, Scope.ALL if tag is None else Scope.TAG, tag)
    return _go_to_alerts(request, "silenced")


async def _silence(
    here: Here, who: Who, fields: dict[str, str], scope: Scope, target: str | None
) -> None:
    sent = {
        "scope": scope,
        "target": target,
        "for": fields.get("for", ""),
        "reason": fields.get("reason", ""),
    }
    await api_quiet.silence(here, who, _read(NewSilence, sent))


@router.post("/silences/{number}/end")
async def end_silence(request: Request, here: Here, who: Who, number: SilenceId) -> Response:
    """
    End a silence, and go back to the page on which the button was.
    """
    await api_quiet.end_silence(here, who, number)
    name = (parse_fields(await request.body())).get("name", "")
    return go_back(request, name, "told") if name else _go_to_alerts(request, "told")


def _go_to_alerts(request: Request, done: str) -> Response:
    return RedirectResponse(f"{base_of(request)}/alerts?done={done}", HTTPStatus.SEE_OTHER)


def _read(kind: type[Read], sent: Mapping[str, object]) -> Read:
    """
    Return what a form sent, as the API takes it.

    Raises:
        HTTPException: It cannot be that.
    """
    try:
        return kind.model_validate(sent)
    except ValidationError as error:
        wrong = "; ".join(f"{each['loc'][0]}: {each['msg']}" for each in error.errors())
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, wrong) from None
