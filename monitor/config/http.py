"""Declare a connection to any HTTP API, and read what is known of well-known ones from `presets/`.

A preset fills in keys that the file leaves out, so that everyone else sees one kind of settings;
the rest of it is what no key can say: the service's words for what went wrong. What an answer
means is decided in `monitor.providers.http_api`.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    PlainValidator,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)

from monitor.config.addresses import MASK, is_secret_header, without_user
from monitor.config.connections import Connection
from monitor.config.errors import MisplacedError, did_you_mean, got, got_text, one_of, quoted
from monitor.config.examination import SecretUse
from monitor.config.secret import Secret, read_secret
from monitor.config.values import (
    AuthForm,
    HeaderName,
    ServiceUrl,
    Settings,
    check_header_name,
    choice_of,
)
from monitor.judge.outcome import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import ModelWrapValidatorHandler


# --- presets

PRESETS = ("anthropic", "github", "gitlab", "openai", "shopify", "slack")

PLACEHOLDER = "YOUR-"
"""Stands in an example of an address where the account's own name belongs."""

_FOLDER = Path(__file__).with_name("presets")


@dataclass(frozen=True, slots=True)
class GoodAnswer:
    """An answer by which a server says yes in a way of its own.

    Args:
        at: The JSON pointer to the text that it has.
        texts: What stands there, one of them.
    """

    status: int
    at: str
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Preset:
    """What is known of one API.

    Args:
        settings: Keys of the connection, as they would stand in the file.
        url_example: An address to copy, where each account has its own.
        renewal: A sentence that says where to get a new token.
        expires_at: The JSON pointer to the token's end in the answer.
        word_at: The JSON pointer to the word for what went wrong.
        words: What each of those words means.
        suspended: What it means that the account is frozen or closed, and who ends that.
        also_good: Answers that are no refusal although their status says so.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    url_example: str = ""
    renewal: str = ""
    expires_at: str | None = None
    word_at: str | None = None
    words: Mapping[str, Reason] = field(default_factory=dict)
    suspended: str = ""
    also_good: tuple[GoodAnswer, ...] = ()


@lru_cache
def load_preset(name: str) -> Preset:
    """Return the preset called *name*, one of `PRESETS`; raise ValueError for any other name."""
    if name not in PRESETS:
        raise ValueError(f"there is no preset called {name}")
    content = tomllib.loads((_FOLDER / f"{name}.toml").read_text(encoding="utf-8"))
    words: dict[str, list[str]] = content.get("words", {})
    return Preset(
        settings=content.get("connection", {}),
        words={word: Reason(reason) for reason, each in words.items() for word in each},
        also_good=tuple(
            GoodAnswer(each["status"], each["at"], tuple(each["texts"]))
            for each in content.get("also_good", ())
        ),
        **content.get("service", {}),
    )


# --- kinds of value

_POINTER = re.compile(r"(?:/(?:[^~/]|~[01])*)*")
_LONGEST_POINTER = 200
_MOST_ENTRIES = 50
_LONGEST_HEADER = 1000
_STATUSES = range(200, 600)
_SENSITIVE = re.compile(r"auth|token|secret|password|cookie|api-?key|credential", re.IGNORECASE)


class Method(StrEnum):
    """What may be sent: nothing that is meant to change anything."""

    GET = "GET"
    HEAD = "HEAD"
    POST = "POST"
    OPTIONS = "OPTIONS"


def _check_preset(value: Any) -> Any:
    if isinstance(value, str) and value in PRESETS:
        return value
    found = got_text(value).removeprefix("got ")
    hint = did_you_mean(value, PRESETS) if isinstance(value, str) else ""
    raise ValueError(f"unknown preset {found}; known: {one_of(PRESETS)}{hint}")


def _check_status(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value not in _STATUSES:
        raise ValueError(f"a status of HTTP from 200 to 599, {got(value)}")
    return value


def _refuse_none(statuses: tuple[int, ...]) -> tuple[int, ...]:
    if not statuses:
        raise ValueError("an empty list: name at least one, or leave the key out for 200")
    return statuses


def _check_json(value: Any) -> dict[str, Any]:
    table = _check_table(value)
    for pointer, wanted in table.items():
        if len(pointer) > _LONGEST_POINTER or not _POINTER.fullmatch(pointer):
            raise MisplacedError('no JSON pointer: write one such as "/data/0/ok"', pointer)
        if not _is_json(wanted):
            raise MisplacedError(f"JSON has no such value, {got(wanted)}", pointer)
    return table


def _is_json(value: Any) -> bool:
    if isinstance(value, list):
        return all(map(_is_json, value))
    if isinstance(value, dict):
        return all(map(_is_json, value.values()))
    return isinstance(value, str | int | float | bool)


def _check_table(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"a table, {got(value)}")  # noqa: TRY004 - pydantic collects ValueErrors only
    if len(value) > _MOST_ENTRIES:
        raise ValueError(f"at most {_MOST_ENTRIES} entries, got {len(value)}")
    return value


def read_headers(value: Any, info: ValidationInfo) -> dict[str, str | Secret]:
    """Return the headers of a table; what is named like a secret is one."""
    headers: dict[str, str | Secret] = {}
    for name, written in _check_table(value).items():
        try:
            headers[check_header_name(name)] = _read_header(name, written, info)
        except ValueError as error:
            below = error.below if isinstance(error, MisplacedError) else ()
            raise MisplacedError(str(error), name, *below) from None
    if len({name.lower() for name in headers}) < len(headers):
        raise ValueError("the same header stands here twice: names do not depend on case")
    return headers


def _read_header(name: str, written: Any, info: ValidationInfo) -> str | Secret:
    # What is named like a secret is one, and is shown to nobody.
    sounds_secret = _SENSITIVE.search(name) or is_secret_header(name)
    if isinstance(written, dict | Secret) or (isinstance(written, str) and sounds_secret):
        return read_secret(written, info).serve(SecretUse.HEADER)
    if not isinstance(written, str):
        raise ValueError(f"a text in quotes, {got(written)}")  # noqa: TRY004 - pydantic collects ValueErrors only
    if not written.isascii() or not written.isprintable() or len(written) > _LONGEST_HEADER:
        raise ValueError("a header holds at most 1000 letters, all of them ASCII, on one line")
    return written


def _write_headers(headers: dict[str, str | Secret]) -> dict[str, str]:
    return {name: MASK if isinstance(value, Secret) else value for name, value in headers.items()}


_SECRET_TABLE = {
    "type": "object",
    "properties": {
        key: {"type": "string", "minLength": 1} for key in ("env", "file", "credential")
    },
    "additionalProperties": False,
}
Headers = Annotated[
    dict[str, str | Secret],
    PlainValidator(read_headers),
    PlainSerializer(_write_headers),
    WithJsonSchema(
        {"type": "object", "additionalProperties": {"oneOf": [{"type": "string"}, _SECRET_TABLE]}}
    ),
]
JsonValues = Annotated[
    dict[str, Any],
    PlainValidator(_check_json),
    WithJsonSchema({"type": "object", "additionalProperties": True}),
]
Status = Annotated[
    int,
    PlainValidator(_check_status),
    WithJsonSchema({"type": "integer", "minimum": 200, "maximum": 599}),
]


class QuotaHeaders(Settings):
    """The headers that tell of the quota."""

    limit: HeaderName | None = Field(default=None, description="Requests per period.")
    remaining: HeaderName | None = Field(default=None, description="Requests left.")
    resets: HeaderName | None = Field(default=None, description="When the period ends.")


class HttpConnection(Connection):
    """A credential of any HTTP API."""

    provider: Literal["http"] = Field(description="Any HTTP API.")
    preset: (
        Annotated[str, BeforeValidator(_check_preset), WithJsonSchema({"enum": list(PRESETS)})]
        | None
    ) = Field(default=None, description="A well-known API that fills in what is left out.")
    url: ServiceUrl = Field(
        default="", description="What is called; required unless the preset has one."
    )
    method: Annotated[Method, BeforeValidator(choice_of(Method))] = Field(
        default=Method.GET, description="The method of the call."
    )
    auth: AuthForm = Field(
        default="bearer",
        description='How the token is sent: "bearer", "basic", "header:NAME" or "query:NAME".',
    )
    token: Secret | None = Field(default=None, description="The API token.")
    username: str | None = Field(
        default=None, min_length=1, max_length=200, description='The user, for auth = "basic".'
    )
    password: Secret | None = Field(default=None, description="The user's password.")
    headers: Headers = Field(default={}, description="Headers to send with the request.")
    expect_status: Annotated[tuple[Status, ...], AfterValidator(_refuse_none)] = Field(
        default=(200,), description="The statuses of a good response."
    )
    expect_json: JsonValues = Field(
        default={}, description="What a good response contains: a JSON pointer and the value there."
    )
    quota: QuotaHeaders | None = Field(
        default=None, description="The headers with the quota; default: the usual ones."
    )
    expires_header: HeaderName | None = Field(
        default=None, description="The header with the expiry of the token."
    )

    @model_validator(mode="wrap")
    @classmethod
    def _fill_in(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Take from the preset what *data* leaves out; headers are added one by one."""
        name = data.get("preset") if isinstance(data, dict) else None
        if not isinstance(name, str) or name not in PRESETS:
            return handler(data)
        settings = load_preset(name).settings
        filled = {**settings, **data}
        if isinstance(written := data.get("headers"), dict):
            filled["headers"] = _add_headers(settings.get("headers", {}), written)
        connection = handler(filled)
        # What the file does not say is not to be shown as if it did.
        connection.model_fields_set.difference_update(settings.keys() - data.keys())
        return connection

    @model_validator(mode="after")
    def _require_address_and_credential(self) -> Self:
        for problem, key in (*_address_problems(self), *_credential_problems(self)):
            raise MisplacedError(problem, key)
        if self.token is not None:
            is_header = self.auth.partition(":")[0] in {"bearer", "header"}
            self.token.serve(SecretUse.HEADER_TOKEN if is_header else SecretUse.TOKEN)
        return self

    @property
    def called_url(self) -> str:
        """Return the address that is called."""
        return without_user(self.url)


def _add_headers(known: dict[str, Any], written: dict[str, Any]) -> dict[str, Any]:
    names = {name.lower() for name in written}
    return {name: each for name, each in known.items() if name.lower() not in names} | written


def _address_problems(connection: HttpConnection) -> list[tuple[str, str]]:
    example = load_preset(connection.preset).url_example if connection.preset else ""
    if not connection.url:
        if example:
            why = f'required with preset "{connection.preset}", since each account has its own'
            return [(f"{why}: write {quoted(example, 200)} with the name of yours", "url")]
        return [("required and missing: a connection to http needs it, or a preset", "url")]
    if PLACEHOLDER in connection.url:
        return [(f"this is the example: put your own name where it says {PLACEHOLDER}…", "url")]
    if connection.method is Method.HEAD and connection.expect_json:
        return [("an answer to HEAD has no body: leave it out, or ask with GET", "expect_json")]
    return []


def _credential_problems(connection: HttpConnection) -> list[tuple[str, str]]:
    if connection.auth == "basic":
        return _basic_problems(connection)
    for key in ("username", "password"):
        if getattr(connection, key) is not None:
            return [('goes with auth = "basic" only', key)]
    is_meant = connection.preset is not None or "auth" in connection.model_fields_set
    if connection.token is None and is_meant:
        return [("required and missing: nothing would be sent to check", "token")]
    return []


def _basic_problems(connection: HttpConnection) -> list[tuple[str, str]]:
    user, password, token = connection.username, connection.password, connection.token
    if user is None and password is None and token is None:
        return [('required and missing: auth = "basic" sends a user and a password', "username")]
    if token is not None and (user is not None or password is not None):
        return [("either this, or username and password", "token")]
    if token is None and user is None:
        return [("required and missing beside the password", "username")]
    if token is None and password is None:
        return [("required and missing beside the user", "password")]
    if user is not None and ":" in user:
        return [('auth = "basic" allows no colon in a user\'s name', "username")]
    return []
