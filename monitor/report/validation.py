"""Validate one connection step by step: what is looked at, in which order, and what it means.

First comes the way to a host (`providers.reachability`), then what was said there. The check
itself is made by the caller, the way it makes all its checks, so that its result is judged and
stored like any other. What a person can do about it is decided in `report.advice`; how steps
look, by whoever shows them.
"""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from monitor.clock import utc_now
from monitor.config.connections import (
    AmazonConnection,
    CountdownConnection,
    Probe,
)
from monitor.judge.outcome import Outcome, OutcomeClass, Reason, State
from monitor.judge.quota import Level
from monitor.notify.texts import RENEW_COMMAND
from monitor.notify.times import format_date, format_end, format_expiry, read_instant
from monitor.notify.words import explain, format_number, name_command
from monitor.report.status import CLIENT_SECRET, UNMUTED, connection_json

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
    from datetime import tzinfo

    from monitor.config.connections import Application, Connection
    from monitor.config.model import Config
    from monitor.judge.connections import ConnectionRecord, Watched
    from monitor.judge.suppression import Muting
    from monitor.providers.reachability import ProbeResult
    from monitor.report.status import ConnectionJson


CERTIFICATE_SOON = timedelta(days=14)
"""Certificates that renew themselves do so earlier than this."""

CLOCKS = "the clocks"
"""What the dates are listed under: no host is asked for them."""

UNANSWERED = "not known: that was not answered"
BLIND = (
    'not asked, because of probe = "token": that sees neither region nor marketplaces, nor a'
    " client secret past its 180 days"
)


class Mark(StrEnum):
    """How a step ended."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


class StepName(StrEnum):
    """What is looked at, one after the other."""

    RESOLVE = "name resolution"
    CONNECT = "connect"
    TLS = "TLS"
    TOKEN = "token"  # noqa: S105 - the name of a step
    RESPONSE = "response"
    PERMISSION = "permission"
    MARKETPLACES = "marketplaces"
    QUOTA = "quota"
    TOKEN_END = "token expiry"  # noqa: S105 - likewise
    AUTHORIZATION = "authorization"
    CLIENT_SECRET = "client secret"  # noqa: S105 - likewise


PROBE_STEPS = (StepName.RESOLVE, StepName.CONNECT, StepName.TLS)
"""Named as the hops of `providers.reachability`."""


@dataclass(frozen=True, slots=True)
class ValidationStep:
    """One thing that was looked at.

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
class CheckedConnection:
    """What the ordinary check came to.

    Args:
        each: The connection after it, as `monitor.report.status` describes it.
        soon_days: How near the end of a client secret is worth a warning.
        zone: Whose clocks times are named by.
    """

    outcome: Outcome
    each: ConnectionJson
    now: datetime
    soon_days: int
    zone: tzinfo = UTC

    @classmethod
    def of(
        cls,
        outcome: Outcome,
        record: ConnectionRecord,
        watched: Watched,
        config: Config,
        now: datetime,
        muting: Muting = UNMUTED,
    ) -> CheckedConnection:
        """Describe what is known after a check; a paused connection as if it were not paused."""
        shown = replace(record, is_paused=False, is_enabled=True)
        soon_days = max(config.alerts.expiring_soon_days, default=0)
        each = connection_json(shown, watched, now, muting)
        return cls(outcome, each, now, soon_days, config.alerts.zone)


def read_probe(reached: ProbeResult, target: str, now: datetime) -> ValidationStep:
    """Return the step for one part of the way to a host."""
    name = StepName[reached.hop.name]
    if reached.failure is not None:
        return ValidationStep(name, target, Mark.FAILED, reached.failure.detail, reached.took_ms)
    if name is StepName.TLS:
        return _read_tls(reached, target, now)
    words = "open" if reached.address == target else reached.address
    if name is StepName.RESOLVE:
        n = reached.n_addresses
        found = f"{n} address{'' if n == 1 else 'es'}"
        words = found if n else "an address already: nothing to look up"
        if reached.proxy:
            words = f"of the proxy {reached.proxy}: {words}; the proxy looks up the host"
    elif reached.proxy:
        words = f"open, through the proxy {reached.proxy}"
    return ValidationStep(name, target, Mark.OK, words, reached.took_ms)


def _read_tls(reached: ProbeResult, target: str, now: datetime) -> ValidationStep:
    end = reached.certificate_ends_at
    if reached.tls is None or end is None:
        words = "not used: plain HTTP on this machine"
        return ValidationStep(StepName.TLS, target, Mark.SKIPPED, words)
    mark = Mark.WARNING if end - now <= CERTIFICATE_SOON else Mark.OK
    words = f"{reached.tls}, certificate {format_expiry(end, now)}"
    return ValidationStep(StepName.TLS, target, mark, words, reached.took_ms)


def skip_steps(names: tuple[StepName, ...], target: str, why: str) -> Iterator[ValidationStep]:
    """Return steps that were not taken."""
    for name in names:
        yield ValidationStep(name, target, Mark.SKIPPED, why)


def read_token(outcome: Outcome, target: str, *, is_reached: bool) -> ValidationStep:
    """Return the step in which the service was shown the credential.

    Args:
        is_reached: The way to the host had no failure.
    """
    if outcome.reason is Reason.OK or outcome.is_token_issued:
        is_last = outcome.reason is Reason.OK and outcome.marketplaces is None
        took_ms = outcome.latency_ms if is_last else None
        return ValidationStep(StepName.TOKEN, target, Mark.OK, "accepted", took_ms)
    if outcome.http_status is None and not is_reached:
        words = "not sent: there was no way to the host"
        return ValidationStep(StepName.TOKEN, target, Mark.SKIPPED, words)
    return _refusal(StepName.TOKEN, target, outcome)


def describe_try(outcome: Outcome) -> str:
    """Say what a try of settings came to that are not in the file, or not saved yet.

    Our words and the status, nothing of the service's: who names an address must not read what is
    there, and a check's own words quote it.
    """
    named = explain(outcome.reason, None).name
    if outcome.http_status is None:
        return outcome.detail or named  # there was no response that could be quoted
    return f"{named} (HTTP {outcome.http_status})"


def read_advice(outcome: Outcome, target: str) -> Iterator[ValidationStep]:
    """Return what the response holds that the check did not look at."""
    if outcome.advice:
        yield ValidationStep(StepName.RESPONSE, target, Mark.WARNING, outcome.advice)


def read_permission(outcome: Outcome, target: str, *, is_reached: bool) -> ValidationStep:
    """Return the step in which an Amazon store was asked where it sells."""
    if outcome.marketplaces is not None:
        words = "granted (the time is that of the whole check)"
        return ValidationStep(StepName.PERMISSION, target, Mark.OK, words, outcome.latency_ms)
    if outcome.http_status is None and not is_reached:
        words = "not asked: there was no way to the host"
        return ValidationStep(StepName.PERMISSION, target, Mark.SKIPPED, words)
    return _refusal(StepName.PERMISSION, target, outcome)


def _refusal(name: StepName, target: str, outcome: Outcome) -> ValidationStep:
    is_pause = outcome.reason.outcome_class is OutcomeClass.THROTTLED
    named = explain(outcome.reason, None, outcome.detail).name
    words = f"{named} (HTTP {outcome.http_status})"
    if outcome.http_status is None:
        # Nobody answered: why not is all there is to say.
        words = outcome.detail or named
    mark = Mark.WARNING if is_pause else Mark.FAILED
    return ValidationStep(name, target, mark, words, outcome.latency_ms)


def read_marketplaces(outcome: Outcome, target: str) -> ValidationStep:
    """Return the step that compares where an account sells with where it should."""
    name = StepName.MARKETPLACES
    if outcome.marketplaces is None:
        return ValidationStep(name, target, Mark.SKIPPED, UNANSWERED)
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
    return ValidationStep(name, target, mark, "; ".join(parts) or "none")


def read_quota(answered: CheckedConnection, target: str) -> ValidationStep:
    """Return the step that says what is left of a quota."""
    outcome, quota = answered.outcome, answered.each["quota"]
    unreadable = ", ".join(outcome.unreadable_quota)
    if unreadable and quota is None:
        return ValidationStep(StepName.QUOTA, target, Mark.WARNING, f"cannot be read: {unreadable}")
    if outcome.reason is not Reason.OK or quota is None:
        is_said = outcome.reason is Reason.OK
        words = "the service says nothing of it" if is_said else UNANSWERED
        return ValidationStep(StepName.QUOTA, target, Mark.SKIPPED, words)
    remaining, limit = quota["remaining"], quota["limit"]
    words = "?" if remaining is None else format_number(remaining)
    words += " requests left" if limit is None else f" of {format_number(limit)} requests left"
    if outcome.is_payment_required:
        words = f"used up (HTTP {outcome.http_status}): {words}"
    resets_at = read_instant(quota["resets_at"])
    if resets_at is not None:
        verb = "resets" if resets_at > answered.now else "should have been reset"
        words += f", {verb} {format_end(resets_at, answered.now, answered.zone)}"
    marks: dict[str | None, Mark] = {Level.LOW: Mark.WARNING, Level.EXHAUSTED: Mark.FAILED}
    if unreadable:
        words += f"; cannot be read: {unreadable}"
    mark = marks.get(quota["level"], Mark.WARNING if unreadable else Mark.OK)
    return ValidationStep(StepName.QUOTA, target, mark, words)


def read_token_ends(outcome: Outcome) -> Iterator[ValidationStep]:
    """Return what was said of the token's end, and cannot be read."""
    for said in outcome.unreadable_ends:
        words = (
            f"cannot be read: {said}. Set `authorized_on` and `valid_days` to be alerted before the"
            " token expires."
        )
        yield ValidationStep(StepName.TOKEN_END, CLOCKS, Mark.WARNING, words)


def read_clocks(answered: CheckedConnection, application: str | None) -> Iterator[ValidationStep]:
    """Return the dates at which the connection will stop, as far as they are known.

    Args:
        application: The connection's, by name; None where there is none.
    """
    each = answered.each
    if application is not None or each["authorization"] is not None:
        mark, words = _read_authorization(each, answered.now)
        yield ValidationStep(StepName.AUTHORIZATION, CLOCKS, mark, words)
    if application is not None:
        yield ValidationStep(StepName.CLIENT_SECRET, CLOCKS, *_read_secret(answered, application))


def _read_authorization(each: ConnectionJson, now: datetime) -> tuple[Mark, str]:
    authorization = each["authorization"]
    if authorization is None:
        return Mark.SKIPPED, (
            "its end is not known; set `authorized_on`, or record the date with `connwatch renew`"
        )
    since = format_date(datetime.fromisoformat(authorization["authorized_at"]), now)
    if each["renewal_unrecorded"]:
        return Mark.WARNING, (
            f"works past its known end (authorized on {since}): record the renewal with"
            f" `{name_command(RENEW_COMMAND, each['name'])}`"
        )
    if authorization["expires_at"] is None:
        return Mark.OK, f"authorized on {since}, without a known limit"
    end = datetime.fromisoformat(authorization["expires_at"])
    words = f"{format_expiry(end, now)} ({authorization['source']})"
    if end <= now or each["state"] == State.EXPIRED:
        return Mark.FAILED, words
    return Mark.WARNING if each["expiring_soon"] else Mark.OK, words


def _read_secret(answered: CheckedConnection, application: str) -> tuple[Mark, str]:
    is_refused = answered.outcome.reason is Reason.CLIENT_SECRET_EXPIRED
    clock = next((one for one in answered.each["clocks"] if one["kind"] == CLIENT_SECRET), None)
    if clock is None:
        if is_refused:
            return Mark.FAILED, f"{application}: Amazon says that it has ended"
        return Mark.SKIPPED, (
            f"{application}: its end is not known; set `client_secret_created_on` to count to it"
        )
    end = datetime.fromisoformat(clock["ends_at"])
    words = f"{application}: {format_expiry(end, answered.now)} ({clock['source']})"
    if is_refused:
        return Mark.FAILED, words if end <= answered.now else f"{words}; Amazon says: already over"
    is_soon = clock["days_left"] < answered.soon_days
    return Mark.WARNING if is_soon else Mark.OK, words


if TYPE_CHECKING:
    Ask = Callable[[], Awaitable[CheckedConnection]]

_AFTER_TOKEN = (StepName.PERMISSION, StepName.MARKETPLACES)


async def validate(
    connection: Connection, config: Config, ask: Ask
) -> AsyncGenerator[ValidationStep, None]:
    """Check *connection* once, and yield what was found, step by step.

    The check is made even where there is no way to the host: that it failed is
    a result as well.

    Raises ValueError if the connection's `ca_file` holds no certificate.

    Args:
        ask: Makes the check, judges and stores it.
    """
    match connection:
        case AmazonConnection():
            application = config.application(connection.application)
            assert application is not None, "the configuration was checked for that"
            steps = _validate_store(connection, application, config, ask)
        case CountdownConnection():
            steps = _validate_clock(ask)
        case _:
            steps = _validate_token(connection, config, ask)
    async with aclosing(steps):
        async for step in steps:
            yield step


def urls_of(connection: Connection, config: Config) -> list[str]:
    """Return the addresses that a check of *connection* calls; only plug-ins know their own."""
    urls = [connection.called_url] if connection.called_url else []
    if isinstance(connection, AmazonConnection):
        application = config.application(connection.application)
        return urls if application is None else [application.token_address, *urls]
    return urls


async def _probe(
    url: str, connection: Connection, config: Config
) -> AsyncGenerator[ValidationStep, None]:
    """Yield the way to the host of *url*, the part that failed included and the rest skipped."""
    from monitor.providers.reachability import probe_host

    host = urlsplit(url).netloc
    left = list(PROBE_STEPS)
    timeout, proxy = config.timeout_of(connection), config.proxy_of(connection)
    reach = None if isinstance(connection, AmazonConnection) else config.reach_of(connection)
    way = probe_host(url, connection.ca_file, timeout, proxy, reach)
    async with aclosing(way):
        async for reached in way:
            step = read_probe(reached, host, utc_now())
            left.remove(step.name)
            yield step
    for step in skip_steps(tuple(left), host, "not tried after that"):
        yield step


async def _validate_store(
    connection: AmazonConnection, application: Application, config: Config, ask: Ask
) -> AsyncGenerator[ValidationStep, None]:
    """Yield the way to the token service and what it said, then the same of the region's host."""
    is_reached = True
    async for step in _probe(application.token_address, connection, config):
        is_reached = is_reached and step.state is not Mark.FAILED
        yield step
    answered = await ask()
    outcome = answered.outcome
    token = read_token(outcome, application.token_host, is_reached=is_reached)
    yield token
    if connection.probe is Probe.TOKEN:
        for step in skip_steps(_AFTER_TOKEN, connection.host, BLIND):
            yield step
    elif token.state is not Mark.OK:
        for step in skip_steps(_AFTER_TOKEN, connection.host, "not asked without a token"):
            yield step
    else:
        # One that serves as both was reached already.
        if connection.host != application.token_host:
            async for step in _probe(connection.called_url, connection, config):
                is_reached = is_reached and step.state is not Mark.FAILED
                yield step
        yield read_permission(outcome, connection.host, is_reached=is_reached)
        yield read_marketplaces(outcome, connection.host)
    for step in read_clocks(answered, application.name):
        yield step


async def _validate_token(
    connection: Connection, config: Config, ask: Ask
) -> AsyncGenerator[ValidationStep, None]:
    """Yield the way to the host, where it is known, and what was said there."""
    is_reached = True
    for url in urls_of(connection, config):
        async for step in _probe(url, connection, config):
            is_reached = is_reached and step.state is not Mark.FAILED
            yield step
    answered = await ask()
    target = connection.host or connection.provider
    yield read_token(answered.outcome, target, is_reached=is_reached)
    for step in read_advice(answered.outcome, target):
        yield step
    yield read_quota(answered, target)
    for step in read_token_ends(answered.outcome):
        yield step
    for step in read_clocks(answered, None):
        yield step


async def _validate_clock(ask: Ask) -> AsyncGenerator[ValidationStep, None]:
    for step in read_clocks(await ask(), None):
        yield step
