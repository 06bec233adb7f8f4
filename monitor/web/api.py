# ruff: noqa: TC001, TC002 - FastAPI reads the annotations when the program runs
"""
Answer programs: connections, their history, alerts.

What is said of a connection is decided in `monitor.report`, which commands use
as well.
"""

from __future__ import annotations

from enum import StrEnum
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from monitor.report_past import alert_json, history_json
from monitor.store import connections, history
from monitor.web import models, overview
from monitor.web.answers import answer
from monitor.web.cursor import read_cursor, write_cursor
from monitor.web.documented import NOT_MODIFIED, problems
from monitor.web.parts import Here

if TYPE_CHECKING:
    from monitor.judge.connections import ConnectionRecord
    from monitor.report import Json
    from monitor.store.engine import Transaction

router = APIRouter(prefix="/api/v1", tags=["reading"])

MOST_LISTED = 1000
USUALLY_LISTED = 100
MOST_WORDS = 10

Limit = Annotated[int, Query(ge=1, le=MOST_LISTED, description="How many at most.")]
Cursor = Annotated[str | None, Query(max_length=200, description="`next` of the page before.")]


class State(StrEnum):
    """
    What one can filter by.
    """

    ACTIVE = "active"
    ERROR = "error"
    EXPIRED = "expired"
    PENDING = "pending"
    PAUSED = "paused"
    EXPIRING_SOON = "expiring_soon"


class Order(StrEnum):
    """
    How the list is sorted.
    """

    FILE = "file"
    WORST_FIRST = "worst_first"


class Wanted(BaseModel):
    """
    Which connections are listed: filters of one kind widen, of several kinds narrow.
    """

    model_config = ConfigDict(extra="forbid")

    state: list[State] = Field(default=[], max_length=10)
    tag: list[Annotated[str, Field(max_length=100)]] = Field(default=[], max_length=20)
    provider: list[Annotated[str, Field(max_length=100)]] = Field(default=[], max_length=20)
    q: str = Field(default="", max_length=200, description="Words in name, account or tags.")
    order: Order = Order.FILE
    limit: int = Field(
        default=USUALLY_LISTED, ge=1, le=MOST_LISTED, description="How many at most."
    )
    cursor: str | None = Field(
        default=None, max_length=200, description="`next` of the page before."
    )

    def query(self) -> overview.Query:
        """
        Return it as the overview is asked.
        """
        return overview.Query(
            states=frozenset(self.state),
            tags=frozenset(self.tag),
            providers=frozenset(self.provider),
            words=tuple(self.q.casefold().split()[:MOST_WORDS]),
            is_worst_first=self.order is Order.WORST_FIRST,
            cursor=self.cursor,
            limit=self.limit,
        )


@router.get(
    "/connections",
    responses={200: {"model": models.ConnectionList}, **NOT_MODIFIED, **problems()},
)
async def list_connections(
    request: Request, here: Here, wanted: Annotated[Wanted, Query()]
) -> Response:
    """
    List the connections of the file; the summary counts those of all pages.
    """
    query = wanted.query()
    try:
        page = await here.reader.read(lambda tx: here.overview.find(tx, query))
    except ValueError as error:
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, f"cursor: {error}") from error
    return answer(
        request,
        {"connections": page.connections, "summary": page.counts, "next": page.next},
    )


def find_or_refuse(tx: Transaction, here: Here, name: str) -> ConnectionRecord:
    """
    Return the record of the connection called *name*.

    Raises:
        HTTPException: There is none.
    """
    record = connections.find_record(tx, name)
    if record is None or not record.is_configured or name not in here.plan.watched:
        raise HTTPException(HTTPStatus.NOT_FOUND, "There is no connection of this name.")
    return record


def read_connection(tx: Transaction, here: Here, name: str) -> Json:
    """
    Return the connection called *name* as it is shown.

    Raises:
        HTTPException: There is none.
    """
    [each] = here.overview.describe(tx, [find_or_refuse(tx, here, name).id])
    return each


@router.get(
    "/connections/{name}",
    responses={
        200: {"model": models.Connection},
        **NOT_MODIFIED,
        **problems(HTTPStatus.NOT_FOUND),
    },
)
async def get_connection(request: Request, here: Here, name: str) -> Response:
    """
    Describe one connection.
    """
    return answer(request, await here.reader.read(lambda tx: read_connection(tx, here, name)))


@router.get(
    "/connections/{name}/history",
    responses={200: {"model": models.History}, **NOT_MODIFIED, **problems(HTTPStatus.NOT_FOUND)},
)
async def get_history(
    request: Request, here: Here, name: str, limit: Limit = USUALLY_LISTED
) -> Response:
    """
    Say what happened to one connection: changes, checks and alerts, the newest first.
    """

    def read(tx: Transaction) -> Json:
        record = find_or_refuse(tx, here, name)
        return history_json(
            record.name,
            history.list_transitions(tx, record.id, limit),
            history.list_checks(tx, record.id, limit),
            history.list_alerts(tx, limit, connection_id=record.id),
        )

    return answer(request, await here.reader.read(read))


@router.get("/alerts", responses={200: {"model": models.AlertList}, **NOT_MODIFIED, **problems()})
async def list_alerts(
    request: Request,
    here: Here,
    dead: Annotated[bool, Query(description="Only those that some channel did not take.")] = False,
    limit: Limit = USUALLY_LISTED,
    cursor: Cursor = None,
) -> Response:
    """
    List what people were told, are being told, or could not be told; the newest first.
    """
    try:
        after = read_cursor(cursor, 1)
    except ValueError as error:
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, f"cursor: {error}") from error
    before_id = after[0] if after else None
    rows = await here.reader.read(
        lambda tx: history.list_alerts(tx, limit + 1, only_dead=dead, before_id=before_id)
    )
    shown = rows[:limit]
    following = write_cursor((shown[-1].id,)) if len(rows) > limit else None
    return answer(request, {"alerts": [alert_json(row) for row in shown], "next": following})
