"""
Which addresses people and rows may name.
"""

from __future__ import annotations

import json
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.config.errors import ConfigError
from monitor.config.hosts import AllowedHosts, find_unreachable_host, name_refusal, read_address

NOTHING_MORE = AllowedHosts()

PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "93.184.216.34",
    "100.63.255.255",
    "100.128.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "192.167.255.255",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "2606:4700:4700::1111",
    "2a00:1450:4001:80b::200e",
    "64:ff9b::8.8.8.8",
]
REFUSED = {
    "0.0.0.0": "unspecified",
    "0.1.2.3": "unspecified",
    "10.0.0.1": "private",
    "10.255.255.255": "private",
    "100.64.0.1": "shared",
    "100.127.255.255": "shared",
    "127.0.0.1": "loopback",
    "127.255.255.254": "loopback",
    "169.254.169.254": "link-local",
    "172.16.0.1": "private",
    "172.31.255.255": "private",
    "192.0.0.170": "reserved",
    "192.0.2.1": "reserved",
    "192.88.99.1": "reserved",
    "192.168.1.1": "private",
    "198.18.0.1": "reserved",
    "198.51.100.7": "reserved",
    "203.0.113.7": "reserved",
    "224.0.0.1": "multicast",
    "239.255.255.250": "multicast",
    "240.0.0.1": "reserved",
    "255.255.255.255": "reserved",
    "::": "unspecified",
    "::1": "loopback",
    "::7f00:1": "mapped",
    "::ffff:127.0.0.1": "mapped",
    "::ffff:8.8.8.8": "mapped",
    "::ffff:0:10.0.0.1": "mapped",
    "64:ff9b::127.0.0.1": "loopback",
    "64:ff9b::10.0.0.1": "private",
    "64:ff9b::169.254.169.254": "link-local",
    "64:ff9b:1::1": "private",
    "100::1": "reserved",
    "2001::1": "reserved",
    "2001:db8::1": "reserved",
    "2002:7f00:1::": "mapped",
    "2002:808:808::1": "mapped",
    "3fff::1": "reserved",
    "4000::1": "reserved",
    "5f00::1": "reserved",
    "fc00::1": "private",
    "fd00:ec2::254": "private",
    "fe80::1": "link-local",
    "fe80::1%eth0": "link-local",
    "2606:4700::1%eth0": "link-local",
    "febf::1": "link-local",
    "fec0::1": "private",
    "ff02::1": "multicast",
    "ff0e::1": "multicast",
}


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_may_be_called(address):
    assert NOTHING_MORE.refuse(address) is None


@pytest.mark.parametrize(("address", "why"), REFUSED.items(), ids=REFUSED)
def test_any_other_is_refused_by_its_kind(address, why):
    assert NOTHING_MORE.refuse(address) == why


@given(st.ip_addresses())
def test_what_python_holds_to_be_no_public_address_is_refused(address):
    mapped = getattr(address, "ipv4_mapped", None) or getattr(address, "sixtofour", None)
    if not address.is_global or address.is_multicast or mapped is not None:
        assert name_refusal(address) is not None


@given(st.ip_addresses(v=4))
def test_an_address_within_another_does_not_help(address):
    embedded = {ip_address((0x64FF9B << 96) | int(address))}
    if name_refusal(address) is not None:
        embedded |= {
            ip_address((0xFFFF << 32) | int(address)),
            ip_address((0x2002 << 112) | (int(address) << 80)),
        }
        assert all(name_refusal(each) for each in embedded)
    else:
        assert not any(name_refusal(each) for each in embedded)


SPELLINGS = {
    "127.0.0.1": "127.0.0.1",
    "127.1": "127.0.0.1",
    "127.0.1": "127.0.0.1",
    "0": "0.0.0.0",
    "0.0": "0.0.0.0",
    "2130706433": "127.0.0.1",
    "0x7f000001": "127.0.0.1",
    "0X7F.1": "127.0.0.1",
    "0x7f.0x0.0x0.0x1": "127.0.0.1",
    "017700000001": "127.0.0.1",
    "0177.0.0.1": "127.0.0.1",
    "010.0.0.1": "8.0.0.1",
    "169.16689662": "169.254.169.254",
    "127.0.0.1.": "127.0.0.1",
    "[::1]": "::1",
    "::ffff:7f00:1": "::ffff:7f00:1",
    "example.com": None,
    "1.example": None,
    "0x7f.example": None,
    "a1": None,
    "256.256.256.256": None,
}


@pytest.mark.parametrize(("written", "address"), SPELLINGS.items(), ids=SPELLINGS)
def test_an_address_is_known_in_each_spelling(written, address):
    found = read_address(written)
    assert found == (None if address is None else ip_address(address))


@pytest.mark.parametrize(
    ("host", "why"),
    [
        ("localhost", "loopback"),
        ("LOCALHOST.", "loopback"),
        ("app.localhost", "loopback"),
        ("127.1", "loopback"),
        ("0", "unspecified"),
        ("2852039166", "link-local"),
        ("[::ffff:10.0.0.1]", "mapped"),
        ("8.8.8.8", None),
        ("example.com", None),
    ],
)
def test_a_host_is_refused_when_it_is_saved(host, why):
    assert NOTHING_MORE.refuse_host(host) == why


ALLOWED = AllowedHosts.of(
    ["vault.internal", "10.0.0.5", "192.168.0.0/16", "fd00::/8", "bücher.test"]
)


@pytest.mark.parametrize(
    ("address", "host", "is_refused"),
    [
        ("10.0.0.5", "x.example", False),
        ("10.0.0.6", "x.example", True),
        ("10.0.0.6", "vault.internal", False),
        ("10.0.0.6", "Vault.Internal.", False),
        ("127.0.0.1", "vault.internal", False),
        ("10.0.0.6", "evil.vault.internal", True),
        ("10.0.0.6", "vault.internal.evil", True),
        ("192.168.7.7", "", False),
        ("fd12::1", "", False),
        ("fe80::1", "", True),
        ("::ffff:192.168.7.7", "", True),
        ("10.0.0.6", "xn--bcher-kva.test", False),
        ("no address", "", True),
    ],
)
def test_what_the_file_lets_in_may_be_called(address, host, is_refused):
    assert (ALLOWED.refuse(address, host) is not None) is is_refused


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("host", "allowed", "why"),
    [
        ("localhost", NOTHING_MORE, "loopback"),
        ("localhost", AllowedHosts.of(["localhost"]), None),
        ("localhost", AllowedHosts.of(["127.0.0.0/8"]), None),
        ("127.1", NOTHING_MORE, "loopback"),
        ("nowhere.invalid", NOTHING_MORE, None),
        ("8.8.8.8", NOTHING_MORE, None),
    ],
)
async def test_a_name_is_looked_up_when_it_is_saved(host, allowed, why):
    assert await find_unreachable_host(host, 443, allowed) == why


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("vault.internal", "vault.internal"),
        ("Vault.Internal.", "vault.internal"),
        ("10.0.0.5", "10.0.0.5/32"),
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("fd00::/8", "fd00::/8"),
        ("::1", "::1/128"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("localhost", "localhost"),
    ],
)
def test_names_addresses_and_networks_are_taken(load, written, kept):
    config = load(f"[web]\nallowed_hosts = [{json.dumps(written)}]")
    assert config.web.allowed_hosts == (kept,)


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("10.0.0.5/8", 'did you mean "10.0.0.0/8"?'),
        ("https://vault.internal", "leave out the scheme"),
        ("vault.internal:8200", "leave out the port"),
        ("[::1]:80", "leave out the port"),
        ("*.internal", "is not understood"),
        ("127.1", 'write this address as "127.0.0.1"'),
        ("2130706433", 'write this address as "127.0.0.1"'),
        ("vault internal", "a host name, address or network"),
        ("", "a host name, address or network"),
        ("10.0.0.0/40", "a host name, address or network"),
        (7, "a host name, address or network"),
    ],
)
def test_anything_else_is_refused_with_its_place(load, written, why):
    with pytest.raises(ConfigError) as caught:
        load(f'[web]\nallowed_hosts = ["ok.internal", {json.dumps(written)}]')
    assert str(caught.value).startswith("web.allowed_hosts[1]: ")
    assert why in str(caught.value)
