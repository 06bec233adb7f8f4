"""Ask for a connection in fields, and read what was typed into them as an entry.

Decides which fields there are for each kind of connection and which key of the entry each fills in.
Whether an entry can be used is decided in `monitor.config.owners`; how fields look, by the
templates. A secret that was typed is never put back into a page.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from monitor.config.entries import SET
from monitor.config.http import PRESETS, load_preset
from monitor.judge.authorizations import DEFAULT_VALID_DAYS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

SECRET = "password"  # noqa: S105 - a type of HTML's fields

LINE, AREA, URL, DATE, NUMBER, CHOICE = "text", "area", "url", "date", "number", "choice"


@dataclass(frozen=True, slots=True)
class FormField:
    """One thing that is asked for.

    Args:
        key: The key of the entry, and the name of the field.
        type: How it is typed.
        hint: What helps to fill it in; a piece between backticks is something to be typed.
        choices: What can be chosen, each with its words.
        example: What it may look like.
        is_required: Nothing can be done without it.
        is_extra: Few need it.
    """

    key: str
    label: str
    type: str = LINE
    hint: str = ""
    choices: tuple[tuple[str, str], ...] = ()
    example: str = ""
    is_required: bool = False
    is_extra: bool = False

    @property
    def is_secret(self) -> bool:
        """Tell whether what is typed may not be shown."""
        return self.type == SECRET


@dataclass(frozen=True, slots=True)
class EntryKind:
    """A kind of connection that people can add.

    Args:
        key: Its part of the address of the page.
        title: What it is called.
        says: When to choose it, in a sentence.
        fixed: What its entries say and nobody is asked for.
        fields: What people are asked for, beside what all kinds have.
        proposed: What the connection is called unless people say otherwise.
        is_called: There is a service to call, so that it can be tried.
    """

    key: str
    title: str
    says: str
    fixed: Mapping[str, str]
    fields: tuple[FormField, ...]
    proposed: str = ""
    is_called: bool = True

    @property
    def all_fields(self) -> tuple[FormField, ...]:
        """Return its own fields and those of all kinds, in the order in which they are shown."""
        own = {one.key for one in self.fields}
        return (*self.fields, *(one for one in COMMON if one.key not in own))

    @property
    def secret_keys(self) -> tuple[str, ...]:
        """Return the keys of its fields for secrets."""
        return tuple(one.key for one in self.fields if one.is_secret)


NAME = FormField("name", "Name", hint="Used everywhere: lists, alerts, links.")

AUTHORIZED_ON = FormField(
    "authorized_on",
    "Created or authorized on",
    DATE,
    hint="If it expires after a number of days: the day from which they count.",
    is_extra=True,
)
VALID_DAYS = FormField(
    "valid_days",
    "Valid for how many days",
    NUMBER,
    hint=f"0 if it does not expire. Default: {DEFAULT_VALID_DAYS}.",
    is_extra=True,
)
RENEW_URL = FormField(
    "renew_url",
    "Page on which it is renewed",
    URL,
    hint="Optional. Alerts link to it.",
    is_extra=True,
)
COMMON = (
    NAME,
    FormField(
        "group", "Group", hint="Optional: the customer or team it belongs to.", example="acme"
    ),
    FormField("tags", "Tags", hint="Optional, separated by commas.", example="production, eu"),
    FormField("notes", "Notes", AREA, hint="Optional. Shown on its page and in its alerts."),
    AUTHORIZED_ON,
    VALID_DAYS,
    RENEW_URL,
    FormField(
        "every",
        "Checked every",
        hint="Such as `5m` or `1h`. Default: that of the configuration file.",
        is_extra=True,
    ),
)

TOKEN = FormField("token", "API token", SECRET, is_required=True)

SOLDSCOPE = EntryKind(
    "soldscope",
    "SoldScope API token",
    "For programs that use the SoldScope API.",
    {"provider": "soldscope"},
    (
        FormField(
            "base_url",
            "Base URL",
            URL,
            hint="As shown in the API reference in SoldScope.",
            example="https://…/v1",
            is_required=True,
        ),
        replace(TOKEN, hint="Created in SoldScope under API Access."),
    ),
    "soldscope",
)

BEARER, HEADER, QUERY, BASIC, NONE = "bearer", "header", "query", "basic", "none"
AUTH, AUTH_NAME = "auth", "auth_name"

HTTP = EntryKind(
    "http",
    "Another HTTP API",
    "Any service that takes a token or a password and responds over HTTP.",
    {"provider": "http"},
    (
        FormField(
            "url",
            "URL to call",
            URL,
            hint="A page of the API that costs nothing and needs the credential.",
            example="https://api.example.com/v1/me",
            is_required=True,
        ),
        FormField(
            AUTH,
            "How the credential is sent",
            CHOICE,
            choices=(
                (BEARER, "Authorization: Bearer (most APIs)"),
                (HEADER, "in a header of its own"),
                (QUERY, "as a query parameter"),
                (BASIC, "user and password (Basic)"),
                (NONE, "not at all: only see that it responds"),
            ),
        ),
        FormField(
            AUTH_NAME,
            "Name of the header or parameter",
            hint="Only for a header or query parameter.",
            example="X-Api-Key",
        ),
        replace(TOKEN, is_required=False),
        FormField("username", "User", hint="Only for user and password."),
        FormField("password", "Password", SECRET),
        FormField(
            "expect_status",
            "Statuses of a good response",
            hint="Separated by commas. Default: 200.",
            is_extra=True,
        ),
    ),
)

COUNTDOWN = EntryKind(
    "countdown",
    "An expiry date to count down",
    "For an authorization that another program uses, such as a store connected inside SoldScope."
    " Nothing is called.",
    {"provider": "countdown"},
    (
        replace(
            AUTHORIZED_ON,
            label="Authorized on",
            hint="The day of the latest authorization.",
            is_required=True,
            is_extra=False,
        ),
        replace(
            VALID_DAYS, hint=f"Default: {DEFAULT_VALID_DAYS}, as Amazon has it.", is_extra=False
        ),
        replace(RENEW_URL, is_extra=False),
    ),
    is_called=False,
)

TITLES = {
    "anthropic": "Anthropic",
    "github": "GitHub",
    "gitlab": "GitLab",
    "openai": "OpenAI",
    "shopify": "Shopify",
    "slack": "Slack",
}


def _preset_kind(name: str) -> EntryKind:
    preset, title = load_preset(name), TITLES.get(name, name.capitalize())
    fields = [replace(TOKEN, label=f"{title} token", hint=preset.renewal)]
    if preset.url_example:
        why = "With the name of your account in it."
        url = FormField("url", "URL", URL, why, example=preset.url_example, is_required=True)
        fields.insert(0, url)
    return EntryKind(
        name,
        f"{title} token",
        f"An API token of {title}.",
        {"provider": "http", "preset": name},
        tuple(fields),
        name,
    )


PRESET_KINDS = tuple(_preset_kind(name) for name in PRESETS)

STORE_TOKEN = EntryKind(
    "store-token",
    "An Amazon store, by its refresh token",
    "For a store that was authorized elsewhere, such as with a self-authorized application.",
    {"provider": "amazon"},
    (
        FormField("application", "Application", CHOICE, is_required=True),
        FormField(
            "region",
            "Region",
            CHOICE,
            choices=(
                ("na", "North America"),
                ("eu", "Europe, India, Middle East"),
                ("fe", "Far East, Australia"),
            ),
            is_required=True,
        ),
        FormField("refresh_token", "Refresh token", SECRET, is_required=True),
        FormField(
            "marketplaces",
            "Marketplaces it must cover",
            hint="Country codes, separated by commas. Default: all in which the account sells.",
            example="US, CA",
            is_extra=True,
        ),
    ),
)

KINDS = {one.key: one for one in (SOLDSCOPE, *PRESET_KINDS, HTTP, COUNTDOWN, STORE_TOKEN)}

OTHER = EntryKind("", "Connection", "", {}, ())
"""Of a provider that another package brings: only what all connections have is asked for."""

LISTS = frozenset(("tags", "marketplaces", "expect_status"))
NUMBERS = frozenset(("valid_days", "expect_status"))
"""Keys that are no plain text; what is typed as a list has commas."""

PATHS = re.compile(r"[.\[]")


def kind_of(content: Mapping[str, Any]) -> EntryKind:
    """Return the kind of an entry that is stored."""
    provider, preset = content.get("provider"), content.get("preset")
    for kind in KINDS.values():
        if kind.fixed.get("provider") == provider and kind.fixed.get("preset") == preset:
            return kind
    return OTHER


def all_keys() -> tuple[str, ...]:
    """Return the names of the fields of all kinds."""
    return tuple({one.key: None for kind in KINDS.values() for one in kind.all_fields})


def fill_in(kind: EntryKind, content: Mapping[str, Any]) -> dict[str, str]:
    """Return what stands in the fields for an entry that is stored."""
    filled: dict[str, str] = {}
    for one in kind.all_fields:
        value = content.get(one.key)
        if one.is_secret or value is None or value == SET:
            continue
        if one.key == AUTH:
            filled |= _split_auth(str(value))
        elif isinstance(value, list):
            filled[one.key] = ", ".join(map(str, value))
        else:
            filled[one.key] = str(value)
    if kind is HTTP and AUTH not in filled:
        filled[AUTH] = BEARER if "token" in content else NONE
    return filled


def _split_auth(value: str) -> dict[str, str]:
    form, _, name = value.partition(":")
    return {AUTH: form, AUTH_NAME: name}


def list_stored_secrets(kind: EntryKind, content: Mapping[str, Any]) -> frozenset[str]:
    """Return the keys of the secrets that an entry has stored."""
    return frozenset(key for key in kind.secret_keys if content.get(key) == SET)


def read_form(
    kind: EntryKind,
    typed: Mapping[str, str],
    content: Mapping[str, Any] | None = None,
    secrets: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return the entry that was typed.

    Args:
        content: What is stored of it: what has no field stays, and so does a secret that was
            not typed.
        secrets: Those that were typed earlier.
    """
    before, earlier = dict(content or {}), dict(secrets or {})
    known = {one.key for one in kind.all_fields} - {AUTH_NAME}
    values: dict[str, Any] = {key: each for key, each in before.items() if key not in known}
    values |= kind.fixed
    for one in kind.all_fields:
        text = typed.get(one.key, "").strip()
        if one.is_secret:
            # As it was typed: what is wrong with it is said.
            said = typed.get(one.key) or earlier.get(one.key)
            if said:
                values[one.key] = said
            elif before.get(one.key) == SET:
                values[one.key] = dict(SET)
        elif text and one.key not in {AUTH, AUTH_NAME}:
            values[one.key] = _read_text(one.key, text)
    if kind is HTTP:
        _read_auth(typed, values)
    return values


def _read_text(key: str, text: str) -> Any:
    if key in LISTS:
        pieces = [piece.strip() for piece in text.split(",")]
        return [_read_number(key, piece) for piece in pieces if piece]
    return _read_number(key, text)


def _read_number(key: str, text: str) -> Any:
    # What is no number is refused by the model, which says what it should be.
    is_number = text.isascii() and text.removeprefix("-").isdigit() and len(text) < MOST_DIGITS
    return int(text) if key in NUMBERS and is_number else text


MOST_DIGITS = 10


def _read_auth(typed: Mapping[str, str], values: dict[str, Any]) -> None:
    """Put the way in which a credential is sent into *values*, and leave out the other ways."""
    form, name = typed.get(AUTH) or BEARER, typed.get(AUTH_NAME, "").strip()
    # User and password may also stand in one token.
    has_user = bool(values.get("username") or values.get("password"))
    unused = {
        BASIC: ("token",) if has_user else (),
        NONE: ("token", "username", "password"),
    }
    for key in unused.get(form, ("username", "password")):
        values.pop(key, None)
    if form in {HEADER, QUERY}:
        values[AUTH] = f"{form}:{name}"
    elif form != NONE:
        values[AUTH] = form


@dataclass(frozen=True, slots=True)
class FormErrors:
    """What is wrong with what was typed.

    Args:
        at: By the field.
        others: What belongs to none, each with its place.
    """

    at: Mapping[str, str]
    others: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Tell whether anything is."""
        return bool(self.at or self.others)


NO_ERRORS = FormErrors({})


def place_errors(
    fields: Iterable[FormField], problems: Iterable[tuple[str, str]], typed: Mapping[str, str]
) -> FormErrors:
    """Return *problems*, each by its place within an entry, by the fields they are shown at."""
    keys = {one.key for one in fields}
    at: dict[str, str] = {}
    others = []
    for place, why in problems:
        key = PATHS.split(place, maxsplit=1)[0]
        if key == AUTH and typed.get(AUTH) in {HEADER, QUERY}:
            key = AUTH_NAME
        if key not in keys:
            others.append(f"{place}: {why}" if place else why)
        elif key not in at:
            at[key] = why
        else:
            at[key] += f"; {why}"
    return FormErrors(at, tuple(others))


def show_entry(content: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the keys of an entry with their values in words; of a secret, that it is set."""
    for key, value in content.items():
        if value == SET:
            yield key, "set"
        elif isinstance(value, dict):
            yield from ((f"{key}.{inner}", text) for inner, text in show_entry(value))
        elif isinstance(value, list):
            yield key, ", ".join(map(str, value))
        elif isinstance(value, bool):
            yield key, "yes" if value else "no"
        else:
            yield key, str(value)


def propose(base: str) -> str:
    """Return a name made of the words of *base*; empty if there are none."""
    words = re.sub(r"[^\w]+", "-", base.casefold()).strip("-_")
    return words[:LONGEST_PROPOSAL].strip("-_")


LONGEST_PROPOSAL = 60
