"""Say what the file's owner should know although the file can be used.

That is what has no effect as it is written, what cannot be found out the way a connection is set
up, and what the file refers to and is not there: secrets, certificates. The latter is no part of
loading, since most commands work without any secret.
"""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from monitor.config.addresses import find_parameter, is_secret_header, user_of
from monitor.config.connections import AmazonConnection, Probe
from monitor.config.describe import walk, walk_table
from monitor.config.errors import Notice, Problem, quoted
from monitor.config.examination import find_user_flaw
from monitor.config.files import LARGEST_CA_FILE, require_file
from monitor.config.http import HttpConnection, Method
from monitor.config.registry import UnusableConnection
from monitor.config.secret import CredentialsInvisible, Secret, SecretUnavailable, SourceKind
from monitor.judge.alerts import AlertKind

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from pathlib import Path

    from monitor.config.connections import Connection
    from monitor.config.describe import Leaf
    from monitor.config.model import Config


_MOST_ALIKE = 20
_WITHOUT_BODY = frozenset({Method.HEAD, Method.OPTIONS})


def notices(config: Config) -> list[Notice]:
    """Return what the file sets that has no effect, and what stays unseen."""
    return [
        *_silent_heartbeat(config),
        *_unused_variables(config),
        *_digests_without_rhythm(config),
        *_closed_dashboard(config),
        *_unusable_plugins(config),
        *_unused_applications(config),
        *_shorten(_unseen_by_probe(config)),
        *_shorten(_unknown_ends(config)),
        *_shorten(_codes_in_bodies(config)),
    ]


def _shorten(alike: Iterator[Notice]) -> Iterator[Notice]:
    """Count what is said too often: a file may have a hundred thousand stores."""
    yield from islice(alike, _MOST_ALIKE)
    n_more = sum(1 for _ in alike)
    if n_more:
        yield Notice("connections", f"{n_more} more notes like the one before")


def _silent_heartbeat(config: Config) -> Iterator[Notice]:
    if config.heartbeat.model_fields_set and config.heartbeat.url is None:
        yield Notice("heartbeat", "no URL is called: add url, or remove the table")


_PROXY_VARIABLES = (
    "HTTPS_PROXY",
    "https_proxy",
    "ALL_PROXY",
    "all_proxy",
    "HTTP_PROXY",
    "http_proxy",
)


def _unused_variables(config: Config) -> Iterator[Notice]:
    named = next((name for name in _PROXY_VARIABLES if os.environ.get(name)), None)
    if named is not None and config.checks.proxy is None:
        yield Notice(
            "checks.proxy",
            f"not set: checks, uplinks and the heartbeat do not use ${named}, only notifications"
            ' do; set checks.proxy to call through a proxy, or to "" for none',
        )


def _digests_without_rhythm(config: Config) -> Iterator[Notice]:
    for index, channel in enumerate(config.channels):
        if AlertKind.DIGEST in (channel.kinds or ()) and channel.digest is None:
            yield Notice(
                f"channels[{index}].kinds",
                'names digest, and none is sent: add digest = "daily" or "weekly"',
            )


def _closed_dashboard(config: Config) -> Iterator[Notice]:
    web = config.web
    if web.proxy_auth is None:
        return
    if web.proxy_auth.header is not None and not web.users:
        yield Notice(
            "web.proxy_auth.header",
            "signs no one in: only users of [[web.users]] are let in",
        )
    elif web.proxy_auth.header is None and not web.accounts:
        yield Notice(
            "web.proxy_auth",
            "no one can sign in to the dashboard, only API tokens are let in: set header and"
            " [[web.users]], or web.password",
        )


def _unusable_plugins(config: Config) -> Iterator[Notice]:
    for index, connection in enumerate(config.connections):
        if isinstance(connection, UnusableConnection):
            yield Notice(
                f"connections[{index}].provider",
                f"the plug-in cannot be used, so this is not checked: {connection.problem}",
            )


def _unused_applications(config: Config) -> Iterator[Notice]:
    used = {one.application for one in config.connections if isinstance(one, AmazonConnection)}
    # Which application a row of a source names shows only when it is read.
    used |= {str(each.defaults.get("application", "")) for each in config.sources}
    is_open = any("application" not in each.defaults for each in config.sources)
    for index, application in enumerate(config.applications):
        if application.name not in used and not is_open:
            yield Notice(f"applications[{index}]", "no connection uses it")


def unused_groups(config: Config, others: Collection[str] = ()) -> Iterator[Notice]:
    """Yield the names of groups that no connection has.

    Args:
        others: The groups of connections that are not in the file.
    """
    used = {one.group for one in config.connections} | set(others)
    used |= {str(each.defaults.get("group", "")) for each in config.sources}
    # Which group a row of a source names shows only when it is read.
    if any("group" not in each.defaults for each in config.sources):
        return
    for index, group in enumerate(config.groups):
        if group.name not in used:
            yield Notice(f"groups[{index}]", f"no connection has group = {quoted(group.name)}")
    named = [
        *((f"channels[{at}]", one.groups) for at, one in enumerate(config.file_channels)),
        *((f"web.users[{at}]", one.groups or ()) for at, one in enumerate(config.web.users)),
    ]
    for place, names in named:
        for position, name in enumerate(names):
            if name not in used:
                yield Notice(
                    f"{place}.groups[{position}]", f"no connection has group = {quoted(name)}"
                )


def _unseen_by_probe(config: Config) -> Iterator[Notice]:
    for index, connection in enumerate(config.connections):
        if not isinstance(connection, AmazonConnection) or connection.probe is not Probe.TOKEN:
            continue
        yield Notice(
            f"connections[{index}].probe",
            '"token" cannot see a wrong region, missing marketplaces or a client secret older'
            " than 180 days",
        )
        if connection.marketplaces is not None:
            yield Notice(
                f"connections[{index}].marketplaces",
                'is not compared: probe = "token" cannot see marketplaces',
            )


def _unknown_ends(config: Config) -> Iterator[Notice]:
    for index, connection in enumerate(config.connections):
        if (
            isinstance(connection, AmazonConnection)
            and connection.authorized_on is None
            and connection.valid_days
        ):
            yield Notice(
                f"connections[{index}].authorized_on",
                "unknown: no countdown to the end of this authorization; add authorized_on, or"
                " valid_days = 0 if it has no end",
            )


CODES_IN_BODIES = {
    "slack.com": ("/ok", "true"),  # docs.slack.dev, "Using the Slack Web API"
    "slack-gov.com": ("/ok", "true"),  # likewise
    "api.telegram.org": ("/ok", "true"),  # core.telegram.org/bots/api, "Making requests"
    "maps.googleapis.com": (
        "/status",
        '"OK"',
    ),  # developers.google.com, Geocoding API
    "open.feishu.cn": ("/code", "0"),  # open.feishu.cn, "Generic error codes"
    "open.larksuite.com": ("/code", "0"),  # likewise
    "oapi.dingtalk.com": ("/errcode", "0"),  # open.dingtalk.com, "Global error codes"
    "qyapi.weixin.qq.com": ("/errcode", "0"),  # developer.work.weixin.qq.com, "Global error codes"
    "business-api.tiktok.com": ("/code", "0"),  # business-api.tiktok.com, "Return codes"
    "open.tiktokapis.com": ("/error/code", '"ok"'),  # developers.tiktok.com, "Error handling"
    "api.flickr.com": ("/stat", '"ok"'),  # flickr.com/services/api/response.json.html
    "api.etherscan.io": ("/status", '"1"'),  # docs.etherscan.io, "Common error messages"
    "api.bybit.com": ("/retCode", "0"),  # bybit-exchange.github.io/docs, "Error codes"
    "api.lazada.com": ("/code", '"0"'),  # open.lazada.com, "Response"
    "data.fixer.io": ("/success", "true"),  # fixer.io/documentation, "Errors"
    "api.currencylayer.com": ("/success", "true"),  # currencylayer.com/documentation
    "api.exchangerate.host": ("/success", "true"),  # exchangerate.host/documentation
}
"""Hosts that answer 200 whatever happens: where the code stands, and what it is if all is well."""


def _codes_in_bodies(config: Config) -> Iterator[Notice]:
    for index, connection in enumerate(config.connections):
        if not isinstance(connection, HttpConnection) or connection.expect_json:
            continue
        host = connection.host.rpartition("@")[2].partition(":")[0]
        names = [known for known in CODES_IN_BODIES if host == known or host.endswith(f".{known}")]
        if not names or connection.method in _WITHOUT_BODY:
            continue
        pointer, value = CODES_IN_BODIES[names[0]]
        yield Notice(
            f"connections[{index}].expect_json",
            f"not set, and {names[0]} reports errors with status 200 and a code in the body: set"
            f' expect_json = {{ "{pointer}" = {value} }}',
        )


@dataclass(frozen=True, slots=True)
class SecretsChecked:
    """Secrets that are not where they should be, and credentials that only systemd shows."""

    problems: tuple[Problem, ...] = ()
    notices: tuple[Notice, ...] = ()


def check_secrets(config: Config) -> SecretsChecked:
    """Read every secret of *config*, running commands once; return what could not be read."""
    problems: list[Problem] = []
    notices: list[Notice] = []
    leaves = [leaf for leaf in walk(config) if isinstance(leaf.value, Secret)]
    notices += _run_commands(leaves)
    for leaf in leaves:
        try:
            leaf.value.reveal()
        except CredentialsInvisible as error:
            notices.append(Notice(leaf.place, str(error)))
        except SecretUnavailable as error:
            problems.append(Problem(leaf.place, str(error)))
    problems += _malformed_users(config)
    return SecretsChecked(tuple(problems), tuple(notices))


def _run_commands(leaves: Sequence[Leaf]) -> Iterator[Notice]:
    """Start the commands that print secrets, several at a time, and yield that they are run."""
    commands = [(leaf.place, leaf.value.command) for leaf in leaves if leaf.value.command]
    for _, command in commands:
        command.wanted()
    if commands:
        place, command = commands[0]
        others = len({each for _, each in commands}) - 1
        also = f", and so {'was' if others == 1 else 'were'} {others} more" if others else ""
        yield Notice(
            place,
            f"its command ({command.argv[0]}) was run once to see what it prints{also}; the daemon"
            " runs it again every checks.secrets_refresh, and after a rejection",
        )


def _malformed_users(config: Config) -> Iterator[Problem]:
    """Yield the names of users that cannot be sent: no secrets, and examined like one."""
    for index, connection in enumerate(config.connections):
        if isinstance(connection, HttpConnection) and connection.username is not None:
            flaw = find_user_flaw(connection.username)
            if flaw is not None:
                yield Problem(f"connections[{index}].username", flaw)


_ADDRESSES = {
    "base_url": "token",
    "endpoint": "refresh_token, and client_secret of its application",
    "url": "token",
    "uplink": "",
    "token_url": "client_secret",
}
"""The keys that hold an address which is called, and the secret table that holds what is secret."""

_EXPOSED = frozenset(("headers", *_ADDRESSES))


def exposed_secrets(config: Config) -> Iterator[Problem]:
    """Yield the secrets that stand in addresses and headers, where others may see them."""
    yield from _find_exposures(walk(config))


def exposed_secrets_of(connection: Connection) -> Iterator[tuple[str, str]]:
    """Yield the same of one connection: the place within it, and why."""
    for problem in _find_exposures(walk_table("", connection, only=_EXPOSED), is_file=False):
        yield problem.place, problem.message


def _find_exposures(leaves: Iterable[Leaf], *, is_file: bool = True) -> Iterator[Problem]:
    # Only the file may say where a secret is kept.
    table = 'write it as a secret table, such as { env = "NAME" }, or ' if is_file else ""
    for leaf in leaves:
        if leaf.key == "headers" and isinstance(leaf.value, Secret):
            name = leaf.place.rpartition("headers.")[2].strip('"')
            if leaf.value.kind is SourceKind.LITERAL and is_secret_header(name):
                yield Problem(
                    leaf.place,
                    f'a secret stands here as plain text: {table}use auth = "header:{name}" and'
                    " token",
                )
        elif leaf.key in _ADDRESSES:
            urls = leaf.value if isinstance(leaf.value, tuple) else (leaf.value,)
            for position, url in enumerate(urls):
                if isinstance(url, str) and (why := _find_exposed(leaf.key, url)):
                    is_list = isinstance(leaf.value, tuple)
                    yield Problem(f"{leaf.place}[{position}]" if is_list else leaf.place, why)


def _find_exposed(key: str, url: str) -> str | None:
    """Say which secret stands in *url*, and which key of ours holds it instead."""
    holder = _ADDRESSES[key]
    instead = f"write it as {holder}" if holder else "use an address that needs none"
    if user_of(url) is not None:
        if key == "url":
            instead = 'write auth = "basic" with username and password'
        return f"contains a user or password: take it out and {instead}"
    name = find_parameter(url)
    if name is None:
        return None
    if key == "url":
        instead = f'write auth = "query:{name}" and token'
    return f'contains a secret in its parameter "{name}": take it out and {instead}'


def check_files(config: Config) -> tuple[Problem, ...]:
    """Read every `ca_file` of *config* and return those that hold no certificates."""
    return tuple(check_certificates(walk(config)))


def check_certificates(leaves: Iterable[Leaf]) -> Iterator[Problem]:
    """Yield which `ca_file` of *leaves* holds no certificates; each file is read once."""
    verdicts: dict[Path, str | None] = {}
    for leaf in leaves:
        if leaf.key != "ca_file" or leaf.value is None:
            continue
        if leaf.value not in verdicts:
            verdicts[leaf.value] = _refuse_certificates(leaf.value)
        message = verdicts[leaf.value]
        if message is not None:
            yield Problem(leaf.place, message)


def _refuse_certificates(path: Path) -> str | None:
    try:
        require_file(path, LARGEST_CA_FILE)
        ssl.create_default_context(cafile=path)
    except ssl.SSLError:
        return f"{path} holds no certificates in PEM form"
    except OSError as error:
        return f"{path} cannot be read: {error.strerror or type(error).__name__}"
    return None
