"""Turn templates into pages.

Everything is escaped; what all pages know is put in here: `visitor`,
`csrf_token`, `base` (what goes before each path), `version`, `now`, `zone` (of the times that a
browser without scripts shows) and `config`.
"""

from __future__ import annotations

from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from markupsafe import Markup, escape
from starlette.responses import HTMLResponse, RedirectResponse

from monitor import __version__
from monitor.judge.outbox import NotificationState
from monitor.judge.outcome import Reason
from monitor.notify.failures import describe_attempt
from monitor.notify.words import explain
from monitor.web import times
from monitor.web.charts import short_number
from monitor.web.conditions import conditions_of, count_failing, describe_all
from monitor.web.parts import parts_of
from monitor.web.sessions import STRANGER
from monitor.web.times import with_times

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jinja2.runtime import Context
    from starlette.requests import Request

    from monitor.store.history import NotificationRow


TEMPLATES = Path(__file__).parent / "templates"
STATIC = Path(__file__).parent / "static"


@cache
def environment() -> Environment:
    """Return the templates."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["coded"] = _code
    made.filters["short"] = short_number
    made.filters |= {
        "axis": times.axis,
        "clock": times.clock,
        "date": times.date,
        "failure": failure,
        "machine": times.machine_time,
        "reason": _name_reason,
        "utc": times.utc,
    }
    return made


def _name_reason(code: str, provider: str) -> str:
    """Return what a reason is called on every surface."""
    return explain(Reason(code), provider).name


def _code(text: str) -> Markup:
    """Show what stands between backticks as something to be typed."""
    pieces = text.split("`")
    return Markup().join(
        Markup("<code>{}</code>").format(piece) if position % 2 else escape(piece)
        for position, piece in enumerate(pieces)
    )


@pass_context
def failure(context: Context, each: NotificationRow) -> Markup:
    """Say in one line why a message was not delivered, and when it is tried again."""
    is_due = each.state is NotificationState.DUE
    next_at = each.next_attempt_at if is_due else None
    now, zone = context["now"], context["zone"]
    sentence = describe_attempt(each.error or "", each.attempts, next_at, now, zone)
    return with_times(sentence, [next_at], now, zone)


def base_of(request: Request) -> str:
    """Return what goes before each path of a link: the path of `public_url` behind a proxy."""
    parts = parts_of(request)
    public = urlsplit(parts.config.web.public_url)
    return public.path if public.hostname == request.url.hostname else ""


def lead_to(request: Request, path: str) -> RedirectResponse:
    """Lead a browser to a page of ours."""
    return RedirectResponse(f"{base_of(request)}{path}", HTTPStatus.SEE_OTHER)


def render(
    request: Request, name: str, context: Mapping[str, Any] | None = None, *, status: int = 200
) -> HTMLResponse:
    """Return the page that the template called *name* makes."""
    parts = parts_of(request)
    visitor = getattr(request.state, "visitor", STRANGER)
    known = {
        "request": request,
        "visitor": visitor,
        "csrf_token": visitor.csrf_token,
        "base": base_of(request),
        "version": __version__,
        "now": parts.clock(),
        "zone": parts.config.alerts.zone,
        "config": parts.config,
        "conditions": describe_all(conditions_of(request), parts),
        "has_groups": getattr(request.state, "has_groups", False),
        "n_failing": count_failing(conditions_of(request)),
    }
    text = environment().get_template(name).render(known | dict(context or {}))
    return HTMLResponse(text, status)
