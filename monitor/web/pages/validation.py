"""
Validate a connection before the eyes of whoever pressed the button.

The page arrives as the steps do: a browser without scripts shows them as they
come, a script takes only the middle of it.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotations when it runs
from starlette.responses import Response, StreamingResponse

from monitor.web.api import find_or_refuse
from monitor.web.api_changes import note
from monitor.web.pages.mending import follow
from monitor.web.parts import Here  # noqa: TC001 - likewise
from monitor.web.rows import make_row, path_of
from monitor.web.templating import render
from monitor.web.validations import NotPossible
from monitor.web.visitors import Who  # noqa: TC001 - likewise

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from monitor.web.parts import Parts
    from monitor.web.validations import Run

router = APIRouter()

MIDDLE = "<!-- steps -->"
ONLY_STEPS = "x-only-steps"


@router.post("/connections/{name}/validate")
async def validate(request: Request, here: Here, who: Who, name: str) -> Response:
    """
    Begin a validation, and show its steps as they finish.
    """
    record = await here.reader.read(lambda tx: find_or_refuse(tx, here, name))
    try:
        run = await here.validations.start(name)
    except NotPossible as error:
        raise HTTPException(HTTPStatus.CONFLICT, f"{error}.") from error
    note(who, "validate", name)
    head = tail = ""
    if ONLY_STEPS not in request.headers:
        page = render(request, "validation.html", {"name": name, "path": path_of(name)})
        head, _, tail = bytes(page.body).decode().partition(MIDDLE)
    return StreamingResponse(
        _tell(request, here, run, (head, tail), is_paused=record.is_switched_off),
        media_type="text/html; charset=utf-8",
        headers={"X-Accel-Buffering": "no"},
    )


async def _tell(
    request: Request, parts: Parts, run: Run, frame: tuple[str, str], *, is_paused: bool
) -> AsyncGenerator[str, None]:
    head, tail = frame
    yield f'{head}<ol class="steps">'
    n_told, target = 0, ""
    while True:
        await run.wait_for_more(n_told)
        for step in run.steps[n_told:]:
            yield _render(request, "step.html", step=step, is_new=step.target != target)
            target = step.target
        n_told = len(run.steps)
        if run.is_done:
            break
    yield "</ol>"
    yield _render(request, "verdict.html", **_verdict(parts, run), is_paused=is_paused) + tail


def _verdict(parts: Parts, run: Run) -> dict[str, object]:
    now = parts.clock()
    row = None if run.answered is None else make_row(parts, run.answered.each, now)
    return {
        "run": run,
        "row": row,
        "said": "" if run.answered is None else run.answered.outcome.detail,
        "remedies": follow(parts, run.name, run.advice),
    }


def _render(request: Request, template: str, **context: object) -> str:
    return bytes(render(request, template, context).body).decode()
