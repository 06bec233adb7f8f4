"""
Turn what one check of a connection saw into steps that a person can follow.

Pure: the way to a host (`check.reach`), the outcome of the ordinary checker and
what is known after it (`monitor.report`) come in, steps go out. In which order
things are asked is decided in `validating`; what a person can do about it, in
`consent`; how steps look, by whoever shows them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from monitor.alert.texts.of_one import RENEW_COMMAND
from monitor.alert.texts.reasons import REASONS
from monitor.alert.words import name_command, say_end, say_number
from monitor.check.reach import Hop
from monitor.judge.outcome import Outcome, OutcomeClass, Reason, State
from monitor.judge.quota import Level
from monitor.report import CLIENT_SECRET

if TYPE_CHECKING:
    from collections.abc import Iterator

    from monitor.check.reach import Reached
    from monitor.report import Json

CERTIFICATE_SOON = timedelta(days=14)
"""Certificates that renew themselves do so earlier than this."""

CLOCKS = "the clocks"
"""What the dates are listed under: no host is asked for them."""

BLIND = (
    'not asked, because of probe = "token": that sees neither region nor marketplaces, nor a'
    " client secret past its 180 days"
)


class Mark(StrEnum):
    """
    How a step ended.
    """

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


class StepName(StrEnum):
    """
    What is looked at, one after the other.
    """

    RESOLVE = "name resolution"
    CONNECT = "connect"
    TLS = "TLS"
    TOKEN = "token"  # noqa: S105 - the name of a step
    PERMISSION = "permission"
    MARKETPLACES = "marketplaces"
    QUOTA = "quota"
    AUTHORIZATION = "authorization"
    CLIENT_SECRET = "client secret"  # noqa: S105 - likewise


WAY = {Hop.RESOLVE: StepName.RESOLVE, Hop.CONNECT: StepName.CONNECT, Hop.TLS: StepName.TLS}


@dataclass(frozen=True, slots=True)
class Step:
    """
    One thing that was looked at.

    Args:
        target: The host it was tried on, or what it belongs to.
        words: What was found, in a few words.
        took_ms: None where nothing was measured.
    """

    name: StepName
    target: str
    state: Mark
    words: str
    took_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """
    What the ordinary check came to.

    Args:
        each: The connection after it, as `monitor.report` describes it.
        soon_days: How near the end of a client secret is worth a warning.
    """

    outcome: Outcome
    each: Json
    now: datetime
    soon_days: int


def read_way(reached: Reached, target: str, now: datetime) -> Step:
    """
    Return the step for one part of the way to a host.
    """
    name = WAY[reached.hop]
    if reached.failure is not None:
        return Step(name, target, Mark.FAILED, reached.failure.detail, reached.took_ms)
    if reached.hop is Hop.TLS:
        return _read_tls(reached, target, now)
    words = "open" if reached.address == target else reached.address
    if reached.hop is Hop.RESOLVE:
        words = _count_addresses(reached.n_addresses)
    return Step(name, target, Mark.OK, words, reached.took_ms)


def _count_addresses(count: int) -> str:
    if not count:
        return "an address already: nothing to look up"
    return f"{count} address{'' if count == 1 else 'es'}"


def _read_tls(reached: Reached, target: str, now: datetime) -> Step:
    end = reached.certificate_ends_at
    if reached.tls is None or end is None:
        return Step(StepName.TLS, target, Mark.SKIPPED, "not used: plain HTTP on this machine")
    is_soon = end - now <= CERTIFICATE_SOON
    words = f"{reached.tls}, certificate {say_end(end, now)}"
    return Step(StepName.TLS, target, Mark.WARNING if is_soon else Mark.OK, words, reached.took_ms)


def skip(names: tuple[StepName, ...], target: str, why: str) -> Iterator[Step]:
    """
    Return steps that were not taken.
    """
    for name in names:
        yield Step(name, target, Mark.SKIPPED, why)


def read_token(outcome: Outcome, target: str, *, is_reached: bool) -> Step:
    """
    Return the step in which the service was shown the credential.

    Args:
        is_reached: The way to the host had no failure.
    """
    if outcome.reason is Reason.OK or outcome.is_token_issued:
        is_last = outcome.reason is Reason.OK and outcome.marketplaces is None
        took_ms = outcome.latency_ms if is_last else None
        return Step(StepName.TOKEN, target, Mark.OK, "accepted", took_ms)
    if outcome.http_status is None and not is_reached:
        return Step(StepName.TOKEN, target, Mark.SKIPPED, "not sent: there was no way to the host")
    return _refusal(StepName.TOKEN, target, outcome)


def read_permission(outcome: Outcome, target: str, *, is_reached: bool) -> Step:
    """
    Return the step in which an Amazon store was asked where it sells.
    """
    if outcome.marketplaces is not None:
        words = "granted (the time is that of the whole check)"
        return Step(StepName.PERMISSION, target, Mark.OK, words, outcome.latency_ms)
    if outcome.http_status is None and not is_reached:
        words = "not asked: there was no way to the host"
        return Step(StepName.PERMISSION, target, Mark.SKIPPED, words)
    return _refusal(StepName.PERMISSION, target, outcome)


def _refusal(name: StepName, target: str, outcome: Outcome) -> Step:
    is_pause = outcome.reason.outcome_class is OutcomeClass.THROTTLED
    if outcome.http_status is not None:
        words = f"{REASONS[outcome.reason].name} (HTTP {outcome.http_status})"
    else:
        # Nobody answered: why not is all there is to say.
        words = outcome.detail or REASONS[outcome.reason].name
    return Step(name, target, Mark.WARNING if is_pause else Mark.FAILED, words, outcome.latency_ms)


def read_marketplaces(outcome: Outcome, target: str) -> Step:
    """
    Return the step that compares where an account sells with where it should.
    """
    name = StepName.MARKETPLACES
    if outcome.marketplaces is None:
        return Step(name, target, Mark.SKIPPED, "not known: that was not answered")
    configured = [one for one in outcome.marketplaces if one.is_configured]
    sold = [one.country for one in configured if one.is_participating]
    parts = [", ".join(sold)] if sold else []
    missing = [one.country for one in configured if not one.is_participating]
    is_mismatch = outcome.reason is Reason.MARKETPLACE_MISMATCH
    if is_mismatch:
        parts.append(f"missing: {', '.join(missing)}" if missing else "the account has none")
    suspended = [one.country for one in outcome.marketplaces if one.has_suspended_listings]
    if suspended:
        parts.append(f"listings suspended in {', '.join(suspended)}")
    more = [
        one.country
        for one in outcome.marketplaces
        if one.is_participating and not one.is_configured
    ]
    if more:
        parts.append(f"also has {', '.join(more)}, which `marketplaces` does not name")
    mark = Mark.FAILED if is_mismatch else Mark.WARNING if suspended else Mark.OK
    return Step(name, target, mark, "; ".join(parts) or "none")


def read_quota(outcome: Outcome, each: Json, target: str) -> Step:
    """
    Return the step that says what is left of a quota.
    """
    if outcome.reason is not Reason.OK:
        return Step(StepName.QUOTA, target, Mark.SKIPPED, "not known: that was not answered")
    quota = each["quota"]
    if quota is None:
        return Step(StepName.QUOTA, target, Mark.SKIPPED, "the service says nothing of it")
    remaining, limit = quota["remaining"], quota["limit"]
    words = "?" if remaining is None else say_number(remaining)
    words += " requests left" if limit is None else f" of {say_number(limit)} requests left"
    if outcome.is_payment_required:
        words = f"used up (HTTP {outcome.http_status}): {words}"
    if quota["resets_at"] is not None:
        words += f", until {quota['resets_at'][:10]}"
    marks = {Level.LOW: Mark.WARNING, Level.EXHAUSTED: Mark.FAILED}
    return Step(StepName.QUOTA, target, marks.get(quota["level"], Mark.OK), words)


def read_clocks(answered: Answered, application: str | None) -> Iterator[Step]:
    """
    Return the dates at which the connection will stop, as far as they are known.

    Args:
        application: The connection's, by name; None where there is none.
    """
    each = answered.each
    if application is not None or each["authorization"] is not None:
        yield Step(StepName.AUTHORIZATION, CLOCKS, *_read_authorization(each, answered.now))
    if application is not None:
        yield Step(StepName.CLIENT_SECRET, CLOCKS, *_read_secret(answered, application))


def _read_authorization(each: Json, now: datetime) -> tuple[Mark, str]:
    authorization = each["authorization"]
    if authorization is None:
        return Mark.SKIPPED, (
            "its end is not known; set `authorized_on`, or record the date with `connwatch renew`"
        )
    since = authorization["authorized_at"][:10]
    if each["renewal_unrecorded"]:
        return Mark.WARNING, (
            f"works past its known end (authorized on {since}): record the renewal with"
            f" `{name_command(RENEW_COMMAND, each['name'])}`"
        )
    if authorization["expires_at"] is None:
        return Mark.OK, f"authorized on {since}, without a known limit"
    end = datetime.fromisoformat(authorization["expires_at"])
    words = f"{say_end(end, now)} ({authorization['source']})"
    if end <= now or each["state"] == State.EXPIRED:
        return Mark.FAILED, words
    return Mark.WARNING if each["expiring_soon"] else Mark.OK, words


def _read_secret(answered: Answered, application: str) -> tuple[Mark, str]:
    is_refused = answered.outcome.reason is Reason.CLIENT_SECRET_EXPIRED
    clock = next((one for one in answered.each["clocks"] if one["kind"] == CLIENT_SECRET), None)
    if clock is None:
        if is_refused:
            return Mark.FAILED, f"{application}: Amazon says that it has ended"
        return Mark.SKIPPED, (
            f"{application}: its end is not known; set `client_secret_created_on` to count to it"
        )
    end = datetime.fromisoformat(clock["ends_at"])
    words = f"{application}: {say_end(end, answered.now)} ({clock['source']})"
    if is_refused:
        return Mark.FAILED, words if end <= answered.now else f"{words}; Amazon says: already over"
    is_soon = clock["days_left"] < answered.soon_days
    return Mark.WARNING if is_soon else Mark.OK, words
