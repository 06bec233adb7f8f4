"""
A message about a store carries one link with which its owner renews it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from monitor.config.load import load_config
from monitor.config.plan import make_plan
from monitor.engine.links import RenewalLinks
from monitor.judge.alerts import AlertKind, Severity
from monitor.judge.invites import InviteState
from monitor.judge.outbox import Notification, NotificationGroup
from monitor.notify.delivery import OutboxUnavailable
from monitor.notify.message import compose_group
from monitor.store import connections, invites
from monitor.store.audit import list_audit
from monitor.store.engine import Database, StoreWorker
from tests.fakes import NOON

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from monitor.config.model import Config
    from monitor.config.plan import Plan

pytestmark = pytest.mark.anyio

FILE = """
[web]
key = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
{web}

[[channels]]
name = "ops"
url = "json://127.0.0.1/"

[[channels]]
name = "plain"
url = "json://127.0.0.1/plain"
renewal_links = false

[[applications]]
name = "our-app"
client_id = "amzn1.application-oa2-client.1"
client_secret = "amzn1.oa2-cs.v1.1"
application_id = "amzn1.sp.solution.1"
{redirect}
"""
STORE = """
[[connections]]
name = "{name}"
provider = "amazon"
application = "our-app"
region = "eu"
refresh_token = "Atzr|x"
authorized_on = 2026-01-01
{more}
"""
PUBLIC = 'public_url = "https://watch.example.com/base/"'
BACK = 'redirect_url = "https://watch.example.com/base/oauth/amazon/callback"'
OWN = "https://own.example/"
PREFIX = "https://watch.example.com/base/renew/"
CONSENT = "https://sellercentral-europe.amazon.com/apps/authorize/consent?"


class World:
    def __init__(self, database: Database, folder: Path) -> None:
        self.database, self.folder = database, folder
        self.store = StoreWorker(database)
        self.links = RenewalLinks(self.store, lambda: NOON)
        self.config: Config
        self.plan: Plan

    def configure(self, web: str = PUBLIC, redirect: str = BACK, more: str = "") -> None:
        path = self.folder / "config.toml"
        path.touch(mode=0o600)
        text = FILE.format(web=web, redirect=redirect)
        text += "".join(STORE.format(name=name, more=more) for name in ("acme", "globex"))
        path.write_text(text, "utf-8")
        self.config = load_config(path)
        self.plan = make_plan(self.config)
        with self.database.write() as tx:
            entries = self.plan.settings.entries_of(tx, ["acme", "globex"])
            connections.bring_in_line(tx, entries, NOON)

    async def send(self, group: NotificationGroup) -> str:
        prepared = await self.links.put_into(group, self.config, self.plan)
        return compose_group(prepared, lambda _: "https://watch.example.com/base/", NOON).body

    def listed(self) -> list[tuple[str | None, str]]:
        with self.database.read() as tx:
            return [(one.connection, one.by) for one in invites.list_invites(tx)]


@pytest.fixture
def world(database: Database, tmp_path: Path) -> Iterator[World]:
    world = World(database, tmp_path)
    yield world
    world.store.close()


def group_of(
    *names: str, channel: str = "ops", attempts: int = 0, **facts: Any
) -> NotificationGroup:
    facts = {
        "provider": "amazon",
        "can_renew_here": True,
        "reason": "authorization_expired",
    } | facts
    notifications = tuple(
        Notification(n, n, AlertKind.EXPIRED, Severity.CRITICAL, facts, (name,), 1, NOON)
        for n, name in enumerate(names, 1)
    )
    ids = tuple(one.id for one in notifications)
    return NotificationGroup(ids, channel, notifications, len(names), attempts, NOON)


def link_in(text: str) -> str:
    assert text.count(PREFIX) == 1
    return text.partition(PREFIX)[2].split()[0]


async def test_a_message_carries_one_link_beside_that_to_the_page(world):
    world.configure()
    text = await world.send(group_of("acme"))
    token = link_in(text)
    assert text.count("https://") == 2
    with world.database.read() as tx:
        made = invites.find_by_token(tx, token)
        assert made is not None
        assert (made.connection, made.by) == ("acme", "channel:ops")
        assert made.state(NOON + timedelta(days=29)) is InviteState.OPEN
        assert made.state(NOON + timedelta(days=30)) is InviteState.EXPIRED
        [(_, row)] = list_audit(tx)
    assert (row.who, row.action.value, row.connection) == ("channel:ops", "invite", "acme")


async def test_each_store_of_a_grouped_message_has_its_own(world):
    world.configure()
    text = await world.send(group_of("acme", "globex"))
    assert text.count(PREFIX) == 2
    assert sorted(world.listed()) == [("acme", "channel:ops"), ("globex", "channel:ops")]


async def test_a_message_that_is_tried_again_keeps_its_link(world):
    world.configure()
    first = link_in(await world.send(group_of("acme")))
    assert link_in(await world.send(group_of("acme", attempts=1))) == first
    assert len(world.listed()) == 1
    # A message of its own, and another channel, have links of their own.
    assert link_in(await world.send(group_of("acme"))) != first
    assert link_in(await world.send(group_of("acme", channel="other", attempts=1))) != first


async def test_a_channel_that_wants_no_links_is_given_the_next_best_page(world):
    world.configure()
    text = await world.send(group_of("acme", channel="plain"))
    assert (PREFIX in text, CONSENT in text) == (False, True)
    assert world.listed() == []


@pytest.mark.parametrize(
    ("web", "redirect", "more", "page"),
    [
        pytest.param("", BACK, "", CONSENT, id="no public address any more"),
        pytest.param(PUBLIC, "", "", CONSENT, id="no way back any more"),
        pytest.param(PUBLIC, "", f'renew_url = "{OWN}"', OWN, id="a page of its own"),
    ],
)
async def test_what_counts_is_how_it_is_set_up_while_it_is_sent(world, web, redirect, more, page):
    world.configure(web, redirect, more)
    text = await world.send(group_of("acme"))
    assert (PREFIX in text, page in text) == (False, True)
    assert world.listed() == []


async def test_other_messages_are_left_alone(world):
    world.configure()
    group = group_of("acme", can_renew_here=False)
    assert await world.links.put_into(group, world.config, world.plan) is group
    assert world.listed() == []


async def test_a_connection_that_is_gone_has_no_link(world):
    world.configure()
    text = await world.send(group_of("gone"))
    assert PREFIX not in text
    assert world.listed() == []


async def test_a_database_that_cannot_be_written_puts_the_message_off(world):
    world.configure()
    missing = Database(f"sqlite:///{world.folder}/no/such/folder.db")
    store = StoreWorker(missing)
    links = RenewalLinks(store, lambda: NOON)
    with pytest.raises(OutboxUnavailable):
        await links.put_into(group_of("acme"), world.config, world.plan)
    store.close()
    missing.close()
