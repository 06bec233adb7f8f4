"""
Choose a benchmark: `python -m tests.benchmarks NAME [OPTIONS]`.
"""

from __future__ import annotations

import sys

from tests.benchmarks import (
    bounds,
    daemon,
    dashboard,
    evaluate,
    forecast,
    imports,
    slow_readers,
    sources,
    startup,
    templates,
    year,
)

BENCHMARKS = {
    "bounds": bounds.main,
    "daemon": daemon.main,
    "dashboard": dashboard.main,
    "evaluate": evaluate.main,
    "forecast": forecast.main,
    "import": imports.main,
    "slow_readers": slow_readers.main,
    "sources": sources.main,
    "startup": startup.main,
    "templates": templates.main,
    "year": year.main,
}


def main() -> None:
    names, options = sys.argv[1:2], sys.argv[2:]
    if names and names[0] not in BENCHMARKS:
        sys.exit(f"no benchmark is called {names[0]}; there are: {', '.join(BENCHMARKS)}")
    for name in names or BENCHMARKS:
        print(f"== {name}")
        BENCHMARKS[name](options)


main()
