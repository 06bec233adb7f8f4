"""
Read the two header fields of the IETF's draft: `RateLimit` and `RateLimit-Policy`.

Decides what they say in each form that the draft ever had and services still
send. A malformed field is ignored as a whole, as the draft wants it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from monitor.check.fields import MAX_COUNT
from monitor.check.quota import LONGEST_PERIOD, believe_reset
from monitor.check.structured import Item, parse_dictionary, parse_list
from monitor.judge.outcome import QuotaReading, QuotaUnit

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

CURRENT = "ratelimit"
POLICIES = ("ratelimit-policy", "x-ratelimit-policy", "x-rate-limit-policy")

UNITS = {
    "requests": QuotaUnit.REQUESTS,
    "content-bytes": QuotaUnit.BYTES,
    "concurrent-requests": QuotaUnit.CONCURRENT,
}


@dataclass(frozen=True, slots=True)
class Policy:
    """
    One quota policy.

    Args:
        name: Empty in the older form, where policies have none.
        partition: Whose share it is, where the service divides a quota.
    """

    name: str
    partition: str | None
    quota: int | None
    window_s: int | None
    unit: QuotaUnit


def read_policies(text: str) -> list[Policy] | None:
    """
    Return the policies of a `RateLimit-Policy`, named or (before draft 8) numbered.
    """
    items = parse_list(text)
    return None if items is None else [_read_policy(item) for item in items]


def read_current(
    text: str | None, policies: Iterable[Policy], received_at: datetime
) -> list[QuotaReading] | None:
    """
    Return the windows of a `RateLimit`, joined with *policies*; None if it is malformed.

    A policy of which nothing is said is a window too: its limit is known.
    """
    policies = [policy for policy in policies if policy.name]
    if text is None:
        return [_join(policy.name, Item(None), policy, received_at) for policy in policies]
    items = parse_list(text)
    if items and any(isinstance(item.value, str) and "r" in item.parameters for item in items):
        if any(_is_malformed(item) for item in items):
            return None
        return _read_list(items, policies, received_at)
    dictionary = parse_dictionary(text)
    if dictionary is None or not {"limit", "remaining"} & set(dictionary):
        return None
    return [_read_dictionary(dictionary, received_at)]


def _is_malformed(item: Item) -> bool:
    return any(key in item.parameters and _count(item.parameters[key]) is None for key in "rt")


def _read_policy(item: Item) -> Policy:
    is_named = isinstance(item.value, str)
    unit = item.parameters.get("qu")
    partition = item.parameters.get("pk")
    return Policy(
        _label(item.value) if is_named else "",
        str(partition) if partition is not None else None,
        _count(item.parameters.get("q") if is_named else item.value),
        _count(item.parameters.get("w")) or None,
        QuotaUnit.REQUESTS if unit is None else UNITS.get(str(unit), QuotaUnit.OTHER),
    )


def _read_list(
    items: Iterable[Item], policies: list[Policy], received_at: datetime
) -> list[QuotaReading]:
    left = {(policy.name, policy.partition): policy for policy in policies}
    windows = []
    for item in items:
        if not isinstance(item.value, str):
            continue
        name, partition = _label(item.value), item.parameters.get("pk")
        key = name, str(partition) if partition is not None else None
        policy = left.pop(key, None) or left.pop((name, None), None)
        windows.append(_join(name, item, policy, received_at))
    silent = [_join(policy.name, Item(None), policy, received_at) for policy in left.values()]
    return [*windows, *silent]


def _join(name: str, item: Item, policy: Policy | None, received_at: datetime) -> QuotaReading:
    return QuotaReading(
        policy.quota if policy else None,
        _count(item.parameters.get("r")),
        _after(item.parameters.get("t"), received_at),
        policy.window_s if policy else None,
        name,
        policy.unit if policy else QuotaUnit.REQUESTS,
    )


def _read_dictionary(members: dict[str, Item], received_at: datetime) -> QuotaReading:
    limit, remaining, reset = (
        members.get(key, Item(None)) for key in ("limit", "remaining", "reset")
    )
    return QuotaReading(
        _count(limit.value),
        _count(remaining.value),
        _after(reset.value, received_at),
        _count(limit.parameters.get("w")) or None,
    )


def _label(value: object) -> str:
    return "".join(letter for letter in str(value) if letter.isprintable())


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and 0 <= value <= MAX_COUNT else None


def _after(value: object, received_at: datetime) -> datetime | None:
    seconds = _count(value)
    if seconds is None or seconds > LONGEST_PERIOD.total_seconds():
        return None
    return believe_reset(received_at + timedelta(seconds=seconds), received_at)
