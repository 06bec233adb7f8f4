"""Start the command line: `connwatch`, and `python -m monitor`.

Decides what must be so before anything else is imported; the commands
themselves are in `monitor.cli`.
"""

from __future__ import annotations

import gc
import sys
import traceback

COLLECT_GARBAGE_AFTER = 200_000
"""
Objects, where Python's default is 700.

A command makes about a hundred thousand while it starts, and all of them stay:
looking through them again and again took an eighth of its time.
"""

INTERRUPTED = 130
NOT_DONE = 3
"""As `monitor.cli.errors` has them, which may be what could not be imported."""


def main() -> None:
    """Import the command line and run it; Ctrl-C ends that quietly too."""
    gc.set_threshold(COLLECT_GARBAGE_AFTER)
    try:
        from monitor.cli import main as run

        run()
    except KeyboardInterrupt:
        if sys.stderr is not None:
            sys.stderr.write("connwatch: interrupted\n")
        sys.exit(INTERRUPTED)
    except (ImportError, SyntaxError):
        traceback.print_exc()
        sys.stderr.write("connwatch: this installation is not complete: install connwatch again\n")
        sys.exit(NOT_DONE)


if __name__ == "__main__":
    main()
