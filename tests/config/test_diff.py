"""
What a newer reading of the file says that the one before did not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from monitor.config.diff import Changes, compare, defer_until_restart
from monitor.config.load import build_config
from monitor.config.values import Reading
from tests.fakes import NOON

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.config.model import Config

SOLDSCOPE = {"provider": "soldscope", "base_url": "https://a.example/api", "token": "one"}
AMAZON = {
    "provider": "amazon",
    "application": "our-app",
    "region": "na",
    "refresh_token": "Atzr|one",
}
APPLICATION = {"name": "our-app", "client_id": "amzn1.x", "client_secret": "amzn1.oa2-cs.v1.one"}


@pytest.fixture
def read(tmp_path: Path):
    def read(*connections: dict[str, Any], **tables: Any) -> Config:
        data = {"connections": list(connections), **tables}
        return build_config(data, Reading(tmp_path / "config.toml", NOON, {}))

    return read


def one(name: str = "one", **more: Any) -> dict[str, Any]:
    return {"name": name, **SOLDSCOPE, **more}


def test_the_same_file_says_nothing_new(read):
    changes = compare(read(one()), read(one()))
    assert changes == Changes(n_kept=1)


def test_what_was_put_in_and_taken_out_is_named(read):
    changes = compare(read(one(), one("old")), read(one(), one("new")))
    assert (changes.added, changes.removed, changes.n_kept) == (("new",), ("old",), 1)
    assert (changes.checked_anew, changes.void) == (("new",), frozenset({"old"}))


@pytest.mark.parametrize(
    "more",
    [
        {"tags": ["production"]},
        {"group": "acme"},
        {"every": "1m"},
        {"timeout": "3s"},
        {"notes": "ask Anna"},
        {"authorized_on": NOON.date()},
        {"channels": []},
    ],
    ids=["tags", "group", "every", "timeout", "notes", "date", "channels"],
)
def test_a_setting_that_asks_nothing_else_lets_checks_under_way_count(read, more):
    changes = compare(read(one()), read(one(**more)))
    assert (changes.changed, changes.n_kept) == (("one",), 0)
    assert (changes.checked_anew, changes.void) == ((), frozenset())


@pytest.mark.parametrize(
    "more",
    [
        {"token": "two"},
        {"base_url": "https://b.example/api"},
        {"auth": "header:X-Key"},
        {"ca_file": "other.pem"},
    ],
    ids=["token", "address", "form", "certificates"],
)
def test_what_asks_otherwise_is_asked_anew(read, more):
    changes = compare(read(one()), read(one(**more)))
    assert changes.changed == ("one",)
    assert (changes.checked_anew, changes.void) == (("one",), frozenset({"one"}))


def test_another_provider_under_the_same_name_is_asked_anew(read):
    countdown = {"name": "one", "provider": "countdown", "authorized_on": NOON.date()}
    changes = compare(read(one()), read(countdown))
    assert (changes.changed, changes.checked_anew) == (("one",), ("one",))


def test_switching_off_ends_what_is_under_way_and_switching_on_asks(read):
    off = compare(read(one()), read(one(enabled=False)))
    assert (off.checked_anew, off.void) == ((), frozenset({"one"}))
    on = compare(read(one(enabled=False)), read(one()))
    assert (on.checked_anew, on.void) == (("one",), frozenset())


def test_a_new_name_carries_on(read):
    before, after = read(one("old")), read(one("new", renamed_from="old"))
    changes = compare(before, after)
    assert (changes.renamed, changes.added, changes.removed) == (("new",), (), ())
    assert (changes.checked_anew, changes.void) == ((), frozenset())
    assert compare(after, after) == Changes(n_kept=1)


def test_another_client_secret_asks_all_its_stores_anew(read):
    stores = [{"name": name, **AMAZON} for name in ("a", "b")]
    other = APPLICATION | {"client_secret": "amzn1.oa2-cs.v1.two"}
    changes = compare(
        read(*stores, applications=[APPLICATION]), read(*stores, applications=[other])
    )
    assert (changes.changed, changes.tables) == ((), ("applications",))
    assert (changes.checked_anew, changes.void) == (("a", "b"), frozenset({"a", "b"}))


def test_the_date_of_a_client_secret_asks_nobody(read):
    store = {"name": "a", **AMAZON}
    dated = APPLICATION | {"client_secret_created_on": NOON.date()}
    changes = compare(read(store, applications=[APPLICATION]), read(store, applications=[dated]))
    assert (changes.tables, changes.checked_anew) == (("applications",), ())


@pytest.mark.parametrize("is_read", [True, False], ids=["read", "not read yet"])
def test_a_secret_file_with_other_content_is_another_token(read, tmp_path, is_read):
    secret = tmp_path / "token"
    configs = []
    for value in ("first", "second"):
        secret.write_text(value)
        config = read(one(token={"file": "token"}))
        if is_read:
            config.connections[0].token.reveal()
        configs.append(config)
    assert compare(*configs).checked_anew == (("one",) if is_read else ())


def test_a_secret_among_headers_counts(read):
    def named(value: str) -> dict[str, Any]:
        return {
            "name": "one",
            "provider": "http",
            "url": "https://a.example/",
            "headers": {"X-Key": value},
        }

    assert compare(read(named("a")), read(named("a"))) == Changes(n_kept=1)
    assert compare(read(named("a")), read(named("b"))).checked_anew == ("one",)


@pytest.mark.parametrize(
    ("tables", "expected"),
    [
        ({"alerts": {"remind_every": "1h"}}, ("alerts",)),
        ({"checks": {"every": "1m"}}, ("checks",)),
        ({"web": {"public_url": "https://a.example"}}, ("web",)),
        ({"channels": [{"name": "ops", "url": "json://a.example"}]}, ("channels",)),
        ({"heartbeat": {"every": "5m"}}, ("heartbeat",)),
    ],
    ids=["alerts", "checks", "web", "channels", "heartbeat"],
)
def test_other_tables_that_changed_are_named(read, tables, expected):
    changes = compare(read(one()), read(one(), **tables))
    assert (changes.tables, changes.need_restart) == (expected, ())


@pytest.mark.parametrize(
    ("tables", "expected"),
    [
        ({"monitor": {"database": "sqlite:///other.db"}}, ("monitor.database",)),
        ({"web": {"listen": "127.0.0.1:8081"}}, ("web.listen",)),
        ({"web": {"listen": ""}}, ("web.listen",)),
    ],
    ids=["database", "address", "web switched off"],
)
def test_what_needs_a_restart_is_named_and_stays(read, tables, expected):
    before, after = read(one()), read(one(tags=["new"]), **tables)
    changes = compare(before, after)
    assert (changes.need_restart, changes.tables) == (expected, ())
    kept = defer_until_restart(before, after)
    assert kept.monitor.database == before.monitor.database
    assert kept.web.listen == before.web.listen
    assert kept.connections[0].tags == ("new",)
    assert kept.connection("one") is kept.connections[0]


@pytest.mark.parametrize("listen", ["127.0.0.1:8080", ""])
def test_the_password_stays_while_the_socket_is_open_to_others(read, listen):
    """Its removal is meant for the address that is not listened at before a restart."""
    before = read(web={"listen": "0.0.0.0:8080", "password": "correct horse"})
    after = read(web={"listen": listen})
    assert defer_until_restart(before, after).web == before.web
    assert compare(before, after).need_restart == ("web.listen", "web.password")
    assert compare(before, after).tables == ()


USER = {"name": "ana", "password": "correct horse", "role": "viewer"}
WAYS_IN = {
    "password": {"password": "correct horse"},
    "users": {"users": [USER]},
    "proxy_auth": {"proxy_auth": {"header": "Remote-User", "trusted": ["10.0.0.1"]}},
}


@pytest.mark.parametrize(("key", "way_in"), WAYS_IN.items(), ids=WAYS_IN)
def test_whoever_may_come_in_stays_while_the_socket_is_open_to_others(read, key, way_in):
    before = read(web={"listen": "0.0.0.0:8080"} | way_in)
    after = read(web={"listen": "127.0.0.1:8080"})
    assert defer_until_restart(before, after).web == before.web
    assert compare(before, after).need_restart == ("web.listen", f"web.{key}")


def test_one_way_in_may_take_the_place_of_another(read):
    before = read(web={"listen": "0.0.0.0:8080", "password": "correct horse"})
    after = read(web={"listen": "0.0.0.0:8080", "users": [USER]})
    assert defer_until_restart(before, after).web == after.web
    assert (compare(before, after).need_restart, compare(before, after).tables) == ((), ("web",))


@pytest.mark.parametrize(
    "change", [{"role": "operator"}, {"groups": ["acme"]}, {"password": "battery staple"}]
)
def test_a_change_of_a_user_is_put_in_force(read, change):
    before, after = read(web={"users": [USER]}), read(web={"users": [USER | change]})
    assert compare(before, after).tables == ("web",)
    assert compare(before, read(web={"users": [USER]})).tables == ()


def test_another_password_is_put_in_force(read):
    before = read(web={"listen": "0.0.0.0:8080", "password": "correct horse"})
    after = read(web={"listen": "127.0.0.1:8080", "password": "battery staple"})
    kept = defer_until_restart(before, after)
    assert (kept.web.listen, kept.web.password) == (before.web.listen, after.web.password)


def test_a_password_may_go_where_only_this_machine_reaches_us(read):
    before, after = read(web={"password": "correct horse"}), read(web={})
    assert defer_until_restart(before, after).web.password is None


def test_no_secret_is_shown(read):
    changes = compare(read(one(token="hunter1")), read(one(token="hunter2")))
    assert "hunter" not in repr(changes)
