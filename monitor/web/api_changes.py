# ruff: noqa: TC001 - FastAPI reads the annotations when the program runs
"""
Do what programs and pages order: validate, pause, resume, renew, delete, retry.

The same as the commands of these names; `guard` has made sure that whoever
orders may do so.
"""

from __future__ import annotations

from datetime import UTC
from http import HTTPStatus
from typing import TYPE_CHECKING

import structlog
from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from monitor import orders
from monitor.config.fields import check_past_day
from monitor.holding import revive
from monitor.judge.expiry import start_of
from monitor.store import connections
from monitor.web import models
from monitor.web.api import find_or_refuse, read_connection
from monitor.web.documented import problems
from monitor.web.parts import Here
from monitor.web.validations import NotPossible, Run
from monitor.web.visitors import Who

if TYPE_CHECKING:
    from monitor.judge.connection import Entry
    from monitor.report import Json
    from monitor.store.engine import Transaction

log = structlog.get_logger()

router = APIRouter(prefix="/api/v1", tags=["changing"])

_CONNECTION = {
    200: {"model": models.Connection},
    **problems(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, is_change=True),
}


def entry_of(here: Here, name: str) -> Entry:
    """
    Return what the file says of the connection called *name*.

    Raises:
        HTTPException: It says nothing.
    """
    for entry in here.plan.entries:
        if entry.name == name:
            return entry
    raise HTTPException(HTTPStatus.NOT_FOUND, "There is no connection of this name.")


def note(who: Who, order: str, name: str) -> None:
    """
    Log who ordered what.
    """
    log.info("web.ordered", order=order, connection=name, by=who.by.value, token=who.name or None)


@router.post(
    "/connections/{name}/validate",
    responses={
        200: {"model": models.Validation},
        **problems(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, is_change=True),
    },
)
async def validate(here: Here, who: Who, name: str) -> Response:
    """
    Check a connection now, step by step, and say what to do.

    A paused connection is asked once and stays paused; nothing of that is stored.
    """
    await here.reader.read(lambda tx: find_or_refuse(tx, here, name))
    try:
        run = await here.validations.start(name)
    except NotPossible as error:
        raise HTTPException(HTTPStatus.CONFLICT, f"{error}.") from error
    note(who, "validate", name)
    await run.wait()
    if run.answered is None or run.failure is not None:
        raise HTTPException(HTTPStatus.CONFLICT, f"It could not be validated: {run.failure}.")
    each = await here.reader.read(lambda tx: read_connection(tx, here, name))
    return JSONResponse(validation_json(run, each))


def validation_json(run: Run, each: Json) -> Json:
    """
    Return what a validation found.

    Args:
        each: The connection as it is now.
    """
    return {
        "name": run.name,
        "steps": [
            {
                "name": step.name.value,
                "target": step.target,
                "state": step.state.value,
                "words": step.words,
                "took_ms": None if step.took_ms is None else round(step.took_ms, 1),
            }
            for step in run.steps
        ],
        "advice": [
            {
                "remedy": one.remedy,
                "words": one.page.words if one.page else None,
                "url": one.page.url if one.page else None,
            }
            for one in run.advice
        ],
        "connection": each,
    }


@router.post("/connections/{name}/pause", responses=_CONNECTION)
async def pause(here: Here, who: Who, name: str) -> Response:
    """
    Call nothing and tell nothing until it is resumed.
    """

    def change(tx: Transaction) -> Json:
        connections.pause(tx, find_or_refuse(tx, here, name).id)
        return read_connection(tx, here, name)

    each = await here.store.write(change)
    note(who, "pause", name)
    return JSONResponse(each)


@router.post("/connections/{name}/resume", responses=_CONNECTION)
async def resume(here: Here, who: Who, name: str) -> Response:
    """
    Watch a connection again: after a pause, or after a deletion.
    """
    entry = entry_of(here, name)

    def change(tx: Transaction) -> Json:
        if orders.resume(tx, entry, here.clock()) is None:
            find_or_refuse(tx, here, name)
        return read_connection(tx, here, name)

    each = await here.store.write(change)
    if not entry.is_enabled:
        raise HTTPException(
            HTTPStatus.CONFLICT, "The file switches it off: set enabled = true there."
        )
    note(who, "resume", name)
    return JSONResponse(each)


@router.post("/connections/{name}/renew", responses=_CONNECTION | problems(HTTPStatus.BAD_REQUEST))
async def renew(here: Here, who: Who, name: str, renewal: models.Renewal | None = None) -> Response:
    """
    Record a renewed authorization: its days are counted from the new date.
    """
    entry = entry_of(here, name)
    now = here.clock()
    day = (renewal.on if renewal else None) or now.astimezone(UTC).date()
    try:
        check_past_day(day, now)
    except ValueError as error:
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, f"on: {error}") from error

    def change(tx: Transaction) -> Json:
        find_or_refuse(tx, here, name)
        orders.renew(tx, entry, start_of(day), now)
        return read_connection(tx, here, name)

    each = await here.store.write(change)
    note(who, "renew", name)
    return JSONResponse(each)


@router.delete(
    "/connections/{name}",
    status_code=HTTPStatus.NO_CONTENT,
    responses=problems(HTTPStatus.NOT_FOUND, is_change=True),
)
async def delete(here: Here, who: Who, name: str) -> Response:
    """
    Forget a connection: its history goes, and its entry in the file is ignored.
    """

    def change(tx: Transaction) -> None:
        connections.delete_connection(tx, find_or_refuse(tx, here, name), here.clock())

    await here.store.write(change)
    note(who, "delete", name)
    return Response(status_code=HTTPStatus.NO_CONTENT)


@router.post(
    "/alerts/retry",
    responses={200: {"model": models.Revived}, **problems(is_change=True)},
)
async def retry(here: Here, who: Who) -> Response:
    """
    Make dead notifications due again.
    """
    revived, _ = await here.store.write(lambda tx: revive(tx, here.plan, here.clock()))
    here.wake()
    log.info("web.ordered", order="retry", by=who.by.value, token=who.name or None)
    return JSONResponse({"revived": revived})
