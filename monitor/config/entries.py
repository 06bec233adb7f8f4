"""Take the entry of a connection apart for the database, and put it together again.

What is kept holds no secret: the words of the file are, but for those that are a secret or may
hold one, which stay in memory and have `{"set": true}` in their place. References to secrets stay.
Where rows are kept is left to the store, what a key means to the models.
"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from monitor.config.addresses import is_secret_header, mask_url, names_secret
from monitor.config.connections import Connection
from monitor.config.registry import PROVIDERS, UnusableConnection, add_plugins, find_plugin
from monitor.config.secret import Secret
from monitor.judge.connections import WrittenEntry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import timedelta

    from monitor.config.model import Config
    from monitor.config.values import Reading

SET = {"set": True}
"""Stands where a secret does that is kept elsewhere."""

LATEST = datetime(9999, 12, 31, tzinfo=UTC)
"""The instant at which rows are read: a date that was no future one when it was written is none."""

Path = tuple[str | int, ...]


class EntryUnusable(Exception):  # noqa: N818 - it states a condition, as SecretUnavailable does
    """Raised for a row that makes no connection; says why, without a value of it."""


class InlineSecrets:
    """The secrets that stand in the file itself, by connection and place: only in memory."""

    def __init__(self) -> None:
        self._values: dict[tuple[str, str], dict[Path, str]] = {}
        self._newer: InlineSecrets | None = None

    def keep(self, name: str, digest: str, values: dict[Path, str]) -> None:
        """Keep the secrets of a connection whose row has that *digest*."""
        if values:
            self._values[name, digest] = values

    def follow(self, newer: InlineSecrets) -> None:
        """Know what *newer* holds as well."""
        self._newer = newer

    def of(self, name: str, digest: str) -> Mapping[Path, str]:
        """Return the secrets of a connection whose row has that *digest*."""
        found = self._values.get((name, digest))
        if found is None and self._newer is not None:
            return self._newer.of(name, digest)
        return found or {}

    def __repr__(self) -> str:
        return f"InlineSecrets({len(self._values)} connections)"


def write_entries(
    config: Config, inline: InlineSecrets, fingerprint: Callable[[str], str]
) -> Iterator[WrittenEntry]:
    """Yield the connections of the file as they may be kept, in its order.

    Args:
        inline: Takes the secrets that stand in the file itself.
        fingerprint: Tells texts apart without revealing any.
    """
    for position, (written, meant) in enumerate(
        zip(config.written, config.connections, strict=True)
    ):
        digest = fingerprint(json.dumps(written, default=as_text, sort_keys=True))
        inline.keep(meant.name, digest, take_apart(written, meant)[1])
        yield WrittenEntry(meant.name, position, digest, partial(_content_of, written, meant))


def _content_of(written: Mapping[str, Any], meant: Connection) -> dict[str, Any]:
    return take_apart(written, meant)[0]


def take_apart(
    written: Mapping[str, Any], meant: Connection
) -> tuple[dict[str, Any], dict[Path, str]]:
    """Return an entry without what is secret in it, and that by its place."""
    secrets: dict[Path, str] = {}
    # Of a plug-in that cannot be loaded nobody knows which of its keys are secrets.
    known = Connection.model_fields if isinstance(meant, UnusableConnection) else written
    # A plug-in may take a secret for a plain text.
    names = names_secret if find_plugin(meant.provider) else _names_none
    content = {
        key: _without_secrets(value, _value_at(meant, key), (key,), secrets, names)
        for key, value in written.items()
        if key in known
    }
    return content, secrets


def _names_none(name: str) -> bool:  # noqa: ARG001 - as `names_secret`
    return False


def _without_secrets(
    written: Any,
    meant: Any,
    path: Path,
    secrets: dict[Path, str],
    names_one: Callable[[str], bool],
) -> Any:
    if isinstance(written, str):
        name = str(path[-1])
        is_secret = isinstance(meant, Secret) or names_one(name)
        if path[0] == "headers":
            is_secret = is_secret or is_secret_header(name)
        if written and (is_secret or mask_url(written) != written):
            secrets[path] = written
            return dict(SET)
        return written
    if isinstance(meant, Secret):
        return written  # a reference to one
    if isinstance(written, dict):
        return {
            key: _without_secrets(value, _value_at(meant, key), (*path, key), secrets, names_one)
            for key, value in written.items()
        }
    if isinstance(written, list):
        of = meant if isinstance(meant, tuple | list) and len(meant) == len(written) else ()
        return [
            _without_secrets(value, of[at] if of else None, (*path, at), secrets, names_one)
            for at, value in enumerate(written)
        ]
    return as_text(written) if isinstance(written, date) else written


def _value_at(meant: Any, key: str) -> Any:
    """Return what the model made of *key*, as far as it can be found."""
    if isinstance(meant, BaseModel):
        name = _names_by_key(type(meant)).get(key)
        return None if name is None else getattr(meant, name)
    return meant.get(key) if isinstance(meant, dict) else None


@lru_cache(maxsize=64)
def _names_by_key(model: type[BaseModel]) -> dict[str, str]:
    names = {name: name for name in model.model_fields}
    return names | {
        field.alias: name for name, field in model.model_fields.items() if field.alias is not None
    }


def as_text(value: Any) -> str:
    """Return a date as JSON says it."""
    return value.isoformat() if isinstance(value, date) else str(value)


def read_entry(
    content: object,
    secrets: Mapping[Path, Any],
    reading: Reading,
    place: tuple[str, int | str],
    secrets_refresh: timedelta,
) -> Connection:
    """Return the connection that a row means.

    Args:
        secrets: Those that belong where `{"set": true}` stands.
        place: How its place is written, and where it stands among those of its owner.
        secrets_refresh: How often a command is asked for a secret again.

    Raises:
        EntryUnusable: It means none.
    """
    from pydantic import ValidationError

    from monitor.config.model import place_secrets

    if not isinstance(content, dict):
        raise EntryUnusable("the row holds no table")
    whole = put_together(content, secrets)
    add_plugins([whole])
    model = PROVIDERS.get(str(content.get("provider")))
    if model is None:
        raise EntryUnusable(f'no provider is called "{content.get("provider")}"')
    try:
        connection = model.model_validate(whole, context=reading)
    except ValidationError as error:
        keys = ", ".join(sorted({str(each["loc"][0]) for each in error.errors()}))
    else:
        place_secrets(connection, *place, secrets_refresh)
        return connection
    # Raised out here: pydantic's error holds the data, secrets included.
    raise EntryUnusable(f"these keys are not accepted: {keys}")


def hide_secrets(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return *content* as it may be shown: where a secret is kept is nobody's business either."""
    from monitor.config.model import secret_keys

    model = PROVIDERS.get(str(content.get("provider")))
    keys = frozenset() if model is None else secret_keys(model)
    shown = dict(content)
    for key in keys & content.keys():
        value = content[key]
        if key == "headers" and isinstance(value, dict):
            shown[key] = {
                name: dict(SET) if isinstance(each, dict) else each for name, each in value.items()
            }
        elif isinstance(value, dict):
            shown[key] = dict(SET)
    return shown


def find_set(content: Any) -> Iterator[Path]:
    """Yield the places at which `{"set": true}` stands."""
    inner: Iterator[tuple[str | int, Any]] = iter(())
    if isinstance(content, dict):
        inner = iter(content.items())
    elif isinstance(content, list):
        inner = iter(enumerate(content))
    for key, value in inner:
        if value == SET:
            yield (key,)
        else:
            yield from ((key, *path) for path in find_set(value))


def put_together(content: Mapping[str, Any], secrets: Mapping[Path, Any]) -> dict[str, Any]:
    """Return *content* with its *secrets* in their places."""
    return {key: _with_secrets(value, (key,), secrets) for key, value in content.items()}


def _with_secrets(value: Any, path: Path, secrets: Mapping[Path, Any]) -> Any:
    if path in secrets and value == SET:
        return secrets[path]
    if isinstance(value, dict):
        return {key: _with_secrets(each, (*path, key), secrets) for key, each in value.items()}
    if isinstance(value, list):
        return [_with_secrets(each, (*path, at), secrets) for at, each in enumerate(value)]
    return value
