"""Decide which hosts may be called where people or rows name them: public addresses only.

Nobody turns the daemon into a scanner of the inner network. What counts is the address that a
connection is made to, not the name; `web.allowed_hosts` lets others in. Pure, but for
`find_unreachable_host`, which looks a name up. Whoever connects enforces it: `providers.transport`
for checks, `notify.confinement` for channels.
"""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import TYPE_CHECKING, Any

from monitor.config.errors import got, quoted
from monitor.config.values import is_host

if TYPE_CHECKING:
    from collections.abc import Iterable

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_V4 = {
    "0.0.0.0/8": "unspecified",
    "10.0.0.0/8": "private",
    "100.64.0.0/10": "shared",
    "127.0.0.0/8": "loopback",
    "169.254.0.0/16": "link-local",
    "172.16.0.0/12": "private",
    "192.0.0.0/24": "reserved",
    "192.0.2.0/24": "reserved",
    "192.88.99.0/24": "reserved",
    "192.168.0.0/16": "private",
    "198.18.0.0/15": "reserved",
    "198.51.100.0/24": "reserved",
    "203.0.113.0/24": "reserved",
    "224.0.0.0/4": "multicast",
    "240.0.0.0/4": "reserved",
}
_V6 = {
    "::/128": "unspecified",
    "::1/128": "loopback",
    "::ffff:0:0/96": "mapped",
    "::ffff:0:0:0/96": "mapped",
    "::/96": "mapped",
    "64:ff9b:1::/48": "private",
    "fc00::/7": "private",
    "fe80::/10": "link-local",
    "fec0::/10": "private",
    "ff00::/8": "multicast",
    "2001::/23": "reserved",
    "2001:db8::/32": "reserved",
    "2002::/16": "mapped",
    "3fff::/20": "reserved",
}
_NAMED = tuple((ip_network(network), word) for network, word in {**_V4, **_V6}.items())

_PUBLIC_V6 = IPv6Network("2000::/3")
"""All that is given out to anyone; the rest is not public whatever it is used for."""

_NAT64 = IPv6Network("64:ff9b::/96")
"""How a network without IPv4 names its addresses: the one within counts."""


def name_refusal(address: Address) -> str | None:
    """Return in one word why *address* is not public, or None if it is."""
    if isinstance(address, IPv6Address):
        if address in _NAT64:
            return name_refusal(IPv4Address(int(address) & 0xFFFF_FFFF))
        if address.scope_id is not None:
            return "link-local"
    for network, word in _NAMED:
        if address.version == network.version and address in network:
            return word
    if isinstance(address, IPv6Address) and address not in _PUBLIC_V6:
        return "reserved"
    return None


def read_address(host: str) -> Address | None:
    """Return the address that *host* is, in any spelling that a resolver takes; None for a name."""
    host = host.strip("[]")
    try:
        return ip_address(host)
    except ValueError:
        pass
    # 127.1, 0x7f000001, 017700000001 and 2130706433 are addresses to the C library.
    if not _NUMERIC.fullmatch(host.removesuffix(".")):
        return None
    try:
        return IPv4Address(socket.inet_aton(host.removesuffix(".")))
    except (OSError, ValueError):
        return None


_NUMERIC = re.compile(r"(?:(?:0[xX][0-9a-fA-F]*|[0-9]+)\.){0,3}(?:0[xX][0-9a-fA-F]*|[0-9]+)")


@dataclass(frozen=True, slots=True)
class AllowedHosts:
    """What may be called beside public addresses: names, and networks of addresses."""

    names: frozenset[str] = frozenset()
    networks: tuple[Network, ...] = ()

    @classmethod
    def of(cls, entries: Iterable[str]) -> AllowedHosts:
        """Return what the *entries* of `web.allowed_hosts` let in."""
        names, networks = set(), []
        for entry in entries:
            try:
                networks.append(ip_network(entry))
            except ValueError:
                names.add(_canonical(entry))
        return cls(frozenset(names), tuple(networks))

    def allows_name(self, host: str) -> bool:
        """Tell whether *host* is let in by its name, wherever it leads."""
        return bool(self.names) and _canonical(host) in self.names

    def refuse(self, address: str, host: str = "") -> str | None:
        """Return in one word why *address* may not be called, or None if it may.

        Args:
            address: As the resolver gave it.
            host: The name that it was found by.
        """
        if host and self.allows_name(host):
            return None
        try:
            found = ip_address(address)
        except ValueError:
            return "unknown"  # nothing that is no address is connected to
        if any(found.version == one.version and found in one for one in self.networks):
            return None
        return name_refusal(found)

    def refuse_host(self, host: str) -> str | None:
        """Return why *host* may not be called as far as that shows without looking it up."""
        if self.allows_name(host):
            return None
        address = read_address(host)
        if address is not None:
            return self.refuse(str(address))
        name = _canonical(host)
        is_here = name == "localhost" or name.endswith(".localhost")
        return self.refuse("127.0.0.1") if is_here else None


def _canonical(host: str) -> str:
    name = host.strip("[]").rstrip(".").lower()
    try:
        return name.encode("idna").decode("ascii")
    except UnicodeError:
        return name


def check_allowed_host(value: Any) -> str:
    """Return an entry of `web.allowed_hosts`, or raise ValueError that says what it should be."""
    form = 'a host name, address or network such as "vault.internal", "10.0.0.5" or "10.0.0.0/8"'
    if not isinstance(value, str):
        raise ValueError(f"{form}, {got(value)}")  # noqa: TRY004 - pydantic collects ValueErrors only
    try:
        return str(ip_network(value))
    except ValueError as error:
        if "host bits" in str(error):
            meant = quoted(str(ip_network(value, strict=False)))
            raise ValueError(f"{form}, got {quoted(value)}; did you mean {meant}?") from None
    if "://" in value:
        raise ValueError(f"{form}: leave out the scheme and the path")
    if re.fullmatch(r"[^:]+:[0-9]+|\[.*\]:[0-9]+", value):
        raise ValueError(f"{form}: leave out the port")
    if "*" in value:
        raise ValueError(f"{form}: each name is written out, a * is not understood")
    if (address := read_address(value)) is not None:
        raise ValueError(f"{form}: write this address as {quoted(str(address))}")
    if not is_host(value):
        raise ValueError(f"{form}, got {quoted(value)}")
    return _canonical(value)


class HostRefused(OSError):  # noqa: N818 - it states a condition
    """Raised where a host may not be called; says why in words for people, never the address."""

    def __init__(self, host: str, why: str) -> None:
        super().__init__(f"{quoted(host)} is not called: {explain_refusal(why)}")
        self.host = host
        self.why = why

    @property
    def words(self) -> str:
        """Return why, in a sentence without its end."""
        return str(self.args[0])


def explain_refusal(why: str) -> str:
    """Return the word of `refuse` as a clause, with what lets the host in."""
    if why == "unexamined":
        return (
            "its address cannot be looked up here, so it cannot be examined before the proxy is"
            " called. To allow it, add it to web.allowed_hosts"
        )
    if why == "proxied":
        return (
            "the proxy of $HTTPS_PROXY would look its address up for itself, so it cannot be"
            " examined. To allow it, add it to web.allowed_hosts"
        )
    article = "an" if why[0] in "aeiou" else "a"
    return (
        f"it has {article} {why} address, and what is set up outside the configuration file may"
        " reach public addresses only. To allow it, add it to web.allowed_hosts"
    )


_LOOKUPS_AT_ONCE = 50


async def find_unreachable_hosts(
    places: Iterable[tuple[str, int]], allowed: AllowedHosts
) -> dict[tuple[str, int], str | None]:
    """Return the same as `find_unreachable_host` for many hosts and ports, some at a time."""
    import asyncio

    slots = asyncio.Semaphore(_LOOKUPS_AT_ONCE)

    async def look(place: tuple[str, int]) -> tuple[tuple[str, int], str | None]:
        async with slots:
            return place, await find_unreachable_host(*place, allowed)

    return dict(await asyncio.gather(*map(look, places)))


async def find_unreachable_host(host: str, port: int, allowed: AllowedHosts) -> str | None:
    """Return why *host* may not be called by what it leads to now, or None.

    A name that cannot be looked up is not refused: nothing can be reached by it. What is called
    later is examined again.
    """
    why = allowed.refuse_host(host)
    if why is not None or allowed.allows_name(host) or read_address(host) is not None:
        return why
    import asyncio

    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        return None
    refusals = [allowed.refuse(str(one[-1][0]), host) for one in found]
    return None if not refusals or None in refusals else refusals[0]
