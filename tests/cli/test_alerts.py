"""
`connwatch alerts`: what people were told, dead notifications, test messages.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from monitor.config.load import load_config
from monitor.config.plan import make_plan
from monitor.judge.alerts import AlertDue, AlertKind
from monitor.store import connections, migrate, outbox
from monitor.store.alerts import add_alert
from monitor.store.engine import Database
from monitor.store.history import list_alerts
from tests.builders import entries_of
from tests.command_line import connwatch

if TYPE_CHECKING:
    from pathlib import Path

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
NAMES = [f"store-{number}" for number in range(1, 6)]

CONNECTION = """
[[connections]]
name = "{name}"
provider = "soldscope"
base_url = "https://api.example.com"
token = {{ env = "UNSET" }}
"""

CHANNEL = """
[[channels]]
name = "{name}"
url = {url}
"""


def write_config(folder: Path, **channels: str) -> Path:
    path = folder / "config.toml"
    path.write_text(
        "".join(CHANNEL.format(name=name, url=url) for name, url in channels.items())
        + "".join(CONNECTION.format(name=name) for name in NAMES)
    )
    path.chmod(0o600)
    return path


@dataclass(frozen=True)
class Told:
    """
    A database that knows of alerts.
    """

    folder: Path
    database: Database

    def add(
        self, kind: AlertKind, names: list[str], channels: list[str], *, born_at: datetime = NOON
    ) -> list[int]:
        """
        Add an alert; return the numbers of its notifications.
        """
        with self.database.write() as tx:
            ids = [record.id for record in connections.list_records(tx, names)]
            alert = AlertDue.of(kind)
            alert_id = add_alert(tx, alert, ids, channels, born_at)
            rows = [outbox.claim_next(tx, name, born_at, timedelta(0), "t") for name in channels]
        assert alert_id
        return [number for row in rows if row is not None for number in row.ids]

    def states(self) -> list[str]:
        with self.database.read() as tx:
            return [each.state.value for row in list_alerts(tx, 99) for each in row.notifications]


@pytest.fixture
def told(tmp_path):
    path = write_config(tmp_path, ops='"json://127.0.0.1:9/"')
    config = load_config(path)
    database = Database(config.monitor.database)
    migrate.upgrade(database)
    with database.write() as tx:
        connections.sync(tx, entries_of(make_plan(config)), NOON)
    yield Told(tmp_path, database)
    database.close()


def test_alerts_are_listed_for_programs_as_the_contract_says(told):
    (number,) = told.add(AlertKind.ERROR, NAMES[:2], ["ops"])
    with told.database.write() as tx:
        outbox.mark_sent(tx, [number], NOON + timedelta(seconds=2))
    told.add(AlertKind.QUOTA_LOW, NAMES[2:3], [])

    ended = connwatch("alerts", "list", "--json", cwd=told.folder)

    assert ended.code == 0
    newest, oldest = json.loads(ended.out)["alerts"]
    assert (newest["kind"], newest["notifications"]) == ("quota_low", [])
    assert oldest == {
        "id": oldest["id"],
        "kind": "error",
        "severity": "critical",
        "connections": NAMES[:2],
        "born_at": "2026-11-22T12:00:00Z",
        "notifications": [
            {
                "channel": "ops",
                "state": "sent",
                "attempts": 1,
                "sent_at": "2026-11-22T12:00:02Z",
                "error": None,
            }
        ],
    }


def test_alerts_are_listed_for_people_in_lines_that_fit(told):
    (number,) = told.add(AlertKind.ERROR, NAMES, ["ops"])
    with told.database.write() as tx:
        outbox.mark_dead(tx, [number], "json: \x1b[31mno connection\nto it")
    told.add(AlertKind.QUOTA_EXHAUSTED, NAMES[:1], [])

    ended = connwatch("alerts", "list", cwd=told.folder)

    assert ended.code == 0
    assert max(map(len, ended.out.splitlines())) <= 80
    assert "\x1b" not in ended.out
    assert "store-1, store-2, store-3 and 2 more" in ended.out
    assert "ops: dead. " in ended.out
    assert "Failed after 1 attempt" in " ".join(ended.out.split())
    assert "no matching channel" in ended.out

    history = " ".join(connwatch("history", NAMES[0], cwd=told.folder).out.split())
    assert "ops: dead. " in history
    assert "Failed after 1 attempt" in history
    assert "no matching channel" in history


def test_only_dead_ones_are_listed_if_asked_for(told):
    (number,) = told.add(AlertKind.ERROR, NAMES[:1], ["ops"])
    with told.database.write() as tx:
        outbox.mark_dead(tx, [number], "gone")
    told.add(AlertKind.QUOTA_LOW, NAMES[1:2], ["ops"])

    ended = connwatch("alerts", "list", "--dead", "--json", cwd=told.folder)

    assert [alert["kind"] for alert in json.loads(ended.out)["alerts"]] == ["error"]


def test_that_there_are_more_is_said_beside_the_data(told):
    for _ in range(3):
        told.add(AlertKind.ERROR, NAMES[:1], [])

    ended = connwatch("alerts", "list", "--limit", "2", "--json", cwd=told.folder)

    assert len(json.loads(ended.out)["alerts"]) == 2
    assert "showing the latest 2" in ended.err


def test_exactly_as_many_as_asked_for_are_all(told):
    for _ in range(2):
        told.add(AlertKind.ERROR, NAMES[:1], [])

    ended = connwatch("alerts", "list", "--limit", "2", cwd=told.folder)

    assert (ended.code, ended.err) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("list",), "no alerts yet\n"),
        (("list", "--dead"), "no failed alerts\n"),
        (("retry",), "no failed notifications: nothing to send again\n"),
    ],
    ids=["list", "dead", "retry"],
)
def test_without_a_database_there_are_none_and_none_is_made(tmp_path, arguments, expected):
    write_config(tmp_path)

    ended = connwatch("alerts", *arguments, cwd=tmp_path)

    assert (ended.code, ended.out, ended.err) == (0, expected, "")
    assert [path.name for path in tmp_path.iterdir()] == ["config.toml"]


def test_without_a_database_programs_get_an_empty_list(tmp_path):
    write_config(tmp_path)

    assert json.loads(connwatch("alerts", "list", "--json", cwd=tmp_path).out) == {"alerts": []}


@pytest.mark.parametrize("command", ["list", "retry"])
def test_a_database_of_another_schema_is_refused(told, command):
    with told.database.write() as tx:
        tx.exec_driver_sql("UPDATE alembic_version SET version_num = '0000'")

    ended = connwatch("alerts", command, cwd=told.folder)

    assert (ended.code, ended.out) == (3, "")
    assert "connwatch db upgrade" in ended.err


def test_dead_notifications_become_due_again_and_the_others_stay(told):
    numbers = told.add(AlertKind.ERROR, NAMES[:1], ["ops", "mail"])
    with told.database.write() as tx:
        for number in numbers:
            outbox.mark_dead(tx, [number], "gone")
    (sent,) = told.add(AlertKind.ERROR, NAMES[1:2], ["chat"])
    with told.database.write() as tx:
        outbox.mark_sent(tx, [sent], NOON)
    assert sorted(told.states()) == ["dead", "dead", "sent"]

    ended = connwatch("alerts", "retry", cwd=told.folder)

    assert ended.code == 0
    assert ended.out.startswith("2 notifications are queued again; the daemon")
    [row] = json.loads(connwatch("audit", "--json", cwd=told.folder).out)["audit"]
    assert (row["action"], row["keys"], row["count"]) == ("resume", ["alerts"], 2)
    assert sorted(told.states()) == ["due", "due", "sent"]


N_KINDS = len(AlertKind) - 2
"""Every kind but digest and resumed."""


def test_samples_say_that_they_are_tests(tmp_path, hook):
    write_config(tmp_path, ops=f'"{hook.url("/ops")}"', chat=f'"{hook.url("/chat")}"')

    ended = connwatch("alerts", "test", cwd=tmp_path)

    said = f"ops: {N_KINDS} messages sent\nchat: {N_KINDS} messages sent\n"
    assert (ended.code, ended.out, ended.err) == (0, said, "")
    assert sorted(hook.paths()) == ["/chat"] * N_KINDS + ["/ops"] * N_KINDS
    assert all("[TEST]" in post["title"] for _, post in hook.posts)
    assert all("Nothing is wrong" in post["message"] for _, post in hook.posts)


def test_one_channel_and_one_kind_can_be_tested_alone(tmp_path, hook):
    write_config(tmp_path, ops=f'"{hook.url("/ops")}"', chat=f'"{hook.url("/chat")}"')

    ended = connwatch("alerts", "test", "chat", "--kind", "digest", cwd=tmp_path)

    assert (ended.code, ended.out) == (0, "chat: 1 message sent\n")
    assert hook.paths() == ["/chat"]
    assert "40 healthy, 1 expires in 14 days" in hook.posts[0][1]["title"]


def test_a_channel_is_tested_with_the_kinds_that_it_names(tmp_path, hook):
    write_config(tmp_path, ops=f'"{hook.url("/ops")}"\nkinds = ["digest", "error"]')

    ended = connwatch("alerts", "test", cwd=tmp_path)

    assert ended.out == "ops: 2 messages sent\n"
    assert [post["title"].partition(" (")[0] for _, post in hook.posts] == [
        "🔴 [TEST] soldscope-production: token rejected",
        "🟢 [TEST] connwatch: 40 healthy, 1 expires in 14 days",
    ]


def test_a_channel_that_has_a_template_is_tested_with_it(tmp_path, hook):
    (tmp_path / "ops.j2").write_text("Subject: {{ kind }}!\n{{ connections|join }} {{ link }}")
    write_config(tmp_path, ops=f'"{hook.url("/ops")}"\ntemplate = "ops.j2"')

    ended = connwatch("alerts", "test", "--kind", "error", cwd=tmp_path)

    assert (ended.code, ended.err) == (0, "")
    [(_, post)] = hook.posts
    assert post["title"] == "[TEST] error!"
    assert post["message"].splitlines()[1] == "soldscope-production"


def test_an_unknown_kind_is_refused(tmp_path):
    write_config(tmp_path, ops='"json://127.0.0.1:9/"')

    ended = connwatch("alerts", "test", "--kind", "eror", cwd=tmp_path)

    assert (ended.code, ended.out) == (3, "")
    assert 'no kind of alert is called "eror"; did you mean "error"?' in ended.err


def test_a_channel_that_fails_does_not_keep_the_others_from_being_tested(tmp_path, hook):
    hook.answers["/hunter2"] = 500
    write_config(
        tmp_path,
        bad=f'"{hook.url("/hunter2")}"',
        unset='{ env = "UNSET" }',
        ops=f'"{hook.url("/ops")}"',
    )

    ended = connwatch("alerts", "test", cwd=tmp_path)

    bad, unset, ops = ended.out.splitlines()
    assert ended.code == 3
    assert hook.paths().count("/hunter2") == 1
    assert bad.startswith("bad: not sent: ")
    assert unset == (
        "unset: not sent: the URL of channel unset cannot be read: env UNSET: this environment"
        " variable is not set"
    )
    assert ops == f"ops: {N_KINDS} messages sent"
    assert "2 of 3 channels" in ended.err
    assert "hunter2" not in ended.out + ended.err


@pytest.mark.parametrize(
    ("name", "why"),
    [("opps", 'did you mean "ops"?'), ("zebra", "there are: ops, mail")],
    ids=["near", "far"],
)
def test_an_unknown_channel_is_refused_with_the_known_ones(tmp_path, name, why):
    write_config(tmp_path, ops='"json://127.0.0.1:9/"', mail='"json://127.0.0.1:9/"')

    ended = connwatch("alerts", "test", name, cwd=tmp_path)

    assert (ended.code, ended.out) == (3, "")
    assert re.search(f'no channel is called "{name}".*{re.escape(why)}', ended.err)


def test_without_channels_it_is_said_how_to_add_one(tmp_path):
    write_config(tmp_path)

    ended = connwatch("alerts", "test", cwd=tmp_path)

    assert (ended.code, ended.out) == (3, "")
    assert "[[channels]]" in ended.err
