"""
A daemon's web with connections, channels and alerts of two groups, of which one must not show.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from monitor.alerting.dispatch import dispatch_alert
from monitor.engine.batch import FinishedCheck
from monitor.engine.evaluate import evaluate
from monitor.judge.access import Role
from monitor.judge.alerts import AlertDue, AlertKind
from monitor.judge.audit import Action, AuditRow, row_of_mute
from monitor.judge.suppression import Acknowledgement, Scope
from monitor.store import connections, credentials, invites, outbox, suppression
from monitor.store.audit import add_audit
from tests.builders import DAY, HOUR, REFUSED, ok_with
from tests.fakes import NOON
from tests.web_client import Web, client_of, open_file

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import httpx

    from monitor.store.engine import Database

CANARY = "canary"
"""Stands in every name, note, tag, account and reason that belongs to others."""

OTHER = "canary-store"
FREE = "canary-free"
OWN = "acme-store"
OWN_TOO = "acme-token"
SHARED = "acme-na"

TEXT = f"""
[web]
password = "correct horse battery"

[[groups]]
name = "acme"
title = "Acme Ltd"
notes = "Call Ana."

[[groups]]
name = "canary-group"
title = "Canary Ltd"

[[channels]]
name = "acme-mail"
url = "json://127.0.0.1/acme"
groups = ["acme"]

[[channels]]
name = "canary-mail"
url = "json://127.0.0.1/other"
groups = ["canary-group"]

[[channels]]
name = "both-canary-mail"
url = "json://127.0.0.1/both"
groups = ["acme", "canary-group"]

[[channels]]
name = "canary-ops"
url = "json://127.0.0.1/ops"

[[applications]]
name = "our-app"
client_id = "id"
client_secret = "secret"
client_secret_created_on = 2026-08-01

[[applications]]
name = "canary-app"
client_id = "id"
client_secret = "secret"
client_secret_created_on = 2026-08-01

[[connections]]
name = "{OWN}"
provider = "countdown"
authorized_on = 2025-12-10
group = "acme"
tags = ["eu"]
channels = ["acme-mail", "canary-ops"]

[[connections]]
name = "{OWN_TOO}"
provider = "soldscope"
base_url = "http://127.0.0.1:9/v1"
token = "t"
group = "acme"

[[connections]]
name = "{OTHER}"
provider = "soldscope"
base_url = "http://127.0.0.1:9/v1"
token = "t"
authorized_on = 2025-12-10
group = "canary-group"
tags = ["canary-tag"]
notes = "canary-notes"

[[connections]]
name = "{FREE}"
provider = "countdown"
authorized_on = 2025-12-12

[[connections]]
name = "{SHARED}"
provider = "amazon"
application = "our-app"
region = "na"
refresh_token = "r"
group = "acme"

[[connections]]
name = "canary-na"
provider = "amazon"
application = "our-app"
region = "na"
refresh_token = "r"
group = "canary-group"

[[connections]]
name = "canary-eu"
provider = "amazon"
application = "canary-app"
region = "eu"
refresh_token = "r"
"""


@dataclass
class GroupedWeb:
    """
    The web, and who asks it.

    Args:
        full: A program that sees everything.
        limited: One that is limited to the group acme, and may do all that such a one may.
        viewer: Likewise, and it may only read.
        ids: The alerts, by what they are about.
    """

    web: Web
    full: httpx.AsyncClient
    limited: httpx.AsyncClient
    viewer: httpx.AsyncClient
    ids: dict[str, int | None]
    silences: dict[str, int]
    database: Database
    invite: int
    proposal: int


def _settle(web: Web, database: Database, **outcomes: Any) -> None:
    for name, outcome in outcomes.items():
        with database.write() as tx:
            record = connections.find_record(tx, name.replace("_", "-"))
            assert record is not None
            evaluate(tx, [FinishedCheck(record.id, None, NOON, outcome)], web.parts.plan)


def _alerts(web: Web, database: Database) -> dict[str, int | None]:
    """
    Store alerts about one group, about the other, about both, and about connwatch itself.
    """
    with database.write() as tx:
        known = {one.name: one.id for one in connections.list_records(tx)}

        def dispatch(kind: AlertKind, *names: str, **facts: Any) -> int | None:
            about = {known[name]: name for name in names}
            return dispatch_alert(tx, AlertDue.of(kind, **facts), about, web.parts.plan, NOON)

        return {
            "own": dispatch(AlertKind.EXPIRED, OWN, reason="authorization_expired"),
            "other": dispatch(AlertKind.ERROR, OTHER, detail="canary-detail"),
            "free": dispatch(AlertKind.ERROR, FREE, detail="canary-detail"),
            "both": dispatch(
                AlertKind.OUTAGE,
                SHARED,
                "canary-na",
                OTHER,
                host="sellingpartnerapi-na.amazon.com",
                n_failing=3,
                n_total=77,
                reason="timeout",
            ),
            "secret": dispatch(
                AlertKind.SECRET_EXPIRING,
                SHARED,
                "canary-na",
                application="our-app",
                n_connections=2,
            ),
            "channel": dispatch(AlertKind.CHANNEL_FAILED, channel="canary-ops", error="canary-why"),
            "source": dispatch(AlertKind.SOURCE_FAILED, source="canary-source", error="canary"),
            "offline": dispatch(AlertKind.MONITOR_OFFLINE, n_hosts=77),
        }


def _hold(database: Database) -> dict[str, int]:
    until = NOON + 2 * HOUR
    with database.write() as tx:
        known = {one.name: one.id for one in connections.list_records(tx)}
        for name, note in ((OWN_TOO, "own-note"), (OTHER, "canary-ack")):
            given = Acknowledgement(NOON, None, note)
            suppression.save_acknowledgement(tx, known[name], given)
        outbox.begin_channel_failure(tx, "canary-ops", NOON)
        targets = {
            "own": (Scope.CONNECTION, OWN, "own-reason"),
            "group": (Scope.GROUP, "acme", "group-reason"),
            "other": (Scope.CONNECTION, OTHER, "canary-reason"),
            "other group": (Scope.GROUP, "canary-group", "canary-reason"),
            "tag": (Scope.TAG, "eu", "canary-reason"),
            "all": (Scope.ALL, None, "canary-reason"),
        }
        return {
            key: suppression.add_silence(tx, *target, NOON - HOUR, until)
            for key, target in targets.items()
        }


def _invite(database: Database) -> tuple[int, int]:
    """
    Invite somebody to renew another group's connection, and have them bring a credential.
    """
    with database.write() as tx:
        record = connections.find_record(tx, OTHER)
        assert record is not None
        made, _ = invites.add_invite(tx, record.id, "user:canary", DAY, NOON)
        proposal = invites.add_proposal(
            tx,
            record.id,
            invite_id=made.id,
            at=NOON,
            sealed=b"sealed",
            account="canary-account",
            authorized_at=None,
            fingerprint="f",
        )
    return made.id, proposal


def _write_down(database: Database) -> None:
    """
    Have something changed of theirs, of others, and of none.
    """
    with database.write() as tx:
        for name in (OWN, OTHER, FREE):
            add_audit(tx, AuditRow(NOON - DAY, "user:ana", Action.PAUSE, name))
        keys = ("channels.canary-ops",)
        add_audit(tx, AuditRow(NOON - DAY, "user:canary-boss", Action.PUT, keys=keys))
        row = row_of_mute(NOON - DAY, "user:ana", Scope.GROUP, "canary-group")
        add_audit(tx, row)


@asynccontextmanager
async def open_grouped(
    database: Database, folder: Path, role: Role = Role.OPERATOR
) -> AsyncIterator[GroupedWeb]:
    """
    Give out the web over `TEXT`, and three programs that ask it.
    """
    async with open_file(database, folder, TEXT) as web:
        _settle(web, database, acme_token=ok_with(50), canary_store=REFUSED)
        _settle(web, database, canary_store=REFUSED)
        ids = _alerts(web, database)
        silences = _hold(database)
        _write_down(database)
        tokens = []
        with database.write() as tx:
            acme = frozenset({"acme"})
            for name, its_role, groups in (
                ("full", Role.ADMIN, None),
                ("limited", role, acme),
                ("viewer", Role.VIEWER, acme),
            ):
                token = credentials.add_api_token(tx, name, NOON - DAY, its_role, groups)
                tokens.append({"Authorization": f"Bearer {token}"})
        full, limited, viewer = (client_of(web.app, each) for each in tokens)
        async with full, limited, viewer:
            yield GroupedWeb(
                web, full, limited, viewer, ids, silences, database, *_invite(database)
            )
