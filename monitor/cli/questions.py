"""
Ask what a first configuration file needs to know.

Decides the questions, and which answers are taken: those that the rules of
every configuration file take. Everything goes to stderr.
"""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from monitor.clock import utc_now
from monitor.config.base import Reading
from monitor.config.errors import ConfigError
from monitor.config.load import build_config
from monitor.config.secret import SourceKind
from monitor.config.starter import Kept, StarterAnswers, starter_config

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    _Question = Callable[[StarterAnswers], StarterAnswers]

TOKEN_VARIABLE = "SOLDSCOPE_TOKEN"  # noqa: S105 - a name, not a token
DEFAULT_NAME = "soldscope"
CHANNEL_VARIABLE = "CONNWATCH_CHANNEL_URL"

NAME, BASE_URL, TOKEN, CHANNEL = (
    "connections[0].name",
    "connections[0].base_url",
    "connections[0].token",
    "channels[0].url",
)

CHANNEL_EXAMPLES = {
    "e-mail": "mailtos://anna:password@example.com?to=team@example.com",
    "Slack": "slack://TokenA/TokenB/TokenC/%23alerts",
    "Telegram": "tgram://123456789:BotTokenOfYourBot/-1001234567890",
}

PLACEHOLDER_URL = "https://api.example.com"
"""Stands in for what is not asked yet, so that the other answers can be judged."""


def ask_for(answers: StarterAnswers, places: Collection[str]) -> StarterAnswers:
    """
    Return *answers* with what belongs at *places* asked for.
    """
    _say("A few questions, and the file is there. Ctrl-C leaves without writing it.")
    for place, ask in _QUESTIONS.items():
        if place in places:
            answers = _ask_until_good(place, ask, answers)
    return answers


def _ask_until_good(place: str, ask: _Question, before: StarterAnswers) -> StarterAnswers:
    _say("")
    while True:
        answers = ask(before)
        why = _problem_at(place, answers)
        if why is None:
            return answers
        _say(f"\nThat will not do: {why}")


def _ask_base_url(answers: StarterAnswers) -> StarterAnswers:
    _say("Where is the SoldScope API? Its reference shows the base URL.")
    return replace(answers, base_url=_prompt("Base URL"))


def _ask_token(answers: StarterAnswers) -> StarterAnswers:
    _say("Where is the API token kept?")
    return replace(answers, token=_ask_where(_choose(_PLACES), TOKEN_VARIABLE, "Token"))


def _ask_channel(answers: StarterAnswers) -> StarterAnswers:
    _say("Who shall be told? Any Apprise URL will do, such as")
    for service, example in CHANNEL_EXAMPLES.items():
        _say(f"  {service:9} {example}")
    _say("Where is that URL kept? Whoever has it can write to the channel.")
    choice = _choose([*_PLACES, "nowhere: tell nobody yet"])
    if choice == len(_PLACES):
        return replace(answers, channel=None)
    return replace(answers, channel=_ask_where(choice, CHANNEL_VARIABLE, "Apprise URL"))


def _ask_name(answers: StarterAnswers) -> StarterAnswers:
    _say("What shall the connection be called? The name is in every alert.")
    return replace(answers, connection_name=_prompt("Name", default=DEFAULT_NAME))


_QUESTIONS: dict[str, _Question] = {
    BASE_URL: _ask_base_url,
    TOKEN: _ask_token,
    CHANNEL: _ask_channel,
    NAME: _ask_name,
}

_PLACES = [
    "in an environment variable",
    "in a file of its own",
    "in the configuration file: I type it in now",
]


def _choose(choices: list[str]) -> int:
    """
    Return the position of the choice taken.
    """
    for number, choice in enumerate(choices, 1):
        _say(f"  {number}  {choice}")
    while True:
        answer = _prompt("Number", default="1")
        if answer.isdecimal() and 1 <= int(answer) <= len(choices):
            return int(answer) - 1
        _say(f"That will not do: a number from 1 to {len(choices)}")


def _ask_where(choice: int, variable: str, noun: str) -> Kept:
    match choice:
        case 0:
            return Kept(SourceKind.ENV, _prompt("Name of the variable", default=variable))
        case 1:
            return Kept(SourceKind.FILE, at_home(_prompt("Path of the file")))
        case _:
            typed = _prompt(f"{noun} (does not show while you type or paste it)", is_hidden=True)
            return Kept(SourceKind.LITERAL, typed)


def _prompt(question: str, *, default: str | None = None, is_hidden: bool = False) -> str:
    answer: str = typer.prompt(question, default=default, hide_input=is_hidden, err=True)
    return answer.strip()


def problems_of(answers: StarterAnswers) -> dict[str, str]:
    """
    Return what the rules of every file have against *answers*, by place.
    """
    reading = Reading(Path("config.toml"), utc_now(), {})
    try:
        config = build_config(tomllib.loads(starter_config(answers)), reading)
    except ConfigError as error:
        return {problem.place: problem.message for problem in error.problems}
    channel = answers.channel
    if channel is None or channel.kind is not SourceKind.LITERAL:
        return {}
    from monitor.alert.sender import validate_url

    why = validate_url(config.channels[0].url)
    return {} if why is None else {CHANNEL: why}


def _problem_at(place: str, answers: StarterAnswers) -> str | None:
    for wrong, why in problems_of(answers).items():
        if f"{wrong}.".startswith(f"{place}."):
            return why
    return None


def at_home(path: str) -> str:
    """
    Return *path* with `~` resolved, which only shells do.
    """
    return str(Path(path).expanduser())


def _say(text: str) -> None:
    typer.echo(text, err=True)
