from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.config.addresses import (
    MASK,
    find_parameter,
    is_secret_header,
    mask_url,
    names_secret,
    secret_parameters,
    user_of,
    without_user,
)

SECRET_NAMES = [
    "key", "KEY", "api_key", "api-key", "api.key", "apiKey", "APIKey", "ApiKey", "apikey", "APIKEY",
    "authkey", "AuthKey", "auth_key", "access_token", "accessToken", "token", "client_secret",
    "X-Amz-Signature", "sig", "sigV4", "hub.signature", "password", "user-password", "auth",
    "x_auth", "Ocp-Apim-Subscription-Key", "private_token", "subscription-key", "_key_", "key2-key",
    "auth[token]", "filter[api_key]", "a:key", "data[0][password]",
]  # fmt: skip
PLAIN_NAMES = [
    "monkey", "keyword", "keywords", "tokens", "tokenize", "keys", "secretary", "signal", "design",
    "signed", "passwordless", "author", "authors", "authority", "oauth", "keyboard", "turkey",
    "hockey-team", "q", "page", "id", "", "assign", "authorized_on", "tokenType",
]  # fmt: skip


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_whole_word_of_a_name_makes_a_secret(name):
    assert names_secret(name)
    assert find_parameter(f"https://api.example.com/me?page=1&{name}=hunter2") == name


@pytest.mark.parametrize("name", [name for name in PLAIN_NAMES if name != "tokenType"])
def test_part_of_a_word_makes_none(name):
    assert not names_secret(name)
    url = f"https://api.example.com/me?{name}=hunter2"
    assert (find_parameter(url), mask_url(url)) == (None, url)


def test_word_is_found_beside_others_whatever_it_says_of_it():
    assert names_secret("tokenType")


URLS = {
    "https://a.example/?api_key=hunter2": f"https://a.example/?api_key={MASK}",
    "https://a.example/?a=1&token=hunter2&b=2": f"https://a.example/?a=1&token={MASK}&b=2",
    "https://a.example/?a=1;token=hunter2": f"https://a.example/?a=1;token={MASK}",
    "https://a.example/?api%5Fkey=hunter2#x": f"https://a.example/?api%5Fkey={MASK}#x",
    "https://me:hunter2@a.example/p": f"https://{MASK}@a.example/p",
    "https://hunter2@a.example/": f"https://{MASK}@a.example/",
    'GET "https://a.example/?sig=hunter2" failed': f'GET "https://a.example/?sig={MASK}" failed',
    "no /me?key=hunter2 here": f"no /me?key={MASK} here",
    "https://a.example/?monkey=hunter3&key=": "https://a.example/?monkey=hunter3&key=",
    "mail me@a.example about a?b=c": "mail me@a.example about a?b=c",
    "https://a.example/@me": "https://a.example/@me",
}


MORE_URLS = {
    "https://me:hun@ter@a.example/p": "https://••••@a.example/p",
    "https://a.example/?u=https://b.example/?token=hunter&x=1": (
        "https://a.example/?u=https://b.example/?token=••••&x=1"
    ),
    "https://a.example/?token=hun?x=ter&key=hunter": "https://a.example/?token=••••&key=••••",
    "https://a.example/?token=hun?token=ter": "https://a.example/?token=••••",
    "https://a.example/?token=&x=1": "https://a.example/?token=&x=1",
}


@pytest.mark.parametrize("text", ["a", "a://", "?", "?a=", "?token=", "a.b", "@"])
def test_the_worst_text_is_masked_in_time_that_grows_with_its_length(text):
    def cost(length: int) -> float:
        started = time.process_time()
        mask_url(text * (length // len(text)))
        return time.process_time() - started

    assert cost(400_000) < 20 * max(cost(40_000), 0.01)


@pytest.mark.parametrize(("url", "masked"), [*URLS.items(), *MORE_URLS.items()])
def test_secrets_of_an_address_are_masked(url, masked):
    assert mask_url(url) == masked


@given(
    st.text(), st.sampled_from(SECRET_NAMES), st.from_regex(r"[A-Za-z0-9]{8,40}", fullmatch=True)
)
def test_no_value_passes_whatever_stands_before(text, name, value):
    assert f"={value}" not in mask_url(f"{text} https://a.example/?{name}={value}")


def test_address_is_called_without_its_user():
    url = "https://me%40x:hunter%202@API.example:8443/p?q=1"
    assert without_user(url) == "https://API.example:8443/p?q=1"
    assert user_of(url) == ("me@x", "hunter 2")
    assert user_of("https://a.example/@me") is None


def test_parameters_are_read_decoded():
    url = "https://a.example/?x%2Dkey=a%20b&key&token="
    assert secret_parameters(url) == [("x-key", "a b")]


@pytest.mark.parametrize(
    "name",
    [
        "Authorization", "authorization", "Proxy-Authorization", "Cookie", "X-Api-Key",
        "X-API-KEY", "Api-Key", "X-Auth-Token", "X-Amz-Security-Token", "PRIVATE-TOKEN",
        "X-Shopify-Access-Token", "apikey", "X-ApiKey", "X-Secret", "X-Hub-Signature",
        "Ocp-Apim-Subscription-Key", "X-Client-Secret", "X-Password", "X-Credentials",
    ],
)  # fmt: skip
def test_header_with_a_secret_is_known_by_its_name(name):
    assert is_secret_header(name)


@pytest.mark.parametrize(
    "name",
    [
        "Accept", "User-Agent", "X-Request-Id", "Idempotency-Key", "X-Keyword", "Authority",
        "X-Author", "Cookie2", "anthropic-version", "X-Tokens-Left", "X-Monkey", "Accept-Language",
    ],
)  # fmt: skip
def test_other_header_is_none(name):
    assert not is_secret_header(name)
