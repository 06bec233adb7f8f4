from __future__ import annotations

import re
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from monitor.config.connections import Connection
from monitor.config.describe import Origin, list_settings, walk
from monitor.config.errors import ConfigError
from monitor.config.http import PRESETS, HttpConnection, Method, load_preset
from monitor.config.load import build_config
from monitor.config.remarks import check_secrets
from monitor.config.secret import Secret
from monitor.config.values import Reading

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "providers" / "http.md").read_text(encoding="utf-8")
URL = 'url = "https://API.example.com:8443/v1/me?a=1"'
TOKEN = 'token = { env = "TOKEN" }'


@pytest.fixture
def read(load):
    """
    Return the connection that the lines of an http connection mean.
    """

    def read_connection(*lines: str, mode: int = 0o600) -> HttpConnection:
        text = "\n".join(["[[connections]]", 'name = "a"', 'provider = "http"', *lines])
        (connection,) = load(text, mode).connections
        assert isinstance(connection, HttpConnection)
        return connection

    return read_connection


def test_an_address_alone_will_do(read):
    connection = read(URL)
    assert (connection.method, connection.auth, connection.token) == (Method.GET, "bearer", None)
    assert connection.expect_status == (200,)
    assert connection.host == "api.example.com:8443"


def test_all_keys_are_read(read):
    connection = read(
        URL,
        TOKEN,
        'method = "POST"\nauth = "query:api_key"\nexpect_status = [200, 204]',
        'headers = { Accept = "text/plain", X-Key = { env = "K" } }',
        'expect_json = { "/ok" = true, "/a~1b/0" = [1, { x = "y" }] }',
        'quota = { limit = "X-All", remaining = "X-Left" }\nexpires_header = "X-Ends"',
    )
    assert connection.method is Method.POST
    assert connection.auth == "query:api_key"
    assert connection.headers["Accept"] == "text/plain"
    assert isinstance(connection.headers["X-Key"], Secret)
    assert connection.expect_json == {"/ok": True, "/a~1b/0": [1, {"x": "y"}]}
    assert connection.quota is not None
    assert connection.quota.resets is None


@pytest.mark.parametrize(
    "lines",
    [
        ['auth = "basic"', 'username = "me"', 'password = { env = "P" }'],
        ['auth = "basic"', TOKEN],
        ['auth = "header:X-Key"', TOKEN],
    ],
    ids=str,
)
def test_every_way_to_send_a_credential_is_accepted(read, lines):
    assert read(URL, *lines).url


@pytest.mark.parametrize("preset", [name for name in PRESETS if name != "shopify"])
def test_a_preset_and_a_token_will_do(read, preset):
    connection = read(f'preset = "{preset}"', TOKEN)
    assert connection.url.startswith("https://")
    assert connection.auth != ""
    assert connection.host


def test_shopify_needs_the_address_of_the_shop(read):
    url = "https://acme.myshopify.com/admin/api/2026-10/shop.json"
    assert read('preset = "shopify"', f'url = "{url}"', TOKEN).url == url


def test_every_key_of_a_preset_can_be_overridden(read):
    connection = read(
        'preset = "slack"',
        TOKEN,
        'url = "https://slack.example.com/api/auth.test"\nmethod = "GET"\nauth = "header:X-T"',
        'expect_json = { "/fine" = 1 }\nrenew_url = "https://wiki.example.com/slack"',
    )
    assert connection.host == "slack.example.com"
    assert (connection.method, connection.auth) == (Method.GET, "header:X-T")
    assert connection.expect_json == {"/fine": 1}
    assert connection.renew_url == "https://wiki.example.com/slack"


def test_headers_are_added_to_those_of_a_preset(read):
    connection = read(
        'preset = "github"', TOKEN, 'headers = { x-github-api-version = "2030-01-01", X-A = "b" }'
    )
    assert connection.headers == {
        "Accept": "application/vnd.github+json",
        "x-github-api-version": "2030-01-01",
        "X-A": "b",
    }


def test_what_a_preset_fills_in_is_not_shown_as_if_it_stood_in_the_file(load):
    config = load(f'[[connections]]\nname = "a"\nprovider = "http"\npreset = "github"\n{TOKEN}\n')
    shown = {setting.place: setting for setting in list_settings(config)}
    assert shown["connections[0].preset"].origin is Origin.FILE
    url = shown["connections[0].url"]
    assert (url.value, url.origin) == ("https://api.github.com/rate_limit", Origin.DEFAULT)
    assert shown["connections[0].headers.Accept"].origin is Origin.DEFAULT


def test_secrets_in_headers_are_masked_and_read_like_all_others(load, monkeypatch):
    monkeypatch.delenv("NO_SUCH", raising=False)
    config = load(
        f'[[connections]]\nname = "a"\nprovider = "http"\n{URL}\n'
        'headers = { X-Odd = { env = "NO_SUCH" }, Authorization = "Bearer hunter2", A = "b" }\n'
    )
    shown = {setting.place: setting.value for setting in list_settings(config)}
    assert shown["connections[0].headers.X-Odd"] == "•••• (env NO_SUCH)"
    assert shown["connections[0].headers.Authorization"] == "•••• (literal)"
    assert shown["connections[0].headers.A"] == "b"
    (problem,) = check_secrets(config).problems
    assert problem.place == "connections[0].headers.X-Odd"
    assert "hunter2" not in repr(config) + config.model_dump_json() + str(shown)


@pytest.mark.parametrize("name", ["Authorization", "Cookie", "X-Api-Key", "PRIVATE-TOKEN"])
def test_a_header_named_like_a_secret_is_one_in_a_file_that_others_read(read, name):
    with pytest.raises(ConfigError) as caught:
        read(URL, f'headers = {{ {name} = "hunter2" }}', mode=0o644)
    (problem,) = caught.value.problems
    assert problem.place == f"connections[0].headers.{name}"
    assert "a secret stands here, in a file that others may read" in problem.message


def test_a_harmless_header_may_stand_in_a_file_that_others_read(read):
    assert read(URL, 'headers = { Accept = "text/plain" }', mode=0o644).headers


def test_mistakes_are_told_together(read):
    with pytest.raises(ConfigError) as caught:
        read('preset = "githb"', 'method = "PUT"', 'auth = "x"', "expect_json = { a = 1 }")
    assert sorted(problem.place for problem in caught.value.problems) == [
        "connections[0].auth",
        "connections[0].expect_json.a",
        "connections[0].method",
        "connections[0].preset",
    ]


@pytest.mark.parametrize("key", ["headers", "expect_json"])
def test_a_table_of_entries_has_an_end(read, key):
    entries = ", ".join(f'"/{number}" = "x"' for number in range(51))
    with pytest.raises(ConfigError, match="at most 50 entries, got 51"):
        read(URL, f"{key} = {{ {entries} }}")


def test_an_empty_table_is_one_setting(read, load):
    config = load(f'[[connections]]\nname = "a"\nprovider = "http"\n{URL}\n')
    assert "connections[0].headers" in [leaf.place for leaf in walk(config)]


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_has_what_people_need(name):
    preset = load_preset(name)
    assert preset.renewal.endswith(".")
    assert preset.url_example or str(preset.settings["url"]).startswith("https://")
    assert set(preset.settings) <= set(HttpConnection.model_fields)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_names_its_sources_and_why_it_is_free(name):
    from monitor.config import http

    folder = http._FOLDER
    comments = [
        line for line in (folder / f"{name}.toml").read_text().splitlines() if line.startswith("#")
    ]
    assert len(comments) >= 5
    assert any(word in " ".join(comments) for word in ("free", "billed", "costs nothing"))


def test_every_preset_file_is_known():
    from monitor.config import http

    assert sorted(path.stem for path in http._FOLDER.glob("*.toml")) == sorted(PRESETS)


def test_an_unknown_preset_is_refused():
    with pytest.raises(ValueError, match="no preset called"):
        load_preset("../http")


@pytest.mark.parametrize(
    "key", sorted(set(HttpConnection.model_fields) - set(Connection.model_fields))
)
def test_every_key_is_explained(key):
    assert f"`{key}`" in PAGE or f"{key} = " in PAGE


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_explained_with_what_it_asks(name):
    preset = load_preset(name)
    row = " ".join(re.findall(rf"(?m)^\| `{name}` \| (.*)$", PAGE))
    assert preset.settings.get("url", preset.url_example) in row
    assert str(preset.settings.get("auth", "")).removeprefix("header:").lower() in row.lower()


def test_the_examples_in_the_page_work():
    blocks = [block for block in re.findall(r"(?s)```toml\n(.*?)```", PAGE) if "[[" in block]
    reading = Reading(Path("config.toml"), datetime(2026, 11, 22, tzinfo=UTC), {})
    configs = [build_config(tomllib.loads(block), reading) for block in blocks]
    assert [len(config.connections) for config in configs] == [1, 2, 1]
