"""
`connwatch config`: a first file, its mistakes, its meaning.
"""

from __future__ import annotations

import html
import json
import re
from typing import TYPE_CHECKING

import httpx
import pytest

from monitor.clock import utc_now
from monitor.config.load import load_config
from monitor.config.plan import make_plan
from monitor.config.remarks import notices
from monitor.simulator.server import start_simulator
from monitor.store import connections, migrate
from monitor.store.engine import Database
from tests.builders import entries_of
from tests.command_line import connwatch
from tests.waiting import PATIENCE_S

if TYPE_CHECKING:
    from pathlib import Path

URL = "https://api.example.com/v1"
GIVEN = ("--base-url", URL, "--token-env", "TOKEN", "--channel-env", "CHANNEL")

GOOD = """
[[channels]]
name = "ops"
url = "json://127.0.0.1:9/"

[[connections]]
name = "acme"
provider = "soldscope"
base_url = "https://api.example.com"
token = "ss_live_hunter2"
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "config.toml"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    return path


def test_a_good_file_is_told_to_be_good(tmp_path):
    write(tmp_path, GOOD)

    ended = connwatch("config", "check", cwd=tmp_path)

    expected = "config.toml: 1 connection, 1 channel, no problem found\n"
    assert (ended.code, ended.out, ended.err) == (0, expected, "")


def test_all_problems_are_told_at_once(tmp_path):
    (tmp_path / "ca.pem").write_text("no certificate")
    text = GOOD.replace('"json://127.0.0.1:9/"', '"nonsense://hunter2"')
    text = text.replace('"ss_live_hunter2"', '{ env = "UNSET" }') + 'ca_file = "ca.pem"\n'
    write(tmp_path, text)

    ended = connwatch("config", "check", cwd=tmp_path)

    places = [line.split(": ")[1] for line in ended.err.splitlines()]
    assert (ended.code, ended.out) == (3, "")
    assert places == ["connections[0].token", "connections[0].ca_file", "channels[0].url"]
    assert "hunter2" not in ended.err


def test_mistakes_in_the_file_itself_are_told_at_once(tmp_path):
    write(tmp_path, GOOD + 'every = "5s"\ntimeuot = "1s"\n')

    ended = connwatch("config", "check", cwd=tmp_path)

    assert (ended.code, ended.out) == (3, "")
    assert "connections[0].every: at least 10s, got 5s" in ended.err
    assert 'did you mean "timeout"?' in ended.err


AMAZON = """
[[applications]]
name = "our-app"
client_id = "amzn1.application-oa2-client.0123"
client_secret = { env = "LWA_CLIENT_SECRET" }

[[connections]]
name = "acme-eu"
provider = "amazon"
application = "our-app"
region = "eu"
marketplaces = ["DE", "UK"]
refresh_token = "Atzr|hunter2"
authorized_on = 2026-01-15
"""


def test_a_good_file_with_a_store_of_amazon_is_told_to_be_good(tmp_path):
    write(tmp_path, GOOD + AMAZON)

    ended = connwatch("config", "check", cwd=tmp_path, env={"LWA_CLIENT_SECRET": "x"})

    expected = "config.toml: 2 connections, 1 channel, no problem found\n"
    assert (ended.code, ended.out, ended.err) == (0, expected, "")


@pytest.mark.anyio
async def test_what_the_simulator_shows_of_its_stores_is_a_configuration(tmp_path):
    simulator = await start_simulator()
    try:
        async with httpx.AsyncClient(
            base_url=simulator.base_url, trust_env=False, timeout=PATIENCE_S
        ) as client:
            form = {"Content-Type": "application/x-www-form-urlencoded"}
            answer = await client.post(
                "/control/amazon/samples", headers=form, follow_redirects=True
            )
    finally:
        await simulator.stop()
    (shown,) = re.findall(r"<code>(\[\[applications\]\].*?)</code>", answer.text, re.DOTALL)

    config = load_config(write(tmp_path, html.unescape(shown)))

    assert [connection.provider for connection in config.connections] == ["amazon"] * 4
    assert notices(config) == []


def test_secrets_of_amazon_that_cannot_travel_are_refused(tmp_path):
    (tmp_path / "token").write_text("Atzr|hunter2\nmore\n")
    write(tmp_path, GOOD + AMAZON.replace('"Atzr|hunter2"', '{ file = "token" }'))

    ended = connwatch("config", "check", cwd=tmp_path, env={"LWA_CLIENT_SECRET": "hunter2\n"})

    places = [line.split(": ")[1] for line in ended.err.splitlines()]
    assert ended.code == 3
    assert places == ["applications[0].client_secret", "connections[1].refresh_token"]
    assert ended.err.count("keep it on one line") == 2
    assert "hunter2" not in ended.err


def test_what_stays_unseen_is_noted(tmp_path):
    text = AMAZON.replace("authorized_on = 2026-01-15", 'probe = "token"')
    write(tmp_path, GOOD + text)

    ended = connwatch("config", "check", cwd=tmp_path, env={"LWA_CLIENT_SECRET": "x"})

    assert ended.code == 0
    assert [line.split(": ")[:2] for line in ended.err.splitlines()] == [
        ["note", "connections[1].probe"],
        ["note", "connections[1].marketplaces"],
        ["note", "connections[1].authorized_on"],
    ]


def test_a_channel_whose_url_cannot_be_read_is_one_problem(tmp_path):
    write(tmp_path, GOOD.replace('"json://127.0.0.1:9/"', '{ env = "UNSET" }'))

    ended = connwatch("config", "check", cwd=tmp_path)

    assert ended.err.count("channels[0].url") == 1
    assert ended.code == 3


def test_a_credential_of_the_unit_is_no_problem_outside_of_it(tmp_path):
    write(tmp_path, GOOD.replace('"ss_live_hunter2"', '{ credential = "acme" }'))

    ended = connwatch("config", "check", cwd=tmp_path)

    assert ended.code == 0
    assert "note: connections[0].token: credential acme: not visible from here" in ended.err


TEMPLATES = {
    "a word that is not there": ("a\n{{ nope }}", "ops.j2, line 2: 'nope' is undefined"),
    "no template": ("{% if %}", "ops.j2, line 1: Expected an expression"),
    "a fact that not every kind has": ("{{ facts.reason }}", "(tried with a sample of `"),
    "without end": (
        "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}",
        "ops.j2, line 1: more than 10,000 rounds",
    ),
    "not there": (None, "cannot be read: No such file"),
}


@pytest.mark.parametrize(("template", "why"), TEMPLATES.values(), ids=TEMPLATES)
def test_a_template_that_cannot_word_every_kind_is_a_mistake(tmp_path, template, why):
    write(tmp_path, GOOD.replace('9/"', '9/"\ntemplate = "ops.j2"'))
    if template is not None:
        (tmp_path / "ops.j2").write_text(template)

    ended = connwatch("config", "check", cwd=tmp_path)

    assert ended.code == 3
    assert "channels[0].template: " in ended.err
    assert why in ended.err


def test_a_template_that_words_every_kind_is_good(tmp_path):
    write(tmp_path, GOOD.replace('9/"', '9/"\ntemplate = "words/ops.j2"'))
    (tmp_path / "words").mkdir()
    text = "Subject: {{ title }}\n{% for line in happened %}\n{{ line }}\n{% endfor %}{{ remedy }}"
    (tmp_path / "words" / "ops.j2").write_text(text)

    ended = connwatch("config", "check", cwd=tmp_path)

    assert (ended.code, ended.err) == (0, "")


def test_what_has_no_effect_is_noted(tmp_path):
    write(tmp_path, '[heartbeat]\nevery = "1m"\n')

    ended = connwatch("config", "check", cwd=tmp_path)

    assert ended.code == 0
    assert [line.split(": ")[:2] for line in ended.err.splitlines()] == [
        ["note", "heartbeat"],
        ["note", "connections"],
        ["note", "channels"],
    ]


def test_deleted_connections_that_the_file_still_has_are_noted(tmp_path):
    config = load_config(write(tmp_path, GOOD))
    database = Database(config.monitor.database)
    migrate.upgrade(database)
    with database.write() as tx:
        connections.sync(tx, entries_of(make_plan(config)), utc_now())
        record = connections.find_record(tx, "acme")
        assert record is not None
        connections.delete_connection(tx, record, utc_now())
    database.close()

    ended = connwatch("config", "check", cwd=tmp_path)

    assert ended.code == 0
    assert 'note: connections[0]: "acme" was deleted' in ended.err
    assert "connwatch resume acme" in ended.err


def test_a_database_that_cannot_be_read_is_noted(tmp_path):
    write(tmp_path, GOOD)
    (tmp_path / "connwatch.db").write_text("no database " * 100)

    ended = connwatch("config", "check", cwd=tmp_path)

    assert ended.code == 0
    assert "note: monitor.database: not looked at: " in ended.err


@pytest.mark.parametrize("command", ["check", "show"])
def test_without_a_file_it_is_said_where_one_was_looked_for(tmp_path, command):
    ended = connwatch("config", command, cwd=tmp_path)

    assert (ended.code, ended.out) == (3, "")
    assert f"{tmp_path}/config.toml" in ended.err
    assert "connwatch config init" in ended.err


def test_settings_are_shown_with_where_they_come_from_and_without_secrets(tmp_path):
    write(tmp_path, GOOD + 'every = "90s"\n')

    ended = connwatch("config", "show", cwd=tmp_path)

    lines = [line.split() for line in ended.out.splitlines()]
    assert ended.code == 0
    assert ["connections[0].every", "90s"] in lines
    assert ["checks.every", "5m", "default"] in lines
    assert "hunter2" not in ended.out


def test_a_store_of_amazon_is_shown_without_its_secrets(tmp_path):
    write(tmp_path, GOOD + AMAZON)

    ended = connwatch("config", "show", cwd=tmp_path)

    lines = [line.split() for line in ended.out.splitlines()]
    assert ended.code == 0
    assert ["connections[1].region", "eu"] in lines
    assert ["connections[1].every", "15m", "default"] in lines
    assert ["applications[0].client_secret", "••••", "(env", "LWA_CLIENT_SECRET)"] in lines
    assert "hunter2" not in ended.out


def test_settings_are_shown_to_programs(tmp_path):
    write(tmp_path, GOOD)

    ended = connwatch("config", "show", "--json", cwd=tmp_path)

    settings = {each["place"]: each for each in json.loads(ended.out)["settings"]}
    assert settings["connections[0].token"] == {
        "place": "connections[0].token",
        "value": "•••• (literal)",
        "origin": "file",
    }
    assert settings["checks.every"]["origin"] == "default"


def test_the_schema_needs_no_file(tmp_path):
    ended = connwatch("config", "schema", cwd=tmp_path)

    assert ended.code == 0
    schema = json.loads(ended.out)
    assert schema["properties"]["connections"]
    assert schema["properties"]["applications"]
    assert "AmazonConnection" in schema["$defs"]


@pytest.mark.parametrize(
    ("place", "why"),
    [("nowhere/connwatch.db", "/nowhere does not exist"), (".", " is a folder")],
    ids=["in a folder that is missing", "a folder"],
)
def test_a_place_where_no_database_can_be_is_a_mistake(tmp_path, place, why):
    write(tmp_path, f'[monitor]\ndatabase = "sqlite:///{place}"\n{GOOD}')
    ended = connwatch("config", "check", cwd=tmp_path)

    assert (ended.code, ended.out) == (3, "")
    assert "connwatch: monitor.database: " in ended.err
    assert why in ended.err


def test_a_file_without_end_is_not_read_for_ever(tmp_path):
    ended = connwatch("--config", "/dev/zero", "status", cwd=tmp_path)
    assert (ended.code, ended.out) == (3, "")
    assert "/dev/zero: cannot be read: it is a device, not a file" in ended.err
