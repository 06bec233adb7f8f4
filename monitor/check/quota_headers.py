"""
Read every quota that the headers of an answer tell of, in any known dialect.

Decides what the headers say, window by window. Which names are known is
decided in `quota_names`, how a value is read in `fields` and `structured`,
what a quota means in `monitor.judge.quota`.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from monitor.check.fields import parse_count
from monitor.check.quota import believe_reset, parse_reset, read_server_date
from monitor.check.quota_names import STANDARD, Part, length_of, recognize, unit_of
from monitor.check.quota_policies import CURRENT, POLICIES, read_current, read_policies
from monitor.check.structured import parse_list
from monitor.judge.outcome import QuotaReading, QuotaUnit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    import httpx

    from monitor.check.quota_policies import Policy

MAX_WINDOWS = 20
"""More are nobody's quota; what is shown has to end somewhere."""

WHOLE_PERCENT = 100
BUCKET_LEAKS_PER_S = 2
"""How fast Shopify's bucket empties on the smallest plan."""

# Salesforce tells of the application's own share after the account's.
_USED_OF = re.compile(r"(?:[\w-]{1,40}=)?(\d{1,12})/(\d{1,12})(?:; ?per-app-.{1,200})?", re.ASCII)
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+", re.ASCII)
_FRACTION = re.compile(r"[01](?:\.\d{1,9})?|\.\d{1,9}", re.ASCII)


@dataclass(frozen=True, slots=True)
class QuotaNames:
    """
    The header fields that someone wrote down for a service, in lower case.
    """

    limit: str | None = None
    remaining: str | None = None
    resets: str | None = None


@dataclass(frozen=True, slots=True)
class QuotaReport:
    """
    What the headers of one answer say about quotas.

    Args:
        unreadable: The fields that should have said something, and did not.
    """

    windows: tuple[QuotaReading, ...] = ()
    unreadable: tuple[str, ...] = ()

    @property
    def tightest(self) -> QuotaReading:
        """
        Return the window with the smallest share left; empty if there is none.

        Which one is worth a warning is judged by the rules, not here.
        """
        return min(self.windows, key=_share, default=QuotaReading())


def read_quota_headers(
    headers: httpx.Headers, received_at: datetime, names: QuotaNames | None = None
) -> QuotaReport:
    """
    Return what *headers* say of quotas; what is absent or unreadable stays unknown.

    Args:
        names: Where to look; by convention if None.
    """
    reader = _Reader(headers, received_at)
    windows = reader.read_known() if names is None else reader.read_named(names)
    unreadable = tuple(dict.fromkeys(reader.unreadable))
    return QuotaReport(tuple(windows[:MAX_WINDOWS]), unreadable)


def _share(window: QuotaReading) -> float:
    return math.inf if window.share_left is None else window.share_left


class _Reader:
    """
    One answer's headers, and what in them could not be read.
    """

    def __init__(self, headers: httpx.Headers, received_at: datetime) -> None:
        self._texts = dict(headers.items())
        self._received_at = received_at
        self._date = read_server_date(headers, received_at)
        self.unreadable: list[str] = []

    def read_named(self, names: QuotaNames) -> list[QuotaReading]:
        parts = {Part.LIMIT: names.limit, Part.REMAINING: names.remaining, Part.RESET: names.resets}
        reading = self._read_window({part: [name] for part, name in parts.items() if name}, "", "")
        return [] if reading.is_empty else [reading]

    def read_known(self) -> list[QuotaReading]:
        policies = self._read_policies()
        current = self._read_current(policies)
        groups: dict[tuple[str, str], dict[Part, list[str]]] = {}
        for name in self._texts:
            if known := recognize(name):
                group = groups.setdefault((known.family, known.window), {})
                group.setdefault(known.part, []).append(name)
        taken = {window.name for window in current}
        found = []
        for family, window in sorted(groups):
            reading = self._read_window(groups[family, window], family, window)
            label = window or family.removeprefix("x-").rstrip("-")
            if label in taken:
                if family in STANDARD:
                    continue
                label = f"{family}{window}"
            if not reading.is_empty:
                taken.add(label)
                found.append(replace(reading, name=label))
        return [_join_policy(reading, policies) for reading in [*current, *found]]

    def _read_policies(self) -> list[Policy]:
        found: list[Policy] = []
        for name in POLICIES:
            if name not in self._texts:
                continue
            policies = read_policies(self._texts[name])
            if policies is None:
                self.unreadable.append(name)
            found += policies or []
        return found

    def _read_current(self, policies: Iterable[Policy]) -> list[QuotaReading]:
        windows = read_current(self._texts.get(CURRENT), policies, self._received_at)
        if windows is None:
            self.unreadable.append(CURRENT)
            windows = read_current(None, policies, self._received_at)
        return windows or []

    def _read_window(
        self, fields: Mapping[Part, list[str]], family: str, window: str
    ) -> QuotaReading:
        limit, window_s = self._read_limit(fields.get(Part.LIMIT, []))
        remaining, _ = self._read_limit(fields.get(Part.REMAINING, []))
        used, _ = self._read_limit(fields.get(Part.USED, []))
        if remaining is None and limit is not None and used is not None:
            remaining = max(limit - used, 0)
        reading = QuotaReading(
            limit,
            remaining,
            self._read_reset(fields),
            length_of(family, window) or window_s or self._read_length(fields),
            window,
            unit_of(window),
        )
        reading = self._read_used_of(fields.get(Part.USED_OF_LIMIT, []), reading)
        return self._read_utilization(fields.get(Part.UTILIZATION, []), reading)

    def _read_limit(self, names: Iterable[str]) -> tuple[int | None, int | None]:
        """
        Return a count, and the length of its window where the value says it as well.
        """
        for name in names:
            text = self._texts.get(name)
            if text is None:
                continue
            if (count := parse_count(text.strip(' \t"'))) is not None:
                return count, None
            # `100;w=21600`, or `100, 100;w=10`: the first number is the one in force.
            items = [] if _THOUSANDS.fullmatch(text) else parse_list(text) or []
            values = [item.value for item in items]
            if values and isinstance(values[0], int) and values[0] >= 0:
                lengths = [item.parameters.get("w") for item in items if item.value == values[0]]
                known = (one for one in lengths if isinstance(one, int) and one > 0)
                return values[0], next(known, None)
            self.unreadable.append(name)
        return None, None

    def _read_reset(self, fields: Mapping[Part, list[str]]) -> datetime | None:
        # Some services tell the reset twice, in two forms: one that can be read will do.
        failed = []
        for part in (Part.RESET, Part.RESET_AFTER_MS):
            for name in fields.get(part, []):
                text = self._texts.get(name)
                if text is None:
                    continue
                if part is Part.RESET_AFTER_MS:
                    text = f"{text.strip()}ms"
                resets_at = parse_reset(text, self._received_at, self._date)
                if resets_at is not None:
                    return believe_reset(resets_at, self._received_at)
                failed.append(name)
        self.unreadable += failed
        return None

    def _read_length(self, fields: Mapping[Part, list[str]]) -> int | None:
        milliseconds, _ = self._read_limit(fields.get(Part.LENGTH_MS, []))
        return None if milliseconds is None else max(milliseconds // 1000, 1)

    def _read_used_of(self, names: Iterable[str], reading: QuotaReading) -> QuotaReading:
        for name in names:
            match = _USED_OF.fullmatch(self._texts[name].strip())
            if match is None:
                self.unreadable.append(name)
                continue
            used, limit = int(match[1]), int(match[2])
            # A bucket that leaks; how much it holds tells how long that takes at most.
            window_s = max(limit // BUCKET_LEAKS_PER_S, 1) if "shopify" in name else None
            return replace(reading, limit=limit, remaining=max(limit - used, 0), window_s=window_s)
        return reading

    def _read_utilization(self, names: Iterable[str], reading: QuotaReading) -> QuotaReading:
        for name in names:
            text = self._texts[name].strip()
            if not _FRACTION.fullmatch(text):
                self.unreadable.append(name)
                continue
            left = WHOLE_PERCENT - math.ceil(min(float(text), 1.0) * WHOLE_PERCENT)
            return replace(reading, limit=WHOLE_PERCENT, remaining=left, unit=QuotaUnit.PERCENT)
        return reading


def _join_policy(reading: QuotaReading, policies: Iterable[Policy]) -> QuotaReading:
    """
    Take a window's length from the policy that has the same limit.
    """
    if reading.window_s is not None or reading.limit is None:
        return reading
    lengths = [policy.window_s for policy in policies if policy.quota == reading.limit]
    return replace(reading, window_s=next(iter(lengths), None))
