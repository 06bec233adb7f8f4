"""
Name an action of the controls, and say what it did.

Decides nothing. `control` and `amazon_control` make these, for programs and for
people at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from monitor.simulator.fields import Fields
    from monitor.simulator.world import World


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


@dataclass(frozen=True, slots=True)
class Action:
    """
    Something that the controls can do.

    Args:
        path: Below the path of the controls; it may have a `{name}`.
        run: Does it, with the fields of the request and the name in the path.
    """

    method: str
    path: str
    run: Callable[[World, Fields, str], Done]
