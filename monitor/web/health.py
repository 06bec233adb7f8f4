# ruff: noqa: TC001 - FastAPI reads the annotations when the program runs
"""
Say to supervisors how the process is: alive (`/healthz`), and at work (`/readyz`).

Both are open to all, and name no connection.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from monitor.judge.wellbeing import is_late
from monitor.store.due import lateness
from monitor.store.engine import StoreError
from monitor.store.migrate import HEAD, revision_in
from monitor.web.models import Alive, Ready
from monitor.web.parts import Here, Parts

if TYPE_CHECKING:
    from monitor.store.engine import Transaction

router = APIRouter(tags=["health"])


@router.get("/healthz", responses={200: {"model": Alive}})
async def healthz() -> Response:
    """
    Say that the process lives.
    """
    return JSONResponse({"status": "alive"})


@router.get("/readyz", responses={200: {"model": Ready}, 503: {"model": Ready}})
async def readyz(here: Here) -> Response:
    """
    Say whether the database is migrated and no check is overdue.
    """
    try:
        troubles = await here.reader.read(lambda tx: list_troubles(tx, here))
    except StoreError:
        troubles = ["database"]
    status = HTTPStatus.SERVICE_UNAVAILABLE if troubles else HTTPStatus.OK
    body = {"status": "not ready" if troubles else "ready", "failing": troubles}
    return JSONResponse(body, status)


def list_troubles(tx: Transaction, here: Parts) -> list[str]:
    """
    Return what keeps the daemon from its work, in one word each.
    """
    troubles = []
    if revision_in(tx) != HEAD:
        troubles.append("migration")
    late = lateness(tx, here.plan.watched.keys(), here.clock())
    if is_late(late, here.config.longest_timeout):
        troubles.append("checks")
    return troubles
