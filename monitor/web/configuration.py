# ruff: noqa: TC001, TC002 - FastAPI reads the annotations when the program runs
"""
Say how reading the configuration file went, to programs.
"""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from monitor.report import instant
from monitor.web.answers import answer
from monitor.web.documented import NOT_MODIFIED, problems
from monitor.web.models import Model
from monitor.web.parts import Here

router = APIRouter(prefix="/api/v1", tags=["reading"])


class Mistake(Model):
    """
    What keeps the file from being used.
    """

    place: str = Field(description="Where, such as connections[2].every, counted from 0.")
    message: str


class Configuration(Model):
    """
    How reading the configuration file went.
    """

    path: str
    read_at: str | None = Field(description="When the settings in force were read.")
    failed_at: str | None = Field(
        description="When a reload found that the file cannot be used; null if the latest did well."
    )
    mistakes: list[Mistake]
    needs_restart: list[str] = Field(
        description="Settings that the file has changed and only a restart puts in force."
    )


@router.get(
    "/configuration",
    responses={200: {"model": Configuration}, **NOT_MODIFIED, **problems()},
)
async def show_configuration(request: Request, here: Here) -> Response:
    """
    Say which settings are in force, and what is wrong with the file.
    """
    reloads = here.reloads
    return answer(
        request,
        {
            "path": str(here.config.path),
            "read_at": instant(reloads.read_at),
            "failed_at": instant(reloads.failed_at),
            "mistakes": [{"place": one.place, "message": one.message} for one in reloads.problems],
            "needs_restart": list(reloads.need_restart),
        },
    )
