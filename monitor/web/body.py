"""
Read what is sent, and no more than a form or a small object can be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import Message, Receive

LARGEST_BODY = 64 * 1024
MOST_FIELDS = 20


class BodyTooLarge(Exception):  # noqa: N818 - it states a condition
    """
    Raised as soon as too much was sent.
    """

    def __init__(self) -> None:
        super().__init__(f"At most {LARGEST_BODY // 1024} KiB may be sent.")


async def read_body(request: Request) -> bytes:
    """
    Return all that is sent.

    Raises:
        BodyTooLarge: It is more than any of our forms.
    """
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > LARGEST_BODY:
            raise BodyTooLarge
    return bytes(body)


def replay(body: bytes, receive: Receive) -> Receive:
    """
    Return what gives *body* once more, and then what *receive* has to say.
    """
    is_given = False

    async def give() -> Message:
        nonlocal is_given
        if is_given:
            return await receive()
        is_given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return give


def parse_fields(body: bytes) -> dict[str, str]:
    """
    Return the fields of a form; none if that is not what was sent.
    """
    try:
        return dict(parse_qsl(body.decode("utf-8", "replace"), max_num_fields=MOST_FIELDS))
    except ValueError:
        return {}
