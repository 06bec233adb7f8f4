"""Keep a secret so that it cannot be shown by accident.

Decides where a secret comes from, when it is read and which texts can be one of which kind. Which
secrets are read is decided by what uses them: nothing is read before `reveal`, and no message
repeats one.
"""

from __future__ import annotations

import os
import unicodedata
from enum import StrEnum
from hmac import compare_digest
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Self

from pydantic import AfterValidator
from pydantic_core import core_schema

from monitor.config.errors import MisplacedError, did_you_mean
from monitor.config.values import reading_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
    from pydantic.json_schema import JsonSchemaValue


# --- which texts can be secrets

_FORBIDDEN = {"Cc", "Cs", "Zl", "Zp"}
_BYTE_ORDER_MARK = "\ufeff"

_ACCESS_TOKEN = "an access token, which lasts an hour and belongs nowhere in this file"  # noqa: S105 - a name
_REFRESH_TOKEN = "a refresh token: write it as refresh_token of its connection"  # noqa: S105 - a name
_CLIENT_SECRET = "a client secret: write it as client_secret of its application"  # noqa: S105 - a name
_APPLICATION_ID = "an application id: write it as application_id of its application"
_SHAPES = {
    "Atza|": _ACCESS_TOKEN,
    "Atc|": _ACCESS_TOKEN,
    "Atzr|": _REFRESH_TOKEN,
    "amzn1.oa2-cs.": _CLIENT_SECRET,
    "amzn1.application-oa2-client.": "a client id: write it as client_id of its application",
    "amzn1.sp.solution.": _APPLICATION_ID,
    "amzn1.sellerapps.app.": _APPLICATION_ID,
}


def refuse_unusable(text: str) -> None:
    """Raise ValueError for what no service accepts, or what would break out of a header."""
    if not text.strip():
        raise ValueError("the secret is empty")
    if any(unicodedata.category(char) in _FORBIDDEN for char in text):
        raise ValueError(
            "the secret holds a line break or another control character, or is not UTF-8:"
            " keep it on one line, with nothing before or after it"
        )


def check_refresh_token(text: str) -> None:
    """Raise ValueError for what can be no refresh token of Amazon's."""
    _refuse_unsendable(text)
    _refuse_other(text, _REFRESH_TOKEN, 'a refresh token begins with "Atzr|"')


def check_client_secret(text: str) -> None:
    """Raise ValueError for what can be no client secret of Amazon's, old ones included."""
    _refuse_unsendable(text)
    where = "the client secret stands beside the client id in the developer console"
    _refuse_other(text, _CLIENT_SECRET, where)


def _refuse_unsendable(text: str) -> None:
    if text.startswith(_BYTE_ORDER_MARK):
        raise ValueError(
            "begins with a byte order mark, which some editors put there: save it as UTF-8 without"
        )
    if any(char.isspace() for char in text):
        raise ValueError("holds a space: copy it again, with nothing before, in or after it")
    if not text.isascii():
        raise ValueError(
            "holds letters outside ASCII, which none of Amazon's has: copy it again from where it"
            " was issued"
        )


def _refuse_other(text: str, wanted: str, hint: str) -> None:
    for shape, what in _SHAPES.items():
        if what != wanted and text.startswith(shape):
            raise ValueError(f"this is {what}; {hint}")


# --- secrets

MASK = "••••"

_LARGEST_FILE = 64 * 1024
_HOW_TO_WRITE = 'write { env = "NAME" }, { file = "PATH" } or { credential = "NAME" }'


class SourceKind(StrEnum):
    """Where a secret is kept."""

    LITERAL = "literal"
    ENV = "env"
    FILE = "file"
    CREDENTIAL = "credential"


_TABLE_KEYS = ("env", "file", "credential")


class SecretUnavailable(Exception):  # noqa: N818 - it states a condition, as LookupError does
    """Raised when a secret cannot be read; says where it should be, never what it is."""

    def __init__(self, source: str, why: str) -> None:
        super().__init__(f"{source}: {why}")
        self.source = source
        self.why = why


class CredentialsInvisible(SecretUnavailable):
    """Raised for a systemd credential asked for outside its unit."""


class Secret:
    """A secret that prints as a mask and opens only to `reveal`.

    Args:
        written: The literal text, or a table with one of `env`, `file` and
            `credential`, as in the file.
        folder: Where relative files are taken from; the working folder if None.

    Raises:
        ValueError: *written* is neither.
    """

    __slots__ = ("_check", "_kind", "_reference", "_value")

    _check: Callable[[str], None]
    _kind: SourceKind
    _reference: str
    _value: str | None

    def __init__(self, written: str | Mapping[str, Any], folder: Path | None = None) -> None:
        self._value = None
        self._check = refuse_unusable
        if isinstance(written, str):
            refuse_unusable(written)
            self._kind, self._reference, self._value = SourceKind.LITERAL, "", written
        else:
            self._kind, self._reference = _read_table(written)
        if self._kind is SourceKind.FILE:
            self._reference = str((folder or Path.cwd()) / self._reference)

    @property
    def kind(self) -> SourceKind:
        """Return where the secret is kept."""
        return self._kind

    @property
    def source(self) -> str:
        """Return where the secret comes from, for people: `env OPS_SLACK_URL`."""
        return f"{self._kind} {self._reference}".rstrip()

    @property
    def path(self) -> Path | None:
        """Return the file that it is kept in; None for other sources."""
        return Path(self._reference) if self._kind is SourceKind.FILE else None

    def require(self, check: Callable[[str], None]) -> Self:
        """Take only what *check* lets pass from now on, or raise ValueError."""
        if self._value is not None:
            check(self._value)
        self._check = check
        return self

    def reveal(self) -> str:
        """Return the secret, read on the first call, or raise SecretUnavailable."""
        if self._value is None:
            self._value = self._read()
        return self._value

    def refresh(self) -> bool:
        """Read a secret kept in a file again, and tell whether it changed.

        A secret that nobody has revealed yet has not changed. If it cannot be
        read, the value held so far stays.

        Raises:
            SecretUnavailable: It is no longer where it was, or not usable.
        """
        if self._kind not in {SourceKind.FILE, SourceKind.CREDENTIAL}:
            return False
        before, self._value = self._value, self._read()
        return before is not None and before != self._value

    def _read(self) -> str:
        match self._kind:
            case SourceKind.ENV:
                value = os.environ.get(self._reference)
                if value is None:
                    raise SecretUnavailable(self.source, "this environment variable is not set")
            case SourceKind.FILE:
                value = self._read_file(Path(self._reference))
            case _:
                value = self._read_credential()
        try:
            refuse_unusable(value)
            self._check(value)
        except ValueError as error:
            raise SecretUnavailable(self.source, str(error)) from None
        return value

    def _read_credential(self) -> str:
        folder = os.environ.get("CREDENTIALS_DIRECTORY")
        if not folder:
            raise CredentialsInvisible(
                self.source,
                "not visible from here: systemd shows it to the unit only"
                " ($CREDENTIALS_DIRECTORY is not set)",
            )
        return self._read_file(Path(folder) / self._reference)

    def _read_file(self, path: Path) -> str:
        try:
            with path.open("rb") as file:
                raw = file.read(_LARGEST_FILE + 1)
        except OSError as error:
            why = f"{path} cannot be read: {error.strerror or type(error).__name__}"
            raise SecretUnavailable(self.source, why) from None
        if len(raw) > _LARGEST_FILE:
            raise SecretUnavailable(self.source, "larger than 64 KiB: is this the right file?")
        text = raw.decode("utf-8", errors="surrogateescape")
        return text.removesuffix("\n").removesuffix("\r") if text.endswith("\n") else text

    def __repr__(self) -> str:
        return MASK

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        if (self._kind, self._reference) != (other._kind, other._reference):
            return False
        return self._kind is not SourceKind.LITERAL or compare_digest(
            self.reveal().encode(), other.reveal().encode()
        )

    def __hash__(self) -> int:
        return hash((self._kind, self._reference))

    # A secret never changes its source, so a copy may be the same object; and
    # there is then no other way to build one from another.
    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __getstate__(self) -> NoReturn:
        raise TypeError("a secret is not copied out of the process")

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError("a secret is not copied out of the process")

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        """Read it from the file's text or table; write the mask only."""
        return core_schema.with_info_plain_validator_function(
            read_secret,
            serialization=core_schema.plain_serializer_function_ser_schema(lambda _: MASK),
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Describe the four forms to editors."""
        tables = [
            {
                "type": "object",
                "properties": {key: {"type": "string", "minLength": 1}},
                "required": [key],
                "additionalProperties": False,
            }
            for key in _TABLE_KEYS
        ]
        return {"oneOf": [{"type": "string", "minLength": 1}, *tables]}


def must_pass(check: Callable[[str], None]) -> AfterValidator:
    """Return a validator of secrets that takes only what *check* lets pass."""
    return AfterValidator(lambda secret: secret.require(check))


def read_secret(value: Any, info: ValidationInfo) -> Secret:
    """Return the secret that *value* of the file means; raise ValueError if it means none."""
    if isinstance(value, Secret):
        return value
    if not isinstance(value, str | dict):
        raise ValueError(f"this is no secret: {_HOW_TO_WRITE}")  # noqa: TRY004 - pydantic collects ValueErrors only
    reading = reading_of(info)
    secret = Secret(value, reading.folder if reading else None)
    if secret.kind is SourceKind.LITERAL and reading and not reading.is_private:
        raise ValueError(
            "a secret stands here, in a file that others may read:"
            f" run chmod 600 {reading.path}, or {_HOW_TO_WRITE}"
        )
    return secret


def _read_table(written: Mapping[str, Any]) -> tuple[SourceKind, str]:
    for key in written:
        if key not in _TABLE_KEYS:
            known = did_you_mean(key, _TABLE_KEYS)
            if not known:
                # Not repeated: it may be the secret itself.
                raise ValueError(f"unknown key in this table: {_HOW_TO_WRITE}")
            raise MisplacedError(f"unknown key{known}", key)
    if len(written) != 1:
        raise ValueError(f"exactly one source: {_HOW_TO_WRITE}")
    ((key, reference),) = written.items()
    if not isinstance(reference, str) or not reference.strip() or not reference.isprintable():
        raise MisplacedError(f"a name or path in quotes: {_HOW_TO_WRITE}", key)
    if key == "env" and "=" in reference:
        raise MisplacedError("the name of an environment variable has no =", "env")
    if key == "credential" and ("/" in reference or reference in {".", ".."}):
        raise MisplacedError("the name of a systemd credential, not a path", "credential")
    return SourceKind(key), reference
