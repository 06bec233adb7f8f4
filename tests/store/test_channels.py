"""
Channels that are not in the file, as rows.
"""

from __future__ import annotations

from monitor.store import channels
from monitor.store.credentials import rotate_encrypted

CONTENT = {"name": "ops", "url": {"set": True}, "kinds": ["error"]}


def test_a_channel_is_kept_replaced_and_forgotten(database):
    with database.write() as tx:
        channels.put_channel(tx, "ops", CONTENT, "one", b"sealed")
        channels.put_channel(tx, "Büro", CONTENT | {"name": "Büro"}, "two", b"sealed")
        channels.put_channel(tx, "ops", CONTENT | {"kinds": ["expired"]}, "three", b"anew")
    with database.read() as tx:
        found = channels.find_channel(tx, "ops")
        assert found is not None
        assert (found.content["kinds"], found.digest, found.secrets) == (
            ["expired"],
            "three",
            b"anew",
        )
        assert channels.list_channel_names(tx) == ["Büro", "ops"]
        assert [one.name for one in channels.list_channels(tx)] == ["Büro", "ops"]
    with database.write() as tx:
        assert channels.drop_channel(tx, "ops")
        assert not channels.drop_channel(tx, "ops")
        assert channels.find_channel(tx, "ops") is None


def test_what_is_sealed_is_not_shown(database):
    with database.write() as tx:
        channels.put_channel(tx, "ops", CONTENT, "one", b"sealed")
        assert "sealed" not in repr(channels.list_channels(tx))


def test_a_rotation_encrypts_it_anew_and_names_what_it_cannot_read(database):
    with database.write() as tx:
        channels.put_channel(tx, "ops", CONTENT, "one", b"sealed")
        channels.put_channel(tx, "other", CONTENT, "two", b"of a lost key")
    with database.write() as tx:
        rotated = rotate_encrypted(tx, lambda stored: b"anew" if stored == b"sealed" else None)
        assert (rotated.n_rows, rotated.unreadable) == (2, ("other",))
        found = channels.find_channel(tx, "ops")
        assert found is not None
        assert found.secrets == b"anew"
