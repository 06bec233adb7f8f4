"""Find the configuration file, read it, and tell everything that is wrong at once.

What a key means is declared in `model`; secrets are not read here. Nothing else knows pydantic's
error codes. What is wrong between keys or entries that are each right by themselves is found in
the file's data, before it becomes settings; what has the wrong type is passed over there.
"""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from pydantic import ValidationError

from monitor.clock import utc_now
from monitor.config.connections import Connection
from monitor.config.errors import (
    ConfigError,
    MisplacedError,
    Problem,
    did_you_mean,
    got,
    one_of,
    place_of,
    quoted,
)
from monitor.config.files import read_bounded
from monitor.config.marketplaces import Region, by_country
from monitor.config.model import ADMIN, CheckSettings, Config, is_reachable_from_outside
from monitor.config.registry import PROVIDERS, add_plugins
from monitor.config.sources import SOURCE_KINDS, Source
from monitor.config.values import Reading, Settings, format_duration, parse_duration
from monitor.judge.access import Role

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from datetime import datetime, timedelta

    from pydantic_core import ErrorDetails

    from monitor.config.marketplaces import KnownMarketplace


# --- pydantic's errors in our words

KeyPath = tuple[str | int, ...]
Located = tuple[KeyPath, str]
"""A message and the path, from the top of the file, that it is about."""

UNEXPLAINED = "this value is not accepted here"
"""Said where pydantic complains of something that has no sentence below; tests hunt for it."""

_NO_PROVIDER = {"union_tag_invalid", "union_tag_not_found"}
_EXPECTED = {
    "bool_type": "true or false",
    "dict_type": "a table",
    "frozen_set_type": "a list in [ ]",
    "int_type": "a whole number",
    "model_attributes_type": "a table",
    "model_type": "a table",
    "string_type": "a text in quotes",
    "tuple_type": "a list in [ ]",
}


def translate(error: ValidationError, within: KeyPath = ()) -> Iterator[Located]:
    """Yield what *error* complains of, in our words.

    Args:
        within: Where the table stands that was validated, if not all of the file was.
    """
    for details in error.errors(include_url=False):
        details["loc"] = (*within, *details["loc"])
        if details["type"] in _NO_PROVIDER and details["loc"][0] == "sources":
            yield from _explain_kind(details["loc"], details["input"])
        elif details["type"] in _NO_PROVIDER:
            yield from explain_provider(details["loc"], details["input"])
        elif details["type"] == "too_short" and details["input"]:
            # Pydantic counts what it accepted; the others have errors of their own.
            continue
        else:
            path, provider = _drop_provider(details["loc"])
            below, message = _explain(details, path, provider)
            yield (*path, *below), message


def _drop_provider(loc: KeyPath) -> tuple[KeyPath, str | None]:
    """Take the name of the chosen class out of a path; it is not in the file."""
    if loc[0] in {"connections", "sources"} and len(loc) > 2:  # noqa: PLR2004 - section, index, class
        return loc[:2] + loc[3:], str(loc[2])
    return loc, None


def _explain(  # noqa: PLR0911 - a table of cases
    details: ErrorDetails, path: KeyPath, provider: str | None
) -> tuple[KeyPath, str]:
    kind, value, context = details["type"], details["input"], details.get("ctx", {})
    match kind:
        case "value_error":
            error = context["error"]
            below = error.below if isinstance(error, MisplacedError) else ()
            return below, str(error)
        case "missing":
            noun = "a connection to" if path[0] == "connections" else "a source of kind"
            needed_by = f": {noun} {provider} needs it" if provider else ""
            return (), f"required and missing{needed_by}"
        case "extra_forbidden":
            return (), _explain_unknown(path, provider)
        case "greater_than_equal":
            return (), f"at least {context['ge']}, {_number(value)}"
        case "less_than_equal":
            return (), f"at most {context['le']}, {_number(value)}"
        case "too_short":
            return (), "an empty list: name at least one, or leave the key out for all"
        case _:
            return (), _explain_type(kind, value, path)


def _explain_unknown(path: KeyPath, provider: str | None) -> str:
    key = str(path[-1])
    if path[0] == "sources":
        kinds = [kind for kind, model in SOURCE_KINDS.items() if key in _keys_of(model)]
        if kinds:
            return f"goes with kind = {one_of(kinds)} only"
    return f"unknown key{did_you_mean(key, _keys_at(path[:-1], provider))}"


def _explain_type(kind: str, value: Any, path: KeyPath) -> str:
    expected = _EXPECTED.get(kind, UNEXPLAINED)
    if (len(path) == 1 or path == ("web", "users")) and isinstance(value, dict):
        expected = f"write [[{place_of(path)}]] with two brackets"
    elif len(path) == 1 and isinstance(value, list):
        expected = f"write [{path[0]}] with one bracket"
    return f"{expected}, {got(value)}"


def _number(value: Any) -> str:
    return got(value).replace("the number ", "")


def explain_provider(path: KeyPath, entry: Any) -> Iterator[Located]:
    """Explain a connection that no class could be chosen for.

    Pydantic has looked at nothing else in it, so its keys are looked at here.
    """
    known = tuple(PROVIDERS)
    provider = entry.get("provider") if isinstance(entry, dict) else None
    if provider is None:
        message = f"required and missing; known: {one_of(known)}"
    elif isinstance(provider, str):
        hint = did_you_mean(provider, known)
        message = f"unknown provider {quoted(provider)}; known: {one_of(known)}{hint}"
    else:
        message = f"a text in quotes, {got(provider)}; known: {one_of(known)}"
    yield (*path, "provider"), message
    if provider is None:
        keys = dict.fromkeys(key for model in PROVIDERS.values() for key in _keys_of(model))
        for key in entry:
            if key not in keys:
                yield (*path, key), f"unknown key{did_you_mean(key, keys)}"


def _explain_kind(path: KeyPath, entry: Any) -> Iterator[Located]:
    """Explain a source that no class could be chosen for."""
    kind = entry.get("kind") if isinstance(entry, dict) else None
    known = one_of(SOURCE_KINDS)
    if kind is None:
        message = f"required and missing; known: {known}"
    elif isinstance(kind, str):
        message = f"unknown kind {quoted(kind)}; known: {known}{did_you_mean(kind, SOURCE_KINDS)}"
    else:
        message = f"a text in quotes, {got(kind)}; known: {known}"
    yield (*path, "kind"), message


def _keys_at(path: KeyPath, provider: str | None) -> tuple[str, ...]:
    """Return the keys that the table at *path* may have."""
    model: type[Settings] = Config
    for step in path:
        if isinstance(step, str):
            field = next(
                field for name, field in model.model_fields.items() if step in {name, field.alias}
            )
            model = _model_in(field.annotation) or model
            if model is Connection and provider is not None:
                model = PROVIDERS[provider]
            elif issubclass(model, Source) and provider is not None:
                model = SOURCE_KINDS[provider]
    return _keys_of(model)


def _keys_of(model: type[Settings]) -> tuple[str, ...]:
    return tuple(field.alias or name for name, field in model.model_fields.items())


def _model_in(annotation: Any) -> type[Settings] | None:
    """Return the table inside an annotation such as `tuple[Channel, ...]`."""
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        return annotation
    return next(
        (model for inner in get_args(annotation) if (model := _model_in(inner)) is not None), None
    )


# --- contradictions


def find_wrong_marketplaces(stores: list[tuple[int, dict[str, Any]]]) -> Iterator[Located]:
    """Yield the contradictions between the marketplaces and the region of each of *stores*."""
    for index, entry in stores:
        codes, region = entry.get("marketplaces"), entry.get("region")
        seen: dict[str, tuple[int, str]] = {}
        for position, code in enumerate(codes if isinstance(codes, list) else []):
            known = by_country(code) if isinstance(code, str) else None
            if known is None:
                continue
            path = ("connections", index, "marketplaces", position)
            if known.id in seen:
                yield path, _is_repeated(code, *seen[known.id])
            elif isinstance(region, str) and region in set(Region) - {known.region}:
                yield path, _is_elsewhere(known, region)
            seen.setdefault(known.id, (position, code))


def _is_repeated(code: str, position: int, first: str) -> str:
    if first == code:
        return f"{quoted(code)} already stands at marketplaces[{position}]"
    return f"{quoted(code)} is the same as {quoted(first)} at marketplaces[{position}]: keep one"


def _is_elsewhere(known: KnownMarketplace, region: str) -> str:
    return (
        f'{known.name} belongs to region "{known.region}", this connection to "{region}": one'
        " authorization opens one region, so the other needs a connection of its own"
    )


_DEFAULTS = CheckSettings()
_MOST_SUGGESTIONS = 20
_LONGEST_SHOWN = 100


def find_conflicts(data: Mapping[str, Any]) -> Iterator[Located]:
    """Yield all contradictions in *data*."""
    connections, channels = _entries(data, "connections"), _entries(data, "channels")
    applications, sources = _entries(data, "applications"), _entries(data, "sources")
    stores = [(index, entry) for index, entry in connections if entry.get("provider") == "amazon"]
    named = {"connections": connections, "channels": channels, "applications": applications}
    others = {"groups": _entries(data, "groups"), "sources": sources}
    for section, entries in {**named, **others}.items():
        yield from _find_repeated_names(entries, section)
    for references, target in (
        (_names_in_lists("connections", connections, "channels"), "channels"),
        (_names_in_lists("channels", channels, "connections"), "connections"),
        (_single_names("connections", stores, "application"), "applications"),
        (_defaults_in("application", sources), "applications"),
        (_defaults_in("channels", sources), "channels"),
    ):
        yield from _find_unknown(references, target, _names_of(named[target]))
    yield from _find_wrong_renames(connections)
    yield from find_wrong_marketplaces(stores)
    yield from _find_long_timeouts(_table(data, "checks"), connections)
    web = _table(data, "web")
    yield from _find_open_dashboard(web)
    yield from _find_wrong_users(web)


def _table(data: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = data.get(key)
    return value if isinstance(value, dict) else {}


def _entries(data: Mapping[str, Any], key: str) -> list[tuple[int, dict[str, Any]]]:
    value = data.get(key)
    entries = value if isinstance(value, list) else []
    return [(index, entry) for index, entry in enumerate(entries) if isinstance(entry, dict)]


def _names_of(entries: list[tuple[int, dict[str, Any]]]) -> dict[str, int]:
    """Return where each name stands first."""
    places: dict[str, int] = {}
    for index, entry in entries:
        name = entry.get("name")
        if isinstance(name, str):
            places.setdefault(name, index)
    return places


def _find_repeated_names(
    entries: list[tuple[int, dict[str, Any]]], *section: str
) -> Iterator[Located]:
    places = _names_of(entries)
    for index, entry in entries:
        name = entry.get("name")
        if isinstance(name, str) and places[name] != index:
            first = f"{'.'.join(section)}[{places[name]}]"
            yield (
                (*section, index, "name"),
                f"{quoted(name, _LONGEST_SHOWN)} is already the name of {first}",
            )


def _find_unknown(
    references: Iterable[Located], target: str, known: Collection[str]
) -> Iterator[Located]:
    """Yield those of *references*, each a place and a name, that no entry of *target* has."""
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


def _defaults_in(key: str, sources: list[tuple[int, dict[str, Any]]]) -> Iterator[Located]:
    """Yield the names that *key* of the defaults of *sources* refers to, each with its place."""
    for index, entry in sources:
        defaults = _table(entry, "defaults")
        for path, name in (
            *_single_names("sources", [(index, defaults)], key),
            *_names_in_lists("sources", [(index, defaults)], key),
        ):
            yield (*path[:2], "defaults", *path[2:]), name


def find_wrong_defaults(data: Mapping[str, Any], reading: Reading) -> Iterator[Located]:
    """Yield what is wrong with the defaults of sources.

    They are looked at as part of a connection, whose other keys are the rows'.
    """
    for index, entry in _entries(data, "sources"):
        defaults = _table(entry, "defaults")
        provider = defaults.get("provider", "")
        model = PROVIDERS.get(provider) if isinstance(provider, str) else None
        if "provider" in defaults and model is None:
            found = list(explain_provider(("connections", index), defaults))
        else:
            within = ("connections", index, provider)
            found = list(_try_out(model or Connection, defaults, within, reading))
        for (_, _, *path), why in found:
            if path and path[0] in defaults:
                yield ("sources", index, "defaults", *path), why


def _try_out(
    model: type[Connection], defaults: dict[str, Any], within: KeyPath, reading: Reading
) -> Iterator[Located]:
    # Without a provider only what all of them share can be looked at.
    known = _keys_of(model)
    values = {key: value for key, value in defaults.items() if key in known}
    try:
        model.model_validate({**values, "name": "any"}, context=reading)
    except ValidationError as error:
        yield from translate(error, within)


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
    """Return a duration of *table*; None where it cannot be read."""
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
        yield (path, f"at most `every` ({format_duration(every)}), got {format_duration(timeout)}")


def _find_open_dashboard(web: dict[str, Any]) -> Iterator[Located]:
    listen = web.get("listen")
    is_open = not web.get("users") and "password" not in web and "proxy_auth" not in web
    if isinstance(listen, str) and is_open and is_reachable_from_outside(listen):
        others = "can be reached from other machines: set web.password or web.users as well"
        yield ("web", "listen"), f"{quoted(listen)} {others}"


def _find_wrong_users(web: dict[str, Any]) -> Iterator[Located]:
    users = _entries(web, "users")
    yield from _find_repeated_names(users, "web", "users")
    if "password" in web and (own := _names_of(users).get(ADMIN)) is not None:
        why = f"it makes a user {ADMIN}, and so does web.users[{own}]: keep one of the two"
        yield ("web", "password"), why
    has_sign_in = "header" in _table(web, "proxy_auth")
    for index, user in users:
        if "password" not in user and not has_sign_in:
            why = "required and missing: the only way to sign in without web.proxy_auth.header"
            yield ("web", "users", index, "password"), why
        if user.get("role") == Role.ADMIN and "groups" in user:
            why = 'not for role = "admin", which sees everything: leave it out, or use "operator"'
            yield ("web", "users", index, "groups"), why


# --- the file

SYSTEM_WIDE = Path("/etc/connwatch/config.toml")

_READABLE_BY_OTHERS = 0o044

_LARGEST_FILE = 128 * 1024 * 1024
"""Room for 100,000 connections, with much to say about each."""


def find_config(explicit: str | None) -> Path:
    """Return the file to read: the one named, or the first one found.

    A file that is named is the one, whether it exists or not.

    Args:
        explicit: The value of `--config`.

    Raises:
        ConfigError: None is named and none is found; lists the places.
    """
    named = explicit or os.environ.get("CONNWATCH_CONFIG")
    if named:
        return Path(named).absolute()
    candidates = [Path("config.toml").absolute(), *_personal(), SYSTEM_WIDE]
    for candidate in candidates:
        if os.path.isfile(candidate):  # noqa: PTH113 - Path.is_file raises where it may not look
            return candidate
    places = ", ".join(
        ["--config (not given)", "$CONNWATCH_CONFIG (not set)", *map(str, candidates)]
    )
    raise ConfigError(
        [
            Problem(
                "config.toml",
                f"not found; looked at {places}. Make one with: connwatch config init",
            )
        ]
    )


def _personal() -> list[Path]:
    folder = os.environ.get("XDG_CONFIG_HOME", "")
    # A relative path in this variable is to be ignored, says its specification.
    if not Path(folder).is_absolute():
        home = os.environ.get("HOME")
        if not home:
            return []
        folder = f"{home}/.config"
    return [Path(folder, "connwatch", "config.toml")]


def load_config(path: Path, now: datetime | None = None) -> Config:
    """Return what the file at *path* says.

    Args:
        now: The present instant, if it is not to be asked from the clock.

    Raises:
        ConfigError: The file cannot be read or used; holds all problems.
    """
    raw, is_private = _read(path)
    data = _parse(raw, path)
    return build_config(
        data, Reading(path, now or utc_now(), dict(os.environ), is_private=is_private)
    )


_MODELLED = set(PROVIDERS)
"""The providers that a connection of the file may have: others are added as they are named."""


def build_config(data: dict[str, Any], reading: Reading) -> Config:
    """Return the settings that the file's *data* means; raise ConfigError with all problems."""
    defaults = [one.get("defaults") for _, one in _entries(data, "sources")]
    add_plugins(data.get("connections"), defaults)
    if PROVIDERS.keys() != _MODELLED:
        Config.model_rebuild(force=True)
        _MODELLED.update(PROVIDERS)
    config: Config | None = None
    located: list[Located] = []
    try:
        config = Config.model_validate({"monitor": {}, **data}, context=reading)
    except ValidationError as error:
        located.extend(translate(error))
    located.extend(find_conflicts(data))
    located.extend(each for each in find_wrong_defaults(data, reading) if each not in located)
    # Raised out here: pydantic's error holds the data, secrets included, and
    # must not travel along as the cause.
    if config is None or located:
        located.sort(key=_order)
        raise ConfigError(
            [Problem(place_of(path), message) for path, message in located], reading.path
        )
    config.remember(data.get("connections", ()))
    return config


def _order(located: Located) -> tuple[int, int]:
    """Sort by table and entry, keeping the order within an entry."""
    section, *rest = located[0]
    sections = list(Config.model_fields)
    position = sections.index(section) if section in sections else len(sections)
    return position, rest[0] if rest and isinstance(rest[0], int) else -1


def _read(path: Path) -> tuple[bytes, bool]:
    """Return the content of *path*, and whether only its owner may read it."""
    try:
        raw, facts = read_bounded(path, _LARGEST_FILE)
        if len(raw) <= _LARGEST_FILE:
            return raw, not facts.st_mode & _READABLE_BY_OTHERS
        why = "cannot be read: larger than 128 MiB; is this the right file?"
    except FileNotFoundError:
        why = "does not exist; make one with: connwatch config init"
    except PermissionError:
        why = "may not be read by this user; run connwatch as the user who owns it"
    except (OSError, ValueError) as error:
        why = f"cannot be read: {getattr(error, 'strerror', None) or error}"
    raise ConfigError([Problem(str(path), why)], path)


_MOST_STEPS = 100
_LONG_KEY = re.compile(rb"(?:[\w\"'-]{1,100}[ \t]{0,10}\.[ \t]{0,10}){%d}" % _MOST_STEPS, re.ASCII)
"""A dotted key of so many steps; reading one takes the square of its length."""


def _has_long_key(raw: bytes) -> bool:
    lines = (line for line in raw.split(b"\n") if line.count(b".") >= _MOST_STEPS)
    return any(_LONG_KEY.search(line) for line in lines)


def _parse(raw: bytes, path: Path) -> dict[str, Any]:
    if _has_long_key(raw):
        why = f"not usable: it holds a key of more than {_MOST_STEPS} steps"
        raise ConfigError([Problem(str(path), why)], path)
    try:
        return tomllib.loads(raw.decode("utf-8-sig"))
    except tomllib.TOMLDecodeError as error:
        why = f"not TOML: {error}"
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        why = f"not UTF-8 text (at line {line}); save it as UTF-8"
    except ValueError:
        why = "not usable: it holds a number of thousands of digits"
    except RecursionError:
        why = "not usable: its lists or tables are nested too deeply"
    # Raised out here: a decoder's error may hold the text, secrets included.
    raise ConfigError([Problem(str(path), why)], path)
