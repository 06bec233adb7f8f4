"""
Describe what is known in the contract's JSON, for commands and for the HTTP API.

Pure: records, the plan and the present instant come in, plain objects go out.
Also decides which connections are worse than others, and the exit code that a
list of them means. What happened to them is described in `report_past`, how
they look in a table is left to `cli.output`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from monitor.judge.clocks import FLAG_STATES
from monitor.judge.expiry import ClockSource, days_left
from monitor.judge.outcome import State
from monitor.judge.quota import Level
from monitor.judge.rules import Rules

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from monitor.judge.clocks import AuthorizationClock
    from monitor.judge.connections import ConnectionRecord, Watched

Json = dict[str, Any]


AUTHORIZATION = "authorization"
TOKEN = "token"  # noqa: S105 - a kind of clock, not a password
CLIENT_SECRET = "client_secret"  # noqa: S105 - a kind of clock, not a password

SOON_DAYS = max(Rules().expiring_soon_days)


class Trouble(IntEnum):
    """
    How bad it is; the values are the exit codes of `check` and `status`.
    """

    NONE = 0
    SOON = 1
    BROKEN = 2
    UNKNOWN = 3


_WORST_FIRST = (Trouble.BROKEN, Trouble.UNKNOWN, Trouble.SOON, Trouble.NONE)
"""Which code wins where several apply."""

_BY_URGENCY = (State.ERROR, State.EXPIRED, State.PENDING, State.ACTIVE, State.PAUSED)


def connection_json(record: ConnectionRecord, watched: Watched, now: datetime) -> Json:
    """
    Return one connection as people and programs are shown it.
    """
    standing = record.standing
    authorization = _authorization_json(record.clock, now)
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
        "authorization": authorization,
        "clocks": _clocks_json(record, authorization, watched, now),
        "quota": _quota_json(record, watched, now),
        "marketplaces": _marketplaces_json(record),
    }


def _last_check_json(record: ConnectionRecord) -> Json | None:
    standing = record.standing
    if standing.checked_at is None or standing.last_reason is None:
        return None
    return {
        "at": instant(standing.checked_at),
        "conclusive": standing.last_reason.is_conclusive,
        "reason": standing.last_reason.value,
        "in_a_row": standing.in_a_row,
    }


def _authorization_json(clock: AuthorizationClock, now: datetime) -> Json | None:
    if clock.authorized_at is None:
        return None
    # Once it has proved wrong, nobody knows the end until a renewal is recorded.
    ends_at = None if clock.is_renewal_unrecorded else clock.ends_at
    return {
        "authorized_at": instant(clock.authorized_at),
        "expires_at": instant(ends_at),
        "days_left": None if ends_at is None else days_left(ends_at, now),
        "source": clock.source.value,
    }


def _clocks_json(
    record: ConnectionRecord, authorization: Json | None, watched: Watched, now: datetime
) -> list[Json]:
    clocks = []
    if authorization is not None and authorization["expires_at"] is not None:
        clocks.append(
            {
                "kind": AUTHORIZATION,
                "of": record.name,
                "ends_at": authorization["expires_at"],
                "days_left": authorization["days_left"],
                "source": authorization["source"],
            }
        )
    if record.clock.token_ends_at is not None:
        ends_at = record.clock.token_ends_at
        clocks.append(_clock_json(TOKEN, record.name, ends_at, ClockSource.OBSERVED, now))
    secret = watched.secret
    secret_ends_at = secret and secret.authorized_at and secret.ends_at(secret.authorized_at)
    if secret_ends_at and watched.application is not None:
        source = ClockSource.DECLARED
        clocks.append(_clock_json(CLIENT_SECRET, watched.application, secret_ends_at, source, now))
    return clocks


def _clock_json(kind: str, of: str, ends_at: datetime, source: ClockSource, now: datetime) -> Json:
    return {
        "kind": kind,
        "of": of,
        "ends_at": instant(ends_at),
        "days_left": days_left(ends_at, now),
        "source": source.value,
    }


def end_of(each: Json) -> Json | None:
    """
    Return the clock that a connection's days are counted by: what the service says, else the file.
    """
    by_kind = {clock["kind"]: clock for clock in each["clocks"]}
    return by_kind.get(TOKEN) or by_kind.get(AUTHORIZATION)


def _marketplaces_json(record: ConnectionRecord) -> list[Json] | None:
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


def _quota_json(record: ConnectionRecord, watched: Watched, now: datetime) -> Json | None:
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


def summary(objects: Iterable[Json]) -> dict[str, int]:
    """
    Count connections by state, and those that expire soon.
    """
    counts = {
        state.value: 0
        for state in (State.ACTIVE, State.ERROR, State.EXPIRED, State.PENDING, State.PAUSED)
    }
    n_expiring = 0
    for each in objects:
        counts[each["state"]] += 1
        n_expiring += each["expiring_soon"]
    return counts | {"expiring_soon": n_expiring}


def report_json(objects: Sequence[Json], now: datetime) -> Json:
    """
    Return what `status --json` and `check --json` print.
    """
    return {"checked_at": instant(now), "summary": summary(objects), "connections": list(objects)}


def trouble_of(each: Json, *, is_check: bool = False, soon_days: int = SOON_DAYS) -> Trouble:
    """
    Say how bad it is with one connection.

    Args:
        is_check: It was just asked, so that having no answer is a trouble too.
        soon_days: How near the end of a client secret must be to count as soon.
    """
    if each["state"] == State.PAUSED:
        return Trouble.NONE
    level = each["quota"] and each["quota"]["level"]
    if each["state"] in {State.ERROR, State.EXPIRED} or level == Level.EXHAUSTED:
        return Trouble.BROKEN
    last = each["last_check"]
    if each["state"] == State.PENDING or (is_check and last and not last["conclusive"]):
        return Trouble.UNKNOWN
    if each["expiring_soon"] or each["renewal_unrecorded"] or level == Level.LOW:
        return Trouble.SOON
    if ending_secret(each, soon_days) is not None:
        return Trouble.SOON
    return Trouble.NONE


def ending_secret(each: Json, soon_days: int = SOON_DAYS) -> Json | None:
    """
    Return the clock of a client secret that ends within *soon_days*, or has ended.
    """
    near = (
        clock
        for clock in each["clocks"]
        if clock["kind"] == CLIENT_SECRET and clock["days_left"] < soon_days
    )
    return next(near, None)


def exit_code(
    objects: Sequence[Json], *, is_check: bool = False, soon_days: int = SOON_DAYS
) -> int:
    """
    Return the contract's exit code for what was shown.
    """
    if not objects:
        return int(Trouble.UNKNOWN)
    troubles = {trouble_of(each, is_check=is_check, soon_days=soon_days) for each in objects}
    return int(next(trouble for trouble in _WORST_FIRST if trouble in troubles))


def urgency(each: Json, *, is_check: bool = False, soon_days: int = SOON_DAYS) -> tuple[int, int]:
    """
    Return a key that sorts the worst first and keeps the file's order otherwise.
    """
    trouble = trouble_of(each, is_check=is_check, soon_days=soon_days)
    return _WORST_FIRST.index(trouble), _BY_URGENCY.index(State(each["state"]))


def ending_first(each: Json) -> tuple[int, str]:
    """
    Return a key that sorts by the days that are shown as left, and what has none behind that.

    Of those the ones come first whose client secret has an end: many share it,
    so that it says little about one of them.
    """
    end = end_of(each)
    if end is not None:
        return 0, end["ends_at"]
    ends = [clock["ends_at"] for clock in each["clocks"]]
    return (1, min(ends)) if ends else (2, "")


def instant(at: datetime | None) -> str | None:
    """
    Write an instant as RFC 3339 in UTC, to the second.
    """
    if at is None:
        return None
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def milliseconds(value: float | None) -> float | None:
    """
    Round a length of time for people.
    """
    return None if value is None else round(value, 1)
