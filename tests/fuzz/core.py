"""
Run cases of an area until they are over, and make the first that fails as small as it gets.

A case is a tuple of pieces, made from a seed and a number, so that each can be made again. It
fails when it raises anything, or does not end.
"""

from __future__ import annotations

import signal
import time
import traceback
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any, Protocol, Self

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    Piece = str | bytes
    Case = tuple[Piece, ...]

CPU_S = 10
"""How much of the processor a case may use: a hundred times what the slowest needs."""

WALL_S = 120
"""How long a case may take beside it, however busy the machine is."""

SHRINK_WITHIN_S = 60
MOST_TRIES = 2000


class Area(Protocol):
    """
    One kind of input, with all that is needed to give it to connwatch.
    """

    name: str

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
        /,
    ) -> None: ...

    def make(self, random: Random) -> Case: ...

    def run(self, case: Case) -> None:
        """
        Give *case* to connwatch; raise whatever is wrong with what it does.
        """


class FaultError(Exception):
    """
    What connwatch did and may not do.
    """


class HangError(BaseException):
    """
    A case does not end. No `except Exception` of ours may take it for an error.
    """


@dataclass(frozen=True)
class Finding:
    """
    A case that failed.
    """

    area: str
    seed: int
    number: int
    fault: str
    smallest: Case

    def __str__(self) -> str:
        pieces = "\n".join(f"    {piece!r}" for piece in self.smallest)
        again = f"python -m tests.fuzz --area {self.area} --seed {self.seed} --only {self.number}"
        return f"{self.fault}\n  {again}\n  smallest input:\n{pieces}"


@dataclass
class Tally:
    """
    What was tried in one area.
    """

    area: str
    n_cases: int = 0
    finding: Finding | None = None

    def __str__(self) -> str:
        n_faults = int(self.finding is not None)
        return f"{self.area:<10} {self.n_cases:>7} cases, tracebacks {n_faults}/{self.n_cases}"


def make_case(area: Area, seed: int, number: int) -> Case:
    return area.make(Random(f"{seed}/{area.name}/{number}"))


def run_area(
    area: Area,
    seed: int,
    *,
    n_cases: int | None = None,
    seconds: float | None = None,
    first: int = 0,
) -> Tally:
    """
    Run cases until so many were run, so much time has passed, or one fails.
    """
    tally = Tally(area.name)
    end = None if seconds is None else time.monotonic() + seconds
    with area:
        while (n_cases is None or tally.n_cases < n_cases) and (
            end is None or time.monotonic() < end
        ):
            number = first + tally.n_cases
            case = make_case(area, seed, number)
            tally.n_cases += 1
            fault = find_fault(area, case)
            if fault is not None:
                smallest = shrink(area, case, fault)
                text = describe(find_fault(area, smallest) or fault)
                tally.finding = Finding(area.name, seed, number, text, smallest)
                break
    return tally


def find_fault(area: Area, case: Case) -> BaseException | None:
    try:
        with bounded():
            area.run(case)
    except (Exception, HangError) as fault:  # noqa: BLE001 - whatever it is, it is what is looked for
        return fault
    return None


def describe(fault: BaseException) -> str:
    if isinstance(fault, FaultError):
        return str(fault)
    return "".join(traceback.format_exception(fault)).rstrip()


def shrink(area: Area, case: Case, fault: BaseException) -> Case:
    """
    Return the smallest case that was found to fail in the same way.
    """
    end = time.monotonic() + SHRINK_WITHIN_S
    n_tries = 0
    is_smaller = True
    while is_smaller:
        is_smaller = False
        for smaller in _smaller(case):
            n_tries += 1
            if n_tries > MOST_TRIES or time.monotonic() > end:
                return case
            found = find_fault(area, smaller)
            if found is not None and _kind(found) == _kind(fault):
                case, is_smaller = smaller, True
                break
    return case


def _kind(fault: BaseException) -> tuple[Any, ...]:
    """
    Return what two failures have in common that have the same cause.
    """
    if isinstance(fault, FaultError):
        return (FaultError, str(fault).partition(":")[0])
    frames = traceback.extract_tb(fault.__traceback__)
    return (type(fault), *[(frame.filename, frame.lineno) for frame in frames[-1:]])


def _smaller(case: Case) -> Iterator[Case]:
    """
    Yield cases with fewer pieces, then with shorter ones.
    """
    size = len(case)
    while size:
        for start in range(0, len(case), size):
            yield (*case[:start], *case[start + size :])
        size //= 2
    for place, piece in enumerate(case):
        for shorter in _halves(piece):
            yield (*case[:place], shorter, *case[place + 1 :])


def _halves(piece: Piece) -> Iterator[Piece]:
    size = len(piece) // 2
    while size:
        for start in range(0, len(piece), size):
            yield _without(piece, start, start + size)
        size //= 2
        if len(piece) // max(1, size) > 64:
            return


def _without(piece: Piece, start: int, end: int) -> Piece:
    if isinstance(piece, bytes):
        return piece[:start] + piece[end:]
    return piece[:start] + piece[end:]


@contextmanager
def bounded(cpu_s: float = CPU_S, wall_s: float = WALL_S) -> Iterator[None]:
    """
    Raise HangError in the block when it takes too long.
    """

    def stop(_number: int, _frame: object) -> None:
        raise HangError("it does not end")

    before = [signal.signal(number, stop) for number in (signal.SIGPROF, signal.SIGALRM)]
    signal.setitimer(signal.ITIMER_PROF, cpu_s)
    signal.setitimer(signal.ITIMER_REAL, wall_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in zip((signal.SIGPROF, signal.SIGALRM), before, strict=True):
            signal.signal(number, handler)
