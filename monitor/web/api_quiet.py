# ruff: noqa: TC001, TC002 - FastAPI reads the annotations when the program runs
"""
Take on troubles, silence, and try channels, as programs and pages order it.

The same as the commands `ack`, `silence` and `alerts test`; what they mean is
decided in `monitor.quieting`.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated

import structlog
from fastapi import APIRouter, Path
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from monitor import quieting
from monitor.judge.alerts import AlertDue, AlertKind
from monitor.judge.expiry import start_of
from monitor.judge.silence import Scope
from monitor.report import instant
from monitor.report_past import silence_json
from monitor.store import acknowledgements, alerts, silences
from monitor.web import quiet_models as models
from monitor.web.answers import answer
from monitor.web.api import find_or_refuse
from monitor.web.api_changes import note
from monitor.web.documented import NOT_MODIFIED, problems
from monitor.web.parts import Here
from monitor.web.visitors import Who

if TYPE_CHECKING:
    from monitor.report import Json
    from monitor.store.engine import Transaction

log = structlog.get_logger()

router = APIRouter(prefix="/api/v1", tags=["being told"])

LARGEST_ID = 2**63 - 1
"""What a database can hold."""

SilenceId = Annotated[int, Path(ge=1, le=LARGEST_ID)]


@router.get(
    "/silences", responses={200: {"model": models.SilenceList}, **NOT_MODIFIED, **problems()}
)
async def list_silences(request: Request, here: Here) -> Response:
    """
    List the silences that last.
    """
    lasting = await here.reader.read(lambda tx: silences.list_lasting(tx, here.clock()))
    return answer(request, {"silences": [silence_json(one) for one in lasting], "next": None})


@router.post(
    "/silences",
    status_code=HTTPStatus.CREATED,
    responses={
        201: {"model": models.BegunSilence},
        **problems(HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, is_change=True),
    },
)
async def silence(here: Here, who: Who, wanted: models.NewSilence) -> Response:
    """
    Hold back what there is to tell of a connection, of a tag or of everything.

    Checks go on. When it ends, what is still true is told.
    """
    now = here.clock()
    is_all = wanted.scope is Scope.ALL
    if is_all != (wanted.target is None):
        what = "null where all are silent" if is_all else f"the {wanted.scope} to be silent"
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, f"target: {what}")
    if wanted.scope is Scope.TAG and wanted.target not in known_tags(here):
        raise HTTPException(HTTPStatus.NOT_FOUND, "No connection has this tag.")

    def begin(tx: Transaction) -> Json:
        if wanted.scope is Scope.CONNECTION:
            find_or_refuse(tx, here, wanted.target or "")
        begun = quieting.begin_silence(
            tx, here.plan, wanted.scope, wanted.target, wanted.length, wanted.reason, now
        )
        [kept] = [one for one in silences.list_lasting(tx, now) if one.id == begun.id]
        return silence_json(kept) | {"held": begun.n_held}

    begun = await here.store.write(begin)
    note(who, "silence", quieting.say_what(wanted.scope, wanted.target))
    return JSONResponse(begun, HTTPStatus.CREATED)


def known_tags(here: Here) -> list[str]:
    """
    Return the tags that the file gives, each once.
    """
    return sorted({tag for each in here.plan.watched.values() for tag in each.subject.tags})


@router.delete(
    "/silences/{number}",
    responses={
        200: {"model": models.EndedSilence},
        **problems(HTTPStatus.NOT_FOUND, is_change=True),
    },
)
async def end_silence(here: Here, who: Who, number: SilenceId) -> Response:
    """
    End a silence early: what was held back and is still true is told.
    """
    n_due = await here.store.write(
        lambda tx: quieting.end_silence(tx, here.plan, number, here.clock())
    )
    if n_due is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, "No such silence lasts.")
    here.wake()
    note(who, "end silence", str(number))
    return JSONResponse({"due": n_due})


@router.post(
    "/connections/{name}/ack",
    responses={
        200: {"model": models.Acknowledgement},
        **problems(
            HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, is_change=True
        ),
    },
)
async def acknowledge(
    here: Here, who: Who, name: str, given: models.NewAcknowledgement | None = None
) -> Response:
    """
    Take on the present trouble of a connection: nobody is reminded of it.

    A new trouble is told as ever.
    """
    now = here.clock()
    wanted = given or models.NewAcknowledgement()
    until = None if wanted.until is None else start_of(wanted.until)
    if until is not None and until <= now:
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, "until: a day to come")
    kept = acknowledgements.Acknowledgement(now, until, wanted.note)
    trouble = await here.store.write(
        lambda tx: quieting.take_on(tx, find_or_refuse(tx, here, name), here.plan, kept)
    )
    if trouble is None:
        raise HTTPException(
            HTTPStatus.CONFLICT, "It has no trouble that people are reminded of: nothing to take on"
        )
    note(who, "ack", name)
    return JSONResponse(
        {
            "connection": name,
            "trouble": trouble,
            "at": instant(kept.at),
            "until": instant(kept.until),
            "note": kept.note,
        }
    )


@router.delete(
    "/connections/{name}/ack",
    status_code=HTTPStatus.NO_CONTENT,
    responses=problems(HTTPStatus.NOT_FOUND, is_change=True),
)
async def take_back(here: Here, who: Who, name: str) -> Response:
    """
    Take an acknowledgement back: people are reminded again.
    """
    was_there = await here.store.write(
        lambda tx: acknowledgements.drop(tx, find_or_refuse(tx, here, name).id)
    )
    if not was_there:
        raise HTTPException(HTTPStatus.NOT_FOUND, "Nobody has taken it on.")
    note(who, "take back ack", name)
    return Response(status_code=HTTPStatus.NO_CONTENT)


@router.post(
    "/alerts/test",
    responses={
        200: {"model": models.Tested},
        **problems(HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, is_change=True),
    },
)
async def send_test(here: Here, who: Who, wanted: models.NewTest) -> Response:
    """
    Send a test message to one channel, the way any alert goes.
    """
    channel = wanted.channel
    if channel not in {one.name for one in here.plan.channels}:
        raise HTTPException(HTTPStatus.NOT_FOUND, "There is no channel of this name.")
    alert = AlertDue.of(AlertKind.TEST)
    number = await here.store.write(
        lambda tx: alerts.add_alert(tx, alert, [], [channel], here.clock())
    )
    here.wake()
    log.info("web.ordered", order="test", channel=channel, by=who.by.value, token=who.name or None)
    return JSONResponse({"alert": number})
