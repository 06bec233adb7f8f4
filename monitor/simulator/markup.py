"""
Write the frame of a page, and the pieces that pages are made of.

Decides what every page has in common: plain forms, one style sheet, no script.
Callers escape what they put in. What stands on a page is left to them.
"""

from __future__ import annotations

import base64
import hashlib
from html import escape
from typing import TYPE_CHECKING

from monitor.simulator.style import CSS

if TYPE_CHECKING:
    from collections.abc import Iterable

_CSS_HASH = base64.b64encode(hashlib.sha256(CSS.encode()).digest()).decode()
_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_CSS_HASH}'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Cache-Control": "no-store",
    # Not `no-referrer`: browsers would then send `Origin: null` with the forms.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}

PAGE_HEADERS = {**_HEADERS, "Content-Security-Policy": f"{_POLICY}; form-action 'self'"}

LEAVING_PAGE_HEADERS = {**_HEADERS, "Content-Security-Policy": _POLICY}
"""For a page whose form leads to another site: `form-action` would hold the redirect up."""


def write_page(title: str, body: str) -> str:
    """
    Return a whole page.
    """
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{CSS}</style>
</head>
<body>
{body}
</body>
</html>
"""


def write_form(action: str, inner: str) -> str:
    """
    Return a form that posts to *action*.
    """
    return f'<form method="post" action="{escape(action)}">{inner}</form>'


def write_hidden(name: str, value: str) -> str:
    """
    Return an input that nobody sees.
    """
    return f'<input type="hidden" name="{name}" value="{escape(value)}">'


def write_options(choices: Iterable[tuple[str, str]]) -> str:
    """
    Return the options of a select, from values and labels.
    """
    return "".join(
        f'<option value="{escape(value)}">{escape(label)}</option>' for value, label in choices
    )
