"""
Run a command in this process, in a folder, as people run it.
"""

from __future__ import annotations

import io
import os
import warnings
from contextlib import chdir, redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from monitor.cli import app
from monitor.cli.errors import run_command
from tests.command_line import Ended

if TYPE_CHECKING:
    from pathlib import Path


def run_here(folder: Path, *arguments: str) -> Ended:
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8") for _ in range(2))
    err.reconfigure(errors="backslashreplace")
    code: Any = None
    environment = {"HOME": "/nonexistent", "XDG_CONFIG_HOME": "/nonexistent"}
    with (
        chdir(folder),
        patch.dict(os.environ, environment),
        patch("sys.stdin", io.StringIO()),
        redirect_stdout(out),
        redirect_stderr(err),
        # As for people: to pytest each warning is an error, also of what others wrote.
        warnings.catch_warnings(action="ignore"),
    ):
        try:
            run_command(app, list(arguments))
        except SystemExit as ending:
            code = ending.code
        for stream in (out, err):
            stream.flush()
    told = [stream.buffer.getvalue().decode() for stream in (out, err)]
    return Ended(code, *told)
