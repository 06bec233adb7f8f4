"""
Make the message of a realistic alert of each kind, and try the templates of channels on them.

`alerts test` sends them, `config check` tries templates on them, and the documents show them. A
template is tried on a sample of each kind that its channel receives. The form makes no difference
to what can go wrong, and the URL that decides on it may not be readable here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from monitor.judge.alerts import KINDS, ONLY_IF_NAMED, AlertKind
from monitor.notify.formats import Form
from monitor.notify.message import compose
from monitor.notify.template import TemplateError, render

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from monitor.config.model import Channel
    from monitor.notify.message import Message


TOKEN = "soldscope-production"  # noqa: S105 - the name of a connection
STORE = "acme-europe"
STORES = ("acme-europe", "acme-north-america", "globex-europe")
RENEW_URL = (
    "https://sellercentral.amazon.com/apps/authorize/consent?application_id=amzn1.sp.example"
)
HOST = "sellingpartnerapi-eu.amazon.com:443"


@dataclass(frozen=True, slots=True)
class AlertSample:
    """
    What an alert could be made of.

    Args:
        facts: As `monitor.judge` leaves them, but with instants given as the
            time from now.
        n_connections: How many are concerned, if more than are named.
    """

    facts: dict[str, Any] = field(default_factory=dict)
    connections: tuple[str, ...] = (TOKEN,)
    n_connections: int | None = None


_MINUTES, _DAYS = timedelta(minutes=1), timedelta(days=1)
_DETAIL = "401 Unauthorized from api.example.com"
_QUOTA = {"limit": 10_000, "remaining": 1_950, "resets_at": 9 * _DAYS}

SAMPLES: Mapping[AlertKind, AlertSample] = {
    AlertKind.ERROR: AlertSample(
        {
            "reason": "token_rejected",
            "detail": _DETAIL,
            "since": -5 * _MINUTES,
            "reason_before": None,
        }
    ),
    AlertKind.EXPIRED: AlertSample(
        {
            "reason": "authorization_expired",
            "detail": "invalid_grant",
            "since": -5 * _MINUTES,
            "reason_before": None,
            "renew_url": RENEW_URL,
        },
        (STORE,),
    ),
    AlertKind.RECOVERED: AlertSample(
        {"reason_before": "token_rejected", "detail_before": _DETAIL, "since": -90 * _MINUTES}
    ),
    AlertKind.EXPIRING_SOON: AlertSample(
        {"step": 14, "authorized_at": -351 * _DAYS, "ends_at": 14 * _DAYS, "renew_url": RENEW_URL},
        (STORE,),
    ),
    AlertKind.SECRET_EXPIRING: AlertSample(
        {"step": 14, "ends_at": 14 * _DAYS, "application": "our-app", "n_connections": 3}, STORES
    ),
    AlertKind.RENEWAL_UNRECORDED: AlertSample(
        {"authorized_at": -366 * _DAYS, "ends_at": -1 * _DAYS}, (STORE,)
    ),
    AlertKind.RENEWED: AlertSample({"authorized_at": 0 * _DAYS, "ends_at": 365 * _DAYS}, (STORE,)),
    AlertKind.QUOTA_LOW: AlertSample({**_QUOTA, "step": 20}),
    AlertKind.QUOTA_EXHAUSTED: AlertSample({**_QUOTA, "remaining": 0, "step": 0}),
    AlertKind.QUOTA_FORECAST: AlertSample(
        {**_QUOTA, "exhausts_at": 4 * _DAYS, "earliest": 3 * _DAYS, "latest": 6 * _DAYS}
    ),
    AlertKind.QUOTA_RESTORED: AlertSample({**_QUOTA, "remaining": 10_000, "resets_at": 30 * _DAYS}),
    AlertKind.LIMIT_CHANGED: AlertSample(
        {**_QUOTA, "limit": 50_000, "remaining": 41_950, "limit_before": 10_000}
    ),
    AlertKind.FLAPPING: AlertSample({"n": 6, "window": 3600}),
    AlertKind.OUTAGE: AlertSample(
        {"host": HOST, "n_failing": 41, "n_total": 60, "reason": "timeout", "since": -3 * _MINUTES},
        STORES,
        41,
    ),
    AlertKind.OUTAGE_OVER: AlertSample(
        {"host": HOST, "since": -50 * _MINUTES, "until": -1 * _MINUTES, "n": 41}, STORES, 41
    ),
    AlertKind.MONITOR_OFFLINE: AlertSample({"since": -3 * _MINUTES, "n_hosts": 4}, ()),
    AlertKind.MONITOR_ONLINE: AlertSample(
        {"since": -50 * _MINUTES, "until": -1 * _MINUTES, "n_missed": 120}, ()
    ),
    AlertKind.CHANNEL_FAILED: AlertSample(
        {"channel": "ops-slack", "error": "Slack: error=404.", "since": -1 * _DAYS}, ()
    ),
    AlertKind.CHANNEL_RESTORED: AlertSample({"channel": "ops-slack", "since": -1 * _DAYS}, ()),
    AlertKind.RESUMED: AlertSample(
        {
            "since": -2 * _DAYS,
            "n_missed": 1152,
            "n_changed": 2,
            "lines": [f"{TOKEN}: active -> error", f"{STORE}: active -> expired"],
        },
        (TOKEN, STORE),
    ),
    AlertKind.DIGEST: AlertSample(
        {
            "n_active": 40,
            "n_error": 0,
            "n_expired": 0,
            "n_pending": 0,
            "n_paused": 1,
            "n_exhausted": 0,
            "n_expiring_soon": 1,
            "next_to_end": [
                {"name": STORE, "ends_at": 14 * _DAYS},
                {"name": STORES[1], "ends_at": 90 * _DAYS},
            ],
        },
        (),
    ),
    AlertKind.TEST: AlertSample({}, ()),
}


def sample_message(kind: AlertKind, now: datetime) -> Message:
    """Return a message of *kind*, marked as a test."""
    sample = SAMPLES[kind]
    return compose(
        kind,
        KINDS[kind].severity,
        sample_facts(kind, now),
        sample.connections,
        now,
        None,
        now,
        is_test=True,
        n_connections=sample.n_connections,
    )


def sample_facts(kind: AlertKind, now: datetime) -> dict[str, Any]:
    """Return the facts of a sample, as they are stored."""
    facts: dict[str, Any] = _date(SAMPLES[kind].facts, now)
    return facts


def _date(value: Any, now: datetime) -> Any:
    match value:
        case timedelta():
            return (now + value).isoformat()
        case dict():
            return {name: _date(inner, now) for name, inner in value.items()}
        case list():
            return [_date(inner, now) for inner in value]
    return value


def kinds_of(channel: Channel) -> list[AlertKind]:
    """Return the kinds of alert that *channel* receives."""
    if channel.kinds is None:
        return [kind for kind in AlertKind if kind not in ONLY_IF_NAMED]
    return [kind for kind in AlertKind if kind.value in channel.kinds]


def try_template(channel: Channel, now: datetime) -> str | None:
    """Return why the template of *channel* cannot be used, or None if it can."""
    if channel.template is None:
        return None
    for kind in kinds_of(channel):
        try:
            render(channel.template, sample_message(kind, now), Form.PLAIN)
        except TemplateError as error:
            return f"{error} (tried with a sample of `{kind.value}`)"
    return None
