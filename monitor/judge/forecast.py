"""Foresee when a quota runs out: how fast it is used, how that varies, how sure that is.

What was used is put into equal bins (days; hours for quotas of a few days) that end at this very
time of day, so that no time zone matters. Each bin's usual share of a week, and of a period where
earlier periods are known, is learned only as far as the differences exceed the noise. Freed of
these shares, the recent bins give the level, the newer the heavier. Level times shares, bin after
bin from now on, is the path on which what is left is used up; how far past bins strayed from it,
and what they never fell below, gives the range. Decides as well which samples are worth keeping,
when an alert is due, and which of several connections on one account raises it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import pairwise
from math import ceil, inf, sqrt
from typing import TYPE_CHECKING

from monitor.judge.alerts import AlertDue, AlertKind
from monitor.judge.quota import Quota, has_reset, is_refilled, is_same_reset

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from monitor.judge.outcome import Rules


USUAL_PERIOD = timedelta(days=30)
"""The length of a period about which nothing is known."""

LONGEST_PERIOD = timedelta(days=366)
WHOLE = 0.5
"""A bin of which less was seen says nothing about its kind."""

MOST_BINS = 120


@dataclass(frozen=True, slots=True)
class QuotaSample:
    """What was left of a quota at one instant."""

    at: datetime
    remaining: int
    limit: int
    resets_at: datetime | None

    @property
    def used(self) -> int:
        """Return what was used of this period's quota."""
        return self.limit - self.remaining


@dataclass(frozen=True, slots=True)
class Usage:
    """What was used between two instants of one period."""

    starts_at: datetime
    ends_at: datetime
    amount: float
    resets_at: datetime | None


@dataclass(slots=True)
class Bin:
    """What was used in one stretch of the past, as far as it was seen.

    Args:
        age: How many bins lie between it and now.
        middle: The instant in its middle.
        covered: The part of it that was seen.
        resets_at: The end of the period that was seen last in it.
        is_over: That period has ended.
    """

    age: int
    middle: datetime
    amount: float = 0.0
    covered: float = 0.0
    resets_at: datetime | None = None
    is_over: bool = False

    @property
    def rate(self) -> float:
        """Return what was used, as if all of it had been seen."""
        return self.amount / self.covered if self.covered else 0.0

    @property
    def is_whole(self) -> bool:
        """Tell whether enough of it was seen."""
        return self.covered >= WHOLE

    @property
    def to_reset(self) -> timedelta | None:
        """Return how long before the end of its period it lies."""
        return None if self.resets_at is None else self.resets_at - self.middle


def starts_period(before: QuotaSample, after: QuotaSample) -> bool:
    """Tell whether a period ended between two samples: its reset passed, or much came back."""
    if has_reset(before.resets_at, after.resets_at, after.at):
        return True
    return before.limit == after.limit and _is_far(after, before)


def _is_far(above: QuotaSample, below: QuotaSample) -> bool:
    return (above.remaining - below.remaining) * 10 > above.limit


def without_glitches(samples: Sequence[QuotaSample]) -> list[QuotaSample]:
    """Leave out single samples that neither the one before nor the one after bears out."""
    return [
        each
        for number, each in enumerate(samples)
        if not 0 < number < len(samples) - 1
        or not _is_glitch(samples[number - 1], each, samples[number + 1])
    ]


def _is_glitch(before: QuotaSample, each: QuotaSample, after: QuotaSample) -> bool:
    if not before.limit == each.limit == after.limit or before.resets_at != after.resets_at:
        return False
    if _is_far(before, after) or _is_far(after, before):
        return False
    is_above = _is_far(each, before) and _is_far(each, after)
    return is_above or (_is_far(before, each) and _is_far(after, each))


def period_length(samples: Sequence[QuotaSample]) -> timedelta:
    """Return how long a period is: from reset to reset, else the longest way to one."""
    resets = sorted({each.resets_at for each in samples if each.resets_at})
    between = [after - before for before, after in pairwise(resets)]
    seen = [each.resets_at - each.at for each in samples if each.resets_at]
    lengths = [each for each in (*between[-1:], *seen) if timedelta(0) < each <= LONGEST_PERIOD]
    return max(lengths, default=USUAL_PERIOD)


def read_usage(samples: Sequence[QuotaSample]) -> Iterator[Usage]:
    """Yield what was used between samples, wherever that is known.

    It is not known across a change of the limit, for services differ in what
    they do to the count; and not once nothing was left: who knows what would
    have been used.
    """
    for before, after in pairwise(samples):
        if starts_period(before, after):
            reset_at = before.resets_at
            if reset_at is not None and before.at < reset_at < after.at and after.remaining:
                yield Usage(reset_at, after.at, after.used, after.resets_at)
        elif before.limit == after.limit and after.remaining:
            amount = before.remaining - after.remaining
            yield Usage(before.at, after.at, amount, after.resets_at)


def bins_of(samples: Sequence[QuotaSample], now: datetime, step: timedelta) -> list[Bin]:
    """Put what was used into bins of length *step* that end *now*, the latest first."""
    n_bins = min(-((samples[0].at - now) // step), MOST_BINS)
    bins = [Bin(age, now - (age + 0.5) * step) for age in range(n_bins)]
    current = samples[-1].resets_at
    for usage in read_usage(samples):
        length = usage.ends_at - usage.starts_at
        newest = (now - usage.ends_at) // step
        oldest = -((usage.starts_at - now) // step) - 1
        for one in bins[max(newest, 0) : oldest + 1]:
            starts_at = max(usage.starts_at, one.middle - step / 2)
            shared = min(usage.ends_at, one.middle + step / 2) - starts_at
            if shared > timedelta(0):
                one.amount += usage.amount * (shared / length)
                one.covered += shared / step
                one.resets_at = usage.resets_at
                one.is_over = usage.resets_at != current
    return bins


KEEP_CHANGED_AFTER = timedelta(hours=1)
KEEP_UNCHANGED_AFTER = timedelta(hours=6)
KEEP_MUCH_AFTER = timedelta(minutes=15)
MUCH = 50
"""A change of one part in so many of the limit is noted sooner."""

LOOK_AHEAD_AFTER = timedelta(hours=6)
"""A forecast looks at a hundred days: it is not made with every sample."""

MARGIN = 0.05
"""A close call is not told: the range must end so much of the time before the reset."""

CLEARLY_WORSE = 0.5
"""It is told again when so much of the time that was foreseen is gone at once."""

MIN_WORSE = 0.03
"""And when that is at least this part of the time to the reset."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What was noted of one connection's quota, what is foreseen, and what was told of that.

    Args:
        window: Which of several windows it is about.
        sample: The last sample that was kept.
        foreseen_at: When *forecast* was made, which is None where nothing is known.
        foreseen_remaining: What was left then.
        told: When it would run out, as it was told in this period.
    """

    window: str = ""
    sample: QuotaSample | None = None
    foreseen_at: datetime | None = None
    foreseen_remaining: int | None = None
    forecast: Forecast | None = None
    told: datetime | None = None

    def shown(self, now: datetime) -> Forecast | None:
        """Return the forecast, unless its period has ended or nothing is left."""
        if self.sample is None or self.sample.remaining == 0:
            return None
        resets_at = self.sample.resets_at
        return None if resets_at is not None and resets_at <= now else self.forecast


def take_sample(previous: Outlook, quota: Quota, rules: Rules, now: datetime) -> QuotaSample | None:
    """Return what is worth noting of *quota*, which was just read; None if nothing is.

    What changed much is noted soon, what did not change, seldom.
    """
    known = quota.shown
    if quota.seen_at != now or quota.is_payment_required or not quota.decides(rules):
        return None
    if not known.limit or known.remaining is None:
        return None
    last = previous.sample
    resets_at = known.resets_at or quota.known.resets_at
    if last is not None and is_same_reset(last.resets_at, resets_at):
        resets_at = last.resets_at  # what is learned of a period needs one name for it
    sample = QuotaSample(now, min(known.remaining, known.limit), known.limit, resets_at)
    if last is None or last.limit != sample.limit or starts_period(last, sample):
        return sample
    change = abs(last.remaining - sample.remaining)
    if change * MUCH >= sample.limit or (change and not sample.remaining):
        patience = KEEP_MUCH_AFTER
    else:
        patience = KEEP_CHANGED_AFTER if change else KEEP_UNCHANGED_AFTER
    return sample if sample.at - last.at >= patience else None


def note_sample(previous: Outlook, sample: QuotaSample) -> Outlook:
    """Return what is known after *sample*; a new period or limit begins untold."""
    last = previous.sample
    if last is None or last.limit != sample.limit or starts_period(last, sample):
        return Outlook(previous.window, sample)
    return replace(previous, sample=sample)


def should_look_ahead(outlook: Outlook) -> bool:
    """Tell whether the last sample deserves a new forecast."""
    sample = outlook.sample
    if sample is None or not sample.remaining:
        return False
    if outlook.foreseen_at is None or outlook.foreseen_remaining is None:
        return True
    change = abs(outlook.foreseen_remaining - sample.remaining)
    is_old = sample.at - outlook.foreseen_at >= LOOK_AHEAD_AFTER
    return is_old or change * MUCH >= sample.limit


def judge_forecast(
    previous: Outlook, forecast: Forecast | None, now: datetime
) -> tuple[Outlook, AlertDue | None]:
    """Take in a new *forecast*, and say whether people must be told.

    They are when the quota runs out well before its reset even at the late end
    of the range: once a period, and again only when it gets clearly worse.
    """
    sample = previous.sample
    assert sample is not None
    outlook = replace(
        previous, foreseen_at=now, foreseen_remaining=sample.remaining, forecast=forecast
    )
    resets_at = sample.resets_at
    if forecast is None or resets_at is None or not is_short(forecast, resets_at, now):
        return outlook, None
    announced = replace(outlook, told=forecast.exhausts_at)
    if is_forecast_announced(announced, [outlook.told], now):
        return outlook, None
    return announced, _alert(sample, forecast)


def is_short(forecast: Forecast, resets_at: datetime, now: datetime) -> bool:
    """Tell whether it runs out before *resets_at* in all likelihood."""
    if forecast.latest is None:
        return False
    return resets_at - forecast.latest > (resets_at - now) * MARGIN


def is_clearly_worse(
    exhausts_at: datetime, told: datetime, resets_at: datetime, now: datetime
) -> bool:
    """Tell whether it runs out so much sooner than was told that it must be told again."""
    worse = told - exhausts_at
    return worse >= (told - now) * CLEARLY_WORSE and worse >= (resets_at - now) * MIN_WORSE


def _alert(sample: QuotaSample, forecast: Forecast) -> AlertDue:
    instants = {
        "exhausts_at": forecast.exhausts_at,
        "earliest": forecast.earliest,
        "latest": forecast.latest,
        "resets_at": sample.resets_at,
    }
    facts = {name: at and at.isoformat() for name, at in instants.items()}
    return AlertDue.of(
        AlertKind.QUOTA_FORECAST, **facts, limit=sample.limit, remaining=sample.remaining
    )


SLOW_HALF_LIFE = 30.0
"""After so many bins what was used counts half as much for the level."""

QUICK_HALF_LIFE = 3.0
"""And for the level of late, which counts where it differs by more than chance."""

MIN_PAIRS = 3
"""Neighbouring bins that must be known before any change is believed."""

BELIEF = 6.0
"""How far beyond chance that is: larger is slower to believe."""

DOUBT = 1.0
"""How widely bins are taken to stray before any were seen, as a variance."""

DOUBT_COUNTS = 3.0
"""Bins that *DOUBT* counts as much as."""

FEW = 0.1
"""So many of the bins may fall below what is counted on at the least."""

FEW_BINS = 5
"""Fewer bins show no least use, and so many leave half a doubt of it."""


@dataclass(frozen=True, slots=True)
class Rate:
    """What is used in a bin of average share.

    Args:
        variance: Of single bins around it, relative to it squared.
        weight: How many bins it was learned from.
        least: The part of it that hardly any bin falls below.
    """

    level: float
    variance: float
    weight: float
    least: float


def learn_rate(bins: Sequence[Bin], shares: Sequence[float]) -> Rate:
    """Return the level of all that is known, drawn to that of late where it has really changed.

    Args:
        shares: The usual share of each of *bins*.
    """
    slow, n_slow = _level(bins, shares, SLOW_HALF_LIFE)
    quick, n_quick = _level(bins, shares, QUICK_HALF_LIFE)
    chance = _jumps(bins, shares) * (1 / n_quick - 1 / n_slow)
    gap = (quick - slow) ** 2
    changed = max(1 - BELIEF * chance / gap, 0.0) if gap > 0 else 0.0
    level = slow + changed * (quick - slow)
    variance = _variance(bins, shares, slow)
    weight = n_slow + changed * (n_quick - n_slow)
    return Rate(level, variance, weight, _least(bins, shares, level))


def _level(bins: Sequence[Bin], shares: Sequence[float], half_life: float) -> tuple[float, float]:
    """Return what a bin of average share uses, and how many bins that was learned from."""
    weights = [0.5 ** (each.age / half_life) * each.covered for each in bins]
    used = sum(weight * each.rate for weight, each in zip(weights, bins, strict=True))
    expected = sum(weight * share for weight, share in zip(weights, shares, strict=True))
    count = sum(weights) ** 2 / sum(one**2 for one in weights)
    return (max(used / expected, 0.0) if expected > 0 else 0.0), count


def _jumps(bins: Sequence[Bin], shares: Sequence[float]) -> float:
    """Return the variance that shows between neighbours: a change of level hardly adds to it."""
    plain = [
        each.rate / share
        for each, share in zip(bins, shares, strict=True)
        if each.is_whole and share > 0
    ]
    pairs = [(later - earlier) ** 2 / 2 for later, earlier in pairwise(plain)]
    return sum(pairs) / len(pairs) if len(pairs) >= MIN_PAIRS else inf


def _variance(bins: Sequence[Bin], shares: Sequence[float], level: float) -> float:
    strayed, counted = DOUBT * DOUBT_COUNTS, DOUBT_COUNTS
    for share, each in zip(shares, bins, strict=True):
        if level > 0 and share > 0 and each.is_whole:
            strayed += (each.rate / (level * share) - 1) ** 2 * share
            counted += 1
    return strayed / counted


def _least(bins: Sequence[Bin], shares: Sequence[float], level: float) -> float:
    """Return the part of *level* that is used whatever happens.

    Where half of all use comes in bursts, the other half comes every day.
    """
    parts = sorted(
        min(each.rate / (level * share), 1.0)
        for share, each in zip(shares, bins, strict=True)
        if level > 0 and share > 0 and each.is_whole
    )
    if len(parts) < FEW_BINS:
        return 0.0
    return max(parts[int(len(parts) * FEW)], 0.0) * len(parts) / (len(parts) + FEW_BINS)


MIN_PER_GROUP = 2
"""Values that a group needs on average before any difference is believed."""


@dataclass(frozen=True, slots=True)
class Shares:
    """What each group gets, 1 being the average.

    Args:
        doubt: How far a share may be wrong, as a variance.
    """

    of_group: tuple[float, ...]
    doubt: float = 0.0


def learn_shares(values: Sequence[tuple[int, float]], n_groups: int) -> Shares:
    """Return the share of each group; groups without values get the average.

    Args:
        values: Pairs of a group, from 0, and what was seen in it once.
    """
    even = Shares((1.0,) * n_groups)
    groups: list[list[float]] = [[] for _ in range(n_groups)]
    for group, value in values:
        groups[group].append(value)
    filled = [members for members in groups if members]
    if len(filled) < 2 or len(values) < MIN_PER_GROUP * len(filled):  # noqa: PLR2004 - two differ
        return even
    mean = sum(map(_mean, filled)) / len(filled)
    if mean <= 0:
        return even
    chance = _variance_within(filled)
    expected = sum(chance / len(members) for members in filled) / len(filled)
    seen = sum((_mean(each) - mean) ** 2 for each in filled) / (len(filled) - 1)
    real = max(seen - expected, 0.0)
    if real <= 0:
        return even
    believed = [real / (real + chance / len(each)) if each else 0.0 for each in groups]
    shares = (
        max(1 + belief * (_mean(each) / mean - 1), 0.0) if each else 1.0
        for belief, each in zip(believed, groups, strict=True)
    )
    return Shares(tuple(shares), expected * max(believed) / mean**2)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _variance_within(groups: Sequence[Sequence[float]]) -> float:
    squares = sum((value - _mean(members)) ** 2 for members in groups for value in members)
    return squares / max(sum(map(len, groups)) - len(groups), 1)


DAY = timedelta(days=1)
HOUR = timedelta(hours=1)

BINNED_BY_HOUR_BELOW = timedelta(days=4)
"""Shorter periods have too few days to say anything by days."""

N_PHASES = 10
"""Parts of a period that may have a usual share of their own, such as the month's end."""

MIN_COVERED = 1.0
"""Bins that must have been seen at least, in all, before anything is foreseen."""

RANGE = 1.5
"""Standard deviations on either side: four times in five it lies within."""

FARTHEST = timedelta(days=1000)
"""What lies beyond is as good as never."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """When a quota runs out if it goes on being used as before; None for never within sight.

    Args:
        exhausts_at: The likeliest instant, whether before or after the reset.
        earliest: The range in which it lies four times in five begins here.
        latest: And ends here.
    """

    exhausts_at: datetime | None
    earliest: datetime | None
    latest: datetime | None


def forecast(samples: Sequence[QuotaSample], now: datetime) -> Forecast | None:
    """Return when what the last of *samples* left will be used up; None if that is not known.

    Args:
        samples: Of this period and of earlier ones, the oldest first.
    """
    samples = without_glitches(samples)
    if not samples:
        return None
    last, length = samples[-1], period_length(samples)
    step, n_slots = (HOUR, 24) if length < BINNED_BY_HOUR_BELOW else (DAY, 7)
    bins = bins_of(samples, now, step)
    if sum(each.covered for each in bins) < MIN_COVERED:
        return None
    whole = [(each.age % n_slots, each.rate) for each in bins if each.is_whole]
    slots = learn_shares(whole, n_slots)
    shapes = _Shapes(slots, _learn_phases(bins, slots, length, step), length)
    shares = [shapes.of(each.age, each.to_reset) for each in bins]
    rate = learn_rate(bins, shares)
    return _follow(rate, shapes, last, now, step)


class _Shapes:
    """The usual share of any bin, past or to come."""

    def __init__(self, slots: Shares, phases: Shares, length: timedelta) -> None:
        self._slots = slots.of_group
        self._phases = phases.of_group
        self.doubt = phases.doubt
        self.length = length

    def of(self, age: int, to_reset: timedelta | None) -> float:
        slot = self._slots[age % len(self._slots)]
        return slot * self._phases[phase_of(to_reset, self.length)]


def phase_of(to_reset: timedelta | None, length: timedelta) -> int:
    """Return which part of its period lies *to_reset* before the end; 0 is the last one."""
    if to_reset is None:
        return 0
    return min(max(int(to_reset / length * N_PHASES), 0), N_PHASES - 1)


def _learn_phases(bins: Sequence[Bin], slots: Shares, length: timedelta, step: timedelta) -> Shares:
    """Return the usual shares of the parts of a period, from periods that were seen whole."""
    if step is HOUR:
        return learn_shares((), N_PHASES)  # the hours of the day say the same
    slot_of = slots.of_group
    by_period: dict[datetime, list[Bin]] = {}
    for each in bins:
        if each.resets_at is not None and each.is_whole and each.is_over:
            by_period.setdefault(each.resets_at, []).append(each)
    pairs = []
    for resets_at, members in by_period.items():
        if len(members) * step < length * 0.6:
            continue
        plain = [each.rate / max(slot_of[each.age % len(slot_of)], 0.05) for each in members]
        mean = sum(plain) / len(plain)
        if mean > 0:
            pairs += [
                (phase_of(resets_at - each.middle, length), rate / mean)
                for each, rate in zip(members, plain, strict=True)
            ]
    return learn_shares(pairs, N_PHASES)


def _follow(
    rate: Rate, shapes: _Shapes, last: QuotaSample, now: datetime, step: timedelta
) -> Forecast:
    """Use up what is left on the likely path, and on those at both ends of the range."""
    likely: list[float] = []
    early: list[float] = []
    late: list[float] = []
    share = 0.0
    per_phase = shapes.length / step / N_PHASES
    for ahead in range(_n_ahead(last, shapes.length, now, step)):
        middle = now + (ahead + 0.5) * step
        share += shapes.of(-1 - ahead, _to_reset(last.resets_at, middle, shapes.length))
        doubt = rate.variance * (share + share**2 / rate.weight) + shapes.doubt * share * per_phase
        likely.append(rate.level * share)
        early.append(rate.level * _stray(share, doubt, rate.least, RANGE))
        late.append(rate.level * _stray(share, doubt, rate.least, -RANGE))
    ends = (_crossing(path, last.remaining, now, step) for path in (likely, early, late))
    return Forecast(*ends)


def _stray(mean: float, variance: float, least: float, deviations: float) -> float:
    """Return what is used if it strays so far from its *mean*, up or down.

    Use has no upper end, but a lower one: above the part that is *least* it is
    taken to be distributed by a gamma distribution (Wilson and Hilferty's
    approximation of its quantiles).
    """
    certain = least * mean
    above = mean - certain
    if above <= 0:
        return mean
    part = variance / above**2
    root = max(1 - part / 9 + deviations * sqrt(part) / 3, 0.0)
    used = certain + above * root**3
    return max(used, mean) if deviations > 0 else min(used, mean)


def _n_ahead(last: QuotaSample, length: timedelta, now: datetime, step: timedelta) -> int:
    """Return how many bins to look ahead: to the end of the period after this one."""
    resets_at = last.resets_at if last.resets_at and last.resets_at > now else now + length
    return ceil((resets_at + length - now) / step)


def _to_reset(resets_at: datetime | None, at: datetime, length: timedelta) -> timedelta | None:
    return None if resets_at is None else (resets_at - at) % length


def _crossing(
    path: Sequence[float], remaining: int, now: datetime, step: timedelta
) -> datetime | None:
    """Return when *path*, used since *now* at the end of each step, reaches *remaining*.

    Beyond its end it goes on as it went on average.
    """
    before = 0.0
    for ahead, used in enumerate(path):
        if used >= remaining:
            part = (remaining - before) / (used - before) if used > before else 0.0
            return now + (ahead + min(max(part, 0.0), 1.0)) * step
        before = used
    if before <= 0:
        return None
    after = len(path) * (remaining / before)
    return now + after * step if after < FARTHEST / step else None


@dataclass(frozen=True, slots=True)
class SharedAlert:
    """An alert about an account's quota, after its connections agreed on it.

    Args:
        alert: What to tell; None if another connection already told it.
        named: The other connections that the alert speaks for.
        changed: What is now known of those other connections' quotas.
    """

    alert: AlertDue | None
    named: tuple[int, ...]
    changed: Mapping[int, Quota]


def resolve_shared(
    alert: AlertDue, before: Quota, after: Quota, siblings: Iterable[tuple[int, Quota]]
) -> SharedAlert:
    """Tell a quota alert once for all connections of one account.

    Args:
        alert: The alert as one connection alone would tell it.
        before: The quota of the connection that raised *alert*, before its check.
        after: The same quota after it.
        siblings: The other connections of the same provider, host and account.
    """
    name: str = alert.facts.get("window", "")
    mine_before, mine_after = before.of_window(name) or before, after.of_window(name) or after
    peers = _Peers(name, siblings)
    match alert.kind:
        case AlertKind.QUOTA_LOW | AlertKind.QUOTA_EXHAUSTED:
            return _share_step(alert, mine_after, peers)
        case AlertKind.QUOTA_RESTORED:
            changed = {
                number: replace(window, told_step=None)
                for number, window in peers.sharing(mine_before).items()
                if window.told_step is not None
            }
        case _:
            changed = {
                number: replace(window, told_step=None, told_limit=mine_after.known.limit)
                for number, window in peers.sharing(mine_before).items()
            }
    return SharedAlert(alert, tuple(changed), peers.with_windows(changed))


class _Peers:
    """The other connections of an account, seen through the window that an alert is about."""

    def __init__(self, name: str, siblings: Iterable[tuple[int, Quota]]) -> None:
        self._quotas = dict(siblings)
        found = ((number, quota.of_window(name)) for number, quota in self._quotas.items())
        self._windows = {number: window for number, window in found if window is not None}

    def sharing(self, window: Quota) -> dict[int, Quota]:
        return {
            number: each
            for number, each in self._windows.items()
            if each.shares_period_with(window)
        }

    def with_windows(self, changed: Mapping[int, Quota]) -> dict[int, Quota]:
        return {
            number: self._quotas[number].with_window(window) for number, window in changed.items()
        }


def _share_step(alert: AlertDue, after: Quota, peers: _Peers) -> SharedAlert:
    step: int = alert.facts["step"]
    sharing = peers.sharing(after)
    # What a sibling told before a refill that it has not seen yet is no longer true.
    told = [each.told_step for each in sharing.values() if not is_refilled(each.known, after.known)]
    if any(one is not None and one <= step for one in told):
        return SharedAlert(None, (), {})
    left = after.known.remaining
    changed = {
        number: replace(window, told_step=step, known=replace(window.known, remaining=left))
        for number, window in sharing.items()
    }
    return SharedAlert(alert, tuple(changed), peers.with_windows(changed))


def is_forecast_announced(
    outlook: Outlook, announced_by_peers: Iterable[datetime | None], now: datetime
) -> bool:
    """Tell whether another connection of the account has told what *outlook* would tell.

    What has got clearly worse since was not told.
    """
    foreseen, sample = outlook.told, outlook.sample
    if foreseen is None or sample is None or sample.resets_at is None:
        return False
    resets_at = sample.resets_at
    return any(
        told is not None and not is_clearly_worse(foreseen, told, resets_at, now)
        for told in announced_by_peers
    )
