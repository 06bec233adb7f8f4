"""
Write a first configuration file, and say what comes next.

Decides what must be known for that, and that nothing is ever overwritten. The
questions stand in `questions`, the text of the file in `monitor.config.starter`.
"""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from monitor.cli.ending import CommandError
from monitor.cli.questions import (
    BASE_URL,
    CHANNEL,
    DEFAULT_NAME,
    NAME,
    PLACEHOLDER_URL,
    TOKEN,
    ask_for,
    at_home,
    problems_of,
)
from monitor.config.errors import ConfigError
from monitor.config.load import find_config
from monitor.config.secret import SourceKind
from monitor.config.starter import Kept, StarterAnswers, starter_config, write_new

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Given:
    """
    What the options of the command say; None for what they do not.
    """

    base_url: str | None = None
    token_env: str | None = None
    token_file: str | None = None
    channel_env: str | None = None
    channel_file: str | None = None
    no_channel: bool = False
    name: str | None = None

    @property
    def token(self) -> Kept | None:
        """
        Return where the token is kept.
        """
        return _kept(self.token_env, self.token_file)

    @property
    def channel(self) -> Kept | None:
        """
        Return where the Apprise URL is kept.
        """
        return _kept(self.channel_env, self.channel_file)


def _kept(variable: str | None, file: str | None) -> Kept | None:
    if variable is not None:
        return Kept(SourceKind.ENV, variable)
    return None if file is None else Kept(SourceKind.FILE, at_home(file))


def write_first_config(path: Path, given: Given) -> None:
    """
    Write a file to *path* from what is *given* and what the person says.

    Raises:
        CommandError: Something stands there, or nobody can be asked.
        ConfigError: What was given is of no use, or cannot be written.
    """
    _refuse_existing(path)
    _refuse_contradictions(given)
    answers = StarterAnswers(
        PLACEHOLDER_URL if given.base_url is None else given.base_url,
        connection_name=DEFAULT_NAME if given.name is None else given.name,
        channel_env=None,
        token=given.token,
        channel=given.channel,
    )
    missing = _missing(given)
    if missing:
        if not sys.stdin.isatty():
            raise CommandError(
                "there is no terminal to ask on, so these options are needed as well: "
                + "; ".join(missing.values())
            )
        places = {*missing, *([NAME] if given.name is None else [])}
        answers = ask_for(answers, places)
    problems = problems_of(answers)
    if problems:
        raise CommandError("; ".join(f"{place}: {why}" for place, why in problems.items()))
    write_new(path, starter_config(answers))
    _say_what_is_next(path, answers)


def _refuse_existing(path: Path) -> None:
    if os.path.lexists(path):
        raise CommandError(
            f"{path} exists already and is left as it is. Change it with an editor and look"
            " whether it is right with `connwatch config check`; or write another file with"
            " `connwatch config init --output FILE`"
        )


def _refuse_contradictions(given: Given) -> None:
    for options in (
        {"--token-env": given.token_env, "--token-file": given.token_file},
        {
            "--channel-env": given.channel_env,
            "--channel-file": given.channel_file,
            "--no-channel": given.no_channel or None,
        },
    ):
        named = [option for option, value in options.items() if value is not None]
        if len(named) > 1:
            raise CommandError(f"only one of {' and '.join(named)} can be")


def _missing(given: Given) -> dict[str, str]:
    """
    Return the options that would say what is not given, by what they are about.
    """
    missing = {}
    if given.base_url is None:
        missing[BASE_URL] = "--base-url URL"
    if given.token is None:
        missing[TOKEN] = "--token-env NAME or --token-file FILE"
    if given.channel is None and not given.no_channel:
        missing[CHANNEL] = "--channel-env NAME, --channel-file FILE or --no-channel"
    return missing


def _say_what_is_next(path: Path, answers: StarterAnswers) -> None:
    typer.echo(f"Written: {path}, readable by you alone.")
    todo = [
        line
        for line in (
            _to_provide(answers.token, "the token"),
            _to_provide(answers.channel, "the Apprise URL"),
        )
        if line
    ]
    if todo:
        typer.echo("\nBefore it can work:")
    for line in todo:
        typer.echo(f"  {line}")
    typer.echo(f"\nNext: connwatch{_option_for(path)} config check")


def _to_provide(kept: Kept | None, what: str) -> str | None:
    """
    Return what is left to do before a secret can be read.
    """
    match kept:
        case Kept(SourceKind.ENV, name) if name not in os.environ:
            return f"export {name}=...   # {what}"
        case Kept(SourceKind.FILE, name):
            return f"put {what} into {name}, which only you may read (chmod 600)"
        case _:
            return None


def _option_for(path: Path) -> str:
    """
    Return what makes a command find *path*; nothing where it looks there anyway.
    """
    try:
        is_found = find_config(None) == path
    except ConfigError:
        is_found = False
    return "" if is_found else f" --config {shlex.quote(str(path))}"
