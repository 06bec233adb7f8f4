"""Declare where connections come from that are not in the file: `[[sources]]`.

What a row may say is decided by the models of the connections, how a source is read in
`monitor.sources`, what a reading means in `monitor.judge.sources`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    PlainValidator,
    PrivateAttr,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)

from monitor.config.errors import MisplacedError, did_you_mean, got, got_text, quoted
from monitor.config.examination import SecretUse
from monitor.config.http import Headers, read_headers
from monitor.config.registry import PROVIDERS
from monitor.config.secret import SECRET_TABLES, Secret, read_secret, secret_fields
from monitor.config.values import (
    AuthForm,
    CalledUrl,
    Name,
    OneSecondOrMore,
    RelativePath,
    Settings,
    TenSecondsOrMore,
)
from monitor.judge.connections import OWNER_DASHBOARD, OWNER_FILE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import ModelWrapValidatorHandler


# --- values

_RESERVED = (OWNER_FILE, OWNER_DASHBOARD)
_PERCENT = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,2})?)%", re.ASCII)
_MOST_PERCENT = 100
_LONGEST_PREFIX = 50
_LONGEST_QUERY = 100_000


def _check_source_name(name: str) -> str:
    if name in _RESERVED:
        raise ValueError(f"{quoted(name)} is the owner of other connections: choose another name")
    return name


def _check_percent(value: Any) -> str:
    match = _PERCENT.fullmatch(value) if isinstance(value, str) else None
    if match is None or float(match[1]) > _MOST_PERCENT:
        raise ValueError(f'a percentage from "0%" to "100%" in quotes, {got_text(value)}')
    return str(value)


def _check_prefix(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"a text in quotes, {got(value)}")  # noqa: TRY004 - pydantic collects ValueErrors only
    if len(value) > _LONGEST_PREFIX:
        raise ValueError(f"at most {_LONGEST_PREFIX} characters, got {len(value)}")
    if not value.isprintable() or "/" in value or "\\" in value or value != value.lstrip():
        raise ValueError(
            "it begins the name of every connection: no slashes, no control characters, and no"
            f" space at its beginning, got {quoted(value)}"
        )
    return value


def _check_query(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"one SQL statement in quotes, {got(value)}")  # noqa: TRY004 - pydantic collects ValueErrors only
    if not value.strip():
        raise ValueError("empty: write the SELECT that yields a row for each connection")
    if "\0" in value or len(value) > _LONGEST_QUERY:
        raise ValueError("no statement: it is longer than 100,000 characters, or holds NUL")
    return value


_URL_OF_DATABASE = re.compile(r"(?P<dialect>[a-z]+)(?:\+(?P<driver>[a-z0-9_]+))?://", re.ASCII)


def check_database_url(value: str) -> None:
    """Raise ValueError for a URL, itself a secret, of no database that can be read."""
    match = _URL_OF_DATABASE.match(value)
    if match is None or match["dialect"] not in {"sqlite", "postgresql"}:
        raise ValueError("no URL of a database: begin with sqlite:/// or postgresql://")
    if match["driver"] not in {None, "psycopg", "pysqlite"}:
        raise ValueError("leave out the driver: write sqlite:/// or postgresql://")
    if match["dialect"] == "sqlite" and not value.partition("://")[2].strip("/"):
        raise ValueError("it names no file: write sqlite:/// and the path of one")


# --- where each row's secret is

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_OF_ROW = re.compile(r"[A-Za-z0-9_.-]+", re.ASCII)
_NOT_IN_NAMES = re.compile(r"[^A-Z0-9]", re.ASCII)


@dataclass(frozen=True, slots=True)
class SecretTemplate:
    """Where the secret of a row is, with its name left open."""

    table: Mapping[str, str | list[str]]

    def fill(self, name: str) -> dict[str, str | list[str]]:
        """Return the table for the row called *name*, without prefix.

        Raises:
            ValueError: The name may not be put there; says why.
        """
        if not _OF_ROW.fullmatch(name) or name[0] in "-.":
            raise ValueError(
                "its secret is found by its name, which may hold only A-Z, a-z, 0-9, _, . and -"
                " for that, and not begin with - or ."
            )
        words = {"name": name, "NAME": _NOT_IN_NAMES.sub("_", name.upper())}

        def put_in(text: str) -> str:
            return _PLACEHOLDER.sub(lambda found: words[found[1]], text)

        return {
            key: put_in(value) if isinstance(value, str) else list(map(put_in, value))
            for key, value in self.table.items()
        }


def _read_template(value: Any, info: ValidationInfo) -> dict[str, Any]:
    """Return the table that *value* is; its parts are examined as those of any secret."""
    if not isinstance(value, dict):
        raise ValueError(  # noqa: TRY004 - pydantic collects ValueErrors only
            'a table with {name} in it, such as { file = "secrets/{name}" }: a secret of its own'
            f" stands in each row, {got(value)}"
        )
    read_secret(value, info)
    for key, written in value.items():
        for text in (written,) if isinstance(written, str) else written:
            _check_placeholders(key, text)
    return value


def _check_placeholders(key: str, text: str) -> None:
    for found in _PLACEHOLDER.finditer(text):
        if found[1] not in {"name", "NAME"}:
            known = did_you_mean(found[1], ("name", "NAME"))
            raise MisplacedError(
                f"unknown placeholder {quoted(found[0])}{known or '; known: {name}, {NAME}'}", key
            )
    if "{" in _PLACEHOLDER.sub("", text) or "}" in _PLACEHOLDER.sub("", text):
        raise MisplacedError("a brace without its other one: write {name} or {NAME}", key)


# --- what holds for all rows

_NOT_SHARED = ("name", "renamed_from")


def _read_defaults(value: Any, info: ValidationInfo) -> dict[str, Any]:
    """Return what holds for rows that say nothing else, with secrets as such.

    Whether the values are any good is looked at with the whole file, see `load`.
    """
    if not isinstance(value, dict):
        raise ValueError(f"a table of keys as in [[connections]], {got(value)}")  # noqa: TRY004 - pydantic collects ValueErrors only
    provider = value.get("provider")
    model = PROVIDERS.get(provider) if isinstance(provider, str) else None
    models = list(PROVIDERS.values()) if model is None else [model]
    known = {each.alias or name for one in models for name, each in one.model_fields.items()}
    read: dict[str, Any] = {}
    for key, written in value.items():
        if key in _NOT_SHARED:
            raise MisplacedError("each row has its own: take it out of defaults", key)
        if key not in known:
            raise MisplacedError(f"unknown key{did_you_mean(key, known)}", key)
        try:
            read[key] = _read_default(key, written, models, info)
        except ValueError as error:
            below = error.below if isinstance(error, MisplacedError) else ()
            raise MisplacedError(str(error), key, *below) from None
    return read


def _read_default(key: str, written: Any, models: list[Any], info: ValidationInfo) -> Any:
    if key == "headers":
        return read_headers(written, info)
    if any(key == each for model in models for _, each in secret_fields(model)):
        return written if written == "" else read_secret(written, info)
    return written


Defaults = Annotated[
    dict[str, Any],
    PlainValidator(_read_defaults),
    PlainSerializer(lambda value: {key: str(each) for key, each in value.items()}),
    WithJsonSchema({"type": "object", "additionalProperties": True}),
]


# --- the tables


class Source(Settings):
    """A place outside this file that lists connections: the part that all kinds share."""

    name: Annotated[Name, AfterValidator(_check_source_name)] = Field(
        description="The name of the source; it becomes the owner of its connections."
    )
    kind: str = Field(description="Where the list is.")
    every: TenSecondsOrMore = Field(
        default=timedelta(minutes=1), description="How often it is read."
    )
    prefix: Annotated[
        str, BeforeValidator(_check_prefix), WithJsonSchema({"type": "string", "maxLength": 50})
    ] = Field(default="", description="What is put before the name of each row.")
    defaults: Defaults = Field(
        default={},
        description="Keys as in [[connections]] for rows that leave them out; `ca_file`,"
        " `endpoint`, `proxy` and secret tables can only be set here.",
    )
    secret: (
        Annotated[
            dict[str, Any],
            PlainValidator(_read_template),
            WithJsonSchema({"oneOf": SECRET_TABLES}),
        ]
        | None
    ) = Field(
        default=None,
        description="Where the secret of each row is: a secret table with `{name}` or `{NAME}` in"
        " it; default: as text in the row.",
    )
    max_removed: Annotated[
        str,
        BeforeValidator(_check_percent),
        WithJsonSchema({"type": "string", "pattern": "^[0-9]{1,3}([.][0-9]{1,2})?%$"}),
    ] = Field(
        default="10%",
        description="If more than this share, and more than 20 connections, disappear at once,"
        " the reading is held.",
    )
    remove_after: OneSecondOrMore = Field(
        default=timedelta(hours=1),
        description="How long a connection must be missing before it is removed.",
    )

    _written: dict[str, Any] = PrivateAttr(default_factory=dict)

    @model_validator(mode="wrap")
    @classmethod
    def _remember(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        source = handler(data)
        if isinstance(data, dict) and isinstance(data.get("defaults"), dict):
            source._written = dict(data["defaults"])  # noqa: SLF001 - of this class
        return source

    @property
    def written_defaults(self) -> dict[str, Any]:
        """Return the defaults as the file writes them, secrets included."""
        return self._written

    @property
    def most_removed(self) -> float:
        """Return the share of rows that may vanish at once, from 0 to 1."""
        return float(self.max_removed.removesuffix("%")) / 100

    @property
    def template(self) -> SecretTemplate | None:
        """Return where the secret of each row is; None where it stands in the row."""
        return None if self.secret is None else SecretTemplate(self.secret)


class FileSource(Source):
    """A file with a row for each connection, or a folder of such files."""

    kind: Literal["file"] = Field(description="A file on this machine.")
    path: RelativePath = Field(
        description="A file whose name ends with .jsonl, .ndjson, .json or .csv, or a folder of"
        " such files."
    )


class HttpSource(Source):
    """A service that answers with a list of connections."""

    kind: Literal["http"] = Field(description="A service.")
    url: CalledUrl = Field(description="What is called: it returns a JSON list or NDJSON.")
    token: Secret | None = Field(default=None, description="The token that it wants.")
    auth: AuthForm = Field(
        default="bearer",
        description='How the token is sent: "bearer", "basic", "header:NAME" or "query:NAME".',
    )
    headers: Headers = Field(default={}, description="Headers to send with the request.")
    ca_file: RelativePath | None = Field(
        default=None, description="Certificates to trust instead of the usual ones, as a PEM file."
    )

    @model_validator(mode="after")
    def _require_token(self) -> Self:
        if self.token is None and "auth" in self.model_fields_set:
            raise MisplacedError("required and missing: auth says how it is sent", "token")
        if self.token is not None:
            is_header = self.auth.partition(":")[0] in {"bearer", "header"}
            self.token.serve(SecretUse.HEADER_TOKEN if is_header else SecretUse.TOKEN)
        return self


class SqlSource(Source):
    """A database that yields a row for each connection."""

    kind: Literal["sql"] = Field(description="A database: SQLite or PostgreSQL.")
    url: Annotated[Secret, AfterValidator(lambda secret: secret.require(check_database_url))] = (
        Field(description="The URL of the database: sqlite:///PATH or postgresql://HOST/NAME.")
    )
    query: Annotated[
        str, BeforeValidator(_check_query), WithJsonSchema({"type": "string", "minLength": 1})
    ] = Field(description="One statement; its columns are named like keys of [[connections]].")


SOURCE_KINDS: dict[str, type[Source]] = {
    "file": FileSource,
    "http": HttpSource,
    "sql": SqlSource,
}

AnySource = Annotated[FileSource | HttpSource | SqlSource, Field(discriminator="kind")]
