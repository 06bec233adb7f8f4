"""
Give JSON a fingerprint, and spare those who have it already the body.
"""

from __future__ import annotations

import hashlib
import json
from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.responses import Response

if TYPE_CHECKING:
    from starlette.requests import Request

    from monitor.report import Json

REVALIDATE = "private, no-cache"


def answer(request: Request, body: Json) -> Response:
    """
    Return *body*, or 304 if the client has the same already.
    """
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return tagged(request, text.encode(), "application/json")


def tagged(request: Request, body: bytes, media_type: str, caching: str = REVALIDATE) -> Response:
    """
    Return *body* with an entity tag; 304 if the client names that tag.
    """
    tag = f'"{hashlib.blake2b(body, digest_size=16).hexdigest()}"'
    headers = {"ETag": tag, "Cache-Control": caching}
    if _names(request.headers.get("if-none-match", ""), tag):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(body, media_type=media_type, headers=headers)


def _names(sent: str, tag: str) -> bool:
    tags = [one.strip().removeprefix("W/") for one in sent.split(",")]
    return tag in tags or tags == ["*"]
