"""Keep a secret so that it cannot be shown by accident.

Decides where a secret comes from, when it is read, and that one with a flaw is never used; what
a flaw is, is decided in `examination`. Which secrets are read is decided by what uses them: nothing
is read before `reveal`, and no message repeats one.
"""

from __future__ import annotations

import os
import stat
import sys
from contextlib import suppress
from enum import StrEnum
from functools import lru_cache
from hmac import compare_digest
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn, Self, get_args

from pydantic import AfterValidator, PlainSerializer, PlainValidator, WithJsonSchema
from pydantic_core import core_schema

from monitor.config.addresses import MASK
from monitor.config.commands import PATIENCE_S as PATIENCE_OF_RUN_S
from monitor.config.commands import cut_line_break, share_command, wait_for_run
from monitor.config.errors import MisplacedError, did_you_mean
from monitor.config.examination import SecretUse, find_flaw, use_of_key
from monitor.config.files import PATIENCE_S, read_bounded
from monitor.config.values import check_proxy, reading_of
from monitor.judge.shortage import OutOfResources, find_shortage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import timedelta

    from pydantic import BaseModel, GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
    from pydantic.json_schema import JsonSchemaValue

    from monitor.config.commands import Printed, SecretCommand


_LARGEST_FILE = 64 * 1024
_EMPTY = "the secret is empty"
_HOW_TO_WRITE = (
    'write { env = "NAME" }, { file = "PATH" }, { credential = "NAME" } or'
    ' { command = ["PROGRAM", "ARGUMENT"] }'
)


class SourceKind(StrEnum):
    """Where a secret is kept."""

    LITERAL = "literal"
    ENV = "env"
    FILE = "file"
    CREDENTIAL = "credential"
    COMMAND = "command"
    STORED = "stored secret"


_NAMING_KEYS = ("env", "file", "credential")
_TABLE_KEYS = (*_NAMING_KEYS, "command")
SECRET_TABLES: list[dict[str, Any]] = [
    {
        "type": "object",
        "properties": {
            key: {"type": "string", "minLength": 1}
            if key in _NAMING_KEYS
            else {"type": "array", "items": {"type": "string"}, "minItems": 1}
        },
        "required": [key],
        "additionalProperties": False,
    }
    for key in _TABLE_KEYS
]
"""What the tables look like to editors."""


class SecretUnavailable(Exception):  # noqa: N818 - it states a condition, as LookupError does
    """Raised when a secret cannot be read; says where it should be, never what it is."""

    def __init__(self, source: str, why: str) -> None:
        super().__init__(why if source == SourceKind.LITERAL else f"{source}: {why}")
        self.source = source
        self.why = why

    def explain(self) -> str:
        """Return what is wrong, for the detail of a check."""
        return str(self)


class CredentialsInvisible(SecretUnavailable):
    """Raised for a systemd credential asked for outside its unit."""


class MalformedSecret(SecretUnavailable):
    """Raised for a secret that can be read and must not be used; says where it stands in the file.

    Args:
        place: Such as `connections[2].token`; empty where no file names it.
    """

    def __init__(self, source: str, why: str, place: str) -> None:
        super().__init__(source, why)
        self.place = place

    def explain(self) -> str:
        """Return where it stands, and what is wrong with it, for the detail of a check."""
        if self.source == SourceKind.LITERAL or not self.place:
            return f"{self.place or self.source}: {self.why}"
        return f"{self.place} ({self.source}): {self.why}"


class Secret:
    """A secret that prints as a mask and opens only to `reveal`.

    Args:
        written: The literal text, or a table with one of `env`, `file`,
            `credential` and `command`, as in the file.
        folder: Where relative files are taken from; the working folder if None.
        is_deferred: A literal with a flaw is refused by `reveal` only, as any other.

    Raises:
        ValueError: *written* is neither.
    """

    __slots__ = (
        "_check",
        "_command",
        "_entry",
        "_form",
        "_is_pipe",
        "_is_sound",
        "_kind",
        "_reference",
        "_use",
        "_value",
    )

    _check: Callable[[str], None] | None
    _command: SecretCommand | None
    _entry: int | str
    _form: str
    _is_pipe: bool
    _is_sound: bool
    _kind: SourceKind
    _reference: str
    _use: SecretUse
    _value: str | None

    def __init__(
        self,
        written: str | Mapping[str, Any],
        folder: Path | None = None,
        *,
        is_deferred: bool = False,
    ) -> None:
        self._value, self._check, self._use = None, None, SecretUse.ANY
        self._form, self._entry = "", 0
        self._command = None
        self._is_sound, self._is_pipe = False, False
        if isinstance(written, str):
            self._kind, self._reference, self._value = SourceKind.LITERAL, "", written
            if not written.strip():
                raise ValueError(_EMPTY)
            if not is_deferred and (flaw := find_flaw(written)) is not None:
                raise ValueError(flaw)
        elif "command" in written and len(written) == 1:
            argv = _read_command(written["command"])
            self._kind, self._reference = SourceKind.COMMAND, argv[0]
            self._command = share_command(argv, folder or Path.cwd())
        else:
            self._kind, self._reference = _read_table(written)
        if self._kind is SourceKind.FILE:
            self._reference = str((folder or Path.cwd()) / self._reference)

    @classmethod
    def unreadable(cls, why: str) -> Self:
        """Return one that is stored and cannot be decrypted; `reveal` says why."""
        secret = cls("unreadable")
        secret._kind, secret._reference, secret._value = SourceKind.STORED, why, None
        return secret

    @property
    def kind(self) -> SourceKind:
        """Return where the secret is kept."""
        return self._kind

    @property
    def source(self) -> str:
        """Return where the secret comes from, for people: `env OPS_SLACK_URL`."""
        if self._kind is SourceKind.STORED:
            return str(self._kind)
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

    def serve(self, use: SecretUse) -> Self:
        """Accept only what is fit for *use* from now on; `reveal` refuses anything else."""
        self._use, self._is_sound = use, False
        return self

    def stand_at(self, form: str, entry: int | str = 0) -> None:
        """Remember the place in the file: *form*, such as `connections[{}].token`, and *entry*."""
        # Two references each: there may be a hundred thousand of us.
        self._form, self._entry = form, entry

    @property
    def place(self) -> str:
        """Return where the file names it, such as `connections[2].token`; empty if no file does."""
        return self._form.format(self._entry)

    @property
    def command(self) -> SecretCommand | None:
        """Return the command that prints it; None for other sources."""
        return self._command

    def repeat_every(self, every: timedelta) -> None:
        """Have a command run again *every* so often while its value is wanted."""
        if self._command is not None:
            self._command.refresh_every = every

    @property
    def is_at_hand(self) -> bool:
        """Tell whether `reveal` need not wait for a command."""
        return self._command is None or self._command.value is not None

    def reveal(self) -> str:
        """Return the secret, read on the first call, or raise SecretUnavailable.

        A command is waited for if it was never run before, but never on an event loop, where
        `make_ready` does so; when it is to be run again, the last value serves until it was.
        """
        if self._command is not None:
            return self._reveal_printed(self._command)
        value = self._read(PATIENCE_S) if self._value is None else self._value
        if self._is_pipe:
            self._value = value  # it gives what it holds once, sound or not
        if not self._is_sound:
            self._examine(value)
        self._value, self._is_sound = value, True
        return value

    def refresh(self) -> bool:
        """Read a secret kept in a file again, and tell whether it changed.

        A secret that nobody has revealed yet has not changed. If it cannot be
        read, the value held so far stays.

        Raises:
            SecretUnavailable: It is no longer where it was, or not usable.
        """
        if self._command is not None:
            run = self._command.start()
            return not _is_on_loop() and self._take_over(run.result())
        # A pipe gives what it holds once.
        if self._kind not in {SourceKind.FILE, SourceKind.CREDENTIAL} or self._is_pipe:
            return False
        before, value = self._value, self._read(0.0)
        self._examine(value)
        self._value, self._is_sound = value, True
        return before is not None and before != value

    def reveal_fresh(self) -> str:
        """Return the secret as `reveal` does, after a command that is due; not for event loops."""
        run = None if self._command is None else self._command.wanted()
        if run is not None and self.is_at_hand:
            with suppress(TimeoutError):
                run.result(PATIENCE_OF_RUN_S)
        return self.reveal()

    async def make_ready(self) -> None:
        """Have a command run that was not yet, or not for long; return at once for other sources.

        Raises:
            OutOfResources: It could not be run for want of resources of our own.
        """
        run = None if self._command is None else self._command.wanted()
        if run is None or self._command is None:
            return
        # Behind many others it may take long: who has a value does not wait for that.
        printed = await wait_for_run(run, PATIENCE_OF_RUN_S if self.is_at_hand else None)
        if printed is not None and printed.shortage is not None and not self.is_at_hand:
            raise OutOfResources(printed.shortage)

    async def renew(self) -> bool:
        """Do as `refresh` does, and hold up no event loop.

        Raises:
            SecretUnavailable: It is no longer where it was, or not usable.
        """
        if self._command is None:
            return self.refresh()
        printed = await wait_for_run(self._command.start(), PATIENCE_OF_RUN_S)
        return self._take_over(printed)

    def _reveal_printed(self, command: SecretCommand) -> str:
        run = command.wanted()
        if run is not None and command.value is None and not _is_on_loop():
            printed = run.result()
            if printed.shortage is not None:
                raise OutOfResources(printed.shortage)
        value = command.value
        if value is None:
            raise SecretUnavailable(SourceKind.COMMAND, command.why_not)
        if not self._is_sound or value != self._value:
            try:
                self._examine(value)
            except SecretUnavailable:
                if self._value is None:
                    raise
                return self._value  # as after any run that was of no use
        self._value, self._is_sound = value, True
        return value

    def _take_over(self, printed: Printed | None) -> bool:
        """Use what a run *printed* from now on; tell whether it is another value."""
        if printed is None:
            raise SecretUnavailable(SourceKind.COMMAND, "no result in time")
        if printed.value is None:
            raise SecretUnavailable(SourceKind.COMMAND, printed.why)
        self._examine(printed.value)
        before, self._value, self._is_sound = self._value, printed.value, True
        return before is not None and before != printed.value

    def _examine(self, value: str) -> None:
        """Raise SecretUnavailable for a value that must not be used."""
        if not value.strip():
            raise SecretUnavailable(self.source, _EMPTY)
        flaw = find_flaw(value, self._use)
        try:
            if flaw is None and self._check is not None:
                self._check(value)
        except ValueError as error:
            flaw = str(error)
        if flaw is not None:
            raise MalformedSecret(self.source, flaw, self.place)

    def _read(self, patience_s: float) -> str:
        match self._kind:
            case SourceKind.STORED:
                raise SecretUnavailable(self.source, self._reference)
            case SourceKind.ENV:
                value = os.environ.get(self._reference)
                if value is None:
                    raise SecretUnavailable(self.source, "this environment variable is not set")
            case SourceKind.FILE:
                value = self._read_file(Path(self._reference), patience_s)
            case _:
                value = self._read_credential(patience_s)
        return value

    def _read_credential(self, patience_s: float) -> str:
        folder = os.environ.get("CREDENTIALS_DIRECTORY")
        if not folder:
            raise CredentialsInvisible(
                self.source,
                "not visible from here: systemd shows it to the unit only"
                " ($CREDENTIALS_DIRECTORY is not set)",
            )
        return self._read_file(Path(folder) / self._reference, patience_s)

    def _read_file(self, path: Path, patience_s: float) -> str:
        try:
            raw, facts = read_bounded(path, _LARGEST_FILE, patience_s)
        except OSError as error:
            short = find_shortage(error)
            if short is not None:
                raise OutOfResources(short) from None
            why = f"{path} cannot be read: {error.strerror or type(error).__name__}"
            raise SecretUnavailable(self.source, why) from None
        self._is_pipe = stat.S_ISFIFO(facts.st_mode)
        if len(raw) > _LARGEST_FILE:
            raise SecretUnavailable(self.source, "larger than 64 KiB: is this the right file?")
        return cut_line_break(raw.decode("utf-8", errors="surrogateescape"))

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
        if self._command is not other._command:
            return False
        return self._kind is not SourceKind.LITERAL or compare_digest(
            _as_bytes(self._value), _as_bytes(other._value)
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
        """Describe all forms to editors."""
        return {"oneOf": [{"type": "string", "minLength": 1}, *SECRET_TABLES]}


@lru_cache
def secret_fields(kind: type[BaseModel]) -> tuple[tuple[str, str], ...]:
    """Return the fields of a table that may hold secrets, each with its key in the file."""
    return tuple(
        (name, field.alias or name)
        for name, field in kind.model_fields.items()
        if _may_hold_secret(field.annotation)
    )


def _may_hold_secret(annotation: Any) -> bool:
    return annotation is Secret or any(map(_may_hold_secret, get_args(annotation)))


def must_pass(check: Callable[[str], None]) -> AfterValidator:
    """Return a validator of secrets that takes only what *check* lets pass."""
    return AfterValidator(lambda secret: secret.require(check))


def must_serve(use: SecretUse) -> AfterValidator:
    """Return a validator that has secrets examined for *use* when they are read."""
    return AfterValidator(lambda secret: secret.serve(use))


def read_secret(value: Any, info: ValidationInfo) -> Secret:
    """Return the secret that *value* of the file means; raise ValueError if it means none."""
    if isinstance(value, Secret):
        return value
    if not isinstance(value, str | dict):
        raise ValueError(f"this is no secret: {_HOW_TO_WRITE}")  # noqa: TRY004 - pydantic collects ValueErrors only
    reading = reading_of(info)
    folder = reading.folder if reading else None
    secret = Secret(value, folder, is_deferred=True).serve(use_of_key(info.field_name or ""))
    if secret.kind is SourceKind.LITERAL and reading and not reading.is_private:
        raise ValueError(
            "a secret stands here, in a file that others may read:"
            f" run chmod 600 {reading.path}, or {_HOW_TO_WRITE}"
        )
    return secret


def _as_bytes(text: str | None) -> bytes:
    return (text or "").encode("utf-8", "surrogatepass")


def _read_proxy(value: Any, info: ValidationInfo) -> Secret | Literal[""]:
    if value == "":
        return ""
    secret = read_secret(value, info)
    if secret.kind is SourceKind.LITERAL and isinstance(value, str) and find_flaw(value):
        return secret  # said when it is read, as of any secret
    return secret.require(check_proxy)


ProxyUrl = Annotated[
    Secret | Literal[""],
    PlainValidator(_read_proxy),
    PlainSerializer(lambda proxy: proxy and MASK),
    WithJsonSchema({"oneOf": [{"type": "string"}, *SECRET_TABLES]}),
]
"""The URL of a proxy, itself a secret; empty for none."""


def _is_on_loop() -> bool:
    # Most commands start without it, and then there is no loop either.
    if "asyncio" not in sys.modules:
        return False
    import asyncio

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _read_command(written: Any) -> tuple[str, ...]:
    """Return the words of a command, as they stand in the file."""
    form = 'a list of its words such as ["op", "read", "op://vault/item"]: no shell runs it'
    if not isinstance(written, list | tuple) or not written:
        raise MisplacedError(form, "command")
    if not all(isinstance(word, str) and "\0" not in word for word in written):
        raise MisplacedError(form, "command")
    if not written[0].strip() or not written[0].isprintable():
        raise MisplacedError(f"the first word is the program: {form}", "command")
    return tuple(written)


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
