"""Declare the kinds of value that tables of the file share, and what all tables have in common.

Each kind refuses what it cannot use in words for the file's owner. URLs and the form of a token
are never repeated in a message: people paste them with the secret inside. Which lengths a setting
accepts is decided where it is declared.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    ValidationInfo,
    WithJsonSchema,
)

from monitor.clock import utc_now
from monitor.config.errors import did_you_mean, got, got_text, one_of, quoted

if TYPE_CHECKING:
    from collections.abc import Callable
    from enum import StrEnum
    from urllib.parse import SplitResult


# --- lengths of time

PATTERN = "^[0-9]+[smhd]$"
"""What a duration looks like, for editors."""

LONGEST = timedelta(days=3650)
"""Ten years: beyond any use, and far from overflowing the calendar."""

_WRITTEN = re.compile(r"([0-9]+)([smhd])", re.ASCII)
_SECONDS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_MOST_DIGITS = 12


def parse_duration(value: Any) -> timedelta:
    """Return the length of time that *value* writes; raise ValueError if it writes none."""
    if not isinstance(value, str):
        raise ValueError(_refuse(value))  # noqa: TRY004 - pydantic collects ValueErrors only
    match = _WRITTEN.fullmatch(value)
    if match is None:
        raise ValueError(
            f"{quoted(value)} is not a duration: write a whole number and one of s, m, h, d,"
            ' such as "90s", "5m", "36h" or "7d"'
        )
    count, unit = match[1].lstrip("0") or "0", match[2]
    if len(count) > _MOST_DIGITS or int(count) * _SECONDS[unit] > LONGEST.total_seconds():
        raise ValueError(f"at most {format_duration(LONGEST)}, got {quoted(value)}")
    return timedelta(seconds=int(count) * _SECONDS[unit])


def format_duration(length: timedelta) -> str:
    """Write *length*, which counts whole seconds, in the largest unit that fits."""
    seconds = int(length.total_seconds())
    if seconds == 0:
        return "0s"
    unit = next(unit for unit, size in _SECONDS.items() if seconds % size == 0)
    return f"{seconds // _SECONDS[unit]}{unit}"


def _refuse(value: Any) -> str:
    message = f'a duration such as "5m", {got(value)}'
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 10**_MOST_DIGITS:
        return f'{message}: write "{value}s" if you mean seconds'
    return message


# --- URLs

_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)", re.ASCII)
_LONGEST_HOST = 253


def is_loopback(host: str) -> bool:
    """Tell whether *host* names this machine."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def is_host(host: str) -> bool:
    """Tell whether *host* could be the name or the address of a machine."""
    try:
        ip_address(host)
    except ValueError:
        pass
    else:
        return True
    try:
        ascii_host = host.encode("idna").decode("ascii").removesuffix(".")
    except UnicodeError:
        return False
    labels = ascii_host.split(".")
    return len(ascii_host) <= _LONGEST_HOST and all(_LABEL.fullmatch(label) for label in labels)


def _split(value: Any, *, may_have_user: bool = False) -> SplitResult:
    """Take *value* apart, refusing what is no plain absolute web address."""
    if not isinstance(value, str):
        raise ValueError(f'a URL such as "https://api.example.com", {got(value)}')  # noqa: TRY004 - pydantic collects ValueErrors only
    if not value:
        raise ValueError('empty: write a URL such as "https://api.example.com"')
    if any(char.isspace() or not char.isprintable() for char in value) or "\\" in value:
        raise ValueError("a URL has no spaces, backslashes or control characters")
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        raise ValueError("not a URL: its host or its port cannot be read") from None
    if parts.scheme not in {"https", "http"}:
        raise ValueError("not a web address: write it with https:// in front")
    if "@" in parts.netloc and not may_have_user:
        raise ValueError(
            "no user or password in a URL: write the secret with its own key, such as token"
        )
    if not parts.hostname or not is_host(parts.hostname) or parts.netloc.endswith(":"):
        raise ValueError('its host cannot be read: write a URL such as "https://api.example.com"')
    return parts


def _refuse_plain_http(parts: SplitResult) -> None:
    host = parts.hostname or ""
    if parts.scheme == "http" and not is_loopback(host):
        raise ValueError(
            f"plain http:// is for this machine only (localhost): begin with"
            f' "https://{parts.netloc.rpartition("@")[2]}"'
        )


def _split_base(value: Any, *, may_have_user: bool = False) -> SplitResult:
    parts = _split(value, may_have_user=may_have_user)
    if "?" in value or "#" in value:
        raise ValueError("only scheme, host and path: leave out what follows ? or #")
    return parts


def _check_base(value: Any, *, may_have_user: bool = False) -> str:
    parts = _split_base(value, may_have_user=may_have_user)
    _refuse_plain_http(parts)
    user, at, host = parts.netloc.rpartition("@")
    # In one case, since connections are grouped by the host they call.
    return f"{parts.scheme}://{user}{at}{host.lower()}{parts.path}".rstrip("/")


def _check_service_base(value: Any) -> str:
    return _check_base(value, may_have_user=True)


def _check_service_url(value: Any) -> str:
    return _check_called(value, may_have_user=True)


def _check_called(value: Any, *, may_have_user: bool = False) -> str:
    parts = _split(value, may_have_user=may_have_user)
    if "#" in value:
        raise ValueError("leave out what follows #")
    _refuse_plain_http(parts)
    return str(value)


def refuse_uncallable(value: str) -> None:
    """Raise ValueError for a URL, itself a secret, that cannot be called as it stands."""
    _check_called(value)


def check_proxy(value: str) -> None:
    """Raise ValueError for what is no URL of an HTTP proxy, itself a secret."""
    if not value.lower().startswith("http://"):
        raise ValueError("a proxy is called without TLS: write http:// and its host and port")
    parts = _split(value, may_have_user=True)
    if parts.path not in {"", "/"} or "?" in value or "#" in value:
        raise ValueError("the URL of a proxy has only a host and a port, and perhaps a user")


def _check_link(value: Any) -> str:
    _split(value)
    return str(value)


def _check_public(value: Any) -> str:
    if value == "":
        return ""
    parts = _split_base(value)
    return f"{parts.scheme}://{parts.netloc}{parts.path}".rstrip("/")


_AS_URI = WithJsonSchema({"type": "string", "format": "uri", "pattern": "^https?://"})

BaseUrl = Annotated[str, BeforeValidator(_check_base), _AS_URI]
"""What paths are appended to; without a slash at the end."""

CalledUrl = Annotated[str, BeforeValidator(_check_called), _AS_URI]
"""An address that is asked as it stands."""

ServiceBaseUrl = Annotated[str, BeforeValidator(_check_service_base), _AS_URI]
"""As `BaseUrl`; a user in it is refused by `config check` only, see `remarks`."""

ServiceUrl = Annotated[str, BeforeValidator(_check_service_url), _AS_URI]
"""As `CalledUrl`; likewise."""

Link = Annotated[str, BeforeValidator(_check_link), _AS_URI]
"""A page for people; it is shown and never called, so plain http will do."""

PublicUrl = Annotated[
    str,
    BeforeValidator(_check_public),
    WithJsonSchema({"type": "string", "pattern": "^(https?://.*)?$"}),
]
"""Our own address as people reach it, or empty."""


# --- headers and tokens

_HEADER = r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}"
_NAME = re.compile(_HEADER, re.ASCII)
_TOKEN_FORM = re.compile(rf"bearer|header:{_HEADER}", re.ASCII)
_ANY_FORM = re.compile(
    rf"bearer|basic|header:{_HEADER}|query:[A-Za-z0-9._~\[\]-]{{1,100}}", re.ASCII
)
_OF_HTTP_ITSELF = {"host", "content-length", "transfer-encoding", "connection"}


def _form(pattern: re.Pattern[str], how: str) -> BeforeValidator:
    def check(value: Any) -> str:
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise ValueError(how)
        kind, _, name = value.partition(":")
        if kind == "header" and name.lower() in _OF_HTTP_ITSELF:
            raise ValueError("HTTP itself needs this header; write the name of one for the token")
        return value

    return BeforeValidator(check)


def check_header_name(value: Any) -> str:
    """Return the name of a header that anybody may set; raise ValueError for any other."""
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise ValueError("no name of a header: letters, digits and - only")
    if value.lower() in _OF_HTTP_ITSELF:
        raise ValueError("HTTP itself needs this header: leave it out")
    return value


TokenForm = Annotated[
    str,
    _form(_TOKEN_FORM, 'write "bearer", or "header:NAME" with the name of a header'),
    WithJsonSchema({"type": "string", "pattern": "^(bearer|header:.+)$"}),
]
"""How a bare token is sent."""

AuthForm = Annotated[
    str,
    _form(
        _ANY_FORM,
        'write "bearer", "basic", "header:NAME" with the name of a header, or "query:NAME"'
        " with that of a parameter",
    ),
    WithJsonSchema({"type": "string", "pattern": "^(bearer|basic|header:.+|query:.+)$"}),
]
"""How any credential is sent."""

HeaderName = Annotated[
    str, BeforeValidator(check_header_name), WithJsonSchema({"type": "string", "minLength": 1})
]


# --- tables


@dataclass(frozen=True, slots=True)
class Reading:
    """What the meaning of a file depends on beside its text.

    Args:
        path: The file.
        now: The present instant; later dates are refused.
        environment: Where a default may be taken from.
        is_private: Only the file's owner may read it, so it may hold secrets.
        has_text_dates: It cannot say dates otherwise than as texts, as JSON cannot.
    """

    path: Path
    now: datetime
    environment: dict[str, str]
    is_private: bool = True
    has_text_dates: bool = False

    @property
    def folder(self) -> Path:
        """Return the folder that relative paths are taken from."""
        return _folder_of(self.path)


@lru_cache(maxsize=16)
def _folder_of(path: Path) -> Path:
    return path.absolute().parent


def reading_of(info: ValidationInfo) -> Reading | None:
    """Return what the caller handed in with the data, if it comes from a file."""
    return info.context if isinstance(info.context, Reading) else None


class Settings(BaseModel):
    """A frozen table of the file that refuses unknown keys."""

    # Errors are put into our own words; pydantic's would repeat the input,
    # which may be a secret.
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        serialize_by_alias=True,
        validate_by_alias=True,
        validate_by_name=False,
    )


Word = TypeVar("Word", bound="StrEnum")

LONGEST_NAME = 100
_EARLIEST_YEAR = 2000
_DAY_LENGTH = len("2026-01-15")
_UNPRINTABLE = {"Cc", "Cs", "Zl", "Zp"}
_JOINERS = "\u200c\u200d"
"""Invisible, and yet needed: for Persian words, for emoji made of several."""


def _read_duration(value: Any) -> timedelta:
    return value if isinstance(value, timedelta) else parse_duration(value)


def _at_least(least: timedelta) -> Callable[[timedelta], timedelta]:
    def check(length: timedelta) -> timedelta:
        if length < least:
            raise ValueError(f"at least {format_duration(least)}, got {format_duration(length)}")
        return length

    return check


Duration = Annotated[
    timedelta,
    BeforeValidator(_read_duration),
    PlainSerializer(format_duration),
    WithJsonSchema({"type": "string", "pattern": PATTERN, "examples": ["90s", "5m", "36h", "7d"]}),
]
OneSecondOrMore = Annotated[Duration, AfterValidator(_at_least(timedelta(seconds=1)))]
FiveSecondsOrMore = Annotated[Duration, AfterValidator(_at_least(timedelta(seconds=5)))]
TenSecondsOrMore = Annotated[Duration, AfterValidator(_at_least(timedelta(seconds=10)))]
SixtyFiveSecondsOrMore = Annotated[Duration, AfterValidator(_at_least(timedelta(seconds=65)))]

Count = Annotated[int, Field(strict=True, ge=1, le=1_000_000)]
Days = Annotated[int, Field(strict=True, ge=0, le=36_500)]
Flag = Annotated[bool, Field(strict=True)]


@lru_cache(maxsize=4096)
def check_name(name: str) -> str:
    """Accept what fits a URL, a metric and the name of a file."""
    if not name:
        raise ValueError("empty: give it a name")
    if len(name) > LONGEST_NAME:
        raise ValueError(f"at most {LONGEST_NAME} characters, got {len(name)}")
    if name != name.strip():
        raise ValueError(f"no space at the beginning or end, got {quoted(name)}")
    if any(unicodedata.category(char) in _UNPRINTABLE for char in name):
        raise ValueError(f"no control characters, got {quoted(name)}")
    if any(unicodedata.category(char) == "Cf" and char not in _JOINERS for char in name):
        raise ValueError(
            "no invisible characters, such as those that turn the direction of writing,"
            f" got {quoted(name)}"
        )
    if "/" in name or "\\" in name or name in {".", ".."}:
        raise ValueError(f"no slashes, and not . or .., got {quoted(name)}")
    return name


Name = Annotated[
    str,
    AfterValidator(check_name),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": LONGEST_NAME}),
]


def _drop_repeated(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


Names = Annotated[tuple[Name, ...], AfterValidator(_drop_repeated)]
SomeNames = Annotated[tuple[Name, ...], Field(min_length=1), AfterValidator(_drop_repeated)]


def _resolve_path(value: Any, info: ValidationInfo) -> Any:
    if isinstance(value, Path):
        return value
    if not isinstance(value, str):
        raise ValueError(f"a path in quotes, {got(value)}")  # noqa: TRY004 - pydantic collects ValueErrors only
    if not value.strip() or not value.isprintable():
        raise ValueError("the path is empty or holds control characters")
    reading = reading_of(info)
    return reading.folder / value if reading else Path(value)


RelativePath = Annotated[
    Path, BeforeValidator(_resolve_path), WithJsonSchema({"type": "string", "minLength": 1})
]


def _read_text_day(text: str) -> Any:
    """Return the date or instant that *text* is; the text itself where it is neither."""
    try:
        return (
            date.fromisoformat(text) if len(text) == _DAY_LENGTH else datetime.fromisoformat(text)
        )
    except ValueError:
        return text


def _read_past_day(value: Any, info: ValidationInfo) -> date:
    reading = reading_of(info)
    if isinstance(value, str) and reading and reading.has_text_dates:
        value = _read_text_day(value)
    if not isinstance(value, date):
        is_quoted = isinstance(value, str) and not (reading and reading.has_text_dates)
        hint = " (without quotes)" if is_quoted else ""
        raise ValueError(f"a date such as 2026-01-15{hint}, {got(value)}")  # noqa: TRY004 - pydantic collects ValueErrors only
    check_past_day(value, reading.now if reading else utc_now())
    return value


def check_past_day(value: date, now: datetime) -> None:
    """Raise ValueError for a date on which no authorization can have been granted yet."""
    if isinstance(value, datetime) and value.tzinfo is None:
        raise ValueError(f"a time needs its zone: write {value.isoformat()}Z, or the date alone")
    if value.year < _EARLIEST_YEAR:
        raise ValueError(f"{value.isoformat()} is too long ago to be meant")
    is_future = value > now if isinstance(value, datetime) else value > now.astimezone(UTC).date()
    if is_future:
        today = now.astimezone(UTC).date().isoformat()
        raise ValueError(f"{value.isoformat()} is in the future (today is {today} in UTC)")


PastDay = Annotated[
    date,
    PlainValidator(_read_past_day),
    PlainSerializer(lambda day: day.isoformat(), return_type=str),
    WithJsonSchema(
        {"anyOf": [{"type": "string", "format": "date"}, {"type": "string", "format": "date-time"}]}
    ),
]
"""A date, or an instant where it is a `datetime`."""


def choice_of(words: type[Word]) -> Callable[[Any], Any]:
    """Return a validator that accepts the values of *words* and offers the nearest."""
    known = tuple(word.value for word in words)

    def check(value: Any) -> Any:
        if isinstance(value, str) and value in known:
            return words(value)
        hint = did_you_mean(value, known) if isinstance(value, str) else ""
        raise ValueError(f"one of {one_of(known)}, {got_text(value)}{hint}")

    return check
