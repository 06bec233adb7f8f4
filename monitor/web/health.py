"""Say to supervisors how the process is: alive (`/healthz`), at work (`/readyz`), in figures.

The first two are open to all, and name no connection; `/metrics` is for those who may look.
"""

# ruff: noqa: TC001 - FastAPI reads the annotations when the program runs

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from fastapi import APIRouter
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.responses import JSONResponse, Response

from monitor.judge.health import is_late
from monitor.store.engine import StoreError
from monitor.store.migrate import HEAD, revision_in
from monitor.store.schedule import lateness
from monitor.web.conditions import guess_conditions, read_own_conditions
from monitor.web.parts import Here, Parts
from monitor.web.problems import problems
from monitor.web.schemas import AliveJson, ReadyJson
from monitor.web.visibility import for_all_groups

if TYPE_CHECKING:
    from monitor.store.engine import Transaction


router = APIRouter(tags=["health"])


@router.get("/healthz", responses={200: {"model": AliveJson}})
async def healthz() -> Response:
    """Say that the process lives."""
    return JSONResponse({"status": "alive"})


@router.get("/readyz", responses={200: {"model": ReadyJson}, 503: {"model": ReadyJson}})
async def readyz(here: Here) -> Response:
    """Say whether the database is migrated and no check is overdue.

    The notes name the conditions that keep alerts from being sent, and make nothing unready.
    """
    try:
        failing, conditions = await here.reader.read(
            lambda tx: (list_readiness_problems(tx, here), read_own_conditions(tx, here))
        )
        # Reading goes on where nothing can be written any more.
        if here.store.disk_problem is not None:
            failing.insert(0, "database")
    except StoreError:
        failing, conditions = ["database"], guess_conditions(here)
    status = HTTPStatus.SERVICE_UNAVAILABLE if failing else HTTPStatus.OK
    body = {
        "status": "not ready" if failing else "ready",
        "failing": failing,
        "notes": [one.kind.value for one in conditions],
    }
    return JSONResponse(body, status)


def list_readiness_problems(tx: Transaction, here: Parts) -> list[str]:
    """Return what keeps the daemon from its work, in one word each."""
    failing = []
    if revision_in(tx) != HEAD:
        failing.append("migration")
    late = lateness(tx, here.plan.names(tx), here.clock())
    if is_late(late, here.plan.intervals.timeout):
        failing.append("checks")
    return failing


metrics_router = APIRouter(tags=["elsewhere"])


@metrics_router.get(
    "/metrics",
    responses={
        200: {"content": {"text/plain": {"schema": {"type": "string"}}}},
        **problems(),
    },
    response_class=Response,
    dependencies=[for_all_groups],
)
async def metrics(here: Here) -> Response:
    """Return the metrics."""
    text = await here.reader.read(
        lambda tx: here.metrics.write(tx, here.plan.names(tx), here.clock())
    )
    return Response(text, media_type=CONTENT_TYPE_LATEST)
