"""Watch API connections and tell people before they break.

The story, in the order in which it runs:

1. `cli` reads the command and the configuration (`config`).
2. `engine.app` builds every part and starts a handful of jobs (`engine.scheduler`).
3. A tick claims the connections that are due (`store.schedule`) and starts their checks
   (`engine.runner`).
4. `providers` calls the service and returns an outcome: data, never an exception.
5. `engine.evaluate` has each outcome judged (`judge`, pure), finds common causes, dispatches what
   is due (`alerting`) and saves all of it in one transaction (`store`).
6. `notify` delivers what the outbox holds, apart from the checks.

Start reading at `engine/evaluate.py`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__version__ = "0.1.0"


def lazily(places: Mapping[str, str]) -> Callable[[str], object]:
    """Return the `__getattr__` of a package that imports what it offers when it is asked for.

    Heavy libraries stay out of commands that do not use them.

    Args:
        places: The module that defines each name, or the package that a module of that name is in.
    """

    def find(name: str) -> object:
        if name not in places:
            raise AttributeError(f"no {name!r} here; there is {', '.join(sorted(places))}")
        place = import_module(places[name])
        if places[name].count(".") == 1:
            return import_module(f"{places[name]}.{name}")
        return getattr(place, name)

    return find
