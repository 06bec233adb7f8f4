"""List the providers: a new one has its line in `PROVIDERS`.

Those of other packages are found through their entry points and added when a file names one, so
that nobody waits for what is not used. A broken one is named, and its connections stand there
without a check: all others go on. How the checks of a plug-in are run is decided in
`monitor.providers.plugin`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import ConfigDict
from pydantic_core import core_schema

from monitor.config.connections import (
    AmazonConnection,
    Connection,
    CountdownConnection,
    SoldscopeConnection,
)
from monitor.config.http import HttpConnection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from importlib.metadata import EntryPoint

    from pydantic import GetCoreSchemaHandler


GROUP = "connwatch.providers"

_LONGEST_PROBLEM = 200


class UnusableConnection(Connection):
    """A connection whose plug-in cannot be used; its other keys are not looked at."""

    model_config = ConfigDict(extra="ignore")

    problem: ClassVar[str] = ""
    """What is wrong with the plug-in."""


@dataclass(frozen=True, slots=True)
class Plugin:
    """A provider of another package: its settings, and what makes a checker of them."""

    name: str
    settings: type[Connection]
    build: Callable[..., Any]


_loaded: dict[str, Plugin] = {}


def find_plugin(name: str) -> Plugin | None:
    """Return the plug-in for the provider called *name*, if it was loaded."""
    return _loaded.get(name)


def load_settings(names: Iterable[str]) -> dict[str, type[Connection]]:
    """Load the plug-ins for the providers called *names*; leave out those that nobody brings."""
    names = list(names)
    if not names:
        return {}
    # Costs milliseconds, and hardly any file needs it.
    from importlib.metadata import entry_points

    found = {}
    for name in names:
        entries = list(entry_points(group=GROUP, name=name))
        if entries:
            found[name] = _load(name, entries)
    return found


def _load(name: str, entries: list[EntryPoint]) -> type[Connection]:
    if len(entries) > 1:
        brought_by = ", ".join(sorted(map(_package_of, entries)))
        return _unusable(name, f"several packages bring this provider: {brought_by}")
    [entry] = entries
    try:
        plugin = _take(name, entry.load())
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a foreign package may raise anything
        words = " ".join(f"{type(error).__name__}: {error}".split())[:_LONGEST_PROBLEM]
        return _unusable(name, f"package {_package_of(entry)} cannot be loaded ({words})")
    if isinstance(plugin, str):
        return _unusable(name, f"package {_package_of(entry)} is no provider: {plugin}")
    _loaded[name] = plugin
    return plugin.settings


def _take(name: str, found: Any) -> Plugin | str:
    """Return what an entry point offers, or what it lacks."""
    settings, build = getattr(found, "settings", None), getattr(found, "build", None)
    if getattr(found, "name", None) != name:
        return f'its name is not "{name}"'
    if not isinstance(settings, type) or not issubclass(settings, Connection):
        return "its settings are no class made from Connection"
    if not callable(build):
        return "it has no function build"
    return Plugin(name, settings, build)


def _unusable(name: str, problem: str) -> type[Connection]:
    return type(
        "UnusableConnection",
        (UnusableConnection,),
        {"__module__": __name__, "__doc__": f"A connection to {name}.", "problem": problem},
    )


def _package_of(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist else entry.value.partition(":")[0]


PROVIDERS: dict[str, type[Connection]] = {
    "soldscope": SoldscopeConnection,
    "amazon": AmazonConnection,
    "countdown": CountdownConnection,
    "http": HttpConnection,
}


def title_of(provider: str) -> str:
    """Return what people call the provider that the file calls *provider*."""
    settings = PROVIDERS.get(provider)
    return (settings and settings.own_title) or provider


def add_plugins(*lists: Any) -> None:
    """Load the plug-ins that entries need, which stand in *lists*; what is no list has none."""
    named = [entry.get("provider") for listed in lists for entry in _tables_in(listed)]
    unknown = dict.fromkeys(
        name for name in named if isinstance(name, str) and name not in PROVIDERS
    )
    PROVIDERS.update(load_settings(unknown))


def _tables_in(listed: Any) -> list[dict[str, Any]]:
    return [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []


class _ByProvider:
    """Choose the class of a connection by its provider.

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
