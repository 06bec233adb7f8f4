"""
Build the web application.

Decides which routes there are; who may use them is decided in `guard`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import FastAPI
from starlette.staticfiles import StaticFiles

from monitor import __version__
from monitor.web import health, pages
from monitor.web.guard import Guard
from monitor.web.problems import add_error_pages
from monitor.web.templating import STATIC

if TYPE_CHECKING:
    from monitor.web.parts import Parts


def build_app(parts: Parts) -> FastAPI:
    """
    Return the application over *parts*.
    """
    app = FastAPI(
        title="connwatch",
        version=__version__,
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    app.state.parts = parts
    for group in (health, pages):
        app.include_router(group.router)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    add_error_pages(app)
    app.add_middleware(Guard, parts=parts)
    return app
