"""
Secrets with a flaw, and files that are none: `config check` names them, all else goes on.
"""

from __future__ import annotations

import json
import os
from time import monotonic

import pytest

from tests.bench import connection
from tests.command_line import connwatch, converse
from tests.daemon_process import run_daemon
from tests.waiting import wait_until

NOWHERE = "http://127.0.0.1:9"
SOON_S = 2.0
START_S = 10.0

APPLICATION = """
[[applications]]
name = "app"
client_id = "amzn1.application-oa2-client.0123"
client_secret = {client_secret}
"""


def http(**keys: str) -> str:
    keys = {"url": f'"{NOWHERE}/me"'} | keys
    lines = ('name = "x"', 'provider = "http"', *(f"{key} = {each}" for key, each in keys.items()))
    return "\n".join(lines) + "\n"


def store(token: str) -> str:
    return (
        'name = "x"\nprovider = "amazon"\napplication = "app"\nregion = "na"\n'
        f'endpoint = "{NOWHERE}"\nrefresh_token = {token}\nvalid_days = 0\n'
    )


def application(secret: str = '"amzn1.oa2-cs.v1.ok"') -> str:
    return APPLICATION.format(client_secret=secret) + f'token_url = "{NOWHERE}/token"\n'


BAD = '{ env = "BAD" }'
GOOD = '"hunter3"'

# The table of the connection called x, what stands before it, the value of BAD, place and find.
CASES = {
    "soldscope": (connection("x", NOWHERE, token=BAD), "", '"hunter2"', "token", "quotation"),
    "soldscope in a header of its own": (
        connection("x", NOWHERE, token=BAD, auth='"header:X-Key"'),
        "",
        "hunter2ü",
        "token",
        "outside ASCII",
    ),
    "http bearer": (http(token=BAD), "", "Bearer hunter2", "token", '"Bearer "'),
    "http in the address": (
        http(token=BAD, auth='"query:key"'),
        "",
        "hunter2\u200b",
        "token",
        "invisible",
    ),
    "http password": (
        http(username='"u"', password=BAD, auth='"basic"'),
        "",
        "hunter2\x07",
        "password",
        "control character",
    ),
    "http user": (
        http(username='"u\\nx"', password=GOOD, auth='"basic"'),
        "",
        "",
        "username",
        "line break",
    ),
    "http header": (
        http(headers=f"{{ X-Api-Key = {BAD} }}"),
        "",
        "hunter2é",
        "headers.X-Api-Key",
        "outside ASCII",
    ),
    "preset": (
        f'name = "x"\nprovider = "http"\npreset = "github"\nurl = "{NOWHERE}"\ntoken = {BAD}\n',
        "",
        "'hunter2'",
        "token",
        "quotation",
    ),
    "amazon refresh token": (store(BAD), application(), '"Atzr|hunter2"', "refresh_token", "quota"),
    "a literal": (
        connection("x", NOWHERE, token="'\"hunter2\"'"),
        "",
        "",
        "token",
        "quotation marks",
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_flaw_is_refused_by_config_check_and_costs_that_connection_alone(
    bench, live, monkeypatch, case
):
    table, before, bad, place, find = case
    monkeypatch.setenv("BAD", bad)
    bench.configure(table, live, more=before)

    ended = bench.run("config", "check")
    assert ended.code == 3
    [said] = [line for line in ended.err.splitlines() if f"connections[0].{place}:" in line]
    assert find in said

    checked = bench.run("check", "--json")
    found = {each["name"]: each for each in json.loads(checked.out)["connections"]}
    assert found["acme"]["state"] == "active"
    assert (found["x"]["state"], found["x"]["last_check"]["reason"]) == ("pending", "protocol")
    assert found["x"]["last_check"]["conclusive"] is False
    assert f"connections[0].{place}" in bench.run("history", "x", "--json").out
    assert checked.code == 3
    for output in (ended, checked, bench.run("config", "show"), bench.run("validate", "x")):
        assert "hunter2" not in output.out + output.err


def test_flaw_of_a_client_secret_is_told_with_the_place_of_its_application(
    bench, live, monkeypatch
):
    monkeypatch.setenv("BAD", "amzn1.oa2-cs.v1.hunter2\ufeff")
    bench.configure(store('"Atzr|ok"'), live, more=application(BAD))
    ended = bench.run("config", "check")
    assert "applications[0].client_secret: env BAD: the secret contains an invisible" in ended.err
    bench.run("check")
    assert "applications[0].client_secret" in bench.run("history", "x", "--json").out


def test_daemon_starts_with_a_flaw_and_checks_the_others(bench, live):
    bench.configure(live, connection("x", NOWHERE, token="'\"hunter2\"'"))
    with run_daemon(bench.folder) as daemon:
        daemon.wait_for("daemon.started")
        wait_until(lambda: bench.shown()["acme"]["state"] == "active")
        wait_until(lambda: bench.shown()["x"]["checked_at"] is not None)
        assert bench.shown()["x"]["last_check"]["reason"] == "protocol"
        assert "hunter2" not in "".join(daemon.lines)
        assert daemon.stop()[0] == 0


@pytest.mark.parametrize("section", ["password", "key"])
def test_secret_of_the_dashboard_is_examined_too(bench, monkeypatch, section):
    monkeypatch.setenv("BAD", "hunter2\x00" if os.name != "posix" else "hunter2\x01")
    bench.configure(more=f"[web]\n{section} = {BAD}\n")
    ended = bench.run("config", "check")
    assert (ended.code, f"web.{section}: env BAD: the secret contains" in ended.err) == (3, True)


def test_url_of_a_channel_is_examined_too(bench, monkeypatch):
    monkeypatch.setenv("BAD", "\ufeffjson://hunter2.example")
    bench.configure(more=f'[[channels]]\nname = "ops"\nurl = {BAD}\n')
    ended = bench.run("config", "check")
    assert ended.code == 3
    assert "channels[0].url: env BAD: the secret starts with a byte order mark" in ended.err


def test_first_file_is_not_written_for_a_secret_with_a_flaw(tmp_path):
    options = ("--base-url", NOWHERE, "--token-env", "BAD", "--no-channel")
    ended = connwatch("config", "init", *options, cwd=tmp_path, env={"BAD": '"hunter2"'})
    assert (ended.code, (tmp_path / "config.toml").exists()) == (3, False)
    assert "connections[0].token: the secret is in quotation marks" in ended.err


def test_interview_refuses_a_secret_with_a_flaw_at_once(tmp_path):
    options = ("--base-url", NOWHERE, "--name", "x", "--no-channel")
    answers = [
        (r"Number \[1\]: ", "3"),
        (r"API token .*: ", "Bearer hunter2"),
        (r"(?s)starts with \"Bearer \".*Number \[1\]: ", "3"),
        (r"API token .*: ", "hunter3"),
        (r"(?s)What now\?.*Number \[1\]: ", "2"),
    ]
    code, seen = converse("config", "init", *options, cwd=tmp_path, answers=answers)
    assert code == 0, seen
    assert "hunter3" in (tmp_path / "config.toml").read_text()
    assert "hunter2" not in seen.replace("Bearer hunter2", "")


def quickly(*arguments: str, **kwargs):
    """
    Run a command that must not wait; how long a process takes to start on a busy machine aside.
    """
    started = monotonic()
    ended = connwatch(*arguments, **kwargs)
    assert monotonic() - started < SOON_S + START_S
    return ended


@pytest.mark.parametrize("command", ["config check", "check", "run"])
@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "large", "unreadable"])
def test_secret_in_something_other_than_a_file_is_an_error_soon(bench, command, kind):
    path = bench.folder / "secret"
    why = {
        "pipe": "a pipe that nothing writes to",
        "device": "a device",
        "folder": "Is a directory",
        "large": "64 KiB",
        "unreadable": "Too many levels of symbolic links",
    }[kind]
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "device":
            path.symlink_to("/dev/zero")
        case "folder":
            path.mkdir()
        case "large":
            path.write_bytes(b"x" * 1_000_000)
        case _:
            path.symlink_to(path)
    bench.configure(connection("x", token='{ file = "secret" }'))
    ended = quickly(*command.split(), cwd=bench.folder)
    assert ended.code == 3, ended.err
    assert "connections[0].token" in ended.err
    assert why in ended.err


def test_configuration_in_a_pipe_that_nothing_writes_to_is_an_error_soon(bench):
    os.mkfifo(bench.config_path)
    ended = quickly("--config", str(bench.config_path), "config", "check", cwd=bench.folder)
    assert (ended.code, "a pipe that nothing writes to" in ended.err) == (3, True)


@pytest.mark.parametrize(
    ("more", "place"),
    [
        ('[[channels]]\nname = "ops"\nurl = "json://a"\ntemplate = "pipe"\n', "channels[0]"),
        ("", "connections[0].ca_file"),
    ],
    ids=["template", "ca_file"],
)
def test_pipe_for_another_file_is_an_error_soon(bench, more, place):
    os.mkfifo(bench.folder / "pipe")
    ca_file = {} if more else {"ca_file": '"pipe"'}
    bench.configure(connection("x", **ca_file), more=more)
    ended = quickly("config", "check", cwd=bench.folder)
    assert (ended.code, place in ended.err, "pipe" in ended.err) == (3, True, True)


def test_copy_to_restore_that_is_a_pipe_is_an_error_soon(bench):
    os.mkfifo(bench.folder / "copy")
    bench.configure(connection("x"))
    ended = quickly("db", "restore", "copy", cwd=bench.folder)
    assert (ended.code, "pipe" in ended.err) == (3, True)


def test_template_that_would_not_end_is_refused_soon(bench):
    (bench.folder / "ops.j2").write_text(
        "{% set l = [1] %}" + "{% set l = [l, l] %}" * 30 + "{{ l }}"
    )
    bench.configure(
        connection("x"),
        more='[[channels]]\nname = "ops"\nurl = "json://127.0.0.1:9"\ntemplate = "ops.j2"\n',
    )
    ended = quickly("config", "check", cwd=bench.folder)
    assert ended.code == 3
    assert "channels[0].template: ops.j2: it takes too much time or memory" in ended.err
