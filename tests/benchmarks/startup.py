"""
Measure how long a command takes to start: `python -m tests.benchmarks startup`.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RUNS = 9
COMMANDS = (["--help"], ["status"], ["status", "--json"], ["config", "check"])

CONFIG = """
[[connections]]
name = "soldscope-production"
provider = "soldscope"
base_url = "http://127.0.0.1:9"
token = "not-a-token"
"""


def main(_options: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "config.toml")
        config.write_text(CONFIG)
        config.chmod(0o600)
        for command in COMMANDS:
            took = [_time(["--config", str(config), *command]) for _ in range(RUNS)]
            print(
                f"connwatch {' '.join(command):<20} median {statistics.median(took) * 1000:5.0f} ms"
                f"   (of {RUNS}: {min(took) * 1000:.0f} to {max(took) * 1000:.0f})"
            )


def _time(arguments: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "monitor", *arguments], capture_output=True, check=False)
    return time.perf_counter() - start
