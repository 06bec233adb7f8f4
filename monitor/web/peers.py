"""Say who asks: by the address at the other end, or by the one that a trusted proxy names.

`X-Forwarded-For` is a sentence that anybody can write: it counts only where the connection
itself comes from a proxy of `web.proxy_auth.trusted`, and of its addresses the last one that is
no such proxy.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    Network = IPv4Network | IPv6Network

ONE_HOME = 64
"""Whoever has one address of IPv6 has all that begin with the same bits."""


def read_address(text: str) -> IPv4Address | IPv6Address | None:
    """Return the address that *text* is, with or without a port; None if it is none."""
    bare = text.strip().strip('"')
    if bare.startswith("["):
        bare = bare[1:].partition("]")[0]
    elif bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        found = ip_address(bare.partition("%")[0])
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found


def peer_of(host: str) -> str:
    """Return what stands for all addresses that one peer has: of IPv6 the first half."""
    found = read_address(host)
    if isinstance(found, IPv6Address) and not found.is_loopback:
        return str(ip_network((found, ONE_HOME), strict=False))
    return host if found is None else str(found)


def is_within(host: str, networks: Collection[Network]) -> bool:
    """Tell whether *host* is an address of one of *networks*."""
    found = read_address(host)
    return found is not None and any(found in network for network in networks)


def find_peer(near: str, forwarded: Collection[str], trusted: Collection[Network]) -> str:
    """Return who asks.

    Args:
        near: The address at the other end of the connection.
        forwarded: The fields `X-Forwarded-For` of the request.
        trusted: The proxies whose word counts.
    """
    if not is_within(near, trusted):
        return peer_of(near)
    # Each proxy puts the address that it sees behind what it was told.
    for named in reversed(",".join(forwarded).split(",")):
        if read_address(named) is None:
            break
        if not is_within(named, trusted):
            return peer_of(named)
    return peer_of(near)
