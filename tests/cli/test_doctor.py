"""
`connwatch doctor`: what is wrong with an installation, and what to do about it.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import insert, update

from monitor.clock import utc_now
from monitor.config.load import load_config
from monitor.config.remarks import check_secrets
from monitor.report.doctor import (
    examine_clock,
    examine_disk,
    examine_files,
    examine_secrets,
    list_problems,
    read_kernel_clock,
)
from monitor.report.validation import Mark
from monitor.store.engine import Database, lock_database
from monitor.store.schema import alerts, channel_states, connections, notifications
from tests.bench import OK, Bench, connection
from tests.command_line import connwatch
from tests.stranger import as_stranger

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Executable

CHANNEL = '[[channels]]\nname = "ops"\nurl = "json://127.0.0.1:9/hook"\n'
"""Nobody listens at the discard port."""


@pytest.fixture
def daemon(bench: Bench) -> Iterator[None]:
    """
    What commands see of a running daemon: its lock.
    """
    bench.configure(connection("acme"), more=CHANNEL)
    bench.evaluate("acme", OK)
    with lock_database(database_of(bench)):
        yield


def database_of(bench: Bench) -> Database:
    return Database(f"sqlite:///{bench.database}")


def change(bench: Bench, *statements: Executable) -> None:
    database = database_of(bench)
    with database.write() as tx:
        for statement in statements:
            tx.execute(statement)
    database.close()


@dataclass
class Told:
    """
    What the command said.
    """

    code: int
    findings: list[dict[str, str]]

    def of(self, area: str) -> list[tuple[str, str]]:
        return [(one["state"], one["words"]) for one in self.findings if one["area"] == area]

    def states(self, area: str) -> list[str]:
        return [state for state, _ in self.of(area)]


def ask(bench: Bench, *options: str) -> Told:
    ended = bench.run("doctor", "--json", *options)
    assert ended.err == ""
    findings = json.loads(ended.out)["findings"]
    assert all(
        one["remedy"]
        for one in findings
        if one["area"] not in {"settings", "database"} and one["state"] in {"warning", "failed"}
    )
    return Told(ended.code, findings)


def test_a_daemon_at_work_is_found(bench, daemon):
    told = ask(bench, "--offline")

    assert told.of("daemon")[0] == ("ok", "it is running, and no check is overdue")
    assert told.states("settings") == ["ok"]
    assert told.states("database") == ["ok"]
    assert "network" not in {one["area"] for one in told.findings}


def test_nothing_runs_is_the_worst_news(bench):
    bench.configure(connection("acme"), more=CHANNEL)
    bench.evaluate("acme", OK)

    told = ask(bench, "--offline")

    assert told.code == 2
    assert "no daemon runs" in told.of("daemon")[0][1]


def test_looking_leaves_nothing_that_stops_a_daemon(bench):
    bench.configure(connection("acme"))
    bench.evaluate("acme", OK)
    before = sorted(path.name for path in bench.folder.iterdir())

    ask(bench, "--offline")

    assert sorted(path.name for path in bench.folder.iterdir()) == before
    with lock_database(database_of(bench)):
        pass


def test_before_the_first_start_only_a_warning_says_so(bench):
    bench.configure(connection("acme"), more=CHANNEL)

    told = ask(bench, "--offline")

    assert told.states("database") == ["warning"]
    assert not bench.database.exists()


def test_an_overdue_check_is_named(bench, daemon):
    long_ago = utc_now() - timedelta(hours=2)
    change(bench, update(connections).values(next_check_at=long_ago))

    told = ask(bench, "--offline")

    assert told.code == 2
    assert "the check of acme is 2 hours late" in told.of("daemon")[0][1]


def test_a_check_that_may_still_wait_for_its_answer_is_not_overdue(bench, daemon):
    bench.configure(connection("acme"), more=f'{CHANNEL}[checks]\ntimeout = "4m"\n')
    change(
        bench,
        update(connections).values(next_check_at=utc_now() - timedelta(minutes=3)),
    )

    [found, *_] = ask(bench, "--offline").of("daemon")
    assert found == ("ok", "it is running, and no check is overdue")


def test_without_a_heartbeat_nobody_hears_that_the_machine_died(bench, daemon):
    assert ("warning", "no [heartbeat] is set: if this machine dies, no alert is sent") in ask(
        bench, "--offline"
    ).of("daemon")


def test_a_channel_that_was_never_tried_is_told(bench, daemon):
    told = ask(bench, "--offline")

    assert told.of("channels") == [("skipped", "ops: not used yet")]


def test_a_channel_that_works_is_good(bench, daemon):
    born_at = utc_now() - timedelta(minutes=5)
    known = {"id": 1, "kind": "error", "severity": "critical", "facts": {}, "born_at": born_at}
    told = {"alert_id": 1, "channel": "ops", "attempts": 1, "due_since": born_at}
    told |= {"next_attempt_at": born_at, "state": "sent", "sent_at": born_at}
    change(bench, insert(alerts).values(known), insert(notifications).values(told))

    (found,) = ask(bench, "--offline").of("channels")

    assert found == ("ok", "ops: last message delivered 5 minutes ago")


def test_messages_that_were_given_up_are_told(bench, daemon):
    born_at = utc_now() - timedelta(days=5)
    known = {"id": 1, "kind": "error", "severity": "critical", "facts": {}, "born_at": born_at}
    told = {"alert_id": 1, "channel": "ops", "attempts": 9, "due_since": born_at}
    told |= {"next_attempt_at": born_at, "state": "dead"}
    change(bench, insert(alerts).values(known), insert(notifications).values(told))

    assert ("warning", "1 message to ops failed") in ask(bench, "--offline").of("channels")


def test_a_channel_that_fails_is_wrong(bench, daemon):
    since = utc_now() - timedelta(hours=3)
    change(bench, insert(channel_states).values(name="ops", failed_since=since))

    told = ask(bench, "--offline")

    assert told.of("channels") == [("failed", "ops: failing for 3 hours")]


def test_mistakes_in_the_file_are_all_told(bench):
    bench.configure('name = "a"\nprovider = "fax"\n', 'name = "b"\n', more="[checks]\nevery = 5\n")

    told = ask(bench)

    assert told.code == 2
    assert len(told.of("settings")) == 3
    assert set(told.states("settings")) == {"failed"}


def test_a_missing_secret_and_a_channel_of_no_use_are_told(bench):
    bench.configure(
        connection("acme", token='{ env = "NOT_SET_ANYWHERE" }'),
        more='[[channels]]\nname = "ops"\nurl = "hunter2"\n',
    )

    told = ask(bench, "--offline")

    words = [words for state, words in told.of("settings") if state == "failed"]
    assert [each.split(":")[0] for each in words] == ["connections[0].token", "channels[0].url"]
    assert "hunter2" not in str(told.findings)


@pytest.mark.parametrize(
    ("mode", "state"), [(0o600, []), (0o640, ["warning"]), (0o604, ["warning"])]
)
def test_a_secret_that_others_may_read_is_told(bench, mode, state):
    secret = bench.folder / "token"
    secret.write_text("hunter2\n")
    secret.chmod(mode)
    bench.configure(connection("acme", token='{ file = "token" }'))

    told = ask(bench, "--offline")

    assert told.states("secrets") == [*state, "ok"]


def test_what_a_stranger_may_not_look_at_is_no_fault_of_ours(tmp_path):
    (tmp_path / "token").write_text("ss_live_any")
    (tmp_path / "config.toml").write_text(
        f'[monitor]\ndatabase = "sqlite:///{tmp_path}/closed/connwatch.db"\n'
        '[[connections]]\nname = "acme"\nprovider = "soldscope"\n'
        'base_url = "http://127.0.0.1:9/"\ntoken = { file = "token" }\n'
    )
    config = load_config(tmp_path / "config.toml")

    with as_stranger():
        problems = list_problems(
            config, check_secrets(config), config.monitor.database_path, utc_now()
        )
        findings = [*examine_secrets(config), *examine_files(config.monitor.database_path)]

    assert [problem.place for problem in problems] == ["connections[0].token"]
    assert [(one.area.value, one.state.value) for one in findings] == [("database", "failed")]


def test_the_disk_of_a_state_that_is_closed_to_a_stranger_is_not_looked_at():
    with tempfile.TemporaryDirectory() as name:  # `tmp_path` lies in a closed folder itself
        state = Path(name, "state")
        state.mkdir(0o700)
        Path(name).chmod(0o755)
        with as_stranger():
            (found,) = examine_disk(state / "connwatch.db")
    assert found.state.value == "skipped"


def test_a_file_that_others_may_change_is_wrong(bench):
    bench.configure(connection("acme", token='{ env = "HOME" }'))
    bench.config_path.chmod(0o662)

    told = ask(bench, "--offline")

    assert any("others may change" in words for _, words in told.of("settings"))


def test_a_damaged_database_is_wrong_and_the_rest_is_still_looked_at(bench):
    bench.configure(connection("acme"))
    bench.evaluate("acme", OK)
    with bench.database.open("r+b") as file:
        file.seek(2048)
        file.write(os.urandom(bench.database.stat().st_size - 4096))

    told = ask(bench, "--offline")

    assert told.code == 2
    assert "failed" in told.states("database")
    assert told.of("clock")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_file_of_another_user_beside_the_database_is_wrong(bench, daemon):
    os.chown(bench.folder / "connwatch.db.lock", 12_345, 12_345)

    told = list(examine_files(bench.database))

    assert [(one.state, "belongs to user 12345" in one.words) for one in told] == [
        (Mark.FAILED, True)
    ]


def test_a_database_that_others_may_read_is_told(bench, daemon):
    bench.database.chmod(0o644)

    assert [one.remedy for one in examine_files(bench.database)] == [f"chmod 600 {bench.database}"]


def test_the_room_on_the_disk_is_told(tmp_path):
    (found,) = examine_disk(tmp_path / "connwatch.db")
    assert (" MB free in " in found.words, str(tmp_path) in found.words) == (True, True)


def test_a_folder_that_is_gone_is_unknown(tmp_path):
    (found,) = examine_disk(tmp_path / "gone" / "connwatch.db")
    assert found.state is Mark.SKIPPED


@pytest.mark.parametrize(
    ("verdict", "state"), [(0, Mark.OK), (1, Mark.OK), (5, Mark.WARNING), (-1, Mark.SKIPPED)]
)
def test_what_the_kernel_says_of_the_clock_is_told(verdict, state):
    assert [one.state for one in examine_clock(verdict)] == [state]


def test_the_kernel_can_be_asked():
    assert read_kernel_clock() in range(-1, 6)


def test_hosts_are_reached_and_those_that_cannot_be_are_named(bench, simulator):
    bench.configure(
        connection("reached", simulator.soldscope_url),
        connection("again", simulator.soldscope_url),
        connection("nobody-there"),
        connection("no-such-name", "https://nowhere.invalid"),
        connection("off", "https://off.invalid", enabled="false"),
    )
    told = ask(bench)

    assert sorted(told.states("network")) == ["failed", "failed", "ok"]
    assert "off.invalid" not in str(told.findings)


def test_people_get_lines_and_a_sum(bench):
    bench.configure(connection("acme"))

    ended = bench.run("doctor", "--offline")

    assert ended.code in {1, 2}
    assert "database\n ! there is no database" in ended.out
    assert re.fullmatch(r"\d+ errors?, \d+ warnings?\.", ended.out.splitlines()[-1])


def test_without_any_file_it_says_where_it_looked(bench):
    ended = connwatch("doctor", cwd=bench.folder, env={"XDG_CONFIG_HOME": str(bench.folder)})

    assert (ended.code, ended.out) == (3, "")
    assert "config.toml: not found" in ended.err


def test_a_file_that_is_named_and_not_there_is_wrong(bench):
    told = ask(bench)

    assert (told.code, told.states("settings")) == (2, ["failed"])
