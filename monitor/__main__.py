"""
Start the command line: `python -m monitor` is `connwatch`.
"""

from __future__ import annotations

from monitor.cli import main

if __name__ == "__main__":
    main()
