"""Decide which requests go through a proxy, and how it is named.

The proxy is the one of the settings (`checks.proxy`, or a connection's own), never that of an
environment variable; `NO_PROXY` lists hosts that are called without it, and this machine is never
called through one.
"""

from __future__ import annotations

import os
from base64 import b64encode
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx

from monitor.config.addresses import user_of, without_user
from monitor.config.values import is_loopback

if TYPE_CHECKING:
    from monitor.config.secret import Secret


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy, ready to be used.

    Args:
        name: Its host and port, as people may read them.
        url: Its address, without a user.
        authorization: The header with its user and password; empty if it has none.
    """

    name: str
    url: str = field(repr=False)
    authorization: str = field(repr=False)

    @property
    def headers(self) -> dict[str, str]:
        """Return what the proxy itself is sent."""
        return {"Proxy-Authorization": self.authorization} if self.authorization else {}

    @property
    def of_httpx(self) -> httpx.Proxy:
        """Return it as httpx takes it."""
        return httpx.Proxy(self.url, headers=self.headers)


def read_proxy(secret: Secret) -> Proxy:
    """Return the proxy whose URL *secret* is, or raise SecretUnavailable."""
    written = secret.reveal()
    url = without_user(written)
    user = user_of(written)
    pair = "" if user is None else b64encode(":".join(user).encode()).decode("ascii")
    parts = urlsplit(url)
    port = parts.port or 80
    host = parts.hostname or ""
    name = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return Proxy(name, url, pair and f"Basic {pair}")


def choose_proxy(secret: Secret | None, host: str, port: int | None) -> Proxy | None:
    """Return the proxy for requests to *host*; None if they go there directly.

    Raises SecretUnavailable if its URL cannot be read.
    """
    if secret is None or is_loopback(host) or bypasses(_no_proxy(), host, port):
        return None
    return read_proxy(secret)


def _no_proxy() -> str:
    return os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""


def bypasses(no_proxy: str, host: str, port: int | None) -> bool:
    """Tell whether the list *no_proxy* names *host*: itself, a domain above it, or its network."""
    host = host.strip("[]").rstrip(".").lower()
    for each in no_proxy.replace(",", " ").lower().split():
        entry = each
        name, colon, digits = each.rpartition(":")
        if colon and digits.isdecimal() and (":" not in name or name.endswith("]")):
            if int(digits) != port:
                continue
            entry = name
        entry = entry.strip("[]").removeprefix("*").strip(".")
        if not entry:
            if each == "*":
                return True
            continue
        if host == entry or host.endswith(f".{entry}") or _is_within(host, entry):
            return True
    return False


def _is_within(host: str, network: str) -> bool:
    try:
        return ip_address(host) in ip_network(network, strict=False)
    except ValueError:
        return False
