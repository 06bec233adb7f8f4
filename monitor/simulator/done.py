"""
Say what an action of the controls did.

Decides nothing. `control` and `amazon_control` make these, for programs and for
people at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any


@dataclass(frozen=True, slots=True)
class Done:
    """
    What an action did, for programs and in one sentence for people.

    Args:
        secret: A new secret's value, or lines of them, shown once.
    """

    sentence: str
    body: dict[str, Any]
    status: int = HTTPStatus.OK
    secret: str | None = field(default=None, repr=False)
