"""
Put on every answer what keeps browsers from mischief.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.datastructures import MutableHeaders

from monitor.web import csrf
from monitor.web.visitors import Pass

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import Message, Send

    from monitor.web.parts import Parts
    from monitor.web.visitors import Visitor

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'"
)

HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not stricter: a browser that hides where a form was sent from sends no origin either.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}

A_YEAR_S = 31_536_000


def is_secure(parts: Parts) -> bool:
    """
    Tell whether people reach us by https only.
    """
    return parts.config.web.public_url.startswith("https://")


def add_headers(send: Send, request: Request, parts: Parts, visitor: Visitor | None) -> Send:
    """
    Return a *send* that puts them on, and hands out the word that changes must carry.
    """

    async def send_with(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            # Style and scripts are no secret: browsers keep them, and ask whether they still hold.
            is_fixed = request.url.path.startswith("/static/")
            headers.setdefault("Cache-Control", "no-cache" if is_fixed else "no-store")
            if is_secure(parts):
                headers.setdefault("Strict-Transport-Security", f"max-age={A_YEAR_S}")
            if visitor is not None and visitor.by is not Pass.TOKEN:
                _hand_out_word(headers, request, parts, visitor)
        await send(message)

    return send_with


def only_head(send: Send) -> Send:
    """
    Return a *send* that ends an answer where its body would begin.
    """
    is_over = False

    async def send_head(message: Message) -> None:
        nonlocal is_over
        if message["type"] == "http.response.start":
            await send(message)
        elif not is_over:
            is_over = True
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    return send_head


def _hand_out_word(
    headers: MutableHeaders, request: Request, parts: Parts, visitor: Visitor
) -> None:
    has_one = request.cookies.get(csrf.COOKIE) == visitor.csrf_token
    is_replaced = any(
        value.startswith(f"{csrf.COOKIE}=") for value in headers.getlist("set-cookie")
    )
    if not visitor.csrf_token or has_one or is_replaced:
        return
    secure = "; Secure" if is_secure(parts) else ""
    # Scripts of our own pages read it, so it is not HttpOnly.
    headers.append(
        "set-cookie", f"{csrf.COOKIE}={visitor.csrf_token}; Path=/; SameSite=Lax{secure}"
    )
