"""Build the Apprise URL of a channel from what people know of it: a server, a token, a web address.

Decides which parts each kind of channel needs and what they must look like. Whether the service
takes a message shows only when one is sent. Problems name a part and never quote one: most parts
are secrets.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from urllib.parse import SplitResult

SERVER, PORT, SECURITY = "server", "port", "security"
USER, PASSWORD = "user", "password"
SENDER, RECIPIENTS = "sender", "recipients"
ADDRESS, TOKEN, CHATS = "address", "token", "chats"

STARTTLS, IMPLICIT, PLAIN = "starttls", "ssl", "insecure"
"""How the way to a mail server is encrypted, as Apprise calls it."""

REQUIRED = "required"
_MAIL_ADDRESS = re.compile(r"[^\s@,;<>\"]+@[^\s@,;<>\"]+")
_SERVER = re.compile(r"[A-Za-z0-9.:\[\]_-]+")
_BOT = re.compile(r"[0-9]+:[A-Za-z0-9_-]+")
_CHAT = re.compile(r"-?[0-9]+(?::[0-9]+)?|@[A-Za-z0-9_]+")
_LAST_PORT = 65535


class BadParts(ValueError):  # noqa: N818 - it states a condition
    """Raised for parts of which no URL can be made; holds each with why."""

    def __init__(self, *problems: tuple[str, str]) -> None:
        super().__init__("; ".join(f"{part}: {why}" for part, why in problems))
        self.problems = problems


def build_url(kind: str, parts: Mapping[str, str]) -> str:
    """Return the URL of a channel of *kind*, one of `BUILDERS`.

    Raises:
        BadParts: A part is missing or of no use.
    """
    return BUILDERS[kind]({name: text.strip() for name, text in parts.items()})


def _build_mail(parts: Mapping[str, str]) -> str:
    user, password = parts.get(USER, ""), parts.get(PASSWORD, "")
    sender = parts.get(SENDER, "") or (user if "@" in user else "")
    recipients = _split(parts.get(RECIPIENTS, ""))
    problems = list(_mail_problems(parts, sender, recipients))
    if problems:
        raise BadParts(*problems)
    security, server = parts.get(SECURITY) or STARTTLS, parts.get(SERVER, "")
    query = {"from": sender, "to": ",".join(recipients)}
    # Of well-known providers Apprise knows server, port and encryption by the domain alone.
    host = server or sender.partition("@")[2]
    port = f":{int(parts[PORT])}" if parts.get(PORT) else ""
    if server or port or security != STARTTLS:
        query["mode"] = security
    login = f"{quote(user, safe='')}:{quote(password, safe='')}@" if user else ""
    scheme = "mailto" if security == PLAIN else "mailtos"
    return f"{scheme}://{login}{host}{port}?{urlencode(query, safe=',', quote_via=quote)}"


def _mail_problems(
    parts: Mapping[str, str], sender: str, recipients: list[str]
) -> list[tuple[str, str]]:
    user, password, port = parts.get(USER, ""), parts.get(PASSWORD, ""), parts.get(PORT, "")
    server = parts.get(SERVER, "")
    problems = []
    if not recipients:
        problems.append((RECIPIENTS, REQUIRED))
    elif not all(map(_MAIL_ADDRESS.fullmatch, recipients)):
        problems.append((RECIPIENTS, "e-mail addresses, separated by commas"))
    if not sender:
        problems.append((SENDER, "required, unless the user is an e-mail address"))
    elif not _MAIL_ADDRESS.fullmatch(sender):
        problems.append((SENDER, "an e-mail address, such as alerts@example.com"))
    if server and not _SERVER.fullmatch(server):
        problems.append((SERVER, "a host name alone, such as smtp.example.com"))
    is_port = port.isascii() and port.isdigit() and len(port) <= len(str(_LAST_PORT))
    if port and not (is_port and 0 < int(port) <= _LAST_PORT):
        problems.append((PORT, f"a number from 1 to {_LAST_PORT}"))
    if user and not password:
        problems.append((PASSWORD, "required beside the user"))
    if password and not user:
        problems.append((USER, "required beside the password"))
    if parts.get(SECURITY, "") not in {"", STARTTLS, IMPLICIT, PLAIN}:
        problems.append((SECURITY, "one of those in the list"))
    return problems


def _split(text: str) -> list[str]:
    return [piece for piece in re.split(r"[,;\s]+", text) if piece]


def _build_slack(parts: Mapping[str, str]) -> str:
    url = _read_address(parts)
    is_slack = url.hostname in {"hooks.slack.com", "hooks.slack-gov.com"}
    if not is_slack or not re.fullmatch(r"/services/[^/]+/[^/]+/[^/]+/?", url.path):
        why = "a webhook URL of Slack, which begins with https://hooks.slack.com/services/"
        raise BadParts((ADDRESS, why))
    return url.geturl()


OF_TEAMS = (".logic.azure.com", ".powerplatform.com", ".webhook.office.com")


def _build_teams(parts: Mapping[str, str]) -> str:
    url = _read_address(parts)
    if not (url.hostname or "").endswith(OF_TEAMS):
        raise BadParts((ADDRESS, "the URL that the workflow in Teams shows when it is created"))
    return url.geturl()


def _build_telegram(parts: Mapping[str, str]) -> str:
    token, chats = parts.get(TOKEN, ""), _split(parts.get(CHATS, ""))
    problems = []
    if not token:
        problems.append((TOKEN, REQUIRED))
    elif not _BOT.fullmatch(token):
        problems.append((TOKEN, "the token as BotFather shows it, such as 123456789:abcdefg_hij"))
    if not chats:
        problems.append((CHATS, REQUIRED))
    elif not all(map(_CHAT.fullmatch, chats)):
        why = "numbers such as -1001234567890, or names such as @alerts, separated by commas"
        problems.append((CHATS, why))
    if problems:
        raise BadParts(*problems)
    return f"tgram://{token}/{'/'.join(chats)}/"


def _build_webhook(parts: Mapping[str, str]) -> str:
    url = _read_address(parts, schemes=("https", "http"))
    scheme = {"https": "jsons", "http": "json"}[url.scheme]
    # Apprise keeps names of our own for itself: what is to be sent has a mark in front.
    query = [(f"-{name}", value) for name, value in parse_qsl(url.query, keep_blank_values=True)]
    asked = f"?{urlencode(query)}" if query else ""
    return f"{scheme}://{url.netloc}{url.path}{asked}"


def _build_any(parts: Mapping[str, str]) -> str:
    address = parts.get(ADDRESS, "")
    if not address:
        raise BadParts((ADDRESS, REQUIRED))
    return address


def _read_address(parts: Mapping[str, str], schemes: tuple[str, ...] = ("https",)) -> SplitResult:
    address = parts.get(ADDRESS, "")
    if not address:
        raise BadParts((ADDRESS, REQUIRED))
    try:
        url = urlsplit(address)
        is_usable = url.scheme in schemes and url.hostname is not None and url.port != 0
    except ValueError:
        is_usable = False
    if not is_usable or not address.isprintable() or " " in address:
        raise BadParts((ADDRESS, f"a URL that begins with {' or '.join(schemes)}://"))
    return url


BUILDERS: dict[str, Callable[[Mapping[str, str]], str]] = {
    "email": _build_mail,
    "slack": _build_slack,
    "telegram": _build_telegram,
    "teams": _build_teams,
    "webhook": _build_webhook,
    "apprise": _build_any,
}
