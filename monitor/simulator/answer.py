"""
Hold an HTTP answer before it is sent.

Decides what an answer consists of and how instants are written in one. What it
says is left to the services, sending it to the servers.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class Answer:
    """
    An HTTP answer before it is sent.

    Args:
        is_of_account: Whether the quota headers of a SoldScope account belong to it.
    """

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    is_of_account: bool = True


def json_answer(status: int, body: Any, headers: Mapping[str, str] | None = None) -> Answer:
    """
    Return an answer whose body is JSON.
    """
    return Answer(status, json.dumps(body).encode(), headers=headers or {})


def write_instant(instant: datetime) -> str:
    """
    Write an instant as RFC 3339, in UTC, to the second.
    """
    return instant.strftime("%Y-%m-%dT%H:%M:%SZ")
