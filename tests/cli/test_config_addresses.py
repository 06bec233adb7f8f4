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
