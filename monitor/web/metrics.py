# ruff: noqa: TC001 - FastAPI reads the annotations when the program runs
"""
Hand out the metrics.
"""

from __future__ import annotations

from fastapi import APIRouter
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.responses import Response

from monitor.web.documented import problems
from monitor.web.parts import Here

router = APIRouter(tags=["elsewhere"])


@router.get(
    "/metrics",
    responses={
        200: {"content": {"text/plain": {"schema": {"type": "string"}}}},
        **problems(),
    },
    response_class=Response,
)
async def metrics(here: Here) -> Response:
    """
    Return the metrics.
    """
    text = await here.reader.read(
        lambda tx: here.metrics.write(tx, here.plan.watched.keys(), here.clock())
    )
    return Response(text, media_type=CONTENT_TYPE_LATEST)
