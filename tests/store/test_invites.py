"""
Invites are kept hashed, outlive their connection for a while, and so do what they brought not.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from monitor.judge.invites import MOST_TRIES, TRIES_WINDOW, InviteState
from monitor.store import connections, credentials, invites, retention
from monitor.store.credentials import rotate_encrypted
from monitor.store.statements import IDS_PER_QUERY
from tests.builders import DAY, HOUR, entry
from tests.fakes import NOON
from tests.statements import counted

if TYPE_CHECKING:
    from monitor.store.engine import Database


@pytest.fixture
def acme(database: Database) -> int:
    with database.write() as tx:
        connections.bring_in_line(tx, [entry("acme")], NOON)
        record = connections.find_record(tx, "acme")
        assert record is not None
        return record.id


def invite(database: Database, number: int) -> tuple[int, str]:
    with database.write() as tx:
        made, token = invites.add_invite(tx, number, "user:ana", DAY, NOON)
    return made.id, token


def propose(database: Database, connection: int, invite_id: int, sealed: bytes = b"one") -> int:
    with database.write() as tx:
        return invites.add_proposal(
            tx,
            connection,
            invite_id=invite_id,
            at=NOON,
            sealed=sealed,
            account="Acme",
            authorized_at=None,
            fingerprint="",
        )


def test_an_invite_is_found_by_its_token_alone(database, acme):
    number, token = invite(database, acme)
    with database.read() as tx:
        found = invites.find_by_token(tx, token)
        assert found is not None
        assert (found.id, found.connection, found.by) == (number, "acme", "user:ana")
        assert invites.find_by_token(tx, f"{token}x") is None
        assert invites.find_by_token(tx, "") is None
        assert [one.id for one in invites.list_invites(tx)] == [number]


def test_a_renaming_is_followed(database, acme):
    _, token = invite(database, acme)
    with database.write() as tx:
        renamed = replace(entry("globex"), renamed_from="acme")
        connections.bring_in_line(tx, [renamed], NOON, ["acme"])
        found = invites.find_by_token(tx, token)
    assert found is not None
    assert found.connection == "globex"


def test_one_of_a_deleted_connection_is_known_as_over_and_not_listed(database, acme):
    number, token = invite(database, acme)
    proposed = propose(database, acme, number)
    with database.write() as tx:
        record = connections.find_record(tx, "acme")
        assert record is not None
        connections.delete_connection(tx, record, NOON)
        found = invites.find_by_token(tx, token)
        assert found is not None
        assert found.state(NOON) is InviteState.REVOKED
        assert invites.list_invites(tx) == []
        assert not invites.revoke_invite(tx, number, NOON)
        assert invites.find_proposal(tx, proposed) is None


def test_only_an_open_one_is_revoked_or_used(database, acme):
    (used, _), (revoked, _), (over, _) = (invite(database, acme) for _ in range(3))
    with database.write() as tx:
        assert invites.use_invite(tx, used, NOON)
        assert not invites.use_invite(tx, used, NOON)
        assert not invites.revoke_invite(tx, used, NOON)
        assert invites.revoke_invite(tx, revoked, NOON)
        assert not invites.revoke_invite(tx, revoked, NOON)
        assert not invites.revoke_invite(tx, over, NOON + DAY)
        assert not invites.revoke_invite(tx, 999, NOON)


def test_tries_are_kept_for_as_long_as_they_count(database, acme):
    number, _ = invite(database, acme)
    with database.write() as tx:
        for n in range(MOST_TRIES):
            invites.note_try(tx, number, NOON + timedelta(minutes=n))
        assert len(invites.list_tries(tx, number)) == MOST_TRIES
        later = NOON + TRIES_WINDOW + timedelta(minutes=2)
        invites.note_try(tx, number, later)
        assert len(invites.list_tries(tx, number)) == MOST_TRIES - 2


def test_the_same_invite_proposes_one_thing(database, acme):
    first, _ = invite(database, acme)
    second, _ = invite(database, acme)
    propose(database, acme, first)
    again = propose(database, acme, first, b"two")
    other = propose(database, acme, second)
    with database.read() as tx:
        listed = invites.list_proposals(tx, acme)
    assert [one.proposal.id for one in listed] == [other, again]
    assert listed[1].sealed == b"two"
    assert "two" not in repr(listed[1])


def test_what_is_proposed_is_encrypted_anew_with_another_key(database, acme):
    number, _ = invite(database, acme)
    proposed = propose(database, acme, number)
    with database.write() as tx:
        assert rotate_encrypted(tx, lambda _: None).unreadable == ("acme",)
        assert rotate_encrypted(tx, lambda sealed: sealed + b" anew").n_rows == 1
        kept = invites.find_proposal(tx, proposed)
    assert kept is not None
    assert kept.sealed == b"one anew"


def test_an_invite_is_forgotten_a_month_after_its_end_with_its_tries(database, acme):
    number, token = invite(database, acme)
    with database.write() as tx:
        invites.note_try(tx, number, NOON)
        retention.roll_up(tx, NOON + DAY + 29 * DAY)
        assert invites.find_by_token(tx, token) is not None
        retention.roll_up(tx, NOON + DAY + 30 * DAY + HOUR)
        assert invites.find_by_token(tx, token) is None
        assert invites.list_tries(tx, number) == []


def test_the_end_of_a_row_ends_its_invites(database, acme):
    _, token = invite(database, acme)
    with database.write() as tx:
        invites.revoke_all_of(tx, ["acme", "nobody"], NOON)
        found = invites.find_by_token(tx, token)
    assert found is not None
    assert found.state(NOON) is InviteState.REVOKED


def test_only_open_ones_are_marked_as_revoked_with_the_end_of_a_row(database, acme):
    (used, _), (over, _), (revoked, _) = (invite(database, acme) for _ in range(3))
    later = NOON + DAY
    with database.write() as tx:
        assert invites.use_invite(tx, used, NOON)
        assert invites.revoke_invite(tx, revoked, NOON)
        invites.revoke_all_of(tx, ["acme"], later)
        states = {one.id: one.state(later) for one in invites.list_invites(tx)}
        noted = {one.id: one.revoked_at for one in invites.list_invites(tx)}
    assert states == {
        used: InviteState.USED,
        over: InviteState.EXPIRED,
        revoked: InviteState.REVOKED,
    }
    assert noted == {used: None, over: None, revoked: NOON}


def test_the_end_of_many_rows_is_a_few_statements(database):
    names = [f"c{number}" for number in range(3 * IDS_PER_QUERY)]
    with database.write() as tx:
        connections.bring_in_line(tx, [entry(name) for name in names], NOON)
        record = connections.find_record(tx, names[-1])
        assert record is not None
    _, token = invite(database, record.id)
    with counted(database) as seen, database.write() as tx:
        invites.revoke_all_of(tx, names, NOON)
        credentials.drop_refresh_tokens(tx, names)
        found = invites.find_by_token(tx, token)
    assert (seen["UPDATE"], seen["DELETE"]) == (3, 6)
    assert found is not None
    assert found.state(NOON) is InviteState.REVOKED
