"""Build the web application.

Decides which routes there are; who may use them is decided in `monitor.web.security`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from starlette.staticfiles import StaticFiles

from monitor import __version__
from monitor.web import (
    api,
    api_actions,
    api_channels,
    api_entries,
    api_invites,
    docs,
    feeds,
    groups,
    health,
    login,
    pages,
)
from monitor.web.problems import add_error_pages, describe
from monitor.web.security import AccessMiddleware
from monitor.web.sessions import Attempts
from monitor.web.templating import STATIC

if TYPE_CHECKING:
    from collections.abc import Callable

    from monitor.web.parts import Parts


ROUTERS = (
    api.router,
    api_actions.router,
    api_actions.alerts_router,
    api_entries.router,
    api_channels.router,
    api_invites.router,
    feeds.router,
    groups.router,
    health.metrics_router,
    health.router,
    docs.router,
    login.router,
    pages.router,
)


class _Described(FastAPI):
    """An application whose description names what all routes have in common."""

    def openapi(self) -> dict[str, Any]:
        """Return the description, made once."""
        if self.openapi_schema is None:
            schema = super().openapi()
            self.openapi_schema = describe(schema)
        return self.openapi_schema


def build_app(view: Callable[[], Parts]) -> FastAPI:
    """Return the application.

    Args:
        view: Returns the parts by the settings of now; asked once a request.
    """
    app = _Described(
        title="connwatch",
        version=__version__,
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        # Behind a proxy it would lead to plain http, and past the path of `public_url`.
        redirect_slashes=False,
    )
    app.state.attempts = Attempts(lambda: view().monotonic())
    for router in ROUTERS:
        app.include_router(router)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    add_error_pages(app)
    app.add_middleware(AccessMiddleware, view=view)
    return app
