"""
Who asks is read from the connection, and from proxies that are trusted.
"""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from monitor.web.peers import find_peer, peer_of

TRUSTED = tuple(ip_network(one) for one in ("127.0.0.1", "10.0.0.0/8", "fd00::/8"))

CASES = {
    "no header": ("127.0.0.1", [], "127.0.0.1"),
    "a proxy's word": ("127.0.0.1", ["203.0.113.9"], "203.0.113.9"),
    "a stranger's word": ("198.51.100.1", ["203.0.113.9"], "198.51.100.1"),
    "the last counts": ("127.0.0.1", ["1.1.1.1, 203.0.113.9"], "203.0.113.9"),
    "of the last header": ("127.0.0.1", ["1.1.1.1", "203.0.113.9"], "203.0.113.9"),
    "through two proxies": ("127.0.0.1", ["203.0.113.9, 10.1.1.1"], "203.0.113.9"),
    "proxies alone": ("127.0.0.1", ["10.1.1.1, 10.1.1.2"], "127.0.0.1"),
    "no address behind": ("127.0.0.1", ["203.0.113.9, unknown"], "127.0.0.1"),
    "nothing": ("127.0.0.1", [""], "127.0.0.1"),
    "with a port": ("127.0.0.1", ["203.0.113.9:4711"], "203.0.113.9"),
    "six": ("fd00::1", ["[2001:db8::7]:443"], "2001:db8::/64"),
    "four in six": ("::ffff:127.0.0.1", ["::ffff:203.0.113.9"], "203.0.113.9"),
    "not an address at all": ("", ["203.0.113.9"], ""),
}


@pytest.mark.parametrize(("near", "forwarded", "peer"), CASES.values(), ids=CASES)
def test_a_forwarded_address_counts_from_trusted_proxies_only(near, forwarded, peer):
    assert find_peer(near, forwarded, TRUSTED) == peer


def test_whoever_has_many_addresses_of_ipv6_is_one_peer():
    assert peer_of("2001:db8::1") == peer_of("2001:db8::ffff:1") != peer_of("2001:db8:0:1::1")
    assert peer_of("::1") == "::1"
