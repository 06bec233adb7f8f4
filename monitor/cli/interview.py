"""
Ask what a first configuration file needs to know, and try each part at once.

Decides the questions for every kind of connection and channel. How one answer
is asked for stands in `questions`, how a part is tried in `trying`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from monitor.cli.questions import (
    PLACES,
    Draft,
    Entry,
    ask_day,
    ask_secret,
    ask_where,
    choose,
    confirm,
    prompt,
    say,
)
from monitor.cli.trying import try_channel, try_connection
from monitor.config.presets import PRESETS, load_preset
from monitor.config.starter import APPLICATIONS, CHANNELS, CONNECTIONS, Kept, Table, Value

if TYPE_CHECKING:
    from collections.abc import Callable

    Ask = Callable[[Draft], Table]

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
    "in a header of its own": "header:",
    "in the address, as ?NAME=...": "query:",
    "as USER:PASSWORD": "basic",
}

REGIONS = {
    "North America": "na",
    "Europe, India and the Middle East": "eu",
    "Far East and Australia": "fe",
}


@dataclass(frozen=True, slots=True)
class Known:
    """
    What is said already; None for what is not.

    Args:
        is_untold: Nobody shall be told yet.
    """

    base_url: str | None = None
    token: Kept | None = None
    name: str | None = None
    channel: Kept | None = None
    is_untold: bool = False

    @property
    def is_of_connection(self) -> bool:
        """
        Tell whether the person has said what is to be watched: a token of SoldScope.
        """
        return any(each is not None for each in (self.base_url, self.token, self.name))


def hold_interview(draft: Draft, known: Known) -> None:
    """
    Add to *draft* what is *known*, and ask for the rest; what is asked for is tried.

    Raises:
        ConfigError: What is known is of no use.
    """
    say("A few questions, and the file is there. What you name is tried at once.")
    say("Ctrl-C leaves without writing anything.")
    if known.is_of_connection:
        _add(draft, lambda draft: _ask_soldscope(draft, known))
    else:
        _ask_connections(draft)
    if known.channel is not None:
        draft.tables.append(channel_table(known.channel))
    elif not known.is_untold:
        _ask_channel(draft)


def channel_table(url: Kept) -> Table:
    """
    Return the channel of a first file.
    """
    return Table(CHANNELS, {"name": CHANNEL_NAME, "url": url})


def _ask_connections(draft: Draft) -> None:
    kinds: dict[str, Ask] = {
        "a token of the SoldScope API": lambda draft: _ask_soldscope(draft, Known()),
        "an Amazon store, by its refresh token": _ask_amazon,
        f"a token of {_list(PRESETS)}": _ask_preset,
        "a token of any other HTTP API": _ask_http,
        "an authorization to count down, such as a store connected in SoldScope": _ask_countdown,
    }
    say("\nWhat shall be watched?")
    _add(draft, list(kinds.values())[choose(list(kinds))])
    while True:
        say("\nAnything else?")
        choice = choose([*kinds, "no, that is all"], default=len(kinds) + 1)
        if choice == len(kinds):
            return
        _add(draft, list(kinds.values())[choice])


def _list(names: list[str] | tuple[str, ...]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}"


def _add(draft: Draft, ask: Ask) -> None:
    """
    Ask for a connection and try it, until it works or the person keeps it as it is.
    """
    while True:
        before = list(draft.tables)
        name = ask(draft).keys["name"]
        assert isinstance(name, str)
        say("")
        if try_connection(draft.read(), name) is not False:
            return
        say("What now?")
        if choose(["answer these questions again", "keep it as it is"]) == 1:
            return
        draft.tables[:] = before


def _ask_soldscope(draft: Draft, known: Known) -> Table:
    entry = Entry(draft, CONNECTIONS, provider="soldscope")

    def ask_base_url() -> str:
        say("Where is the SoldScope API? Its reference shows the base URL.")
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
    say("What shall it be called? The name is in every alert.")
    return prompt("Name", default=default)


def _ask_amazon(draft: Draft) -> Table:
    application = _ask_application(draft)
    entry = Entry(draft, CONNECTIONS, provider="amazon", application=application)

    def ask_region() -> str:
        say("In which region does it sell? One authorization covers one.")
        return list(REGIONS.values())[choose(list(REGIONS))]

    region = entry.ask("region", ask_region)
    entry.ask("refresh_token", lambda: ask_secret("refresh token", "AMAZON_REFRESH_TOKEN"))
    entry.ask("authorized_on", lambda: ask_day("When was it authorized?"))
    entry.ask("name", lambda: _ask_name(f"store-{region}"))
    return entry.write()


def _ask_application(draft: Draft) -> str:
    """
    Return the name of the application that a store has authorized, asked for if it is new.
    """
    names = [str(table.keys["name"]) for table in draft.tables if table.section == APPLICATIONS]
    if names:
        say("\nWhich application did it authorize?")
        choice = choose([*names, "another one"])
        if choice < len(names):
            return names[choice]
    entry = Entry(draft, APPLICATIONS)

    def ask_client_id() -> str:
        say("Which application did the seller authorize? Developer Central shows its")
        say("client identifier and its client secret under LWA credentials.")
        return prompt("Client id")

    entry.ask("client_id", ask_client_id)
    entry.ask("client_secret", lambda: ask_secret("client secret", "LWA_CLIENT_SECRET"))
    entry.ask(
        "client_secret_created_on", lambda: ask_day("When was that secret made? It lasts 180 days")
    )

    def ask_application_id() -> str | None:
        say("Its application id leads sellers to the page on which they authorize it again.")
        return prompt("Application id (empty if you do not know)", default="") or None

    entry.ask("application_id", ask_application_id)
    name = f"app-{len(names) + 1}" if names else "our-app"
    entry.ask("name", lambda: prompt("Name of the application, as you call it", default=name))
    return str(entry.write().keys["name"])


def _ask_preset(draft: Draft) -> Table:
    say("\nWhose token is it?")
    preset = PRESETS[choose(PRESETS)]
    entry = Entry(draft, CONNECTIONS, provider="http", preset=preset)
    example = load_preset(preset).url_example
    if example:
        entry.ask("url", lambda: prompt(f"Address, such as {example}"))
    entry.ask("token", lambda: ask_secret("token", f"{preset.upper()}_TOKEN"))
    entry.ask("name", lambda: _ask_name(preset))
    return entry.write()


def _ask_http(draft: Draft) -> Table:
    entry = Entry(draft, CONNECTIONS, provider="http")

    def ask_url() -> str:
        say("Which address tells whether the token works, and costs nothing?")
        return prompt("Address")

    url = entry.ask("url", ask_url)

    def ask_auth() -> str:
        say("How is the token sent?")
        form = list(AUTH_FORMS.values())[choose(list(AUTH_FORMS))]
        return form + prompt("NAME") if form.endswith(":") else form

    entry.ask("auth", ask_auth)
    entry.ask("token", lambda: ask_secret("token", "API_TOKEN"))
    entry.ask("name", lambda: _ask_name(urlsplit(str(url)).hostname or "api"))
    return entry.write()


def _ask_countdown(draft: Draft) -> Table:
    entry = Entry(draft, CONNECTIONS, provider="countdown")
    while entry.ask("authorized_on", lambda: ask_day("When was it authorized?")) is None:
        say("That will not do: without that day there is nothing to count")
    entry.ask(
        "renew_url", lambda: prompt("Where is it renewed? (may be empty)", default="") or None
    )
    entry.ask("name", lambda: _ask_name("store"))
    return entry.write()


def _ask_channel(draft: Draft) -> None:
    """
    Ask who shall be told, and send a test there, until it works or stays as it is.
    """
    while True:
        before = list(draft.tables)
        entry = Entry(draft, CHANNELS, name=CHANNEL_NAME)
        if entry.ask("url", _ask_channel_url) is None:
            return
        entry.write()
        config = draft.read()
        if not confirm("\nSend a test message there now?"):
            return
        if try_channel(config.channels[-1]) is not False:
            return
        say("What now?")
        if choose(["name another one", "keep it as it is"]) == 1:
            return
        draft.tables[:] = before


def _ask_channel_url() -> Kept | None:
    say("Who shall be told? Any Apprise URL will do, such as")
    for service, example in CHANNEL_EXAMPLES.items():
        say(f"  {service:9} {example}")
    say("Where is that URL kept? Whoever has it can write to the channel.")
    choice = choose([*PLACES, "nowhere: tell nobody yet"])
    if choice == len(PLACES):
        return None
    return ask_where(choice, CHANNEL_VARIABLE, "Apprise URL")
