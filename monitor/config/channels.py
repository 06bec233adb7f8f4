"""Check what an owner other than the file writes of a channel, and say what is kept of it.

The model is that of the file. Whether a URL is of use shows only when a message is sent; which
hosts may be called is decided in `hosts`; where channels are kept, by whoever keeps them.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from monitor.config.entries import LATEST, SET, EntryUnusable, as_text
from monitor.config.errors import place_of, quoted
from monitor.config.load import translate
from monitor.config.model import Channel, place_secrets
from monitor.config.owners import NO_TABLE, NOT_STORED, ONLY_THE_FILE, EntryRefused
from monitor.config.secret import MalformedSecret, SecretUnavailable
from monitor.config.values import Reading
from monitor.judge.connections import OWNER_DASHBOARD

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from datetime import datetime

    from monitor.config.model import Config
    from monitor.config.secret import Secret

URL = "url"
"""The one key that holds a secret."""

_TEMPLATE = "template"


@dataclass(frozen=True, slots=True)
class CheckedChannel:
    """A channel that can be used, as far as that shows without a message.

    Args:
        content: What its owner wrote, without the URL in it.
        digest: Tells it from any other, the URL included.
    """

    channel: Channel
    content: Mapping[str, Any]
    url: str = field(repr=False)
    digest: str


class ChannelRules:
    """Checks channels by what all of them have in common.

    Args:
        fingerprint: Tells texts apart without revealing any.
        now: The present instant.
    """

    def __init__(self, config: Config, fingerprint: Callable[[str], str], now: datetime) -> None:
        self._config = config
        self._fingerprint = fingerprint
        self._reading = Reading(config.path, now, dict(os.environ), has_text_dates=True)

    def check(
        self, values: Any, former_url: str | None = None, watched: Collection[str] = ()
    ) -> CheckedChannel:
        """Return the channel that *values* are.

        Args:
            former_url: The URL that is stored: `{"set": true}` keeps it.
            watched: Those of the connections that it names that there are.

        Raises:
            EntryRefused: It cannot be used; holds all that is wrong.
        """
        if not isinstance(values, dict):
            raise EntryRefused((("", "a channel is a JSON object"),))
        whole = {key: value for key, value in values.items() if value is not None}
        problems = [(_TEMPLATE, ONLY_THE_FILE)] if _TEMPLATE in whole else []
        url = whole.get(URL)
        if url == SET and former_url is not None:
            whole[URL] = former_url
        elif url == SET:
            problems.append((URL, NOT_STORED))
        elif isinstance(url, dict):
            problems.append((URL, NO_TABLE))
        elif url is not None and not isinstance(url, str):
            problems.append((URL, "a text: the Apprise URL"))
        problems += _find_unknown(whole.get("connections"), watched)
        channel, wrong = self._read(whole)
        # What is said of the URL above says more than what the model says of it.
        known = {place for place, _ in problems}
        problems += [each for each in wrong if each[0] not in known]
        if channel is None or problems:
            raise EntryRefused(tuple(problems))
        digest = self._fingerprint(json.dumps(whole, default=as_text, sort_keys=True))
        return CheckedChannel(channel, whole | {URL: dict(SET)}, whole[URL], digest)

    def _read(self, whole: dict[str, Any]) -> tuple[Channel | None, list[tuple[str, str]]]:
        """Return the channel, or what keeps it from being one."""
        try:
            channel = Channel.model_validate(whole, context=self._reading)
        except ValidationError as error:
            located = translate(error, ("channels", 0))
            return None, [(place_of(path[2:]), why) for path, why in located]
        _settle(channel, self._config)
        try:
            channel.url.reveal()
        except MalformedSecret as error:
            return None, [(URL, error.why)]
        except SecretUnavailable as error:
            return None, [(URL, str(error))]
        return channel, []


def list_connections(values: Any) -> list[str]:
    """Return the names of the connections that *values* of a channel name."""
    named = values.get("connections") if isinstance(values, dict) else None
    return [name for name in named if isinstance(name, str)] if isinstance(named, list) else []


def _find_unknown(named: Any, watched: Collection[str]) -> Iterator[tuple[str, str]]:
    for position, name in enumerate(named if isinstance(named, list) else ()):
        if isinstance(name, str) and name not in watched:
            yield f"connections[{position}]", f"{quoted(name)} is not the name of any connection"


def read_channel(content: object, url: str | Secret, config: Config) -> Channel:
    """Return the channel that a row means.

    Args:
        url: What belongs where `{"set": true}` stands.

    Raises:
        EntryUnusable: It means none.
    """
    if not isinstance(content, dict):
        raise EntryUnusable("the row holds no table")
    reading = Reading(config.path, LATEST, dict(os.environ), has_text_dates=True)
    try:
        channel = Channel.model_validate(content | {URL: url}, context=reading)
    except ValidationError as error:
        keys = ", ".join(sorted({str(each["loc"][0]) for each in error.errors()}))
    else:
        _settle(channel, config)
        return channel
    # Raised out here: pydantic's error holds the data, the URL included.
    raise EntryUnusable(f"these keys are not accepted: {keys}")


def _settle(channel: Channel, config: Config) -> None:
    form = f'channel "{channel.name}"'.replace("{", "{{").replace("}", "}}")
    place_secrets(channel, form, 0, config.checks.secrets_refresh)
    channel.belong_to(OWNER_DASHBOARD)


def describe_channel(channel: Channel, config: Config) -> dict[str, Any]:
    """Return what the file says of *channel*, without its URL and where that is kept."""
    # The mask of the URL is replaced: one look tells what can be sent again.
    said = channel.model_dump(mode="json", exclude_unset=True, by_alias=True) | {URL: dict(SET)}
    if channel.kinds is not None:
        said["kinds"] = sorted(said["kinds"])
    if channel.template is not None:
        folder = config.path.absolute().parent
        is_beside = channel.template.is_relative_to(folder)
        said[_TEMPLATE] = str(
            channel.template.relative_to(folder) if is_beside else channel.template
        )
    return said
