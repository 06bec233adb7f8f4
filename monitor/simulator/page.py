"""Turn the simulator's templates into pages.

Decides what all pages have in common: everything is escaped, there is one style
sheet and no script. What the forms do is left to `control` and `amazon_consent`.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from monitor.simulator.world import CONTROL_PATH

if TYPE_CHECKING:
    from collections.abc import Mapping

TEMPLATES = Path(__file__).parent / "templates"

SHOWN = 50
"""Tokens of an account and stores listed, the newest; the rest is in the JSON state."""

SHOWN_SEARCHES = 5
"""Searches that take a while listed per account, the newest."""


@dataclass(frozen=True, slots=True)
class ControlNotice:
    """One sentence about what was just done.

    Args:
        secret: A new secret's value, or lines of them, shown once.
    """

    sentence: str
    is_error: bool = False
    secret: str | None = field(default=None, repr=False)


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["grouped"] = "{:,}".format
    made.filters["short"] = lambda value: value if isinstance(value, str) else f"{value:g}"
    made.globals["css"] = (TEMPLATES / "style.css").read_text(encoding="utf-8")
    made.globals["root"] = CONTROL_PATH
    return made


@cache
def _headers(*, is_leaving: bool) -> Mapping[str, str]:
    css = str(_environment().globals["css"])
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; frame-ancestors 'none'"
    )
    return {
        "Cache-Control": "no-store",
        # Not `no-referrer`: browsers would then send `Origin: null` with the forms.
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": policy if is_leaving else f"{policy}; form-action 'self'",
    }


def answer_page(
    name: str, context: Mapping[str, Any], status: int = HTTPStatus.OK, *, is_leaving: bool = False
) -> web.Response:
    """Return the page that the template called *name* makes.

    Args:
        is_leaving: Its form leads to another site: `form-action` would hold the redirect up.
    """
    text = _environment().get_template(name).render(context)
    headers = _headers(is_leaving=is_leaving)
    return web.Response(status=status, text=text, content_type="text/html", headers=headers)


def answer_control_page(
    state: Mapping[str, Any], notice: ControlNotice | None, status: int = HTTPStatus.OK
) -> web.Response:
    """Return the page with the controls for *state*, which `describe_world` made."""
    amazon, offset = state["amazon"], state["clock_offset_s"]
    stores = amazon["stores"][-SHOWN:]
    context = {
        **state,
        "notice": notice,
        "ahead": str(timedelta(seconds=offset)) if offset else "",
        "shown": SHOWN,
        "shown_searches": SHOWN_SEARCHES,
        "token_labels": {
            token["id"]: f"{account['name']}: {token['name']} (…{token['last_four']})"
            for account in state["soldscope"]["accounts"]
            for token in account["tokens"][-SHOWN:]
            if token["state"] == "live"
        },
        "stores": stores,
        "application_names": {one["id"]: one["name"] for one in amazon["applications"]},
        "place_labels": {
            **{name: f"region {name.upper()}" for name in amazon["endpoints"]},
            **{store["id"]: store["name"] for store in stores},
        },
    }
    return answer_page("control.html", context, status)
