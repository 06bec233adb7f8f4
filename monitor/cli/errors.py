"""End a command with the contract's exit codes, whatever happened."""

from __future__ import annotations

import errno
import io
import os
import re
import sys
import traceback
import unicodedata
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from subprocess import SubprocessError
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from monitor.config.errors import ConfigError
from monitor.config.secret import SecretUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

DONE = 0

NOT_DONE = 3
"""
Bad config, unknown name or option, database unusable, internal fault: the
command did not do, or could not answer, what it was asked.
"""

INTERRUPTED = 130
"""Ended by Ctrl-C, as shells expect it."""


COMPLETION_VARIABLE = "_CONNWATCH_COMPLETE"
"""With it a shell asks for completions instead of running a command."""

_SHELLS = "bash, zsh, fish and PowerShell"

_UNWRITABLE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF}


class CommandError(Exception):
    """Why a command cannot do what it was asked, in words for the person who asked."""


def run_command(app: typer.Typer, arguments: Sequence[str] | None = None) -> NoReturn:
    """Run *app* and exit: nothing leaves as a traceback but a fault of ours."""
    _make_streams_usable()
    try:
        _run_and_exit(app, arguments)
    except OSError:
        # stderr itself takes nothing more: the exit code is all that is left to say it with.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
        sys.exit(NOT_DONE)


def _run_and_exit(app: typer.Typer, arguments: Sequence[str] | None) -> NoReturn:
    command = typer.main.get_command(app)
    _explain_completion(command)
    given = list(sys.argv[1:] if arguments is None else arguments)
    _require_text(given)
    try:
        code = _run(command, given)
    except SystemExit as error:
        # Some library left on its own, mostly because the reader of our output
        # went away, as `| head` does. Its code would be taken for one of ours.
        sys.exit(NOT_DONE if error.code else DONE)
    except typer.TyperException as error:
        _explain_usage(error)
        sys.exit(NOT_DONE)
    except (typer.Abort, KeyboardInterrupt):
        code = INTERRUPTED
    except ConfigError as error:
        for problem in error.problems:
            print_error(str(problem))
        sys.exit(NOT_DONE)
    except (CommandError, SecretUnavailable) as error:
        print_error(str(error))
        sys.exit(NOT_DONE)
    except OSError as error:
        _report_unwritable(error)
        sys.exit(NOT_DONE)
    except Exception as error:  # noqa: BLE001 - the last boundary: a fault must end with its code
        _report(error)
        sys.exit(NOT_DONE)
    if code == INTERRUPTED:
        print_error("interrupted")
    sys.exit(code if isinstance(code, int) else DONE)


def _explain_completion(command: Any) -> None:
    """Let the options that set up completion end with one of our codes, and say why."""
    for parameter in command.params:
        if parameter.name not in {"install_completion", "show_completion"}:
            continue
        known = parameter.callback
        # A command that is run again must not be explained once more each time.
        if not (isinstance(known, partial) and known.func is _set_up_completion):
            parameter.callback = partial(_set_up_completion, known)


def _set_up_completion(
    callback: Callable[..., Any], context: Any, parameter: Any, value: Any
) -> Any:
    """Call what typer has for it, which writes into files of the shell and knows four shells.

    Raises:
        CommandError: The shell is another one, or its files cannot be written.
    """
    said = io.StringIO()
    try:
        with redirect_stdout(said), redirect_stderr(said):
            return callback(context, parameter, value)
    except SystemExit:
        typer.echo(said.getvalue(), nl=False)
        raise
    except typer.Exit as error:
        raise CommandError(
            f"the shell that started connwatch is none that it has completion for: start one of"
            f" {_SHELLS}, and run `connwatch {parameter.opts[0]}` there"
        ) from error
    except (OSError, UnicodeError, SubprocessError) as error:
        why = getattr(error, "strerror", None) or "it is not text, or its program failed"
        where = getattr(error, "filename", None) or "a file of your shell"
        raise CommandError(
            f"completion cannot be installed: {where}: {why}; run `connwatch --show-completion`,"
            " and put what it prints where your shell reads it"
        ) from error


_OPTION = re.compile(r"--[a-z][a-z-]{0,30}|-[a-zA-Z]", re.ASCII)

LONGEST_ARGUMENT = 4096
"""Characters: as many as a path may have."""


def _require_text(arguments: Sequence[str]) -> None:
    """End the command before it does anything if one of *arguments* can be none of ours."""
    why = find_unusable_argument(arguments)
    if why is not None:
        print_error(why)
        sys.exit(NOT_DONE)


def find_unusable_argument(arguments: Sequence[str]) -> str | None:
    """Return what is wrong with one of *arguments*, which may be a secret and is not repeated."""
    for position, argument in enumerate(arguments):
        flaw = find_argument_flaw(argument)
        if flaw is not None:
            return f"{_name_argument(arguments, position)}: {flaw}"
    return None


def find_argument_flaw(text: str) -> str | None:
    """Return why *text* can be no argument of ours, or None."""
    if any("\ud800" <= char <= "\udfff" for char in text):
        return "not UTF-8 text: type it again, or convert it"
    if any(unicodedata.category(char) in {"Cc", "Zl", "Zp"} for char in text):
        return "contains a control character or a line break: write it on one line, without"
    if len(text) > LONGEST_ARGUMENT:
        return f"longer than {LONGEST_ARGUMENT:,} characters: shorten it"
    return None


def _name_argument(arguments: Sequence[str], position: int) -> str:
    """Name an argument by its option, else by its number."""
    written = arguments[position].partition("=")[0]
    before = arguments[position - 1] if position else ""
    for name in (written, before):
        if _OPTION.fullmatch(name):
            return name
    return f"argument {position + 1}"


def _run(command: Any, arguments: Sequence[str] | None) -> Any:
    """Run *command*, once more if rows stood in its way that are set aside by now."""
    for is_last in (False, True):
        try:
            return command.main(
                arguments,
                prog_name="connwatch",
                standalone_mode=False,
            )
        except Exception as error:
            # Told by its name: to import the database takes long, and most commands end well.
            if is_last or type(error).__name__ != "RowsSetAside":
                raise
            print_error(str(error))
    return None


def _explain_usage(error: typer.TyperException) -> None:
    context = getattr(error, "ctx", None)
    # Typer has pydantic look at values, which begins its sentences so.
    message = error.format_message().replace("Value error, ", "")
    if not message:
        return  # no command at all: the help was shown
    if context is not None:
        typer.echo(context.get_usage(), err=True)
    print_error(message)


def _make_streams_usable() -> None:
    """Give each standard stream somewhere to go, and let no symbol stop a text.

    A closed stream's number would be the next file's, the database's even, and
    whatever writes to that stream would write into it.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is not None:
            continue
        nowhere = os.open(os.devnull, os.O_RDWR)
        if nowhere != number:
            os.dup2(nowhere, number)
            os.close(nowhere)
        mode = "r" if name == "stdin" else "w"
        setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115 - it lives as long as the process
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a symbol less is better than no text


def _report_unwritable(error: OSError) -> None:
    """Say that what there was to tell could not be written; anything else is a fault of ours."""
    if error.filename is not None or error.errno not in _UNWRITABLE:
        _report(error)
        return
    print_error(f"cannot write to stdout: {error.strerror}; the command itself may have been done")
    # What is still held back would be tried again at the exit, and end with a code of its own.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _report(error: Exception) -> None:
    """Say what ended the command: one sentence if it was the database."""
    # Imported here, because it takes long and most commands end well.
    from monitor.judge.shortage import OutOfResources, find_shortage
    from monitor.store.engine import StoreError

    short = find_shortage(error)
    if short is not None:
        print_error(str(OutOfResources(short)))
        return
    if isinstance(error, StoreError):
        print_error(str(error))
        return
    if COMPLETION_VARIABLE in os.environ:
        print_error(
            "the shell asks for completions in a way that is not known: run"
            " `connwatch --show-completion`, and use what it prints in place of what there is"
        )
        return
    traceback.print_exception(error)
    print_error("this is a fault of connwatch: please report it with the lines above")


def print_error(message: str) -> None:
    """Say on stderr why something was not done."""
    typer.echo(f"connwatch: {message}", err=True)
