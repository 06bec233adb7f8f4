"""
Read what a form of ours sends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from starlette.requests import Request

MOST_FIELDS = 20


async def read_fields(request: Request) -> dict[str, str]:
    """
    Return the fields of a form; none if that is not what was sent.
    """
    text = (await request.body()).decode("utf-8", "replace")
    try:
        return dict(parse_qsl(text, max_num_fields=MOST_FIELDS))
    except ValueError:
        return {}
