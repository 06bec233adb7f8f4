"""Decide what a reading of a source means: which connections go, which stay, who is notified.

Pure. A source is believed when it adds or changes something; when much of it disappears at once it
is not, until it recovers or a person accepts that. How a source is read is decided in
`monitor.sources`, what is done about it in `monitor.engine.sources`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from monitor.judge.alerts import AlertDue, AlertKind

if TYPE_CHECKING:
    from datetime import datetime, timedelta


class SourceState(StrEnum):
    """How a source is."""

    OK = "ok"
    FAILED = "failed"
    HELD = "held"


FAILURES_UNTIL_ALERT = 3
"""So many unreadable readings in a row are worth an alert."""

MOST_BAD = 20
"""One bad row in so many is borne; more, and the whole reading is refused."""

ALWAYS_REMOVABLE = 20
"""So many connections may vanish at once, whatever their share."""


@dataclass(frozen=True, slots=True)
class SourceMemory:
    """What is remembered of a source from one reading to the next.

    Args:
        read_at: When a reading of it was last used.
        tried_at: When it was last read, well or badly.
        rows: How many that reading had, the bad ones included.
        bad: How many of them were bad.
        pending: How many connections are missing in it, and not removed yet.
        error: Why the latest reading could not be used, or what is wrong with a row of it.
        failures: How many readings in a row could not be used.
        since: From when on it has not been all right.
        held: What tells the removals that are held from any others; empty for none.
        shown: The same of those that people were last shown.
        accepted: The same of those that a person has accepted.
        is_failure_reported: An alert says that it cannot be read.
        is_hold_reported: An alert says that its removals are held.
    """

    state: SourceState = SourceState.OK
    read_at: datetime | None = None
    tried_at: datetime | None = None
    rows: int = 0
    bad: int = 0
    pending: int = 0
    error: str = ""
    failures: int = 0
    since: datetime | None = None
    held: str = ""
    shown: str = ""
    accepted: str = ""
    is_failure_reported: bool = False
    is_hold_reported: bool = False


@dataclass(frozen=True, slots=True)
class ReadingFacts:
    """What one reading is weighed by.

    Args:
        rows: How many rows it had, the bad ones included.
        bad: How many of them were bad.
        unnamed: How many of these show no name, so that each may be any connection.
        known: How many connections the source had before.
        missing: How many of those are not in it.
        mark: What tells those from any others.
        problem: What is wrong with a bad row.
    """

    rows: int
    bad: int = 0
    unnamed: int = 0
    known: int = 0
    missing: int = 0
    mark: str = ""
    problem: str = ""


class Belief(StrEnum):
    """What is done with a reading.

    Refused: nothing of it counts. Held: what it adds and changes counts, what it lacks does not.
    Unsure: the same, and nothing is wrong but rows that show no name. Accepted: what it lacks goes
    at once.
    """

    REFUSED = "refused"
    HELD = "held"
    UNSURE = "unsure"
    GOOD = "good"
    ACCEPTED = "accepted"


def is_mostly_good(rows: int, bad: int) -> bool:
    """Tell whether so few of *rows* are bad that the others count."""
    return bad * MOST_BAD <= rows


def is_too_much(known: int, missing: int, most: float, *, is_empty: bool = False) -> bool:
    """Tell whether *missing* of *known* connections are too many to go without being asked.

    Args:
        most: The share that may vanish at once, from 0 to 1.
        is_empty: The source lists nothing at all.
    """
    if missing == 0:
        return False
    return is_empty or (missing > ALWAYS_REMOVABLE and missing > known * most)


def weigh(facts: ReadingFacts, most: float, accepted: str = "") -> Belief:
    """Return what a reading with these *facts* means.

    Args:
        most: The share that may vanish at once.
        accepted: The mark of the removals that a person has accepted.
    """
    if not is_mostly_good(facts.rows, facts.bad):
        return Belief.REFUSED
    if facts.missing and facts.unnamed:
        return Belief.UNSURE
    if is_too_much(facts.known, facts.missing, most, is_empty=facts.rows == 0):
        return Belief.ACCEPTED if accepted and accepted == facts.mark else Belief.HELD
    return Belief.GOOD


def is_over(missing_since: datetime, now: datetime, remove_after: timedelta) -> bool:
    """Tell whether a connection goes that an earlier good reading lacked as well."""
    return now - missing_since >= remove_after


def explain_refusal(facts: ReadingFacts) -> str:
    """Say why a reading is refused."""
    return f"{facts.bad:,} of {facts.rows:,} rows cannot be used, such as {facts.problem}"


@dataclass(frozen=True, slots=True)
class Followed:
    """What follows from a reading.

    Args:
        memory: What is remembered from now on.
        alert: What people are notified of; None for nothing.
    """

    memory: SourceMemory
    alert: AlertDue | None = None


def follow_failure(source: str, before: SourceMemory, error: str, now: datetime) -> Followed:
    """Return what follows from a reading of *source* of which nothing could be used."""
    since = before.since or now
    memory = replace(
        before,
        state=SourceState.FAILED,
        tried_at=now,
        error=error,
        failures=before.failures + 1,
        since=since,
    )
    if memory.failures < FAILURES_UNTIL_ALERT or before.is_failure_reported:
        return Followed(memory)
    facts = {"source": source, "error": error, "since": since.isoformat()}
    return Followed(memory, AlertDue.of(AlertKind.SOURCE_FAILED, **facts))


def follow_reading(
    source: str,
    before: SourceMemory,
    facts: ReadingFacts,
    belief: Belief,
    pending: int,
    now: datetime,
) -> Followed:
    """Return what follows from a reading of *source* that counts, all of it or in part.

    Args:
        pending: How many connections are missing in it, and not removed yet.
    """
    is_held = belief is Belief.HELD
    memory = replace(
        before,
        state=SourceState.HELD if is_held else SourceState.OK,
        read_at=now,
        tried_at=now,
        rows=facts.rows,
        bad=facts.bad,
        pending=pending,
        error=explain_hold(facts) if is_held else facts.problem,
        failures=0,
        accepted="",
    )
    return _hold(source, memory, facts, now) if is_held else _restore(source, memory, now)


def _hold(source: str, memory: SourceMemory, facts: ReadingFacts, now: datetime) -> Followed:
    held = replace(memory, since=memory.since or now, held=facts.mark)
    return Followed(held, None if memory.is_hold_reported else _report_hold(source, facts, now))


def _restore(source: str, before: SourceMemory, now: datetime) -> Followed:
    memory = replace(
        before,
        since=None,
        held="",
        shown="",
        is_failure_reported=False,
        is_hold_reported=False,
    )
    if not (before.is_failure_reported or before.is_hold_reported):
        return Followed(memory)
    since = (before.since or now).isoformat()
    restored = AlertDue.of(AlertKind.SOURCE_RESTORED, source=source, since=since)
    return Followed(memory, restored)


def explain_hold(facts: ReadingFacts) -> str:
    """Say what is held."""
    if facts.rows == 0:
        return f"the list is empty: {facts.known:,} connections would be removed"
    return f"{facts.missing:,} of {facts.known:,} connections would be removed"


def _report_hold(source: str, facts: ReadingFacts, now: datetime) -> AlertDue:
    return AlertDue.of(
        AlertKind.SOURCE_HELD,
        source=source,
        n_missing=facts.missing,
        n_known=facts.known,
        is_empty=facts.rows == 0,
        since=now.isoformat(),
    )


def note_reported(memory: SourceMemory, kind: AlertKind) -> SourceMemory:
    """Return *memory* after an alert of that *kind* found a channel."""
    match kind:
        case AlertKind.SOURCE_FAILED:
            return replace(memory, is_failure_reported=True)
        case AlertKind.SOURCE_HELD:
            # People are shown what the alert says.
            return replace(memory, is_hold_reported=True, shown=memory.held)
        case _:
            return memory


class Acceptance(StrEnum):
    """What becomes of a person's word that removals are right."""

    ACCEPTED = "accepted"
    NOTHING_HELD = "nothing_held"
    CHANGED = "changed"


def accept(memory: SourceMemory) -> tuple[Acceptance, SourceMemory]:
    """Return what becomes of the removals that are held, if a person accepts them.

    Only what people were shown last can be accepted: they are shown anything else first.
    """
    if not memory.held:
        return Acceptance.NOTHING_HELD, memory
    if memory.held != memory.shown:
        return Acceptance.CHANGED, replace(memory, shown=memory.held)
    return Acceptance.ACCEPTED, replace(memory, accepted=memory.held)
