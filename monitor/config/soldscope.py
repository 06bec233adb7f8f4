# ruff: noqa: TC001 - pydantic reads the annotations when the program runs
"""
Declare a connection to the SoldScope API.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, WithJsonSchema

from monitor.config.connection import Connection
from monitor.config.secret import Secret
from monitor.config.urls import BaseUrl

_AUTH = re.compile(r"bearer|header:[A-Za-z0-9!#$%&'*+.^_`|~-]+", re.ASCII)
_NOT_FOR_TOKENS = {"host", "content-length", "transfer-encoding", "connection"}


def _check_auth(value: Any) -> str:
    # The value is not repeated: this is where people paste the token itself.
    if not isinstance(value, str) or not _AUTH.fullmatch(value):
        raise ValueError('write "bearer", or "header:NAME" with the name of a header')
    if value.partition(":")[2].lower() in _NOT_FOR_TOKENS:
        raise ValueError("HTTP itself needs this header; write the name of one for the token")
    return value


class SoldscopeConnection(Connection):
    """
    A SoldScope API token.
    """

    provider: Literal["soldscope"] = Field(description="SoldScope: Amazon market research.")
    base_url: BaseUrl = Field(description="As shown in your API reference.")
    token: Secret = Field(description="The API token.")
    auth: Annotated[
        str,
        BeforeValidator(_check_auth),
        WithJsonSchema({"type": "string", "pattern": "^(bearer|header:.+)$"}),
    ] = Field(
        default="bearer",
        description='How the token is sent: "bearer" or "header:NAME".',
    )

    @property
    def host(self) -> str:
        """
        Return the host and port that checks go to.
        """
        return urlsplit(self.base_url).netloc
