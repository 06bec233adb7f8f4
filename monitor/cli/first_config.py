"""
Write a first configuration file, and say what comes next.

Decides what must be known for that, and that nothing is ever overwritten. The
questions stand in `interview`, the text of the file in `monitor.config.starter`.
"""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from monitor.cli.ending import CommandError
from monitor.cli.interview import SOLDSCOPE_NAME, Known, channel_table, hold_interview
from monitor.cli.questions import Draft, at_home, confirm, say
from monitor.cli.service import (
    UNIT,
    Places,
    find_obstacle,
    find_program,
    install_service,
    run_command,
)
from monitor.config.errors import ConfigError
from monitor.config.load import find_config
from monitor.config.secret import SourceKind
from monitor.config.starter import (
    CHANNELS,
    CONNECTIONS,
    Kept,
    Table,
    Value,
    starter_config,
    write_new,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
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
    draft = Draft(path)
    known = Known(given.base_url, given.token, given.name, given.channel, given.no_channel)
    missing = _missing(given)
    if not missing:
        _fill(draft, known)
    elif sys.stdin.isatty():
        hold_interview(draft, known)
    else:
        raise CommandError(
            "there is no terminal to ask on, so these options are needed as well: "
            + "; ".join(missing)
        )
    problems = draft.problems()
    if problems:
        raise CommandError("; ".join(f"{place}: {why}" for place, why in problems.items()))
    if missing and _is_service_wanted():
        _make_service(draft)
        return
    write_new(path, starter_config(draft.tables))
    _say_what_is_next(draft)


def _is_service_wanted() -> bool:
    """
    Ask whether it shall be a service of systemd, where that is possible.
    """
    if find_obstacle(Places(), find_program()) is not None:
        return False
    say("")
    return confirm("Install it as a service of systemd now?")


def _make_service(draft: Draft) -> None:
    places, program = Places(), find_program()
    assert program is not None
    install_service(draft, places, program, run_command)
    typer.echo(f"Written: {places.config}, {places.secrets}/*, {places.units / UNIT}")
    typer.echo("\nNext: connwatch doctor")


def _fill(draft: Draft, known: Known) -> None:
    """
    Add to *draft* what is *known*, which is all that it needs.
    """
    assert known.base_url is not None
    assert known.token is not None
    name = SOLDSCOPE_NAME if known.name is None else known.name
    keys: dict[str, Value] = {"name": name, "provider": "soldscope"}
    keys |= {"base_url": known.base_url, "token": known.token}
    draft.tables.append(Table(CONNECTIONS, keys))
    if known.channel is not None:
        draft.tables.append(channel_table(known.channel))


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


def _missing(given: Given) -> list[str]:
    """
    Return the options that would say what is not given.
    """
    missing = []
    if given.base_url is None:
        missing.append("--base-url URL")
    if given.token is None:
        missing.append("--token-env NAME or --token-file FILE")
    if given.channel is None and not given.no_channel:
        missing.append("--channel-env NAME, --channel-file FILE or --no-channel")
    return missing


def _say_what_is_next(draft: Draft) -> None:
    typer.echo(f"Written: {draft.path}, readable by you alone.")
    todo = [line for table in draft.tables for line in _to_provide(table, draft.path.parent)]
    if todo:
        typer.echo("\nBefore it can work:")
    for line in todo:
        typer.echo(f"  {line}")
    typer.echo(f"\nNext: connwatch{_option_for(draft.path)} config check")


def _to_provide(table: Table, folder: Path) -> Iterator[str]:
    """
    Yield what is left to do before the secrets of *table* can be read.
    """
    for key, value in table.keys.items():
        what = "the Apprise URL" if table.section == CHANNELS else f"the {key.replace('_', ' ')}"
        match value:
            case Kept(SourceKind.ENV, name) if name not in os.environ:
                yield f"export {name}=...   # {what}"
            case Kept(SourceKind.FILE, name) if not os.path.exists(folder / name):  # noqa: PTH110 - Path.exists raises where it may not look
                yield f"put {what} into {name}, which only you may read (chmod 600)"


def _option_for(path: Path) -> str:
    """
    Return what makes a command find *path*; nothing where it looks there anyway.
    """
    try:
        is_found = find_config(None) == path
    except ConfigError:
        is_found = False
    return "" if is_found else f" --config {shlex.quote(str(path))}"
