"""Check what an owner other than the file writes of a connection: dashboard, import, source.

The models are those of the file. What only the file may say, and what becomes of stored secrets
when a connection is pointed elsewhere, is decided here; which hosts may be called, in `hosts`;
where entries are kept, by whoever keeps them.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic import ValidationError

from monitor.config.entries import SET, as_text, put_together, take_apart
from monitor.config.errors import place_of
from monitor.config.hosts import HostRefused
from monitor.config.load import explain_provider, find_conflicts, translate
from monitor.config.model import list_secrets, place_secrets, secret_keys
from monitor.config.registry import PROVIDERS, add_plugins
from monitor.config.remarks import exposed_secrets_of
from monitor.config.secret import MalformedSecret, SecretUnavailable, SourceKind
from monitor.config.values import Reading, format_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from monitor.config.connections import Connection
    from monitor.config.entries import Path
    from monitor.config.load import Located
    from monitor.config.model import Config

PLACE_FORM = 'connection "{}"'
"""What the places of an entry begin with that is not in the file: its name."""

FILE_ONLY = frozenset(("ca_file", "endpoint", "proxy", "token_url"))
"""Keys that would let others read files of this machine, or send secrets elsewhere."""

AIMED = ("provider", "preset", "application", "region", "auth")
_ADDRESSES = ("url", "base_url")
_PORTS = {"http": 80, "https": 443}
_OF_ANSWERS = frozenset(("owner", "shadowed_by"))

_AT_ODDS = frozenset(("channels", "every", "renamed_from", "timeout"))
"""Keys that can contradict others; a store has more of them."""

ONLY_THE_FILE = "only the configuration file may set this"
NO_TABLE = (
    "only the configuration file may say where a secret is kept: send the secret itself as a text,"
    ' or {"set": true} to keep the one that is stored'
)
NO_TEXT = r"holds half of a character, such as \ud800 alone: send whole characters"
NOT_STORED = "no secret is stored here: send it as a text"
_UNREADABLE = (
    "the stored secret cannot be decrypted: put the former key into web.old_keys, or send the"
    " secret again, as a text"
)
_NO_TEXT = "a secret is a text"


class EntryRefused(Exception):  # noqa: N818 - it states a condition
    """Raised for an entry that cannot be used.

    Args:
        problems: Each by its place within the entry, such as `region`, and why; never a value
            that may be a secret.
    """

    def __init__(self, problems: tuple[tuple[str, str], ...]) -> None:
        super().__init__("; ".join(f"{place}: {why}" if place else why for place, why in problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class FormerEntry:
    """What an owner wrote of the same connection before.

    Args:
        content: Without the secrets.
        secrets: Those that are stored, by their place.
        is_unreadable: Some are stored that no key decrypts any more.
    """

    content: Mapping[str, Any]
    secrets: Mapping[Path, str] = field(repr=False)
    is_unreadable: bool = False


@dataclass(frozen=True, slots=True)
class CheckedEntry:
    """An entry that can be used.

    Args:
        content: What its owner wrote, without the secrets in it.
        secrets: Those, by their place.
        digest: Tells it from any other, secrets included.
    """

    connection: Connection
    content: Mapping[str, Any]
    secrets: Mapping[Path, str] = field(repr=False)
    digest: str


@dataclass(frozen=True, slots=True)
class NamedAddress:
    """An address that an entry itself names.

    Args:
        key: Which key of the entry does.
    """

    key: str
    host: str
    port: int

    @property
    def place(self) -> tuple[str, int]:
        """Return the host and port alone."""
        return self.host, self.port

    def refuse(self, why: str) -> EntryRefused:
        """Return what is said of an entry whose address may not be called, as `hosts` says."""
        return EntryRefused(((self.key, HostRefused(self.host, why).words),))


def aim_of_content(content: object) -> tuple[object, ...]:
    """Return what an entry says of the service and account that it is for, as it is kept."""
    said = content if isinstance(content, dict) else {}
    return tuple(said.get(key) for key in (*AIMED, *_ADDRESSES))


def find_address(said: Mapping[str, Any], connection: Connection) -> NamedAddress | None:
    """Return the address that an entry names; None where its provider or the file does.

    Args:
        said: Its keys and values.
        connection: What it means.
    """
    key = next((key for key in _ADDRESSES if said.get(key)), None)
    if key is None:
        return None
    parts = urlsplit(connection.called_url)
    return NamedAddress(key, parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 443))


def list_changed_keys(
    former: FormerEntry | None, checked: CheckedEntry | FormerEntry
) -> tuple[str, ...]:
    """Return the names of the keys that say something else than before, never a value of them."""
    before = FormerEntry({}, {}) if former is None else former
    contents = (_plain(before.content), _plain(checked.content))
    keys = {
        key for key in {*contents[0], *contents[1]} if contents[0].get(key) != contents[1].get(key)
    }
    for path in {*before.secrets, *checked.secrets}:
        if before.secrets.get(path) != checked.secrets.get(path):
            keys.add(str(path[0]))
    if former is None:
        keys.discard("name")  # by which it is named anyhow
    return tuple(sorted(keys))


def _plain(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return *content* as it comes back from a database."""
    plain: dict[str, Any] = json.loads(json.dumps(dict(content), default=as_text))
    return plain


def without_answer(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return *values* without what our own answers say beside an entry: that may be sent back."""
    return {key: value for key, value in values.items() if key not in _OF_ANSWERS}


class EntryRules:
    """Checks entries by what all connections have in common.

    Args:
        config: The settings in force, without connections.
        fingerprint: Tells texts apart without revealing any.
        now: The present instant: later dates are refused.
    """

    def __init__(self, config: Config, fingerprint: Callable[[str], str], now: datetime) -> None:
        self._config = config
        self._fingerprint = fingerprint
        self._reading = Reading(config.path, now, dict(os.environ), has_text_dates=True)
        self._shared: dict[str, Any] = {
            "channels": [{"name": one.name} for one in config.channels],
            "applications": [{"name": one.name} for one in config.applications],
            "checks": {"every": format_duration(config.checks.every)},
        }

    def check(
        self,
        values: Any,
        former: FormerEntry | None = None,
        trusted: Mapping[str, Any] | None = None,
        digest: str = "",
    ) -> CheckedEntry:
        """Return the entry that *values* are.

        Args:
            former: What is stored of it: `{"set": true}` keeps a secret of that.
            trusted: What the file says of all entries of this owner; it may say anything.
            digest: What tells it from any other, where the caller knows.

        Raises:
            EntryRefused: It cannot be used; holds all that is wrong.
        """
        if not isinstance(values, dict):
            raise EntryRefused((("", "a connection is a JSON object"),))
        written = {key: value for key, value in values.items() if value is not None}
        broken = tuple((place_of(path), NO_TEXT) for path in _find_half_characters(written))
        if broken:
            raise EntryRefused(broken)
        whole = {**(trusted or {}), **written}
        add_plugins([whole])
        provider = whole.get("provider")
        model = PROVIDERS.get(provider) if isinstance(provider, str) else None
        if model is None:
            raise EntryRefused(_named(explain_provider(("connections", 0), whole)))
        found = [(("connections", 0, key), ONLY_THE_FILE) for key in written if key in FILE_ONLY]
        stored, why_not = _usable_secrets(whole, former, model)
        whole = put_together(whole, stored)
        tables = list(_find_tables(whole, written, secret_keys(model), why_not))
        if found or tables:
            raise EntryRefused(_named([*found, *tables]))
        return self._accept(whole, self._read(whole, model), digest)

    def _read(self, whole: dict[str, Any], model: type[Connection]) -> Connection:
        located: list[Located] = []
        connection = None
        try:
            connection = model.model_validate(whole, context=self._reading)
        except ValidationError as error:
            located.extend(translate(error, ("connections", 0, whole["provider"])))
        if not _AT_ODDS.isdisjoint(whole) or whole["provider"] == "amazon":
            located.extend(find_conflicts({**self._shared, "connections": [whole]}))
        # Raised out here: pydantic's error holds the data, secrets included.
        if connection is None or located:
            raise EntryRefused(_named(located))
        return connection

    def _accept(self, whole: dict[str, Any], connection: Connection, digest: str) -> CheckedEntry:
        self._config.complete(connection)
        place_secrets(connection, PLACE_FORM, connection.name, self._config.checks.secrets_refresh)
        problems = (*exposed_secrets_of(connection), *_malformed_secrets(connection))
        if problems:
            raise EntryRefused(problems)
        content, secrets = take_apart(whole, connection)
        if not digest:
            digest = self._fingerprint(json.dumps(whole, default=as_text, sort_keys=True))
        return CheckedEntry(connection, content, secrets, digest)


def _named(located: Iterator[Located] | list[Located]) -> tuple[tuple[str, str], ...]:
    """Return mistakes by their places within the one entry."""
    return tuple((place_of(path[2:]), why) for path, why in located)


def _usable_secrets(
    whole: Mapping[str, Any], former: FormerEntry | None, model: type[Connection]
) -> tuple[Mapping[Path, str], str]:
    """Return the stored secrets that still count, and why there is none where one is wanted."""
    if former is None:
        return {}, NOT_STORED
    for key in (*AIMED, *_ADDRESSES):
        before, after = (_aim(key, one, model) for one in (former.content, whole))
        if before != after:
            return {}, f"must be sent again, since {key} was changed"
    return former.secrets, _UNREADABLE if former.is_unreadable else NOT_STORED


def _aim(key: str, values: Mapping[str, Any], model: type[Connection]) -> Any:
    """Return where *key* points a connection: of an address, scheme, host and port."""
    known = model.model_fields.get(key)
    value = values.get(key, None if known is None else known.default)
    if key not in _ADDRESSES or not isinstance(value, str):
        return value
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        return value  # the model says so
    return (
        parts.scheme,
        (parts.hostname or ""),
        port or _PORTS.get(parts.scheme),
    )


def _find_half_characters(
    value: Any, path: tuple[str | int, ...] = ()
) -> Iterator[tuple[str | int, ...]]:
    """Yield where a text holds half of a character, which nothing can store or send."""
    if isinstance(value, str):
        if not _is_whole(value):
            yield path
    elif isinstance(value, dict):
        for key, inner in value.items():
            if _is_whole(str(key)):
                yield from _find_half_characters(inner, (*path, key))
            else:
                yield path
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield from _find_half_characters(inner, (*path, at))


def _is_whole(text: str) -> bool:
    return text.isascii() or text.encode("utf-8", "replace").decode() == text


def _find_tables(
    whole: Mapping[str, Any],
    written: Mapping[str, Any],
    keys: frozenset[str],
    why_not: str,
) -> Iterator[Located]:
    """Yield the objects that stand where a secret belongs, of those that the file did not write."""
    for key in sorted(keys & written.keys()):
        value = whole[key]
        if key == "headers":
            inner = tuple(value.items()) if isinstance(value, dict) else ()
        else:
            inner = (("", value),)
        path: tuple[str | int, ...] = ("connections", 0, key)
        for name, each in inner:
            if isinstance(each, dict):
                yield (*path, name) if name else path, why_not if each == SET else NO_TABLE
            elif isinstance(each, bool | int | float):
                yield (*path, name) if name else path, _NO_TEXT


def _malformed_secrets(connection: Connection) -> Iterator[tuple[str, str]]:
    for keys, secret in list_secrets(connection):
        if secret.kind is not SourceKind.LITERAL:
            continue
        try:
            secret.reveal()
        except MalformedSecret as error:
            yield place_of(keys), error.why
        except SecretUnavailable as error:
            yield place_of(keys), str(error)
