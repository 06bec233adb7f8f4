"""
List the providers: a new one is a module of its own and a line here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic_core import core_schema

from monitor.config.amazon import AmazonConnection
from monitor.config.connection import Connection
from monitor.config.countdown import CountdownConnection
from monitor.config.soldscope import SoldscopeConnection

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler

PROVIDERS: dict[str, type[Connection]] = {
    "soldscope": SoldscopeConnection,
    "amazon": AmazonConnection,
    "countdown": CountdownConnection,
}


class _ByProvider:
    """
    Choose the class of a connection by its provider.

    Pydantic's own discriminator wants two classes or more.
    """

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.tagged_union_schema(
            choices={
                name: handler.generate_schema(connection) for name, connection in PROVIDERS.items()
            },
            discriminator="provider",
        )


AnyConnection = Annotated[Connection, _ByProvider()]
