"""
`invite` and `proposed` without a daemon: what they need, print, and leave behind.
"""

from __future__ import annotations

import json

import pytest
from cryptography.fernet import Fernet

from monitor.clock import utc_now
from monitor.store import connections, invites
from monitor.store.audit import list_audit
from monitor.store.engine import Database
from tests.bench import connection

KEY = f'key = "{Fernet.generate_key().decode()}"'
PUBLIC = 'public_url = "https://watch.example.com"'
APPLICATION = """
[[applications]]
name = "our-app"
client_id = "amzn1.application-oa2-client.1"
client_secret = "amzn1.oa2-cs.v1.1"
"""
STORE = (
    'name = "store"\nprovider = "amazon"\napplication = "our-app"\nregion = "eu"\n'
    'refresh_token = "Atzr|x"\n'
)
COUNTDOWN = 'name = "elsewhere"\nprovider = "countdown"\nauthorized_on = 2026-01-01\n'


def configure(bench, *web: str) -> None:
    more = "\n".join(["[web]", 'listen = "127.0.0.1:9"', *web, APPLICATION])
    bench.configure(connection("a"), STORE, COUNTDOWN, more=more)
    assert bench.run("db", "upgrade").code == 0
    # Puts the entries into the database.
    assert bench.run("pause", "a").code == 0


def test_the_address_alone_is_printed(bench):
    configure(bench, PUBLIC, KEY)
    done = bench.run("invite", "a")
    assert done.code == 0
    [line] = done.out.splitlines()
    assert line.startswith("https://watch.example.com/renew/")
    assert line.rpartition("/")[2] not in done.err
    listed = json.loads(bench.run("invite", "list", "--json").out)["invites"]
    assert [(one["connection"], one["state"]) for one in listed] == [("a", "open")]
    assert "a" in bench.run("invite", "list").out


def test_json_says_what_is_listed_and_the_address(bench):
    configure(bench, PUBLIC, KEY)
    made = json.loads(bench.run("invite", "a", "--valid", "2h", "--json").out)
    assert made.pop("url").startswith("https://watch.example.com/renew/")
    assert [made] == json.loads(bench.run("invite", "list", "--json").out)["invites"]


def test_json_says_what_was_revoked(bench):
    configure(bench, PUBLIC, KEY)
    made = json.loads(bench.run("invite", "a", "--json").out)
    del made["url"]
    done = bench.run("invite", "revoke", str(made["id"]), "--json")
    assert (done.code, json.loads(done.out)) == (0, made | {"state": "revoked"})
    assert bench.run("invite", "revoke", str(made["id"]), "--json").code == 3


@pytest.mark.parametrize(
    ("web", "name", "said"),
    [
        pytest.param((KEY,), "a", "public_url", id="no public address"),
        pytest.param((PUBLIC,), "a", "key", id="no key"),
        pytest.param((PUBLIC, 'key = "short"'), "a", "key", id="a key of no use"),
        pytest.param((PUBLIC, KEY), "b", '"b"', id="unknown"),
        pytest.param((PUBLIC, KEY), "elsewhere", "no token", id="a countdown"),
        pytest.param((PUBLIC, KEY), "store", "application_id", id="no consent page"),
    ],
)
def test_where_none_can_be_made_it_says_why(bench, web, name, said):
    configure(bench, *web)
    done = bench.run("invite", name)
    assert (done.code, done.out, said in done.err) == (3, "", True), done.err
    assert json.loads(bench.run("invite", "list", "--json").out) == {"invites": []}


def test_without_a_key_a_token_is_not_called_a_refresh_token(bench):
    configure(bench, PUBLIC)
    assert "refresh token" not in bench.run("invite", "a").err


def test_nothing_is_listed_before_there_is_anything(bench):
    configure(bench, PUBLIC, KEY)
    assert bench.run("invite", "list").out == "no invites yet: connwatch invite NAME\n"
    assert bench.run("proposed", "list").out == "nothing waits for approval\n"
    assert json.loads(bench.run("proposed", "list", "--json").out) == {"proposed": []}


def propose(bench, sealed: bytes) -> str:
    database = Database(f"sqlite:///{bench.database}")
    with database.write() as tx:
        record = connections.find_record(tx, "a")
        assert record is not None
        number = invites.add_proposal(
            tx,
            record.id,
            invite_id=1,
            at=utc_now(),
            sealed=sealed,
            account="Globex",
            authorized_at=None,
            fingerprint="",
        )
    database.close()
    return str(number)


def test_a_proposal_that_no_key_reads_stays_and_says_why(bench):
    configure(bench, PUBLIC, KEY)
    number = propose(bench, Fernet(Fernet.generate_key()).encrypt(b"{}"))
    done = bench.run("proposed", "accept", number)
    assert (done.code, done.out, "old_keys" in done.err) == (3, "", True)
    assert "Globex" in bench.run("proposed", "list").out
    assert bench.run("proposed", "reject", number).code == 0
    assert bench.run("proposed", "reject", number).code == 3
    database = Database(f"sqlite:///{bench.database}")
    with database.read() as tx:
        latest = list_audit(tx)[0][1]
    database.close()
    assert (latest.who[:4], latest.keys, latest.count) == ("cli:", ("rejected",), 0)
