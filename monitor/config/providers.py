"""
List the providers: a new one is a module of its own and a line here.

Those of other packages are added when a file names one (`add_plugins`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic_core import core_schema

from monitor.config.amazon import AmazonConnection
from monitor.config.connection import Connection
from monitor.config.countdown import CountdownConnection
from monitor.config.http import HttpConnection
from monitor.config.plugins import load_settings
from monitor.config.soldscope import SoldscopeConnection

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler

PROVIDERS: dict[str, type[Connection]] = {
    "soldscope": SoldscopeConnection,
    "amazon": AmazonConnection,
    "countdown": CountdownConnection,
    "http": HttpConnection,
}


def add_plugins(data: dict[str, Any]) -> bool:
    """
    Load the plug-ins that a file's *data* needs; tell whether the choice has grown.
    """
    entries = data.get("connections")
    named = [
        entry.get("provider")
        for entry in (entries if isinstance(entries, list) else [])
        if isinstance(entry, dict)
    ]
    unknown = dict.fromkeys(
        name for name in named if isinstance(name, str) and name not in PROVIDERS
    )
    found = load_settings(unknown)
    PROVIDERS.update(found)
    return bool(found)


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
