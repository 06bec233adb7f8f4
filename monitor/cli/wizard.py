"""Ask for what a first configuration file needs, and try each part at once (`config init`).

Decides the questions for every kind of connection and channel. An answer is asked for until
the rules of every configuration file take it. Everything goes to stderr, and nothing is
stored: there is no installation yet.
"""

from __future__ import annotations

import asyncio
import tomllib
from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import typer

from monitor.cli.session import find_leaves
from monitor.clock import utc_now
from monitor.config.connections import CountdownConnection
from monitor.config.describe import walk
from monitor.config.errors import ConfigError
from monitor.config.examination import use_of_key
from monitor.config.http import PRESETS, load_preset
from monitor.config.load import build_config
from monitor.config.secret import MalformedSecret, Secret, SecretUnavailable, SourceKind
from monitor.config.starter import (
    APPLICATIONS,
    CHANNELS,
    CONNECTIONS,
    SecretPlace,
    Table,
    Value,
    starter_config,
)
from monitor.config.values import Reading
from monitor.judge.alerts import AlertKind
from monitor.judge.outcome import OutcomeClass, Reason
from monitor.notify.words import explain, format_number

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from monitor.config.model import Channel, Config
    from monitor.judge.outcome import Outcome


PLACES = [
    "in an environment variable",
    "in a file",
    "in the configuration file: I enter it now",
]


@dataclass
class ConfigDraft:
    """A configuration file that is being asked for.

    Args:
        path: Where it will be.
    """

    path: Path
    tables: list[Table] = field(default_factory=list)

    def count(self, section: str) -> int:
        """Return how many entries *section* has."""
        return sum(table.section == section for table in self.tables)

    def read(self) -> Config:
        """Return the settings that the file would mean.

        Raises:
            ConfigError: It would be of no use.
        """
        reading = Reading(self.path, utc_now(), {})
        return build_config(tomllib.loads(starter_config(self.tables)), reading)

    def problems(self) -> dict[str, str]:
        """Return what the rules of every file have against it, by place."""
        try:
            config = self.read()
        except ConfigError as error:
            known = {problem.place: problem.message for problem in error.problems}
            return self._typed_flaws() | known
        return _malformed_secrets(config) | _bad_urls(config)

    def _typed_flaws(self) -> dict[str, str]:
        """Return what is wrong with the secrets of a file that is not complete yet, by place."""
        found = {}
        counts: Counter[str] = Counter()
        for table in self.tables:
            place = f"{table.section}[{counts[table.section]}]"
            counts[table.section] += 1
            for key, kept in table.keys.items():
                if isinstance(kept, SecretPlace) and (why := _find_flaw(kept, key, self.path)):
                    found[f"{place}.{key}"] = why
        return found


def _find_flaw(kept: SecretPlace, key: str, path: Path) -> str | None:
    is_typed = kept.kind is SourceKind.LITERAL
    try:
        secret = Secret(
            kept.value if is_typed else {kept.kind.value: kept.value}, path.parent, is_deferred=True
        )
        secret.serve(use_of_key(key)).reveal()
    except MalformedSecret as error:
        return error.why
    except (SecretUnavailable, ValueError):
        return None  # it may be put there later; what is no secret at all is found elsewhere
    return None


def _malformed_secrets(config: Config) -> dict[str, str]:
    """Return what is wrong with the secrets that can be read already, by place."""
    found = {}
    for leaf in walk(config):
        if isinstance(leaf.value, Secret):
            try:
                leaf.value.reveal()
            except MalformedSecret as error:
                found[leaf.place] = error.why
            except SecretUnavailable:
                continue  # it may be put there later
    return found


def _bad_urls(config: Config) -> dict[str, str]:
    from monitor.notify.apprise import validate_url

    typed = (
        (f"{CHANNELS}[{position}].url", channel.url)
        for position, channel in enumerate(config.channels)
        if channel.url.kind is SourceKind.LITERAL
    )
    found = {place: validate_url(url) for place, url in typed}
    return {place: why for place, why in found.items() if why is not None}


class TableDraft:
    """One table of *draft*, asked for key by key."""

    def __init__(self, draft: ConfigDraft, section: str, **known: Value) -> None:
        self._draft = draft
        self._place = f"{section}[{draft.count(section)}]"
        self._table = Table(section, dict(known))

    def ask(self, key: str, ask: Callable[[], Value | None]) -> Value | None:
        """Set *key* to what *ask* returns, once the rules take that; None leaves it out."""
        print_text("")
        while True:
            value = ask()
            if value is None:
                return None
            self.put(key, value)
            why = self._problem_at(key)
            if why is None:
                return value
            print_text(f"\nNot valid: {why}")

    def put(self, key: str, value: Value) -> None:
        """Set *key* without asking; whether it is any good shows when the whole is read."""
        self._table = Table(self._table.section, {**self._table.keys, key: value})

    def write(self) -> Table:
        """Put the table into the draft, and return it."""
        self._draft.tables.append(self._table)
        return self._table

    def _problem_at(self, key: str) -> str | None:
        trial = ConfigDraft(self._draft.path, [*self._draft.tables, self._table])
        for place, why in trial.problems().items():
            if f"{place}.".startswith(f"{self._place}.{key}."):
                return why
        return None


def choose(choices: Sequence[str], default: int = 1) -> int:
    """Return the position of the choice taken, counted from 0."""
    for number, choice in enumerate(choices, 1):
        print_text(f"  {number}  {choice}")
    while True:
        answer = prompt("Number", default=str(default))
        if answer.isdecimal() and 1 <= int(answer) <= len(choices):
            return int(answer) - 1
        print_text(f"Please enter a number from 1 to {len(choices)}")


def ask_where(choice: int, variable: str, noun: str) -> SecretPlace:
    """Return where a secret is kept.

    Args:
        choice: One of `PLACES`.
        variable: The environment variable that is proposed.
    """
    match choice:
        case 0:
            return SecretPlace(SourceKind.ENV, prompt("Name of the variable", default=variable))
        case 1:
            return SecretPlace(SourceKind.FILE, at_home(prompt("Path of the file")))
        case _:
            typed = prompt(f"{noun} (hidden)", is_hidden=True)
            return SecretPlace(SourceKind.LITERAL, typed)


def ask_secret(noun: str, variable: str) -> SecretPlace:
    """Ask where the secret called *noun* is kept."""
    print_text(f"Where is the {noun} kept?")
    return ask_where(choose(PLACES), variable, noun[0].upper() + noun[1:])


def ask_day(question: str) -> date | None:
    """Return a day, or None if the person does not know it."""
    while True:
        answer = prompt(f"{question} (YYYY-MM-DD; empty if you do not know)", default="")
        if not answer:
            return None
        try:
            return date.fromisoformat(answer)
        except ValueError:
            print_text("Please enter a date such as 2026-01-15")


def prompt(question: str, *, default: str | None = None, is_hidden: bool = False) -> str:
    """Return what the person types, without space around it."""
    answer: str = typer.prompt(
        question, default=default, hide_input=is_hidden, err=True, show_default=bool(default)
    )
    return answer.strip()


def confirm(question: str) -> bool:
    """Tell whether the person says yes, which is the default."""
    return typer.confirm(question, default=True, err=True)


def at_home(path: str) -> str:
    """Return *path* with `~` resolved, which only shells do; as it is for an unknown user."""
    try:
        return str(Path(path).expanduser())
    except RuntimeError:
        return path


def print_text(text: str) -> None:
    """Say *text*."""
    typer.echo(text, err=True)


def try_connection(config: Config, name: str) -> bool | None:
    """Check the connection called *name* once, say how that went, and tell whether it worked.

    Returns None where it could not be tried.
    """
    connection = config.connection(name)
    if connection is None or isinstance(connection, CountdownConnection):
        return None  # there is nothing to call
    missing = _find_unreadable(config, name)
    if missing is not None:
        print_text(f"{name} was not tested yet: {missing}")
        return None
    from monitor.cli.runner import check_each
    from monitor.engine.checkers import StoredAccess
    from monitor.log import configure_logging

    configure_logging(is_verbose=False, is_quiet=True)
    print_text(f"Testing {name} ...")
    answers = asyncio.run(check_each(config, {name}, {}, StoredAccess()))
    outcome = answers[name][1]
    is_good = outcome.reason.outcome_class is OutcomeClass.SUCCESS
    print_text(f"  {'✓' if is_good else '✗'} {_describe(outcome)}")
    return is_good


def _find_unreadable(config: Config, name: str) -> SecretUnavailable | None:
    """Return why a secret of a connection, or of its application, cannot be read yet."""
    for leaf in find_leaves(config, {name}):
        if isinstance(leaf.value, Secret):
            try:
                leaf.value.reveal()
            except SecretUnavailable as error:
                return error
    return None


def _describe(outcome: Outcome) -> str:
    if outcome.reason is not Reason.OK:
        return f"{explain(outcome.reason, None).name}: {outcome.detail}"
    words = "it works"
    if outcome.account:
        words += f", for the account {outcome.account}"
    if outcome.quota is not None and outcome.quota.remaining is not None:
        words += f"; {format_number(outcome.quota.remaining)} requests left"
    return words


def try_channel(channel: Channel) -> bool | None:
    """Send a test message to *channel*, say how that went, and tell whether it was taken.

    Returns None where it could not be tried.
    """
    from monitor.notify.apprise import AppriseSender
    from monitor.notify.failures import name_failure
    from monitor.notify.samples import send_samples

    try:
        channel.url.reveal()
    except SecretUnavailable as error:
        print_text(f"The channel was not tested yet: {error}")
        return None
    sender = AppriseSender({channel.name: channel.url})
    _, why = asyncio.run(send_samples(sender, channel.name, [AlertKind.TEST]))
    if why is None:
        print_text("  ✓ Sent. Did it arrive?")
    else:
        print_text(f"  ✗ not sent: {name_failure(why)}")
    return why is None


if TYPE_CHECKING:
    Ask = Callable[[ConfigDraft], Table]

SOLDSCOPE_VARIABLE = "SOLDSCOPE_TOKEN"
SOLDSCOPE_NAME = "soldscope"
CHANNEL_VARIABLE = "CONNWATCH_CHANNEL_URL"
CHANNEL_NAME = "ops"

CHANNEL_EXAMPLES = {
    "e-mail": "mailtos://anna:password@example.com?to=team@example.com",
    "Slack": "slack://TokenA/TokenB/TokenC/%23alerts",
    "Telegram": "tgram://123456789:BotTokenOfYourBot/-1001234567890",
}

AUTH_FORMS = {
    "as a bearer token (most APIs)": "bearer",
    "in a custom header": "header:",
    "in the address, as ?NAME=...": "query:",
    "as USER:PASSWORD": "basic",
}

REGIONS = {
    "North America": "na",
    "Europe, India and the Middle East": "eu",
    "Far East and Australia": "fe",
}


@dataclass(frozen=True, slots=True)
class Prefilled:
    """What is said already; None for what is not.

    Args:
        is_without_channel: No alerts shall be sent yet.
    """

    base_url: str | None = None
    token: SecretPlace | None = None
    name: str | None = None
    channel: SecretPlace | None = None
    is_without_channel: bool = False

    @property
    def is_of_connection(self) -> bool:
        """Tell whether the person has said what to monitor: a token of SoldScope."""
        return any(each is not None for each in (self.base_url, self.token, self.name))


def run_wizard(draft: ConfigDraft, known: Prefilled) -> None:
    """Add to *draft* what is *known*, and ask for the rest; what is asked for is tried.

    Raises:
        ConfigError: What is known is of no use.
    """
    print_text("I will ask a few questions, test what you enter, and write the file.")
    print_text("Ctrl-C quits without writing anything.")
    if known.is_of_connection:
        _add(draft, lambda draft: _ask_soldscope(draft, known))
    else:
        _ask_connections(draft)
    if known.channel is not None:
        draft.tables.append(channel_table(known.channel))
    elif not known.is_without_channel:
        _ask_channel(draft)


def channel_table(url: SecretPlace) -> Table:
    """Return the channel of a first file."""
    return Table(CHANNELS, {"name": CHANNEL_NAME, "url": url})


def _ask_connections(draft: ConfigDraft) -> None:
    kinds: dict[str, Ask] = {
        "a token of the SoldScope API": lambda draft: _ask_soldscope(draft, Prefilled()),
        "an Amazon store, by its refresh token": _ask_amazon,
        f"a token of {_list(PRESETS)}": _ask_preset,
        "a token of any other HTTP API": _ask_http,
        "an authorization to count down, such as a store connected in SoldScope": _ask_countdown,
    }
    print_text("\nWhat do you want to monitor?")
    _add(draft, list(kinds.values())[choose(list(kinds))])
    while True:
        print_text("\nAnything else?")
        choice = choose([*kinds, "no, done"], default=len(kinds) + 1)
        if choice == len(kinds):
            return
        _add(draft, list(kinds.values())[choice])


def _list(names: list[str] | tuple[str, ...]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}"


def _add(draft: ConfigDraft, ask: Ask) -> None:
    """Ask for a connection and try it, until it works or the person keeps it as it is."""
    while True:
        before = list(draft.tables)
        name = ask(draft).keys["name"]
        assert isinstance(name, str)
        print_text("")
        if try_connection(draft.read(), name) is not False:
            return
        print_text("What now?")
        if choose(["answer these questions again", "keep it anyway"]) == 1:
            return
        draft.tables[:] = before


def _ask_soldscope(draft: ConfigDraft, known: Prefilled) -> Table:
    entry = TableDraft(draft, CONNECTIONS, provider="soldscope")

    def ask_base_url() -> str:
        print_text("Where is the SoldScope API? Its reference shows the base URL.")
        return prompt("Base URL")

    questions: dict[str, tuple[Value | None, Callable[[], Value]]] = {
        "base_url": (known.base_url, ask_base_url),
        "token": (known.token, lambda: ask_secret("API token", SOLDSCOPE_VARIABLE)),
        "name": (known.name, lambda: _ask_name(SOLDSCOPE_NAME)),
    }
    for key, (said, ask) in questions.items():
        if said is None:
            entry.ask(key, ask)
        else:
            entry.put(key, said)
    return entry.write()


def _ask_name(default: str) -> str:
    print_text("Name this connection. The name is in every alert.")
    return prompt("Name", default=default)


def _ask_amazon(draft: ConfigDraft) -> Table:
    application = _ask_application(draft)
    entry = TableDraft(draft, CONNECTIONS, provider="amazon", application=application)

    def ask_region() -> str:
        print_text("In which region does it sell? One authorization covers one region.")
        return list(REGIONS.values())[choose(list(REGIONS))]

    region = entry.ask("region", ask_region)
    entry.ask("refresh_token", lambda: ask_secret("refresh token", "AMAZON_REFRESH_TOKEN"))
    entry.ask("authorized_on", lambda: ask_day("When was it authorized?"))
    entry.ask("name", lambda: _ask_name(f"store-{region}"))
    return entry.write()


def _ask_application(draft: ConfigDraft) -> str:
    """Return the name of the application that a store has authorized, asked for if it is new."""
    names = [str(table.keys["name"]) for table in draft.tables if table.section == APPLICATIONS]
    if names:
        print_text("\nWhich application did it authorize?")
        choice = choose([*names, "another one"])
        if choice < len(names):
            return names[choice]
    entry = TableDraft(draft, APPLICATIONS)

    def ask_client_id() -> str:
        print_text("Which application did the seller authorize? Developer Central shows its")
        print_text("client identifier and its client secret under LWA credentials.")
        return prompt("Client id")

    entry.ask("client_id", ask_client_id)
    entry.ask("client_secret", lambda: ask_secret("client secret", "LWA_CLIENT_SECRET"))
    entry.ask(
        "client_secret_created_on",
        lambda: ask_day("When was that secret created? It lasts 180 days"),
    )

    def ask_application_id() -> str | None:
        print_text("With its application id, alerts link to the page where sellers renew.")
        return prompt("Application id (empty if you do not know)", default="") or None

    entry.ask("application_id", ask_application_id)
    name = f"app-{len(names) + 1}" if names else "our-app"
    entry.ask("name", lambda: prompt("Name of the application", default=name))
    return str(entry.write().keys["name"])


def _ask_preset(draft: ConfigDraft) -> Table:
    print_text("\nWhose token is it?")
    preset = PRESETS[choose(PRESETS)]
    entry = TableDraft(draft, CONNECTIONS, provider="http", preset=preset)
    example = load_preset(preset).url_example
    if example:
        entry.ask("url", lambda: prompt(f"Address, such as {example}"))
    entry.ask("token", lambda: ask_secret("token", f"{preset.upper()}_TOKEN"))
    entry.ask("name", lambda: _ask_name(preset))
    return entry.write()


def _ask_http(draft: ConfigDraft) -> Table:
    entry = TableDraft(draft, CONNECTIONS, provider="http")

    def ask_url() -> str:
        print_text("Which address needs the token, and costs nothing to call?")
        return prompt("Address")

    url = entry.ask("url", ask_url)

    def ask_auth() -> str:
        print_text("How is the token sent?")
        form = list(AUTH_FORMS.values())[choose(list(AUTH_FORMS))]
        return form + prompt("NAME") if form.endswith(":") else form

    entry.ask("auth", ask_auth)
    entry.ask("token", lambda: ask_secret("token", "API_TOKEN"))
    entry.ask("name", lambda: _ask_name(urlsplit(str(url)).hostname or "api"))
    return entry.write()


def _ask_countdown(draft: ConfigDraft) -> Table:
    entry = TableDraft(draft, CONNECTIONS, provider="countdown")
    while entry.ask("authorized_on", lambda: ask_day("When was it authorized?")) is None:
        print_text("Please enter a date: without it there is nothing to count down")
    entry.ask(
        "renew_url", lambda: prompt("Where is it renewed? (may be empty)", default="") or None
    )
    entry.ask("name", lambda: _ask_name("store"))
    return entry.write()


def _ask_channel(draft: ConfigDraft) -> None:
    """Ask where alerts go, and send a test there, until it works or is kept anyway."""
    while True:
        before = list(draft.tables)
        entry = TableDraft(draft, CHANNELS, name=CHANNEL_NAME)
        if entry.ask("url", _ask_channel_url) is None:
            return
        entry.write()
        config = draft.read()
        if not confirm("\nSend a test message there now?"):
            return
        if try_channel(config.channels[-1]) is not False:
            return
        print_text("What now?")
        if choose(["enter another one", "keep it anyway"]) == 1:
            return
        draft.tables[:] = before


def _ask_channel_url() -> SecretPlace | None:
    print_text("Where should alerts go? Enter an Apprise URL, such as")
    for service, example in CHANNEL_EXAMPLES.items():
        print_text(f"  {service:9} {example}")
    print_text("Where is that URL kept? Anyone who has it can write to the channel.")
    choice = choose([*PLACES, "skip for now: no alerts"])
    if choice == len(PLACES):
        return None
    return ask_where(choice, CHANNEL_VARIABLE, "Apprise URL")
