"""
Decide which URLs may be called, and which may be shown as links.

A URL is never repeated in a message: people paste them with passwords inside.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

from pydantic import BeforeValidator, WithJsonSchema

from monitor.config.wording import got

if TYPE_CHECKING:
    from urllib.parse import SplitResult

_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)", re.ASCII)
_LONGEST_HOST = 253


def is_loopback(host: str) -> bool:
    """
    Tell whether *host* names this machine.
    """
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def is_host(host: str) -> bool:
    """
    Tell whether *host* could be the name or the address of a machine.
    """
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


def _split(value: Any) -> SplitResult:
    """
    Take *value* apart, refusing what is no plain absolute web address.
    """
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
    if "@" in parts.netloc:
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
            f'plain http:// is for this machine only (localhost): begin with "https://{parts.netloc}"'
        )


def _check_base(value: Any) -> str:
    parts = _split(value)
    if "?" in value or "#" in value:
        raise ValueError("only scheme, host and path: leave out what follows ? or #")
    _refuse_plain_http(parts)
    # In one case, since connections are grouped by the host they call.
    return f"{parts.scheme}://{parts.netloc.lower()}{parts.path}".rstrip("/")


def _check_called(value: Any) -> str:
    parts = _split(value)
    if "#" in value:
        raise ValueError("leave out what follows #")
    _refuse_plain_http(parts)
    return str(value)


def refuse_uncallable(value: str) -> None:
    """
    Refuse what cannot be called as it stands, for a URL that is a secret.

    Raises:
        ValueError: Says why, and at most the host of it.
    """
    _check_called(value)


def _check_link(value: Any) -> str:
    _split(value)
    return str(value)


def _check_public(value: Any) -> str:
    if value == "":
        return ""
    parts = _split(value)
    if "?" in value or "#" in value:
        raise ValueError("only scheme, host and path: leave out what follows ? or #")
    return f"{parts.scheme}://{parts.netloc}{parts.path}".rstrip("/")


_AS_URI = WithJsonSchema({"type": "string", "format": "uri", "pattern": "^https?://"})

BaseUrl = Annotated[str, BeforeValidator(_check_base), _AS_URI]
"""What paths are appended to; without a slash at the end."""

CalledUrl = Annotated[str, BeforeValidator(_check_called), _AS_URI]
"""An address that is asked as it stands."""

Link = Annotated[str, BeforeValidator(_check_link), _AS_URI]
"""A page for people; it is shown and never called, so plain http will do."""

PublicUrl = Annotated[
    str,
    BeforeValidator(_check_public),
    WithJsonSchema({"type": "string", "pattern": "^(https?://.*)?$"}),
]
"""Our own address as people reach it, or empty."""
