"""
Connections of owners other than the file come into force, change hands, and go.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.fernet import Fernet

from monitor.config.http import HttpConnection
from monitor.config.load import load_config
from monitor.config.owners import EntryRefused, EntryRules
from monitor.config.plan import Describer, make_plan
from monitor.config.secret import SecretUnavailable
from monitor.engine.ciphers import Cipher
from monitor.engine.entries import (
    DASHBOARD,
    EntryWriter,
    KeyMissing,
    Owner,
    Put,
    bring_others_in_line,
    open_former,
)
from monitor.engine.settings import FileReading
from monitor.judge.authorizations import AuthorizationClock, ClockSource
from monitor.judge.invites import InviteState
from monitor.store import authorizations, connections, credentials, entries, invites, sources
from monitor.store.credentials import StoredToken
from tests.fakes import NOON

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from monitor.config.plan import Plan
    from monitor.judge.connections import ConnectionRecord
    from monitor.store.engine import Database, StoreWorker, Transaction

FILE = """
[web]
key = "{key}"

[[applications]]
name = "our-app"
client_id = "amzn1.application-oa2-client.1"
client_secret = "amzn1.oa2-cs.v1.hunter2"
"""
OF_FILE = """
[[connections]]
name = "{name}"
provider = "http"
url = "https://file.example.com/"
token = "of-the-file"
"""
STORES = Owner("stores", 2)
HTTP = {"provider": "http", "url": "https://api.example.com/me", "token": "hunter2"}
STORE = {
    "provider": "amazon",
    "application": "our-app",
    "region": "eu",
    "refresh_token": "Atzr|hunter2",
    "authorized_on": "2026-01-15",
}
KEY = Fernet.generate_key().decode()

pytestmark = pytest.mark.anyio


class Desk:
    """
    The file in force, and the owners that write beside it.
    """

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self._path = folder / "config.toml"
        self.read()

    def read(
        self,
        *names: str,
        key: str = KEY,
        token_url: str = "",
        renamed_from: str = "",
        more: str = "",
    ) -> None:
        """
        Put a file in force that has these connections.
        """
        connected = "".join(OF_FILE.format(name=name) for name in names)
        if renamed_from:
            connected += f'renamed_from = "{renamed_from}"\n'
        self._path.write_text(FILE.format(key=key) + token_url + connected + more)
        self._path.chmod(0o600)
        config = load_config(self._path)
        self.config = config.with_connections(())
        with self.database.write() as tx:
            self.key = credentials.find_or_make_key(tx, credentials.FINGERPRINT_KEY)
            reading = FileReading.of(config, self.key)
            taken_out = reading.store(tx)
            say = Describer(self.config)
            listed = [say.entry(one) for one in config.connections]
            connections.sync(tx, listed, NOON, taken_out=taken_out.names)
            connections.bring_in_line(tx, taken_out.taken_over, NOON)
            connections.end_invites(tx, taken_out.moved, NOON)
        self.settings = reading.settings
        self.plan: Plan = make_plan(self.config, self.settings)

    def writer(self, owner: Owner = DASHBOARD, cipher: Cipher | None = None) -> EntryWriter:
        cipher = cipher or Cipher.of(self.config.web)
        return EntryWriter(self.config, self.plan, owner, cipher)

    def put(
        self, name: str, values: dict[str, Any], owner: Owner = DASHBOARD, now: datetime = NOON
    ) -> Put:
        writer = self.writer(owner)
        rules = EntryRules(self.config, partial(credentials.fingerprint, self.key), now)
        with self.database.write() as tx:
            row = entries.find_of_owner(tx, owner.name, name)
            former = None if row is None else open_former(self.settings, row)
            checked = rules.check({"name": name} | values, former)
            return writer.put(tx, [writer.seal(checked)], {name: checked.connection}, now)

    def remove(self, name: str, owner: Owner = DASHBOARD) -> None:
        with self.database.write() as tx:
            self.writer(owner).remove(tx, [name], NOON)

    def find(self, name: str) -> ConnectionRecord | None:
        with self.database.read() as tx:
            return connections.find_record(tx, name)

    def record(self, name: str) -> ConnectionRecord:
        record = self.find(name)
        assert record is not None
        return record

    def owner(self, name: str) -> str | None:
        with self.database.read() as tx:
            found = self.plan.find(tx, name)
        return None if found is None else found.owner

    def token(self, name: str) -> str:
        with self.database.read() as tx:
            connection = self.plan.connection(tx, name)
        assert isinstance(connection, HttpConnection)
        assert connection.token is not None
        return connection.token.reveal()


@pytest.fixture
def desk(database: Database, tmp_path: Path) -> Desk:
    return Desk(database, tmp_path)


def test_what_was_put_is_watched_at_once(desk):
    assert desk.put("acme", HTTP) == Put(created=frozenset({"acme"}))
    record = desk.record("acme")
    assert record.is_configured
    assert record.host == "api.example.com"
    assert record.next_check_at == NOON
    assert desk.owner("acme") == "dashboard"
    assert desk.token("acme") == "hunter2"


def test_the_same_again_writes_nothing(desk):
    desk.put("acme", HTTP)
    assert desk.put("acme", HTTP | {"token": {"set": True}}) == Put(n_same=1)
    assert desk.put("acme", HTTP | {"every": "1h"}) == Put(changed=frozenset({"acme"}))


def test_no_secret_stands_in_any_column(desk):
    desk.put("acme", HTTP)
    desk.put("store", STORE)
    desk.database.close()
    folder = desk.database.path.parent
    for path in folder.glob(f"{desk.database.path.name}*"):
        assert b"hunter2" not in path.read_bytes(), path


def test_it_survives_another_reading_of_the_file(desk):
    desk.put("acme", HTTP)
    desk.read("other")
    assert desk.record("acme").is_configured
    assert desk.owner("acme") == "dashboard"
    desk.read()
    assert not desk.record("other").is_configured
    assert desk.record("acme").is_configured


def test_the_file_comes_first_then_the_dashboard_then_sources(desk):
    desk.put("acme", HTTP | {"token": "of-the-source"}, STORES)
    desk.put("acme", HTTP | {"token": "of-the-dashboard"})
    history = desk.record("acme").id
    assert desk.token("acme") == "of-the-dashboard"
    desk.read("acme")
    assert (desk.owner("acme"), desk.token("acme")) == ("file", "of-the-file")
    assert desk.record("acme").host == "file.example.com"
    desk.read()
    assert (desk.owner("acme"), desk.token("acme")) == ("dashboard", "of-the-dashboard")
    assert desk.record("acme").host == "api.example.com"
    desk.remove("acme")
    assert (desk.owner("acme"), desk.token("acme")) == ("stores", "of-the-source")
    assert desk.record("acme").id == history
    desk.remove("acme", STORES)
    assert desk.owner("acme") is None
    assert not desk.record("acme").is_configured


def test_what_is_shadowed_changes_without_any_effect(desk):
    desk.put("acme", HTTP | {"token": "of-the-dashboard"})
    desk.put("acme", HTTP | {"token": "of-the-source", "every": "1h"}, STORES)
    assert desk.token("acme") == "of-the-dashboard"
    desk.remove("acme", STORES)
    assert desk.token("acme") == "of-the-dashboard"


def test_of_what_was_made_in_the_dashboard_nothing_is_left(desk):
    desk.put("acme", HTTP)
    desk.remove("acme")
    assert desk.find("acme") is None
    with desk.database.read() as tx:
        assert connections.list_deleted(tx) == set()
    assert desk.put("acme", HTTP).created == {"acme"}


def test_a_row_that_comes_back_goes_on_with_its_history(desk):
    desk.put("acme", HTTP, STORES)
    before = desk.record("acme").id
    desk.remove("acme", STORES)
    desk.put("acme", HTTP, STORES)
    after = desk.record("acme")
    assert (after.id, after.is_configured) == (before, True)


def test_a_deleted_row_of_a_source_stays_deleted(desk):
    desk.put("acme", HTTP, STORES)
    record = desk.record("acme")
    with desk.database.write() as tx:
        connections.delete_connection(tx, record, NOON)
    desk.put("acme", HTTP | {"every": "1h"}, STORES)
    assert desk.find("acme") is None
    desk.read()
    assert desk.find("acme") is None


def _authorized_at(desk: Desk, name: str) -> datetime | None:
    return desk.record(name).clock.authorized_at


def _store_token(tx: Transaction, number: int) -> None:
    credentials.save_refresh_token(tx, number, StoredToken(b"x", None, None, NOON))


def test_no_old_authorization_counts_for_another_region(desk):
    desk.put("store", STORE)
    with desk.database.write() as tx:
        _store_token(tx, desk.record("store").id)
    assert _authorized_at(desk, "store") is not None
    desk.put("store", STORE | {"region": "na", "authorized_on": None})
    assert _authorized_at(desk, "store") is None
    with desk.database.read() as tx:
        assert credentials.list_refresh_tokens(tx) == {}


def test_a_renamed_connection_goes_on_with_its_history(desk):
    desk.put("acme", HTTP)
    before = desk.record("acme").id
    desk.put("acme-eu", HTTP | {"renamed_from": "acme"})
    assert desk.find("acme") is None
    assert desk.record("acme-eu").id == before
    assert desk.put("acme-eu", HTTP | {"renamed_from": "acme"}).n_same == 1


@pytest.mark.parametrize("owner", [DASHBOARD, STORES], ids=["dashboard", "source"])
def test_the_group_of_a_connection_is_a_setting_and_no_more(desk, owner):
    desk.put("acme", HTTP | {"group": "big"}, owner)
    before = desk.record("acme")
    assert before.group_name == "big"
    for group in ("small", None, "big"):
        desk.put("acme", HTTP | ({} if group is None else {"group": group}), owner)
        after = desk.record("acme")
        assert (after.id, after.group_name) == (before.id, group)
    with desk.database.read() as tx:
        watched = desk.settings.watched_of(tx, ["acme"])["acme"]
    assert watched.subject.group == "big"


@pytest.mark.parametrize("owner", [DASHBOARD, STORES], ids=["dashboard", "source"])
@pytest.mark.parametrize(
    ("before", "after"), [("big", "small"), ("big", None), (None, "big")], ids=str
)
def test_no_history_is_taken_over_from_another_group(desk, owner, before, after):
    def grouped(group: str | None) -> dict[str, str]:
        return HTTP if group is None else HTTP | {"group": group}

    desk.put("acme", grouped(before), owner)
    with pytest.raises(EntryRefused, match='renamed_from: "acme" is in another group'):
        desk.put("acme-eu", grouped(after) | {"renamed_from": "acme"}, owner)
    assert desk.find("acme-eu") is None
    number = desk.record("acme").id
    desk.put("acme-eu", grouped(before) | {"renamed_from": "acme"}, owner)
    assert desk.record("acme-eu").id == number


@pytest.mark.parametrize("owner", [STORES, None], ids=["a source's", "nobody's"])
def test_nothing_is_taken_over_from_another_owner(desk, owner):
    if owner is not None:
        desk.put("acme", HTTP, owner)
    with pytest.raises(EntryRefused, match='renamed_from: "acme" is'):
        desk.put("acme-eu", HTTP | {"renamed_from": "acme"})
    assert desk.find("acme-eu") is None


@pytest.mark.parametrize("owner", [DASHBOARD, STORES], ids=["dashboard", "source"])
def test_what_a_renamed_connection_hid_is_watched_from_then_on(desk, owner):
    desk.put("acme", HTTP, owner)
    desk.put("acme", HTTP, Owner("later", 3))
    before = desk.record("acme").id
    desk.put("acme-eu", HTTP | {"renamed_from": "acme"}, owner)
    assert desk.record("acme-eu").id == before
    assert (desk.owner("acme"), desk.record("acme").next_check_at is None) == ("later", False)
    assert desk.record("acme").id != before


def test_a_name_that_was_given_up_is_not_watched_without_settings(desk):
    desk.put("acme-eu", HTTP, STORES)
    desk.remove("acme-eu", STORES)
    desk.put("acme", HTTP, STORES)
    desk.put("acme-eu", HTTP | {"renamed_from": "acme"}, STORES)
    assert (desk.owner("acme"), desk.record("acme").is_configured) == (None, False)
    assert desk.record("acme-eu").is_configured


@pytest.mark.parametrize("owner", [DASHBOARD, STORES], ids=["dashboard", "source"])
def test_the_file_takes_no_connection_of_another_owner_over_by_a_rename(desk, owner):
    desk.put("acme", HTTP, owner)
    before = desk.record("acme")
    desk.read("acme-eu", renamed_from="acme")
    assert desk.record("acme") == before
    assert desk.record("acme-eu").id != before.id


def test_the_file_renames_what_another_owner_has_as_well(desk):
    desk.read("acme")
    desk.put("acme", HTTP)
    before = desk.record("acme").id
    desk.read("acme-eu", renamed_from="acme")
    assert desk.record("acme-eu").id == before
    assert (desk.owner("acme"), desk.record("acme").is_configured) == ("dashboard", True)


def _delete(desk: Desk, name: str) -> None:
    record = desk.record(name)
    with desk.database.write() as tx:
        connections.delete_connection(tx, record, NOON)


def test_what_the_file_had_deleted_is_watched_when_its_other_owner_takes_over(desk):
    desk.put("acme", HTTP)
    desk.read("acme")
    _delete(desk, "acme")
    desk.read("acme")
    assert desk.find("acme") is None
    desk.read()
    assert desk.record("acme").is_configured


def test_a_row_that_comes_back_is_still_deleted(desk):
    desk.put("acme", HTTP, STORES)
    with desk.database.write() as tx:
        sources.save_source(tx, sources.StoredSource("stores", "file"))
    _delete(desk, "acme")
    desk.remove("acme", STORES)
    desk.read()
    desk.put("acme", HTTP, STORES)
    assert desk.find("acme") is None


def test_what_is_made_in_the_dashboard_is_watched_although_a_row_was_deleted(desk):
    desk.put("acme", HTTP, STORES)
    _delete(desk, "acme")
    desk.remove("acme", STORES)
    desk.put("acme", HTTP)
    assert desk.record("acme").is_configured


UNDATED = {key: value for key, value in STORE.items() if key != "authorized_on"}
ELSEWHERE = UNDATED | {"region": "na"}


def _comes_back(desk: Desk) -> None:
    desk.remove("store", STORES)
    desk.put("store", ELSEWHERE, STORES)


def _takes_over(desk: Desk) -> None:
    desk.put("store", ELSEWHERE, Owner("later", 3))
    desk.remove("store", STORES)


def _is_renamed(desk: Desk) -> None:
    desk.put("store-na", ELSEWHERE | {"renamed_from": "store"}, STORES)


def _is_put(desk: Desk) -> None:
    desk.put("store", ELSEWHERE)


@pytest.mark.parametrize("become", [_comes_back, _takes_over, _is_renamed, _is_put])
def test_no_old_authorization_counts_however_it_comes_to_be_elsewhere(desk, become):
    desk.put("store", UNDATED, STORES)
    number = desk.record("store").id
    clock = AuthorizationClock(NOON, NOON + timedelta(days=365), ClockSource.OBSERVED)
    with desk.database.write() as tx:
        authorizations.save(tx, [(number, clock, ())])
        _store_token(tx, number)
    become(desk)
    name = "store-na" if become is _is_renamed else "store"
    assert desk.record(name).id == number
    assert _authorized_at(desk, name) is None
    with desk.database.read() as tx:
        assert credentials.list_refresh_tokens(tx) == {}


def _invite(desk: Desk, name: str) -> int:
    with desk.database.write() as tx:
        made, _ = invites.add_invite(tx, desk.record(name).id, "user:ana", timedelta(days=1), NOON)
    return made.id


def _state_of(desk: Desk, number: int) -> InviteState:
    with desk.database.read() as tx:
        invite = invites.find_invite(tx, number)
    assert invite is not None
    return invite.state(NOON)


@pytest.mark.parametrize("become", [_comes_back, _takes_over, _is_renamed, _is_put])
def test_links_end_however_a_connection_comes_to_be_elsewhere(desk, become):
    desk.put("store", UNDATED, STORES)
    number = _invite(desk, "store")
    become(desk)
    assert _state_of(desk, number) is InviteState.REVOKED


OF_FILE_STORE = """
[[connections]]
name = "acme"
provider = "amazon"
application = "our-app"
endpoint = "http://127.0.0.1:9"
refresh_token = "Atzr|x"
region = "eu"
"""
OTHER_APPLICATION = """
[[applications]]
name = "other-app"
client_id = "amzn1.application-oa2-client.2"
client_secret = "amzn1.oa2-cs.v1.hunter3"
"""
FILE_CHANGES = {
    "region": ('"eu"', '"na"', InviteState.REVOKED),
    "application": ('application = "our-app"', 'application = "other-app"', InviteState.REVOKED),
    "host": ("127.0.0.1:9", "127.0.0.1:8", InviteState.REVOKED),
    "name": ('"acme"', '"globex"\nrenamed_from = "acme"', InviteState.OPEN),
    "token": ("Atzr|x", "Atzr|y", InviteState.OPEN),
    "group": ('"eu"', '"eu"\ngroup = "acme"', InviteState.OPEN),
}


@pytest.mark.parametrize(("old", "new", "state"), FILE_CHANGES.values(), ids=FILE_CHANGES)
def test_a_change_of_the_file_ends_links_where_it_means_another_account(desk, old, new, state):
    desk.read(more=OTHER_APPLICATION + OF_FILE_STORE)
    number = _invite(desk, "acme")
    desk.read(more=OTHER_APPLICATION + OF_FILE_STORE.replace(old, new))
    assert _state_of(desk, number) is state


def test_the_links_of_what_is_taken_out_of_the_file_stay_ended_when_it_comes_back(desk):
    desk.read("a", "b")
    gone, stays = _invite(desk, "a"), _invite(desk, "b")
    desk.read("b")
    desk.read("a", "b")
    assert _state_of(desk, gone) is InviteState.REVOKED
    assert _state_of(desk, stays) is InviteState.OPEN


def test_an_authorization_goes_on_when_its_row_comes_back_as_it_was(desk):
    desk.put("store", UNDATED, STORES)
    clock = AuthorizationClock(NOON, NOON + timedelta(days=365), ClockSource.OBSERVED)
    with desk.database.write() as tx:
        authorizations.save(tx, [(desk.record("store").id, clock, ())])
    desk.remove("store", STORES)
    desk.put("store", UNDATED, STORES)
    assert _authorized_at(desk, "store") == NOON


def test_without_a_key_only_what_has_no_secret_can_be_stored(desk):
    rules = EntryRules(desk.config, partial(credentials.fingerprint, desk.key), NOON)
    writer = EntryWriter(desk.config, desk.plan, DASHBOARD, None)
    with pytest.raises(KeyMissing, match="connwatch web key"):
        writer.seal(rules.check({"name": "acme"} | HTTP))
    plain = {"name": "acme", "provider": "countdown", "authorized_on": "2026-01-15"}
    assert writer.seal(rules.check(plain)).seal() is None


def test_what_another_key_encrypted_is_watched_and_says_so(desk):
    desk.put("acme", HTTP)
    desk.read(key=Fernet.generate_key().decode())
    assert desk.owner("acme") == "dashboard"
    with pytest.raises(SecretUnavailable, match=r"stored secret: web\.key is not the key"):
        desk.token("acme")


def test_tags_and_rhythms_of_all_owners_are_known(desk):
    with desk.database.read() as tx:
        assert desk.settings.list_tags(tx) == set()
    desk.put("acme", HTTP | {"tags": ["eu"], "every": "10s", "timeout": "7s"})
    with desk.database.read() as tx:
        assert desk.settings.list_tags(tx) == {"eu"}
    assert desk.plan.intervals.shortest.total_seconds() == 10
    assert desk.plan.intervals.timeout.total_seconds() == 7
    desk.remove("acme")
    with desk.database.read() as tx:
        assert desk.settings.list_tags(tx) == set()
    assert desk.plan.intervals.shortest.total_seconds() == 0


async def test_other_settings_of_all_are_followed(desk, store: StoreWorker):
    desk.put("store", STORE)
    assert desk.record("store").token_host == "api.amazon.com"
    desk.read(token_url='token_url = "https://tokens.example/"')
    await bring_others_in_line(store, desk.config, desk.settings, NOON)
    assert desk.record("store").token_host == "tokens.example"


async def test_they_are_looked_at_once_as_long_as_nothing_changes(desk, store: StoreWorker):
    desk.put("store", STORE)
    assert await bring_others_in_line(store, desk.config, desk.settings, NOON)
    assert not await bring_others_in_line(store, desk.config, desk.settings, NOON)
    desk.read(token_url='token_url = "https://tokens.example/"')
    assert await bring_others_in_line(store, desk.config, desk.settings, NOON)
