"""
Find what is wrong between keys or entries that are each right by themselves.

Works on the file's data before it becomes settings, so that these problems are
told together with all others; what has the wrong type is passed over here and
told by `translate`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from monitor.config.cross_amazon import find_wrong_marketplaces
from monitor.config.duration import format_duration, parse_duration
from monitor.config.model import PROVIDERS, CheckSettings
from monitor.config.settings import is_reachable_from_outside
from monitor.config.wording import did_you_mean, quoted

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from datetime import timedelta

    from monitor.config.translate import Located

_DEFAULTS = CheckSettings()
_MOST_SUGGESTIONS = 20
_LONGEST_SHOWN = 100


def find_conflicts(data: Mapping[str, Any]) -> Iterator[Located]:
    """
    Yield all contradictions in *data*.
    """
    connections, channels = _entries(data, "connections"), _entries(data, "channels")
    applications = _entries(data, "applications")
    stores = [(index, entry) for index, entry in connections if entry.get("provider") == "amazon"]
    yield from _find_repeated_names("connections", connections)
    yield from _find_repeated_names("channels", channels)
    yield from _find_repeated_names("applications", applications)
    for references, target, entries in (
        (_names_in_lists("connections", connections, "channels"), "channels", channels),
        (_names_in_lists("channels", channels, "connections"), "connections", connections),
        (_single_names("connections", stores, "application"), "applications", applications),
    ):
        yield from _find_unknown(references, target, _names_of(entries))
    yield from _find_wrong_renames(connections)
    yield from find_wrong_marketplaces(stores)
    yield from _find_long_timeouts(_table(data, "checks"), connections)
    yield from _find_open_dashboard(_table(data, "web"))


def _table(data: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = data.get(key)
    return value if isinstance(value, dict) else {}


def _entries(data: Mapping[str, Any], key: str) -> list[tuple[int, dict[str, Any]]]:
    value = data.get(key)
    entries = value if isinstance(value, list) else []
    return [(index, entry) for index, entry in enumerate(entries) if isinstance(entry, dict)]


def _names_of(entries: list[tuple[int, dict[str, Any]]]) -> dict[str, int]:
    """
    Return where each name stands first.
    """
    places: dict[str, int] = {}
    for index, entry in entries:
        name = entry.get("name")
        if isinstance(name, str):
            places.setdefault(name, index)
    return places


def _find_repeated_names(
    section: str, entries: list[tuple[int, dict[str, Any]]]
) -> Iterator[Located]:
    places = _names_of(entries)
    for index, entry in entries:
        name = entry.get("name")
        if isinstance(name, str) and places[name] != index:
            first = f"{section}[{places[name]}]"
            yield (
                (section, index, "name"),
                f"{quoted(name, _LONGEST_SHOWN)} is already the name of {first}",
            )


def _find_unknown(
    references: Iterable[Located], target: str, known: Collection[str]
) -> Iterator[Located]:
    """
    Yield those of *references*, each a place and a name, that no entry of *target* has.
    """
    # Looking for the nearest of thousands of names takes milliseconds each.
    suggestions_left = _MOST_SUGGESTIONS
    for path, name in references:
        if name not in known:
            hint = did_you_mean(name, known) if suggestions_left > 0 else ""
            suggestions_left -= 1
            yield (
                path,
                f"{quoted(name, _LONGEST_SHOWN)} is not the name of any of [[{target}]]{hint}",
            )


def _names_in_lists(
    section: str, entries: list[tuple[int, dict[str, Any]]], key: str
) -> Iterator[Located]:
    for index, entry in entries:
        names = entry.get(key)
        for position, name in enumerate(names if isinstance(names, list) else []):
            if isinstance(name, str):
                yield (section, index, key, position), name


def _single_names(
    section: str, entries: list[tuple[int, dict[str, Any]]], key: str
) -> Iterator[Located]:
    for index, entry in entries:
        name = entry.get(key)
        if isinstance(name, str):
            yield (section, index, key), name


def _find_wrong_renames(connections: list[tuple[int, dict[str, Any]]]) -> Iterator[Located]:
    names = _names_of(connections)
    heirs: dict[str, int] = {}
    for index, entry in connections:
        old = entry.get("renamed_from")
        if not isinstance(old, str):
            continue
        path = ("connections", index, "renamed_from")
        if old == entry.get("name"):
            yield path, "this is its name now: write the name it had before"
        elif old in names:
            place = f"connections[{names[old]}]"
            yield path, f"{quoted(old, _LONGEST_SHOWN)} is still the name of {place}"
        elif old in heirs:
            place = f"connections[{heirs[old]}]"
            yield path, f"{quoted(old, _LONGEST_SHOWN)} is already taken over by {place}"
        else:
            heirs[old] = index


def _find_long_timeouts(
    checks: dict[str, Any], connections: list[tuple[int, dict[str, Any]]]
) -> Iterator[Located]:
    common_every = _length(checks, "every", _DEFAULTS.every)
    yield from _compare(("checks", "timeout"), _length(checks, "timeout", None), common_every)
    for index, entry in connections:
        provider = entry.get("provider")
        model = PROVIDERS.get(provider) if isinstance(provider, str) else None
        rhythm = (model.own_rhythm if model else None) or common_every
        yield from _compare(
            ("connections", index, "timeout"),
            _length(entry, "timeout", None),
            _length(entry, "every", rhythm),
        )


def _length(table: dict[str, Any], key: str, default: timedelta | None) -> timedelta | None:
    """
    Return a duration of *table*; None where it cannot be read.
    """
    if key not in table:
        return default
    try:
        return parse_duration(table[key])
    except ValueError:
        return None


def _compare(
    path: tuple[str | int, ...], timeout: timedelta | None, every: timedelta | None
) -> Iterator[Located]:
    if timeout is not None and every is not None and timeout > every:
        yield (
            path,
            f"at most `every` ({format_duration(every)}), got {format_duration(timeout)}",
        )


def _find_open_dashboard(web: dict[str, Any]) -> Iterator[Located]:
    listen = web.get("listen")
    if isinstance(listen, str) and "password" not in web and is_reachable_from_outside(listen):
        yield (
            ("web", "listen"),
            f"{quoted(listen)} can be reached from other machines: set web.password as well",
        )
