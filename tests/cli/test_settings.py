"""
Connections of every owner, as commands see them: the file as it is now, and the rows of others.
"""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from monitor.clock import utc_now
from monitor.config.entries import InlineSecrets
from monitor.config.load import load_config
from monitor.config.plan import Describer, Intervals
from monitor.engine.batch import FinishedCheck
from monitor.engine.evaluate import evaluate
from monitor.engine.settings import RowSettings
from monitor.judge.connections import OWNER_DASHBOARD, OWNER_FILE, WrittenEntry
from monitor.store import connections, entries, migrate
from monitor.store.engine import Database
from tests.bench import OK, REFUSED, Bench, connection
from tests.cli.test_completion import propose

if TYPE_CHECKING:
    from collections.abc import Mapping

    from monitor.judge.outcome import Outcome

COUNTDOWN = {"provider": "countdown", "authorized_on": "2026-01-15", "valid_days": 4000}
RANKS = {OWNER_DASHBOARD: 1, "stores": 2, "shops": 3}


def put(bench: Bench, owner: str, *written: Mapping[str, Any]) -> None:
    """
    Keep rows of an owner, in the place of those from before, as the daemon would.
    """
    database = Database(f"sqlite:///{bench.database}")
    migrate.upgrade(database)
    rows = [
        WrittenEntry(one["name"], position, json.dumps(one, sort_keys=True), partial(dict, one))
        for position, one in enumerate(written)
    ]
    config = load_config(bench.config_path)
    settings = RowSettings(
        config.with_connections(()), InlineSecrets(), Intervals(), besides=OWNER_FILE
    )
    say = Describer(config)
    with database.write() as tx:
        entries.replace_owned(tx, owner, RANKS[owner], rows)
        of_file = [say.entry(one) for one in config.connections]
        names = {one.name for one in of_file}
        others = [name for name in entries.list_names_beside(tx, OWNER_FILE) if name not in names]
        connections.sync(tx, [*of_file, *settings.entries_of(tx, others)], utc_now())
    database.close()


def row(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, **COUNTDOWN, **more}


def answer(bench: Bench, name: str, outcome: Outcome) -> None:
    """
    Store what a check of a connection that is not in the file found.
    """
    database = Database(f"sqlite:///{bench.database}")
    config = load_config(bench.config_path)
    from monitor.cli.settings import CommandSettings
    from monitor.config.plan import make_plan

    plan = make_plan(config, CommandSettings(config))
    with database.write() as tx:
        record = connections.find_record(tx, name)
        assert record is not None
        evaluate(tx, [FinishedCheck(record.id, None, utc_now(), outcome)], plan)
    database.close()


@pytest.fixture
def owned(bench: Bench) -> Bench:
    """
    One connection in the file, two of the dashboard, two of a source.
    """
    bench.configure(connection("acme"))
    put(bench, OWNER_DASHBOARD, row("globex", tags=["eu"]), row("hooli", notes="call Gavin"))
    put(bench, "stores", row("st-one"), row("st-two", enabled=False))
    return bench


def test_status_shows_the_connections_of_all_owners(owned):
    ended = owned.run("status", "--json")
    shown = json.loads(ended.out)["connections"]

    assert [(each["name"], each["owner"]) for each in shown] == [
        ("acme", "file"),
        ("globex", "dashboard"),
        ("hooli", "dashboard"),
        ("st-one", "stores"),
        ("st-two", "stores"),
    ]
    assert shown[1]["tags"] == ["eu"]
    assert shown[2]["notes"] == "call Gavin"
    assert shown[4]["state"] == "paused"
    assert ended.err == ""
    table = owned.run("status").out
    assert [name in table for name in ("acme", "globex", "st-one")] == [True, True, True]


def test_status_of_one_name_shows_that_one(owned):
    assert list(owned.shown("st-one")) == ["st-one"]
    assert list(owned.shown("globex", "acme")) == ["acme", "globex"]


def test_the_file_counts_before_others_and_as_it_is_now(owned):
    owned.configure(connection("acme"), connection("globex", tags='["mine"]'))

    shown = owned.shown("globex")["globex"]

    assert (shown["owner"], shown["provider"], shown["tags"]) == ("file", "soldscope", ["mine"])


def test_what_the_file_has_dropped_shows_what_another_owner_has(owned):
    owned.configure(connection("acme"), connection("globex"))
    put(owned, "stores", row("st-one"))
    owned.configure(connection("acme"))

    assert owned.shown("globex")["globex"]["owner"] == "dashboard"


def test_a_name_that_only_the_former_file_had_is_unknown(owned):
    database = Database(f"sqlite:///{owned.database}")
    with database.write() as tx:
        former = WrittenEntry("former", 1, "d", partial(dict, row("former")))
        entries.replace_owned(tx, OWNER_FILE, entries.FILE_RANK, [former])
    database.close()

    ended = owned.run("status", "former")

    assert (ended.code, ended.out) == (3, "")
    assert 'no connection is called "former"' in ended.err
    assert "former" not in owned.shown()


def test_what_the_daemon_has_of_the_former_file_is_shown_as_another_owner_has_it(owned):
    database = Database(f"sqlite:///{owned.database}")
    owned.configure(connection("acme"), connection("globex"))
    owned.evaluate("globex", REFUSED)
    with database.write() as tx:
        of_file = WrittenEntry("globex", 1, "d", partial(dict, {"name": "globex"}))
        entries.replace_owned(tx, OWNER_FILE, entries.FILE_RANK, [of_file])
    database.close()
    owned.configure(connection("acme"))

    shown = owned.shown()

    assert (shown["globex"]["provider"], shown["globex"]["owner"]) == ("countdown", "dashboard")
    assert list(shown) == ["acme", "globex", "hooli", "st-one", "st-two"]


def test_a_list_reads_no_settings_twice(owned, monkeypatch):
    made: list[str] = []
    read = RowSettings._read

    def count(self, stored):
        made.append(stored.name)
        return read(self, stored)

    monkeypatch.setattr(RowSettings, "_read", count)
    owned.run("status", "--json")

    assert sorted(made) == ["globex", "hooli", "st-one", "st-two"]


NAMED = {
    "history": ("history", "globex"),
    "history as JSON": ("history", "globex", "--json"),
    "pause": ("pause", "globex"),
    "resume": ("resume", "globex"),
    "renew": ("renew", "globex", "--on", "2026-02-01"),
    "quota": ("quota", "globex"),
    "quota as JSON": ("quota", "globex", "--json"),
    "check": ("check", "globex"),
    "check without storing": ("check", "globex", "--no-store"),
    "validate": ("validate", "globex"),
    "silence": ("silence", "globex", "--for", "2h"),
    "silence a tag": ("silence", "--tag", "eu", "--for", "2h"),
    "explain": ("alerts", "explain", "globex", "error"),
}


@pytest.mark.parametrize("command", NAMED.values(), ids=NAMED)
def test_commands_take_names_of_other_owners(owned, command):
    ended = owned.run(*command)

    assert (ended.code, ended.err) == (0, "")
    assert "globex" in ended.out or {"--tag", "explain"} & {*command}


@pytest.mark.parametrize("command", NAMED.values(), ids=NAMED)
def test_commands_take_names_of_sources(owned, command):
    put(owned, "stores", row("st-one", tags=["eu"]))
    words = ["st-one" if word == "globex" else word for word in command]

    assert owned.run(*words).code == 0


def test_ack_knows_the_problem_of_another_owners_connection(owned):
    put(
        owned,
        OWNER_DASHBOARD,
        {"name": "globex", "provider": "http", "url": "https://api.globex.example/me"},
    )
    for _ in range(2):
        answer(owned, "globex", REFUSED)

    ended = owned.run("ack", "globex")

    assert (ended.code, ended.err) == (0, "")
    assert owned.shown("globex")["globex"]["acknowledged"] is not None


def test_check_of_all_checks_those_of_all_owners(owned):
    owned.configure(connection("acme", enabled="false"))

    ended = owned.run("check", "--json")

    assert {each["name"]: each["state"] for each in json.loads(ended.out)["connections"]} == {
        "acme": "paused",
        "globex": "active",
        "hooli": "active",
        "st-one": "active",
        "st-two": "paused",
    }


def test_what_is_outside_the_file_is_not_called_at_addresses_in_here(owned, simulator):
    url = f"{simulator.soldscope_url}/account"
    put(owned, OWNER_DASHBOARD, {"name": "scan", "provider": "http", "url": url})

    checked = owned.run("check", "scan")
    validated = owned.run("validate", "scan")

    assert "web.allowed_hosts" in checked.out
    assert "web.allowed_hosts" in validated.out
    assert "loopback" in validated.out


def test_the_same_address_in_the_file_is_called(bench, live):
    bench.configure(live)

    assert bench.run("check", "acme").code == 0


SUGGESTED = {
    "of the file": ("acne", "acme"),
    "of the dashboard": ("globx", "globex"),
    "of a source": ("st-on", "st-one"),
}


@pytest.mark.parametrize(("wrong", "right"), SUGGESTED.values(), ids=SUGGESTED)
def test_a_wrong_name_is_answered_with_the_nearest_of_all_owners(owned, wrong, right):
    ended = owned.run("status", wrong)

    assert ended.code == 3
    assert f'no connection is called "{wrong}"; did you mean "{right}"?' in ended.err


def test_near_names_are_looked_up_in_a_few(owned):
    put(owned, "shops", *(row(f"shop-{number:04}") for number in range(1500)))

    assert 'did you mean "shop-0750"?' in owned.run("pause", "shop-0750x").err


def test_a_deleted_one_of_a_source_is_ignored_until_it_is_resumed(owned):
    database = Database(f"sqlite:///{owned.database}")
    with database.write() as tx:
        record = connections.find_record(tx, "st-one")
        assert record is not None
        connections.delete_connection(tx, record, utc_now())
    database.close()

    ended = owned.run("status", "--json")

    assert "st-one" not in [each["name"] for each in json.loads(ended.out)["connections"]]
    assert 'although source "stores" has it; connwatch resume st-one' in ended.err
    assert owned.run("history", "st-one").code == 3


def test_delete_of_the_dashboards_leaves_nothing(owned):
    put(owned, OWNER_DASHBOARD, row("globex"), row("hooli"))
    answer(owned, "globex", OK)

    ended = owned.run("delete", "globex", "--yes")

    assert (ended.code, ended.err) == (0, "")
    assert "is deleted: its settings, secrets, history and alerts are gone" in ended.out
    again = owned.run("status", "globex")
    assert 'no connection is called "globex"' in again.err
    database = Database(f"sqlite:///{owned.database}")
    with database.read() as tx:
        assert entries.owners_of(tx, ["globex", "hooli"]) == {"hooli": "dashboard"}
        assert connections.find_record(tx, "globex") is None
        assert connections.list_deleted(tx) == set()
    database.close()
    put(owned, OWNER_DASHBOARD, row("globex"), row("hooli"))
    assert owned.shown("globex")["globex"]["state"] == "pending"


def test_delete_of_a_sources_hides_it_until_it_is_resumed(owned):
    answer(owned, "st-one", OK)

    ended = owned.run("delete", "st-one", "--yes")

    assert 'Its entry in source "stores" is ignored until' in ended.out
    assert "is deleted already" in owned.run("delete", "st-one", "--yes").out
    assert "st-one" not in owned.shown()
    assert "is watched again" in owned.run("resume", "st-one").out
    assert owned.shown("st-one")["st-one"]["state"] == "pending"


def test_delete_of_the_dashboards_leaves_what_a_source_has(owned):
    put(owned, "stores", row("globex", notes="of the source"))

    owned.run("delete", "globex", "--yes")

    shown = owned.shown("globex")["globex"]
    assert (shown["owner"], shown["notes"]) == ("stores", "of the source")


def test_delete_of_the_files_leaves_what_the_dashboard_has_unused(owned):
    owned.configure(connection("acme"), connection("globex"))

    owned.run("delete", "globex", "--yes")

    assert "globex" not in owned.shown()
    database = Database(f"sqlite:///{owned.database}")
    with database.read() as tx:
        assert entries.owners_of(tx, ["globex"], OWNER_FILE) == {"globex": "dashboard"}
    database.close()


def test_pause_says_where_a_connection_is_switched_off(owned):
    there = 'its entry in source "stores" switches it off'
    assert there in owned.run("pause", "st-two").out
    assert there in owned.run("resume", "st-two").out


def test_without_any_in_the_file_those_of_others_are_there(bench):
    bench.configure()
    put(bench, OWNER_DASHBOARD, row("globex"))

    assert list(bench.shown()) == ["globex"]
    checked = bench.run("config", "check")
    assert (checked.code, "nothing is watched" in checked.err) == (0, False)
    examined = bench.run("doctor", "--offline")
    assert "nothing is watched" not in examined.out


def test_without_any_at_all_doctor_and_check_say_so(bench):
    bench.configure()

    assert "connections: there is none, so nothing is watched" in bench.run("config", "check").err
    assert "there is none, so nothing is watched" in bench.run("doctor", "--offline").out
    assert "no connection is configured" in bench.run("status").err


def test_config_check_notes_what_the_file_has_before_others(owned):
    put(owned, "stores", row("acme"), row("initech"))
    put(owned, OWNER_DASHBOARD, row("globex"), row("acme"))
    owned.configure(connection("initech"), connection("acme"), connection("umbrella"))

    ended = owned.run("config", "check")

    assert ended.code == 0
    notes = [line for line in ended.err.splitlines() if "also set up" in line]
    used = "the settings of the file are used"
    assert notes == [
        f'note: connections[0]: "initech" is also set up in source "stores": {used}',
        f'note: connections[1]: "acme" is also set up in the dashboard: {used}',
    ]


def test_shells_propose_names_of_all_owners(owned):
    assert propose(owned, "connwatch status s") == ["st-one", "st-two"]
    assert propose(owned, "connwatch history g") == ["globex"]


def test_a_row_that_means_nothing_is_left_out(owned):
    put(owned, "shops", row("odd", provider="nowhere"))

    ended = owned.run("status", "--json")

    assert "odd" not in [each["name"] for each in json.loads(ended.out)["connections"]]
    assert 'no provider is called \\"nowhere\\"' in owned.run("status", "odd").err
    validated = owned.run("validate", "odd")
    assert (validated.code, 'the settings of "odd" cannot be read' in validated.err) == (3, True)


def test_one_name_is_looked_up_without_loading_others(owned, monkeypatch):
    put(owned, "shops", *(row(f"shop-{number:04}") for number in range(2000)))
    made: list[str] = []
    read = RowSettings._read

    def count(self, stored):
        made.append(stored.name)
        return read(self, stored)

    monkeypatch.setattr(RowSettings, "_read", count)
    owned.run("status", "shop-0007")

    assert set(made) == {"shop-0007"}
