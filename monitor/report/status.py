"""Describe connections and quotas in the contract's JSON, for commands, pages and programs.

Pure: records, the plan and the present instant come in, objects of JSON go out. Each
object is declared here once; the HTTP API describes itself by these declarations.
Also decides which connections are worse than others, and the exit code that a list
of them means. What happened to them is in `monitor.report.history`, how they look is
left to the commands and pages.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import IntEnum
from typing import TYPE_CHECKING, Annotated, Any, overload

from pydantic import Field, WithJsonSchema
from typing_extensions import TypedDict  # pydantic reads no other before Python 3.12

from monitor.judge.authorizations import FLAG_STATES, ClockSource, days_left
from monitor.judge.outcome import Rules, State
from monitor.judge.quota import Level
from monitor.judge.suppression import Muting

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from monitor.judge.authorizations import AuthorizationClock, Declared
    from monitor.judge.connections import ConnectionRecord, Watched
    from monitor.judge.forecast import Outlook
    from monitor.judge.quota import Quota
    from monitor.judge.suppression import Acknowledgement

AUTHORIZATION = "authorization"
TOKEN = "token"  # noqa: S105 - a kind of clock, not a password
CLIENT_SECRET = "client_secret"  # noqa: S105 - a kind of clock, not a password

UNMUTED = Muting()

SOON_DAYS = max(Rules().expiring_soon_days)

Json = dict[str, Any]
"""An object that only commands print."""

Instant = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]


class LastCheckJson(TypedDict):
    """The latest attempt."""

    at: Instant
    conclusive: Annotated[bool, Field(description="The service said yes or no.")]
    reason: str
    in_a_row: Annotated[int, Field(description="How many attempts in a row ended like this one.")]


class AuthorizationJson(TypedDict):
    """The grant that somebody declared."""

    authorized_at: Instant
    expires_at: Instant | None
    days_left: int | None
    source: str


class ClockJson(TypedDict):
    """Something with an end."""

    kind: Annotated[str, Field(description="authorization, client_secret or token")]
    of: Annotated[str, Field(description="The connection or application that it belongs to.")]
    ends_at: Instant
    days_left: int
    source: str


class QuotaJson(TypedDict):
    """What is left to call."""

    limit: int | None
    remaining: int | None
    resets_at: Instant | None
    level: Annotated[str | None, Field(description="ok, low or exhausted; null where unknown")]
    exhausts_at: Instant | None


class MarketplaceJson(TypedDict):
    """Where an Amazon account sells."""

    country: str
    id: str
    participating: bool
    suspended_listings: bool
    configured: bool


class AcknowledgedJson(TypedDict):
    """The word that somebody takes care of the present problem: no one is reminded of it."""

    at: Instant
    by: Annotated[str | None, Field(description="Who gave it; null where that is not known.")]
    until: Annotated[Instant | None, Field(description="Reminders go on from then on.")]
    note: str


class MaintenanceJson(TypedDict):
    """The maintenance window that it is in."""

    name: str
    mode: Annotated[str, Field(description="mute or pause")]
    until: Instant


class ConnectionJson(TypedDict):
    """One connection."""

    name: str
    provider: str
    state: Annotated[str, Field(description="active, error, expired, pending or paused")]
    reason: str
    detail: str
    since: Instant
    checked_at: Instant | None
    latency_ms: float | None
    tags: list[str]
    account: str | None
    last_check: LastCheckJson | None
    expiring_soon: bool
    renewal_unrecorded: bool
    authorization: AuthorizationJson | None
    clocks: list[ClockJson]
    quota: QuotaJson | None
    marketplaces: list[MarketplaceJson] | None
    group: Annotated[str | None, Field(description="The customer or team that it belongs to.")]
    owner: Annotated[str, Field(description="Where its settings are: file, dashboard or a source.")]
    notes: Annotated[str, Field(description="What the next person should know.")]
    muted_until: Annotated[
        Instant | None, Field(description="When the last mute in force ends; null without one.")
    ]
    maintenance: MaintenanceJson | None
    acknowledged: AcknowledgedJson | None


class Health(IntEnum):
    """How bad it is; the values are the exit codes of `check` and `status`."""

    NONE = 0
    SOON = 1
    BROKEN = 2
    UNKNOWN = 3


_WORST_FIRST = (Health.BROKEN, Health.UNKNOWN, Health.SOON, Health.NONE)
"""Which code wins where several apply."""

_BY_URGENCY = (State.ERROR, State.EXPIRED, State.PENDING, State.ACTIVE, State.PAUSED)


def connection_json(
    record: ConnectionRecord, watched: Watched, now: datetime, muting: Muting = UNMUTED
) -> ConnectionJson:
    """Return one connection as people and programs are shown it.

    Args:
        muting: What keeps people from being alerted of it.
    """
    standing = record.standing
    return {
        "name": record.name,
        "provider": record.provider,
        "state": record.shown_state.value,
        "reason": standing.reason.value,
        "detail": standing.detail,
        "since": instant(standing.since),
        "checked_at": instant(standing.checked_at),
        "latency_ms": milliseconds(standing.latency_ms),
        "tags": sorted(watched.subject.tags),
        "account": record.account,
        "last_check": _last_check_json(record),
        "expiring_soon": (
            record.shown_state in FLAG_STATES
            and record.clock.is_expiring_soon(watched.rules.expiring_soon_days, now)
        ),
        "renewal_unrecorded": record.clock.is_renewal_unrecorded,
        "authorization": _authorization_json(record.clock, now),
        "clocks": _clocks_json(record, watched, now),
        "quota": _quota_json(record, watched, now),
        "marketplaces": _marketplaces_json(record),
        "group": watched.subject.group,
        "owner": watched.owner,
        "notes": watched.notes,
        "muted_until": instant(muting.muted_until),
        "maintenance": None,
        "acknowledged": _acknowledged_json(muting.acknowledged),
    }


def _acknowledged_json(given: Acknowledgement | None) -> AcknowledgedJson | None:
    if given is None:
        return None
    return {
        "at": instant(given.at),
        "by": None,
        "until": instant(given.until),
        "note": given.note,
    }


def _last_check_json(record: ConnectionRecord) -> LastCheckJson | None:
    standing = record.standing
    if standing.checked_at is None or standing.last_reason is None:
        return None
    return {
        "at": instant(standing.checked_at),
        "conclusive": standing.last_reason.is_conclusive,
        "reason": standing.last_reason.value,
        "in_a_row": standing.in_a_row,
    }


def _authorization_json(clock: AuthorizationClock, now: datetime) -> AuthorizationJson | None:
    if clock.authorized_at is None:
        return None
    ends_at = _declared_end(clock)
    return {
        "authorized_at": instant(clock.authorized_at),
        "expires_at": instant(ends_at),
        "days_left": None if ends_at is None else days_left(ends_at, now),
        "source": clock.source.value,
    }


def _clocks_json(record: ConnectionRecord, watched: Watched, now: datetime) -> list[ClockJson]:
    clock = record.clock
    ends = [
        (AUTHORIZATION, record.name, _declared_end(clock), clock.source),
        (TOKEN, record.name, clock.token_ends_at, ClockSource.OBSERVED),
    ]
    if watched.secret is not None and watched.application is not None:
        secret_ends_at = secret_end(watched.secret)
        ends.append((CLIENT_SECRET, watched.application, secret_ends_at, ClockSource.DECLARED))
    return [
        {
            "kind": kind,
            "of": of,
            "ends_at": instant(ends_at),
            "days_left": days_left(ends_at, now),
            "source": source.value,
        }
        for kind, of, ends_at, source in ends
        if ends_at is not None
    ]


def _declared_end(clock: AuthorizationClock) -> datetime | None:
    """Return when an authorization ends; once that has proved wrong, nobody knows."""
    is_known = clock.authorized_at is not None and not clock.is_renewal_unrecorded
    return clock.ends_at if is_known else None


def secret_end(secret: Declared) -> datetime | None:
    """Return when a client secret ends, as far as the file says when it was made."""
    return None if secret.authorized_at is None else secret.ends_at(secret.authorized_at)


def end_of(each: ConnectionJson) -> ClockJson | None:
    """Return the clock that a connection's days are counted by: the service's, else the file's."""
    by_kind = {clock["kind"]: clock for clock in each["clocks"]}
    return by_kind.get(TOKEN) or by_kind.get(AUTHORIZATION)


def _marketplaces_json(record: ConnectionRecord) -> list[MarketplaceJson] | None:
    if record.marketplaces is None:
        return None
    return [
        {
            "country": one.country,
            "id": one.id,
            "participating": one.is_participating,
            "suspended_listings": one.has_suspended_listings,
            "configured": one.is_configured,
        }
        for one in record.marketplaces
    ]


def _quota_json(record: ConnectionRecord, watched: Watched, now: datetime) -> QuotaJson | None:
    quota = record.quota
    if not quota.is_known:
        return None
    level = quota.level(watched.rules)
    foreseen = None if level is Level.EXHAUSTED else record.outlook.shown(now)
    return {
        "limit": quota.shown.limit,
        "remaining": 0 if quota.is_payment_required else quota.shown.remaining,
        "resets_at": instant(quota.shown.resets_at),
        "level": level and level.value,
        "exhausts_at": None if foreseen is None else instant(foreseen.exhausts_at),
    }


def needs_attention(each: ConnectionJson) -> bool:
    """Tell whether somebody has to do something about a connection, now or soon."""
    if each["state"] == State.PAUSED:
        return False
    return (
        each["state"] in {State.ERROR, State.EXPIRED}
        or each["expiring_soon"]
        or is_quota_low(each)
        or each["renewal_unrecorded"]
    )


def is_quota_low(each: ConnectionJson) -> bool:
    """Tell whether little or nothing is left of a quota."""
    return each["quota"] is not None and each["quota"]["level"] in {Level.LOW, Level.EXHAUSTED}


EXPIRING_SOON = "expiring_soon"
NEEDS_ATTENTION = "needs_attention"
"""Count and filter beside the states."""


def summary(objects: Iterable[ConnectionJson]) -> dict[str, int]:
    """Count connections by state, those that expire soon, and those that need attention."""
    counts = {
        state.value: 0
        for state in (State.ACTIVE, State.ERROR, State.EXPIRED, State.PENDING, State.PAUSED)
    }
    counts |= {EXPIRING_SOON: 0, NEEDS_ATTENTION: 0}
    for each in objects:
        counts[each["state"]] += 1
        counts[EXPIRING_SOON] += each["expiring_soon"]
        counts[NEEDS_ATTENTION] += needs_attention(each)
    return counts


def report_json(objects: Sequence[ConnectionJson], now: datetime) -> Json:
    """Return what `status --json` and `check --json` print."""
    return {"checked_at": instant(now), "summary": summary(objects), "connections": list(objects)}


def health_of(
    each: ConnectionJson, *, is_check: bool = False, soon_days: int = SOON_DAYS
) -> Health:
    """Say how bad it is with one connection.

    Args:
        is_check: It was just asked, so that having no answer is a trouble too.
        soon_days: How near the end of a client secret must be to count as soon.
    """
    if each["state"] == State.PAUSED:
        return Health.NONE
    level = each["quota"] and each["quota"]["level"]
    if each["state"] in {State.ERROR, State.EXPIRED} or level == Level.EXHAUSTED:
        return Health.BROKEN
    last = each["last_check"]
    if each["state"] == State.PENDING or (is_check and last and not last["conclusive"]):
        return Health.UNKNOWN
    if each["expiring_soon"] or each["renewal_unrecorded"] or level == Level.LOW:
        return Health.SOON
    if ending_secret(each, soon_days) is not None:
        return Health.SOON
    return Health.NONE


def ending_secret(each: ConnectionJson, soon_days: int = SOON_DAYS) -> ClockJson | None:
    """Return the clock of a client secret that ends within *soon_days*, or has ended."""
    near = (
        clock
        for clock in each["clocks"]
        if clock["kind"] == CLIENT_SECRET and clock["days_left"] < soon_days
    )
    return next(near, None)


def exit_code(
    objects: Sequence[ConnectionJson], *, is_check: bool = False, soon_days: int = SOON_DAYS
) -> int:
    """Return the contract's exit code for what was shown."""
    if not objects:
        return int(Health.UNKNOWN)
    troubles = {health_of(each, is_check=is_check, soon_days=soon_days) for each in objects}
    return int(next(trouble for trouble in _WORST_FIRST if trouble in troubles))


def urgency(
    each: ConnectionJson, *, is_check: bool = False, soon_days: int = SOON_DAYS
) -> tuple[int, int]:
    """Return a key that sorts the worst first and keeps the file's order otherwise."""
    trouble = health_of(each, is_check=is_check, soon_days=soon_days)
    return _WORST_FIRST.index(trouble), _BY_URGENCY.index(State(each["state"]))


def ending_first(each: ConnectionJson) -> tuple[int, str]:
    """Return a key that sorts by the days that are shown as left, and what has none behind that.

    Of those the ones come first whose client secret has an end: many share it,
    so that it says little about one of them.
    """
    end = end_of(each)
    if end is not None:
        return 0, end["ends_at"]
    ends = [clock["ends_at"] for clock in each["clocks"]]
    return (1, min(ends)) if ends else (2, "")


@overload
def instant(at: datetime) -> str: ...
@overload
def instant(at: datetime | None) -> str | None: ...
def instant(at: datetime | None) -> str | None:
    """Write an instant as RFC 3339 in UTC, to the second."""
    if at is None:
        return None
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def milliseconds(value: float | None) -> float | None:
    """Round a length of time for people."""
    return None if value is None else round(value, 1)


def quotas_json(pairs: Iterable[tuple[ConnectionRecord, Watched]], now: datetime) -> Json:
    """Return what `quota --json` prints."""
    return {
        "checked_at": instant(now),
        "connections": [
            {
                "name": record.name,
                "provider": record.provider,
                "account": record.account,
                "windows": _windows_json(record, watched, now),
            }
            for record, watched in pairs
        ],
    }


def _windows_json(record: ConnectionRecord, watched: Watched, now: datetime) -> list[Json]:
    if not record.quota.is_known:
        return []
    deciding, *others = record.quota.windows
    rules = watched.rules
    return [
        _window_json(deciding, rules, _forecast_json(record, rules, now)) | {"deciding": True},
        *(_window_json(each, rules, None) | {"deciding": False} for each in others),
    ]


def _window_json(window: Quota, rules: Rules, forecast: Json | None) -> Json:
    level = window.level(rules)
    return {
        "window": window.known.name,
        "unit": window.known.unit.value,
        "limit": window.shown.limit,
        "remaining": 0 if window.is_payment_required else window.shown.remaining,
        "resets_at": instant(window.shown.resets_at),
        "seen_at": instant(window.seen_at),
        "level": level and level.value,
        "forecast": forecast,
    }


def _forecast_json(record: ConnectionRecord, rules: Rules, now: datetime) -> Json | None:
    outlook = record.outlook
    forecast = outlook.shown(now)
    if forecast is None or record.quota.level(rules) is Level.EXHAUSTED:
        return None
    return {
        "made_at": instant(outlook.foreseen_at),
        "exhausts_at": instant(forecast.exhausts_at),
        "earliest": instant(forecast.earliest),
        "latest": instant(forecast.latest),
        "left_at_reset": left_at_reset(outlook),
    }


def left_at_reset(outlook: Outlook) -> int | None:
    """Return about how much will be left when the quota is reset; None where nobody knows."""
    forecast, sample, made_at = outlook.forecast, outlook.sample, outlook.foreseen_at
    if forecast is None or sample is None or made_at is None or sample.resets_at is None:
        return None
    remaining = outlook.foreseen_remaining or 0
    if forecast.exhausts_at is None:
        return None
    if forecast.exhausts_at <= sample.resets_at:
        return 0
    part = (sample.resets_at - made_at) / (forecast.exhausts_at - made_at)
    return min(round(remaining * (1 - part)), sample.remaining)
