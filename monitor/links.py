"""
Say where on the dashboard more is to be read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.config.model import Config


def dashboard_address(config: Config) -> str | None:
    """
    Return the address of the dashboard, without a slash at its end; None if it is off.
    """
    if not config.web.listen:
        return None
    return (config.web.public_url or f"http://{config.web.listen}").rstrip("/")


def link_to(config: Config, connections: Sequence[str]) -> str | None:
    """
    Return the page about *connections*: its own for one, the list for several.
    """
    address = dashboard_address(config)
    if address is None:
        return None
    if len(connections) == 1:
        return f"{address}/connections/{quote(connections[0], safe='')}"
    return f"{address}/"
