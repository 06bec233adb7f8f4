"""
Secrets in addresses and headers: `config check` and a reload refuse them, nothing shows them.
"""

from __future__ import annotations

import json

import pytest

from tests.bench import connection
from tests.cli.test_daemon_reload import hup
from tests.daemon_process import run_daemon
from tests.waiting import wait_until

NOWHERE = "127.0.0.1:9"


def http(**keys: str) -> str:
    lines = ('name = "x"', 'provider = "http"', *(f"{key} = {each}" for key, each in keys.items()))
    return "\n".join(lines) + "\n"


STORE = (
    'name = "x"\nprovider = "amazon"\napplication = "app"\nregion = "na"\nvalid_days = 0\n'
    f'endpoint = "http://me:hunter2@{NOWHERE}"\nrefresh_token = "Atzr|ok"\n'
)
APPLICATION = (
    '[[applications]]\nname = "app"\nclient_id = "amzn1.application-oa2-client.0123"\n'
    f'client_secret = "amzn1.oa2-cs.v1.ok"\ntoken_url = "http://{NOWHERE}/token"\n'
)

CASES = {
    "parameter": (
        http(url=f'"http://{NOWHERE}/me?api_key=hunter2"'),
        'connections[0].url: contains a secret in its parameter "api_key"',
        'auth = "query:api_key" and token',
    ),
    "parameter in another spelling": (
        http(url=f'"http://{NOWHERE}/me?page=1&accessToken=hunter2"'),
        "connections[0].url",
        'auth = "query:accessToken"',
    ),
    "user": (
        http(url=f'"http://me:hunter2@{NOWHERE}/me"'),
        "connections[0].url: contains a user or password",
        'auth = "basic" with username and password',
    ),
    "user of soldscope": (
        connection("x", f"http://me:hunter2@{NOWHERE}"),
        "connections[0].base_url: contains a user or password",
        "token",
    ),
    "user of amazon": (STORE, "connections[0].endpoint", "refresh_token"),
    "header": (
        http(url=f'"http://{NOWHERE}/me"', headers='{ Authorization = "Bearer hunter2" }'),
        "connections[0].headers.Authorization: a secret",
        '{ env = "NAME" }',
    ),
    "another header": (
        http(url=f'"http://{NOWHERE}/me"', headers='{ X-Api-Key = "hunter2" }'),
        "connections[0].headers.X-Api-Key",
        'auth = "header:X-Api-Key" and token',
    ),
    "cookie": (
        http(url=f'"http://{NOWHERE}/me"', headers='{ Cookie = "session=hunter2" }'),
        "connections[0].headers.Cookie",
        "secret table",
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_secret_is_refused_with_the_key_that_holds_it_and_never_shown(bench, case):
    table, place, instead = case
    bench.configure(table, more=APPLICATION if "app" in table else "")
    refused = bench.run("config", "check")
    assert refused.code == 3
    [line] = [line for line in refused.err.splitlines() if place in line]
    assert instead in line
    checked = bench.run("check", "--json")
    assert json.loads(checked.out)["connections"][0]["state"] == "pending"
    shown = [
        bench.run(*command.split())
        for command in (
            "config show",
            "config show --json",
            "status --json",
            "history x --json",
            "validate x",
            "validate x --report",
            "doctor",
        )
    ]
    for ended in (refused, checked, *shown):
        assert "hunter2" not in ended.out + ended.err
    assert place.partition(":")[0] in shown[-1].out
    assert b"hunter2" not in bench.database.read_bytes()


def test_sound_addresses_and_headers_pass(bench):
    bench.configure(
        http(
            url=f'"http://{NOWHERE}/me?monkey=1&keyword=a&tokens=2"',
            headers='{ Accept = "a/b", Idempotency-Key = "1" }',
            renew_url='"https://a.example/?token=1"',
        )
    )
    assert bench.run("config", "check").code == 0
    assert "https://a.example/?token=1" in bench.run("config", "show").out


def test_daemon_starts_and_says_it_and_a_reload_refuses_it(bench):
    bench.configure(http(url=f'"http://{NOWHERE}/me?api_key=hunter2"'))
    with run_daemon(bench.folder) as daemon:
        daemon.wait_for("daemon.started")
        [said] = daemon.named("config.exposed_secret")
        assert said["place"] == "connections[0].url"
        wait_until(lambda: bench.shown()["x"]["checked_at"] is not None)
        assert hup(daemon, "config.not_reloaded")["mistakes"] == 1
        assert "hunter2" not in "".join(daemon.lines)
        assert daemon.stop()[0] == 0


def test_proxy_that_is_down_is_named_everywhere_and_its_password_nowhere(bench):
    table = connection("x", "https://api.service.example")
    bench.configure(table, more='[checks]\nproxy = "http://me:hunter2@127.0.0.1:9"\n')
    assert bench.run("config", "check").code == 0
    bench.run("check")
    said = bench.run("history", "x", "--json").out
    assert "Cannot connect to the proxy 127.0.0.1:9" in said
    shown = [bench.run(*each.split()) for each in ("validate x", "config show", "doctor")]
    assert "the proxy 127.0.0.1:9" in shown[0].out
    for ended in shown:
        assert "hunter2" not in said + ended.out + ended.err


@pytest.mark.parametrize("proxy", ["socks5://a:1", "https://a:1", "a:1", "http://a/path"])
def test_url_that_is_no_proxy_is_refused_with_its_place(bench, proxy):
    bench.configure(connection("x"), more=f'[checks]\nproxy = "{proxy}"\n')
    ended = bench.run("config", "check")
    assert (ended.code, ended.err.startswith("connwatch: checks.proxy: ")) == (3, True)


BAD_PROXIES = {
    "of another kind": ("socks5://hunter2:1", "a proxy is called without TLS"),
    "with a path": ("http://hunter2/path", "has only a host and a port"),
    "with a line break": ("http://hunter2:1\nx", "contains a line break"),
    "not set": (None, "this environment variable is not set"),
}


@pytest.mark.parametrize(("url", "why"), BAD_PROXIES.values(), ids=BAD_PROXIES)
@pytest.mark.parametrize("command", ["config check", "run", "check", "validate x"])
def test_proxy_of_all_that_cannot_be_used_stops_what_needs_it(
    bench, monkeypatch, command, url, why
):
    bench.configure(connection("x"), more='[checks]\nproxy = { env = "PROXY" }\n')
    monkeypatch.delenv("PROXY", raising=False)
    if url is not None:
        monkeypatch.setenv("PROXY", url)
    ended = bench.run(*command.split())
    assert ended.code == 3
    assert "checks.proxy: env PROXY: " in ended.err
    assert why in ended.err
    assert "hunter2" not in ended.out + ended.err


def test_connection_that_needs_no_proxy_is_checked_without_it(bench):
    direct = connection("direct", proxy='""')
    until = 'name = "until"\nprovider = "countdown"\nauthorized_on = 2026-01-01\n'
    bench.configure(direct, until, more='[checks]\nproxy = { env = "MISSING" }\n')
    ended = bench.run("check", "--json")
    reasons = {
        one["name"]: one["last_check"]["reason"] for one in json.loads(ended.out)["connections"]
    }
    assert reasons == {"direct": "connect", "until": "ok"}


def test_proxy_of_one_connection_that_cannot_be_used_stops_no_other(bench, monkeypatch):
    monkeypatch.setenv("PROXY", "https://hunter2:1")
    # This machine is never called through a proxy.
    distant = connection("x", "https://api.service.example", proxy='{ env = "PROXY" }')
    bench.configure(distant, connection("y"))
    ended = bench.run("check", "--json")
    found = {
        one["name"]: one["last_check"]["reason"] for one in json.loads(ended.out)["connections"]
    }
    assert found == {"x": "protocol", "y": "connect"}
    [checked] = json.loads(bench.run("history", "x", "--json").out)["checks"]
    assert "connections[0].proxy (env PROXY): a proxy is called without TLS" in checked["detail"]
    validated = bench.run("validate", "x")
    assert "connections[0].proxy (env PROXY)" in " ".join(validated.out.split())
    assert "hunter2" not in ended.out + validated.out


def test_reload_refuses_a_proxy_that_cannot_be_used(bench):
    bench.configure(connection("x"))
    with run_daemon(bench.folder) as daemon:
        daemon.wait_for("daemon.started")
        bench.configure(connection("x"), more='[checks]\nproxy = { file = "missing" }\n')
        assert hup(daemon, "config.not_reloaded")["mistakes"] == 1
        assert daemon.stop()[0] == 0


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
def test_variable_that_checks_do_not_use_is_noted(bench, monkeypatch, name):
    monkeypatch.setenv(name, "http://me:hunter2@proxy.example:3128")
    bench.configure(connection("x"))
    for command in ("config check", "doctor"):
        ended = bench.run(*command.split())
        assert f"${name}" in ended.out + ended.err
        assert "hunter2" not in ended.out + ended.err
    bench.configure(connection("x"), more='[checks]\nproxy = ""\n')
    assert f"${name}" not in bench.run("config", "check").err
