"""Ask for a channel in people's terms, and read what was typed as the channel's entry.

Decides which fields there are for each kind of channel, and which of what was typed is its URL. How
that is built of its parts is decided in `monitor.notify.channel_urls`; whether the entry can be
used, in `monitor.config.channels`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from monitor.config.channels import URL
from monitor.config.entries import SET
from monitor.notify import channel_urls as parts
from monitor.web.entry_forms import CHOICE, LINE, NUMBER, SECRET, FormField

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class ChannelKind:
    """A kind of channel that people can add.

    Args:
        key: Its part of the address of the page, and what `channel_urls` calls it.
        says: What is needed for it, in a sentence.
        fields: What its URL is built of.
        main: The field that is shown as wrong where no message is taken.
    """

    key: str
    title: str
    says: str
    fields: tuple[FormField, ...]
    main: str


MAIL = ChannelKind(
    "email",
    "E-mail",
    "From a mail account that may send. Large providers want an app password.",
    (
        FormField(
            parts.RECIPIENTS,
            "Send to",
            hint="Addresses, separated by commas.",
            example="ops@example.com",
            is_required=True,
        ),
        FormField(parts.USER, "User of the mail account", example="alerts@example.com"),
        FormField(parts.PASSWORD, "Password, or app password", SECRET),
        FormField(
            parts.SERVER,
            "Mail server (SMTP)",
            hint="Leave it empty for Gmail, Outlook and other well-known providers.",
            example="smtp.example.com",
        ),
        FormField(
            parts.SECURITY,
            "Encryption",
            CHOICE,
            choices=(
                (parts.STARTTLS, "STARTTLS (usual, port 587)"),
                (parts.IMPLICIT, "TLS from the start (port 465)"),
                (parts.PLAIN, "none: only for a server of this machine"),
            ),
        ),
        FormField(parts.PORT, "Port", NUMBER, hint="Only if it is another one."),
        FormField(parts.SENDER, "Sender", hint="Default: the user, if that is an address."),
    ),
    parts.RECIPIENTS,
)

SLACK = ChannelKind(
    "slack",
    "Slack",
    "With an incoming webhook of your workspace: api.slack.com/apps, “Incoming Webhooks”.",
    (
        FormField(
            parts.ADDRESS,
            "Webhook URL",
            SECRET,
            hint="It begins with `https://hooks.slack.com/services/`.",
            is_required=True,
        ),
    ),
    parts.ADDRESS,
)

TELEGRAM = ChannelKind(
    "telegram",
    "Telegram",
    "With a bot: write `/newbot` to @BotFather, then write to your bot or add it to the group.",
    (
        FormField(parts.TOKEN, "Token of the bot", SECRET, is_required=True),
        FormField(
            parts.CHATS,
            "Chats",
            hint="Numbers or names, separated by commas. Groups have numbers below zero.",
            example="-1001234567890",
            is_required=True,
        ),
    ),
    parts.CHATS,
)

TEAMS = ChannelKind(
    "teams",
    "Microsoft Teams",
    "With a workflow: in the channel choose Workflows, then “Send webhook alerts to a channel”.",
    (FormField(parts.ADDRESS, "URL of the workflow", SECRET, is_required=True),),
    parts.ADDRESS,
)

WEBHOOK = ChannelKind(
    "webhook",
    "Webhook",
    "For your own program: each alert is sent there as JSON, by POST.",
    (
        FormField(
            parts.ADDRESS,
            "URL",
            SECRET,
            hint="It begins with `https://`. It may hold a user, a password or a token.",
            is_required=True,
        ),
    ),
    parts.ADDRESS,
)

ANY = ChannelKind(
    "apprise",
    "Another service",
    "By its Apprise URL: Discord, ntfy, PagerDuty, SMS and a hundred others. appriseit.com has the"
    " form of each.",
    (
        FormField(
            parts.ADDRESS,
            "Apprise URL",
            SECRET,
            hint="Such as `ntfys://ntfy.sh/TOPIC`.",
            is_required=True,
        ),
    ),
    parts.ADDRESS,
)

CHANNEL_KINDS = {one.key: one for one in (MAIL, SLACK, TELEGRAM, TEAMS, WEBHOOK, ANY)}

LISTS = frozenset(("kinds", "tags", "connections", "groups"))
QUIET_FROM, QUIET_TO = "quiet_from", "quiet_to"
_QUIET = {QUIET_FROM: "from", QUIET_TO: "to"}

NAME = FormField("name", "Name", hint="Used in lists and logs.", example="ops", is_required=True)
SEVERITY = FormField(
    "min_severity",
    "Receives",
    CHOICE,
    choices=(
        ("info", "everything"),
        ("warning", "warnings and critical alerts"),
        ("critical", "critical alerts only"),
    ),
)
RULES = (
    FormField(
        "groups",
        "Only these groups",
        hint="Separated by commas. Such a channel gets nothing about others.",
        is_extra=True,
    ),
    FormField(
        "tags",
        "Only connections with one of these tags",
        hint="Separated by commas.",
        is_extra=True,
    ),
    FormField("connections", "Only these connections", hint="Separated by commas.", is_extra=True),
    FormField(
        "kinds",
        "Only these kinds of alert",
        hint="Such as `error, expired`. Default: all but summaries.",
        is_extra=True,
    ),
    FormField(
        "digest",
        "Summary",
        CHOICE,
        choices=(("", "never"), ("daily", "every day"), ("weekly", "every week")),
        is_extra=True,
    ),
    FormField(
        QUIET_FROM,
        "Quiet from",
        LINE,
        hint="Only critical alerts are sent in this time.",
        example="22:00",
        is_extra=True,
    ),
    FormField(QUIET_TO, "Quiet until", LINE, example="07:00", is_extra=True),
    FormField(
        "timezone",
        "Time zone of its messages",
        LINE,
        hint="Default: `alerts.timezone`.",
        example="Europe/Berlin",
        is_extra=True,
    ),
)
SETTINGS = (NAME, SEVERITY, *RULES)
_KNOWN = {one.key for one in SETTINGS} - _QUIET.keys()


def all_channel_keys() -> tuple[str, ...]:
    """Return the names of the fields of all kinds."""
    own = [one.key for kind in CHANNEL_KINDS.values() for one in kind.fields]
    return tuple(dict.fromkeys([*own, *(one.key for one in SETTINGS)]))


def fields_of(kind: ChannelKind | None) -> tuple[FormField, ...]:
    """Return the fields of a channel whose URL is of *kind*; None for one that is kept."""
    return (NAME, *(() if kind is None else kind.fields), SEVERITY, *RULES)


def fill_in_channel(content: Mapping[str, Any]) -> dict[str, str]:
    """Return what stands in the fields for a channel that is stored."""
    filled: dict[str, str] = {}
    for key in _KNOWN & content.keys():
        value = content[key]
        filled[key] = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    quiet = content.get("quiet_hours")
    if isinstance(quiet, dict):
        filled |= {key: str(quiet.get(inner, "")) for key, inner in _QUIET.items()}
    return filled


def show_rules(content: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what a channel receives, in the words of the form."""
    filled = fill_in_channel(content)
    shown = []
    for one in SETTINGS:
        words = dict(one.choices).get(filled.get(one.key, ""), filled.get(one.key, ""))
        if one is not NAME and one.key in filled:
            shown.append((one.label, words))
    return shown


def read_channel_form(
    kind: ChannelKind | None,
    typed: Mapping[str, str],
    content: Mapping[str, Any] | None = None,
    secrets: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return the channel that was typed.

    Args:
        kind: How its URL is given; None keeps the one that is stored.
        content: What is stored of it: what has no field stays.
        secrets: Those that were typed, now or before.

    Raises:
        BadParts: No URL can be made of what was typed.
    """
    before = dict(content or {})
    values = {key: each for key, each in before.items() if key not in _KNOWN}
    for key in _KNOWN:
        text = typed.get(key, "").strip()
        if text:
            pieces = [piece.strip() for piece in text.split(",")]
            values[key] = [piece for piece in pieces if piece] if key in LISTS else text
    quiet = dict(before["quiet_hours"]) if isinstance(before.get("quiet_hours"), dict) else {}
    quiet |= {inner: typed.get(key, "").strip() for key, inner in _QUIET.items()}
    values.pop("quiet_hours", None)
    if any(quiet[inner] for inner in _QUIET.values()):
        values["quiet_hours"] = {key: each for key, each in quiet.items() if each}
    problems = [] if "name" in values else [("name", parts.REQUIRED)]
    values[URL] = dict(SET)
    if kind is not None:
        own = {one.key: typed.get(one.key, "") for one in kind.fields} | dict(secrets or {})
        try:
            values[URL] = parts.build_url(kind.key, own)
        except parts.BadParts as error:
            problems += error.problems
    if problems:
        raise parts.BadParts(*problems)
    return values


def place_channel_problem(kind: ChannelKind | None, place: str) -> str:
    """Return the field at which what is wrong with a *place* of the entry is shown."""
    key, _, inner = place.partition(".")
    if key == URL:
        return kind.main if kind is not None else "name"
    if key == "quiet_hours":
        return next((one for one, name in _QUIET.items() if name == inner), QUIET_FROM)
    return place


TITLES_BY_SCHEME = {
    "mailto": MAIL.title,
    "mailtos": MAIL.title,
    "slack": SLACK.title,
    "tgram": TELEGRAM.title,
    "workflow": TEAMS.title,
    "workflows": TEAMS.title,
    "msteams": TEAMS.title,
    "json": WEBHOOK.title,
    "jsons": WEBHOOK.title,
}
_BY_HOST = (("hooks.slack.com", SLACK), *((end, TEAMS) for end in parts.OF_TEAMS))


def name_service(url: str) -> str:
    """Return what people call the service of a URL, and nothing else of it."""
    scheme, _, rest = url.partition("://")
    host = rest.partition("/")[0].partition(":")[0].lower()
    for end, kind in _BY_HOST:
        if scheme == "https" and host.endswith(end):
            return kind.title
    return TITLES_BY_SCHEME.get(scheme.lower(), scheme.lower() if scheme.isalnum() else "unknown")
