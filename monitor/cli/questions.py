"""
Ask one thing on a terminal, again and again until the answer can be used.

Which answers can be used is decided by the rules of every configuration file;
what is asked, in `interview`. Everything goes to stderr.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from monitor.clock import utc_now
from monitor.config.base import Reading
from monitor.config.errors import ConfigError
from monitor.config.load import build_config
from monitor.config.secret import SourceKind
from monitor.config.starter import CHANNELS, Kept, Table, Value, starter_config

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from monitor.config.model import Config

PLACES = [
    "in an environment variable",
    "in a file of its own",
    "in the configuration file: I type it in now",
]


@dataclass
class Draft:
    """
    A configuration file that is being asked for.

    Args:
        path: Where it will be.
    """

    path: Path
    tables: list[Table] = field(default_factory=list)

    def count(self, section: str) -> int:
        """
        Return how many entries *section* has.
        """
        return sum(table.section == section for table in self.tables)

    def read(self) -> Config:
        """
        Return the settings that the file would mean.

        Raises:
            ConfigError: It would be of no use.
        """
        reading = Reading(self.path, utc_now(), {})
        return build_config(tomllib.loads(starter_config(self.tables)), reading)

    def problems(self) -> dict[str, str]:
        """
        Return what the rules of every file have against it, by place.
        """
        try:
            config = self.read()
        except ConfigError as error:
            return {problem.place: problem.message for problem in error.problems}
        return _bad_urls(config)


def _bad_urls(config: Config) -> dict[str, str]:
    from monitor.alert.sender import validate_url

    typed = (
        (f"{CHANNELS}[{position}].url", channel.url)
        for position, channel in enumerate(config.channels)
        if channel.url.kind is SourceKind.LITERAL
    )
    found = {place: validate_url(url) for place, url in typed}
    return {place: why for place, why in found.items() if why is not None}


class Entry:
    """
    One table of *draft*, asked for key by key.
    """

    def __init__(self, draft: Draft, section: str, **known: Value) -> None:
        self._draft = draft
        self._place = f"{section}[{draft.count(section)}]"
        self._table = Table(section, dict(known))

    def ask(self, key: str, ask: Callable[[], Value | None]) -> Value | None:
        """
        Set *key* to what *ask* returns, once the rules take that; None leaves it out.
        """
        say("")
        while True:
            value = ask()
            if value is None:
                return None
            self.put(key, value)
            why = self._problem_at(key)
            if why is None:
                return value
            say(f"\nThat will not do: {why}")

    def put(self, key: str, value: Value) -> None:
        """
        Set *key* without asking; whether it is any good shows when the whole is read.
        """
        self._table = Table(self._table.section, {**self._table.keys, key: value})

    def write(self) -> Table:
        """
        Put the table into the draft, and return it.
        """
        self._draft.tables.append(self._table)
        return self._table

    def _problem_at(self, key: str) -> str | None:
        trial = Draft(self._draft.path, [*self._draft.tables, self._table])
        for place, why in trial.problems().items():
            if f"{place}.".startswith(f"{self._place}.{key}."):
                return why
        return None


def choose(choices: Sequence[str], default: int = 1) -> int:
    """
    Return the position of the choice taken, counted from 0.
    """
    for number, choice in enumerate(choices, 1):
        say(f"  {number}  {choice}")
    while True:
        answer = prompt("Number", default=str(default))
        if answer.isdecimal() and 1 <= int(answer) <= len(choices):
            return int(answer) - 1
        say(f"That will not do: a number from 1 to {len(choices)}")


def ask_where(choice: int, variable: str, noun: str) -> Kept:
    """
    Return where a secret is kept.

    Args:
        choice: One of `PLACES`.
        variable: The environment variable that is proposed.
    """
    match choice:
        case 0:
            return Kept(SourceKind.ENV, prompt("Name of the variable", default=variable))
        case 1:
            return Kept(SourceKind.FILE, at_home(prompt("Path of the file")))
        case _:
            typed = prompt(f"{noun} (does not show while you type or paste it)", is_hidden=True)
            return Kept(SourceKind.LITERAL, typed)


def ask_secret(noun: str, variable: str) -> Kept:
    """
    Ask where the secret called *noun* is kept.
    """
    say(f"Where is the {noun} kept?")
    return ask_where(choose(PLACES), variable, noun[0].upper() + noun[1:])


def ask_day(question: str) -> date | None:
    """
    Return a day, or None if the person does not know it.
    """
    while True:
        answer = prompt(f"{question} (YYYY-MM-DD; empty if you do not know)", default="")
        if not answer:
            return None
        try:
            return date.fromisoformat(answer)
        except ValueError:
            say("That will not do: a day such as 2026-01-15")


def prompt(question: str, *, default: str | None = None, is_hidden: bool = False) -> str:
    """
    Return what the person types, without space around it.
    """
    answer: str = typer.prompt(
        question, default=default, hide_input=is_hidden, err=True, show_default=bool(default)
    )
    return answer.strip()


def confirm(question: str) -> bool:
    """
    Tell whether the person says yes, which is the default.
    """
    return typer.confirm(question, default=True, err=True)


def at_home(path: str) -> str:
    """
    Return *path* with `~` resolved, which only shells do; as it is for a user whom nobody knows.
    """
    try:
        return str(Path(path).expanduser())
    except RuntimeError:
        return path


def say(text: str) -> None:
    """
    Say *text*.
    """
    typer.echo(text, err=True)
