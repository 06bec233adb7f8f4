"""
A channel of some groups is told the names and counts of their connections, and of nothing else.
"""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any

import pytest

from monitor.alerting.digests import dispatch_digests
from monitor.alerting.dispatch import dispatch_alert
from monitor.alerting.suppression import end_silence
from monitor.judge.alerts import AlertDue, AlertKind
from monitor.judge.routing import ChannelRoute, Digest, DigestTime, Subject
from monitor.judge.suppression import Scope
from monitor.store import connections, reminders, suppression
from tests.builders import (
    DAY,
    HOUR,
    MINUTE,
    OK,
    REFUSED,
    UNREACHED,
    Story,
    delivery_of,
    entry,
    ok_with,
    plan_of,
)
from tests.fakes import NOON, FakeSender, FixedClock

if TYPE_CHECKING:
    from monitor.notify.message import Message
    from monitor.store.engine import Database, StoreWorker

pytestmark = pytest.mark.anyio

CANARY = "canary"
MINE = ("acme-1", "acme-2")
OTHERS = ("canary-1", "canary-2", "canary-3", "canary-free")
GROUPS = frozenset({"acme"})
ACME = ChannelRoute("acme", groups=GROUPS)
ALL = ChannelRoute("ops")


class Bench:
    """
    A delivery to one channel of the group acme and one of everybody.
    """

    def __init__(self, database: Database, store: StoreWorker, *more: ChannelRoute) -> None:
        subjects = [Subject(name, group="acme") for name in MINE]
        subjects += [Subject(name, group="globex") for name in OTHERS[:-1]]
        entries = [entry(name) for name in (*MINE, *OTHERS)]
        plan = plan_of(*entries, channels=[ACME, ALL, *more], subjects=subjects)
        self.story = Story.begin(database, plan)
        self.clock = FixedClock()
        self.sender = FakeSender()
        self.delivery = delivery_of(store, plan, self.sender, self.clock, retry_for=HOUR)

    def dispatch(self, kind: AlertKind, *names: str, **facts: Any) -> None:
        with self.story.database.write() as tx:
            known = {one.name: one.id for one in connections.list_records(tx)}
            about = {known[name]: name for name in names}
            alert = AlertDue.of(kind, **facts)
            dispatch_alert(tx, alert, about, self.story.plan, self.clock())

    async def told(self, channel: str = "acme") -> list[Message]:
        self.clock.advance(HOUR)
        await self.delivery.deliver_due(is_final=True)
        return [message for to, message in self.sender.sent if to == channel]


def text_of(messages: list[Message]) -> str:
    return "\n".join(f"{one.title}\n{one.body}\n{one.short}\n{one.content}" for one in messages)


SHARED = [
    pytest.param(
        AlertKind.OUTAGE,
        {"host": "api.example.com", "n_failing": 6, "n_total": 6, "reason": "timeout"},
        "2 of 2",
        id="outage",
    ),
    pytest.param(AlertKind.OUTAGE_OVER, {"host": "api.example.com", "n": 6}, "2 ", id="over"),
    pytest.param(
        AlertKind.SECRET_EXPIRING, {"application": "our-app", "n_connections": 6}, "2 ", id="secret"
    ),
    pytest.param(
        AlertKind.ERROR,
        {
            "application": "our-app",
            "n_connections": 6,
            "reason": "client_rejected",
            "detail": "canary said so",
        },
        "2 ",
        id="application",
    ),
    pytest.param(
        AlertKind.QUOTA_LOW, {"limit": 1000, "remaining": 50, "step": 5}, "2 ", id="shared quota"
    ),
    pytest.param(AlertKind.EXPIRED, {"reason": "authorization_expired"}, "2 ", id="expired"),
]


@pytest.mark.parametrize(("kind", "facts", "counted"), SHARED)
async def test_of_what_several_groups_share_it_is_told_its_own_part(
    database, store, kind, facts, counted
):
    bench = Bench(database, store)
    if kind is AlertKind.OUTAGE_OVER:
        bench.dispatch(AlertKind.OUTAGE, *MINE, *OTHERS, host="api.example.com", n_failing=6)
    bench.dispatch(kind, *MINE, *OTHERS, **facts)
    mine, everybody = await bench.told(), await bench.told("ops")
    assert mine
    text = text_of(mine)
    assert CANARY not in text
    assert "6" not in text.replace("2026", "")
    assert all(name in text for name in MINE)
    assert counted in text
    assert CANARY in text_of(everybody)


async def test_of_one_of_theirs_it_is_told_as_if_there_were_no_others(database, store):
    bench = Bench(database, store)
    bench.dispatch(AlertKind.EXPIRED, MINE[0], OTHERS[0], reason="authorization_expired")
    [message] = await bench.told()
    assert MINE[0] in message.title
    assert CANARY not in text_of([message])


@pytest.mark.parametrize("kind", AlertKind)
async def test_of_no_kind_is_it_told_about_others(database, store, kind):
    if kind in {AlertKind.DIGEST, AlertKind.TEST}:
        return  # of no connection: one is made for the channel itself
    bench = Bench(database, store)
    bench.dispatch(kind, *OTHERS, channel="canary", source="canary", lines=["canary"])
    assert await bench.told() == []


@pytest.mark.parametrize(
    "kind", [kind for kind in AlertKind if kind.startswith(("monitor_", "channel_", "source_"))]
)
async def test_it_is_told_nothing_about_connwatch_itself(database, store, kind):
    bench = Bench(database, store)
    bench.dispatch(kind, *MINE)
    assert await bench.told() == []


async def test_grouped_messages_name_theirs_alone(database, store):
    bench = Bench(database, store)
    for name in (*MINE, *OTHERS):
        bench.dispatch(AlertKind.EXPIRED, name, reason="authorization_expired")
    messages = await bench.told()
    assert messages
    assert CANARY not in text_of(messages)


async def test_a_real_outage_is_told_in_its_part(database, store):
    bench = Bench(database, store)
    for minute in range(3):
        at = NOON + minute * MINUTE
        bench.story.evaluate(at, **dict.fromkeys((*MINE, *OTHERS), UNREACHED))
    messages = await bench.told()
    assert "2 of 2" in text_of(messages)
    assert CANARY not in text_of(messages)


async def test_a_shared_quota_is_told_in_its_part(database, store):
    bench = Bench(database, store)
    low = ok_with(10)
    bench.story.evaluate(NOON, **dict.fromkeys((*MINE, *OTHERS), low))
    messages = await bench.told()
    assert messages
    assert CANARY not in text_of(messages)


async def test_what_has_left_the_group_meanwhile_is_not_told_any_more(database, store):
    bench = Bench(database, store)
    bench.dispatch(AlertKind.EXPIRED, MINE[0], reason="authorization_expired")
    bench.dispatch(AlertKind.ERROR, MINE[1], reason="token_rejected")
    moved = [entry(MINE[0]), *(entry(name) for name in (*MINE[1:], *OTHERS))]
    subjects = [Subject(MINE[1], group="acme"), Subject(MINE[0], group="globex")]
    plan = plan_of(*moved, channels=[ACME, ALL], subjects=subjects)
    Story.begin(bench.story.database, plan)
    messages = await bench.told()
    assert len(messages) == 1
    assert MINE[1] in messages[0].title
    assert len(await bench.told("ops")) == 2


async def test_a_digest_counts_and_names_theirs_alone(database, store):
    digest = ChannelRoute("acme-digest", groups=GROUPS, digest=DigestTime(Digest.DAILY, UTC))
    bench = Bench(database, store, digest)
    bench.story.evaluate(NOON, **dict.fromkeys(MINE, OK), **dict.fromkeys(OTHERS, REFUSED))
    with bench.story.database.write() as tx:
        reminders.note_digest(tx, "acme-digest", NOON - 2 * DAY)
        dispatch_digests(tx, bench.story.plan, NOON)
    [message] = await bench.told("acme-digest")
    assert CANARY not in text_of([message])
    assert "2 " in message.title


async def test_a_reminder_is_told_in_its_part(database, store):
    bench = Bench(database, store)
    bench.dispatch(
        AlertKind.OUTAGE, *MINE, *OTHERS, host="api.example.com", n_failing=6, n_total=6, reminder=1
    )
    messages = await bench.told()
    assert CANARY not in text_of(messages)
    assert "2 of 2" in text_of(messages)


@pytest.mark.parametrize(
    ("target", "is_told", "are_all_told"),
    [
        pytest.param("acme", False, True, id="their group, and nobody else's"),
        pytest.param("globex", True, True, id="another group"),
    ],
)
async def test_what_is_muted_of_theirs_is_held_though_others_may_be_told(
    database, store, target, is_told, are_all_told
):
    bench = Bench(database, store)
    with database.write() as tx:
        silence = suppression.add_silence(tx, Scope.GROUP, target, "", NOON - HOUR, NOON + 9 * HOUR)
    facts = {"host": "api.example.com", "n_failing": 6, "n_total": 6, "reason": "timeout"}
    bench.dispatch(AlertKind.OUTAGE, *MINE, *OTHERS, **facts)
    assert bool(await bench.told()) is is_told
    assert bool(await bench.told("ops")) is are_all_told
    with database.write() as tx:
        end_silence(tx, bench.story.plan, silence, bench.clock())
    assert await bench.told()
