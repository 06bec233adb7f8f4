"""
Write what a support team asks for, as plain text to be pasted.

Pure. Decides what stands in it: nothing of it is a secret, and no address of a
person. What services said was freed of secrets where it was read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitor.report import instant
from monitor.validation import CLOCKS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from monitor.judge.state import Transition
    from monitor.validation import Answered, Step

_MAIL_ADDRESS = re.compile(r"[^\s@\"'<>(),;:]+@[^\s@\"'<>(),;:]+")
_HIDDEN = "(address hidden)"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """
    What the check was made with.

    Args:
        software: This program, Python and the operating system, each with its version.
        facts: What the connection's settings say, by name; no secret.
    """

    software: str
    facts: dict[str, str]


def write_ticket(
    around: Surroundings,
    steps: Sequence[Step],
    answered: Answered,
    transitions: Sequence[Transition],
) -> str:
    """
    Return the text of a ticket.

    Args:
        transitions: The latest changes, newest first.
    """
    hosts = dict.fromkeys(step.target for step in steps if step.target != CLOCKS)
    facts = {
        "time": instant(answered.now) or "",
        "software": around.software,
        **around.facts,
        "hosts": ", ".join(hosts) or "none: nothing is called",
    }
    lines = [
        "connwatch report",
        *_table(facts),
        "",
        "Steps",
        *(_step(step) for step in steps),
        "",
        "Check",
        *_table(_check(answered)),
        "",
        "Changes, newest first",
        *(_change(one) for one in transitions),
    ]
    if not transitions:
        lines.append("  none")
    return _MAIL_ADDRESS.sub(_HIDDEN, "\n".join(lines))


def _table(facts: dict[str, str]) -> Iterator[str]:
    for name, value in facts.items():
        yield f"  {name:<13} {_one_line(value)}"


def _step(step: Step) -> str:
    took = "" if step.took_ms is None else f" ({step.took_ms:,.0f} ms)"
    return f"  {step.state:<7} {step.name}, {step.target}: {_one_line(step.words)}{took}"


def _check(answered: Answered) -> dict[str, str]:
    outcome, each = answered.outcome, answered.each
    return {
        "reason": outcome.reason.value,
        "HTTP status": "none" if outcome.http_status is None else str(outcome.http_status),
        "request id": outcome.request_id or "none",
        "detail": outcome.detail or "none",
        "state": f"{each['state']} ({each['reason']}) since {each['since']}",
    }


def _change(one: Transition) -> str:
    change = f"{instant(one.at)} {one.from_state} -> {one.to_state} ({one.reason})"
    return f"  {change}: {_one_line(one.detail)}" if one.detail else f"  {change}"


def _one_line(text: str) -> str:
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())
