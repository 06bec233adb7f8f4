"""
Run the areas by turns for so many seconds: `python -m tests.fuzz --seconds 600 --seed 7`.
"""

from __future__ import annotations

import argparse
import logging
import random
import sys

from tests.fuzz.areas import AREAS
from tests.fuzz.core import Tally, describe, find_fault, make_case, run_area, shrink

SLICE_S = 20.0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="how long, all areas together")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--area", choices=AREAS, action="append", help="only these")
    parser.add_argument("--only", type=int, metavar="N", help="only case N of the one --area")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    names = options.area or list(AREAS)
    if options.only is not None:
        return run_one(names[0], options.seed, options.only)
    tallies = run_all(names, options.seed, options.seconds)
    for tally in tallies:
        print(tally)
        if tally.finding is not None:
            print(f"\n{tally.finding}\n")
    n_cases = sum(tally.n_cases for tally in tallies)
    n_faults = sum(tally.finding is not None for tally in tallies)
    print(f"seed {options.seed}: {n_cases} cases, tracebacks {n_faults}/{n_cases}")
    return 1 if n_faults else 0


def run_all(names: list[str], seed: int, seconds: float) -> list[Tally]:
    """
    Give each area its share, a slice at a time; one that has failed is over.
    """
    tallies = {name: Tally(name) for name in names}
    left = dict.fromkeys(names, seconds / len(names))
    while any(left.values()):
        for name, tally in tallies.items():
            share = min(SLICE_S, left[name])
            left[name] -= share
            if not share or tally.finding is not None:
                continue
            more = run_area(AREAS[name](), seed, seconds=share, first=tally.n_cases)
            tally.n_cases += more.n_cases
            tally.finding = more.finding
            print(f"{tally}", file=sys.stderr, flush=True)
    return list(tallies.values())


def run_one(name: str, seed: int, number: int) -> int:
    area = AREAS[name]()
    with area:
        case = make_case(area, seed, number)
        fault = find_fault(area, case)
        print("\n".join(map(repr, case if fault is None else shrink(area, case, fault))))
    print("no fault" if fault is None else describe(fault))
    return int(fault is not None)


if __name__ == "__main__":
    sys.exit(main())
