# ruff: noqa: TC001 - pydantic reads the annotations when the program runs
"""
Declare a connection to the SoldScope API.
"""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field

from monitor.config.auth import TokenForm
from monitor.config.connection import Connection
from monitor.config.secret import Secret
from monitor.config.urls import BaseUrl


class SoldscopeConnection(Connection):
    """
    A SoldScope API token.
    """

    provider: Literal["soldscope"] = Field(description="SoldScope: Amazon market research.")
    base_url: BaseUrl = Field(description="As shown in your API reference.")
    token: Secret = Field(description="The API token.")
    auth: TokenForm = Field(
        default="bearer",
        description='How the token is sent: "bearer" or "header:NAME".',
    )

    @property
    def host(self) -> str:
        """
        Return the host and port that checks go to.
        """
        return urlsplit(self.base_url).netloc
