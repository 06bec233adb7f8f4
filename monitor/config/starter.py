"""
Write the first configuration file of a new user.

Asking the questions is left to `monitor.cli`. The text refers to secrets by
name, unless the person insists on typing them in: the file is theirs alone.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from monitor.config.errors import ConfigError, Problem
from monitor.config.presets import PRESETS
from monitor.config.secret import SourceKind

if TYPE_CHECKING:
    from pathlib import Path

_DELETE = "\x7f"


@dataclass(frozen=True, slots=True)
class Kept:
    """
    Where a secret is kept.

    Args:
        value: The name or path, by *kind*; the secret itself for a literal.
    """

    kind: SourceKind
    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class StarterAnswers:
    """
    What a first file needs to know.

    Args:
        base_url: Where the SoldScope API is, as its reference shows it.
        token_env: The environment variable that holds the token.
        channel_env: The one that holds the Apprise URL; None for no channel yet.
        token: Where the token is kept, if it is not in *token_env*.
        channel: Where the Apprise URL is kept, if it is not in *channel_env*.
    """

    base_url: str
    token_env: str = "SOLDSCOPE_TOKEN"  # noqa: S105 - a name, not a token
    connection_name: str = "soldscope"
    tags: tuple[str, ...] = ()
    channel_env: str | None = "CONNWATCH_CHANNEL_URL"
    channel_name: str = "ops"
    every: str = "5m"
    token: Kept | None = None
    channel: Kept | None = None


def starter_config(answers: StarterAnswers) -> str:
    """
    Return the text of a new configuration file.

    The answers are written as given: load the file to see whether they are
    any good.
    """
    parts = [_HEAD.format(every=_text(answers.every))]
    channel = answers.channel
    if channel is None and answers.channel_env is not None:
        channel = Kept(SourceKind.ENV, answers.channel_env)
    if channel is None:
        parts.append(_NO_CHANNEL)
    else:
        parts.append(_CHANNEL.format(name=_text(answers.channel_name), url=_secret(channel)))
    token = answers.token or Kept(SourceKind.ENV, answers.token_env)
    tags = ", ".join(map(_text, answers.tags))
    parts.append(
        _CONNECTION.format(
            name=_text(answers.connection_name),
            base_url=_text(answers.base_url),
            token=_secret(token),
            tags=f"tags = [{tags}]\n" if tags else "",
        )
    )
    parts.append(_NO_STORE)
    parts.append(_NO_OTHER_API.format(presets=", ".join(PRESETS)))
    return "\n".join(parts)


def write_new(path: Path, text: str) -> None:
    """
    Write *text* to a new file that only its owner may read.

    Raises:
        ConfigError: Something stands there already, or it cannot be written.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise _refuse(path, "exists already and is left as it is; choose another path") from None
    except OSError as error:
        raise _refuse(path, f"cannot be created: {error.strerror}") from error
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        # Half a file would keep the next attempt from writing a whole one.
        path.unlink(missing_ok=True)
        raise _refuse(path, f"cannot be written: {error.strerror}") from error


def _refuse(path: Path, why: str) -> ConfigError:
    return ConfigError([Problem(str(path), why)], path)


def _secret(kept: Kept) -> str:
    if kept.kind is SourceKind.LITERAL:
        return _text(kept.value)
    return f"{{ {kept.kind} = {_text(kept.value)} }}"


def _text(value: str) -> str:
    """
    Write *value* as a TOML string; JSON's escapes are TOML's, but for DEL.
    """
    return json.dumps(value, ensure_ascii=False).replace(_DELETE, "\\u007f")


_HEAD = """\
# Settings of connwatch. All keys, with their defaults: config.example.toml.
# After a change: connwatch config check

[checks]
every = {every}
"""

_NO_CHANNEL = """\
# Nobody is told of anything yet. To change that, put an Apprise URL (e-mail,
# Slack, Telegram, ...) into an environment variable and take out the signs:
# [[channels]]
# name = "ops"
# url = { env = "CONNWATCH_CHANNEL_URL" }
"""

_CHANNEL = """\
[[channels]]
name = {name}
url = {url}    # an Apprise URL: e-mail, Slack, Telegram, ...
"""

_CONNECTION = """\
[[connections]]
name = {name}
provider = "soldscope"
base_url = {base_url}
token = {token}
{tags}"""

_NO_STORE = """\
# To watch an Amazon store as well, fill in and take out the signs; one
# authorization opens one region: na, eu or fe.
# [[applications]]
# name = "our-app"
# client_id = "amzn1.application-oa2-client...."
# client_secret = { env = "LWA_CLIENT_SECRET" }
# client_secret_created_on = 2026-01-15
#
# [[connections]]
# name = "our-store"
# provider = "amazon"
# application = "our-app"
# region = "na"
# refresh_token = { env = "AMAZON_REFRESH_TOKEN" }
# authorized_on = 2026-01-15
"""

_NO_OTHER_API = """\
# Any other token that a business needs; presets: {presets}.
# Without a preset: url = "https://..." and what config.example.toml tells.
# [[connections]]
# name = "github"
# provider = "http"
# preset = "github"
# token = {{ env = "GITHUB_TOKEN" }}
"""
