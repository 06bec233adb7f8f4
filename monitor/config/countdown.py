# ruff: noqa: TC001 - pydantic reads the annotations when the program runs
"""
Declare a connection whose grant lives elsewhere: its days are counted, nothing is called.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from monitor.config.connection import Connection
from monitor.config.fields import PastDay


class CountdownConnection(Connection):
    """
    An authorization that another program uses, such as a store connected inside SoldScope.
    """

    provider: Literal["countdown"] = Field(description="A grant held elsewhere: no network.")
    authorized_on: PastDay = Field(description="When the authorization was granted.")
