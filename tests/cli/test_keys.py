"""
Keys: made by a command, changed while nothing is lost.
"""

from __future__ import annotations

import json

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import LargeBinary, select

from monitor.clock import utc_now
from monitor.store import connections as stored_connections
from monitor.store import credentials
from monitor.store.credentials import ENCRYPTED, StoredToken
from monitor.store.engine import Database
from monitor.store.schema import keys, metadata, stored_tokens
from tests.bench import connection

OLD, OLDER, NEW, LOST = (Fernet.generate_key().decode() for _ in range(4))
BAIT = "Atzr|hunter2"


@pytest.fixture
def installed(bench):
    """
    An installation with three connections and no stored token yet.
    """
    bench.configure(*(connection(name) for name in ("a", "b", "c")))
    assert bench.run("db", "upgrade").code == 0
    assert bench.run("pause", "a").code == 0  # puts the entries into the database
    return bench


def configure(bench, key: str | None, *old_keys: str) -> None:
    lines = [f'key = "{key}"'] if key else []
    if old_keys:
        lines.append(f"old_keys = {json.dumps(old_keys)}")
    tables = [connection(name) for name in ("a", "b", "c")]
    bench.configure(*tables, more="\n".join(["[web]", *lines, ""]))


def keep(bench, **tokens: str) -> None:
    """
    Store a token for each connection, encrypted with the key that it names.
    """
    database = Database(f"sqlite:///{bench.database}")
    with database.write() as tx:
        for name, key in tokens.items():
            record = stored_connections.find_record(tx, name)
            assert record is not None
            encrypted = Fernet(key).encrypt(f"{BAIT}-{name}".encode())
            credentials.save_refresh_token(
                tx, record.id, StoredToken(encrypted, None, None, utc_now())
            )
    database.close()


def kept(bench) -> list[bytes]:
    database = Database(f"sqlite:///{bench.database}")
    with database.read() as tx:
        found = [row[0] for row in tx.execute(select(stored_tokens.c.token))]
    database.close()
    return found


def test_a_key_is_printed_and_is_another_each_time(bench):
    ended = [bench.run("web", "key") for _ in range(2)]
    assert [each.code for each in ended] == [0, 0]
    assert ended[0].out != ended[1].out
    for each in ended:
        assert each.err == ""
        assert Fernet(each.out.strip()).decrypt(Fernet(each.out.strip()).encrypt(b"x")) == b"x"


@pytest.mark.parametrize(
    ("old_keys", "tokens"),
    [
        pytest.param((OLD,), {"a": OLD, "b": OLD}, id="one former key"),
        pytest.param((OLD, OLDER), {"a": OLDER, "b": OLD, "c": NEW}, id="three keys"),
        pytest.param((), {"a": NEW}, id="the present key"),
        pytest.param((NEW, OLD), {"a": OLD, "b": NEW}, id="the present key among the former"),
    ],
)
def test_everything_is_encrypted_with_the_new_key(installed, old_keys, tokens):
    keep(installed, **tokens)
    configure(installed, NEW, *old_keys)
    before = kept(installed)
    ended = installed.run("keys", "rotate")
    assert ended.code == 0, ended.err
    assert f"{len(tokens)} stored secret" in ended.out
    after = kept(installed)
    assert not set(before) & set(after)
    decrypted = sorted(Fernet(NEW).decrypt(each).decode() for each in after)
    assert decrypted == [f"{BAIT}-{name}" for name in sorted(tokens)]
    assert ("web.old_keys can be taken out" in ended.err) is bool(old_keys)


@pytest.mark.parametrize(
    ("tokens", "said"),
    [
        pytest.param({"a": OLD, "b": LOST, "c": NEW}, "1 of 3 stored secrets", id="one of three"),
        pytest.param({"a": LOST}, "1 of 1 stored secret ", id="the only one"),
    ],
)
def test_one_that_cannot_be_read_keeps_all_as_they_are(installed, tokens, said):
    keep(installed, **tokens)
    configure(installed, NEW, OLD)
    before = kept(installed)
    ended = installed.run("keys", "rotate")
    assert ended.code == 3
    assert "nothing was changed" in ended.err
    assert said in ended.err
    lost = [name for name, key in tokens.items() if key == LOST]
    assert f"({', '.join(lost)})" in ended.err
    assert kept(installed) == before
    assert not any(each in ended.err + ended.out for each in (BAIT, OLD, NEW, LOST))


@pytest.mark.parametrize(
    ("key", "old_keys", "why"),
    [
        pytest.param(None, (), "no `key` is set under [web]", id="no key"),
        pytest.param(None, (OLD,), "no `key` is set under [web]", id="a former one alone"),
        pytest.param("hunter2", (), "web.key is no Fernet key", id="no key of this kind"),
        pytest.param(NEW, (OLD, "hunter2"), "web.old_keys[1] is no Fernet key", id="a former one"),
    ],
)
def test_a_key_of_no_use_is_named_by_its_place(installed, key, old_keys, why):
    keep(installed, a=OLD)
    configure(installed, key, *old_keys)
    before = kept(installed)
    ended = installed.run("keys", "rotate")
    assert ended.code == 3
    assert why in ended.err
    assert "hunter2" not in ended.err
    assert kept(installed) == before


def test_a_key_that_cannot_be_read_is_named(installed):
    configure(installed, NEW, OLD)
    text = installed.config_path.read_text()
    installed.config_path.write_text(text.replace(f'"{OLD}"', '{ file = "nowhere" }'))
    ended = installed.run("keys", "rotate")
    assert ended.code == 3
    assert "web.old_keys[0] cannot be read: file" in ended.err
    checked = installed.run("config", "check")
    assert checked.code == 3
    assert "web.old_keys[0]: file" in checked.err
    assert "web.old_keys[0]" in installed.run("config", "show").out
    assert NEW not in installed.run("config", "show").out


def test_nothing_stored_is_no_failure(installed, bench):
    configure(installed, NEW, OLD)
    assert "nothing is stored encrypted" in installed.run("keys", "rotate").out
    bench.database.unlink()
    ended = installed.run("keys", "rotate")
    assert (ended.code, ended.err) == (0, "")


def test_every_binary_column_is_known_here():
    binary = {
        column
        for table in metadata.tables.values()
        for column in table.columns
        if isinstance(column.type, LargeBinary)
    }
    assert binary == {*ENCRYPTED, keys.c.value}  # those sign, and are made at random
