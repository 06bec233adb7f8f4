"""
Look at the file, at all that it refers to, and at who may read the secrets.

Nothing is called. Mistakes that can be seen in the file alone are found when it
is loaded.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from monitor.alert.sender import validate_url
from monitor.alert.trial import try_template
from monitor.config.errors import Notice, Problem
from monitor.config.load import notices
from monitor.config.secret import Secret, SourceKind
from monitor.config.surroundings import check_files, check_secrets
from monitor.config.walk import walk
from monitor.config.wording import say_count
from monitor.doctor.finding import Area, Finding, may_others_read
from monitor.validation import Mark

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime
    from pathlib import Path

    from monitor.config.model import Config
    from monitor.config.surroundings import SecretsChecked

_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH

_OF_CONTAINERS = "/run/secrets/"
"""Docker makes secrets readable by all, in a container that nobody else is in."""


def list_problems(
    config: Config, secrets: SecretsChecked, database: Path, now: datetime
) -> list[Problem]:
    """
    Return all that would keep the daemon from working with *config*.

    Args:
        secrets: What became of trying to read them.
        database: The file that the settings name.
    """
    return [
        *_bad_database(database),
        *secrets.problems,
        *check_files(config),
        *_bad_channels(config, secrets),
        *bad_templates(config, now),
    ]


def list_remarks(config: Config, secrets: SecretsChecked) -> list[Notice]:
    """
    Return what the owner of *config* should know, and what stops nothing.
    """
    remarks = [*notices(config), *secrets.notices]
    if not config.connections:
        remarks.append(Notice("connections", "there is none, so nothing is watched"))
    if not config.channels:
        remarks.append(Notice("channels", "there is none, so nobody is told"))
    return remarks


def _bad_database(path: Path) -> Iterable[Problem]:
    """
    Return why no database can ever stand where the file wants it.
    """
    try:
        if path.is_dir():
            yield Problem("monitor.database", f"{path} is a folder: name a file in it")
        elif not path.parent.is_dir():
            yield Problem("monitor.database", f"its folder {path.parent} does not exist: create it")
    except PermissionError:
        return  # as of a unit's state: who opens it says that it cannot be looked at from here


def _bad_channels(config: Config, secrets: SecretsChecked) -> Iterable[Problem]:
    """
    Return the channels whose URL can be read and is of no use.
    """
    unread = {problem.place for problem in secrets.problems}
    unread |= {notice.place for notice in secrets.notices}
    for position, channel in enumerate(config.channels):
        place = f"channels[{position}].url"
        if place not in unread:
            why = validate_url(channel.url)
            if why is not None:
                yield Problem(place, why)


def bad_templates(config: Config, now: datetime) -> Iterable[Problem]:
    """
    Return the templates that cannot word an alert of every kind their channel receives.
    """
    for position, channel in enumerate(config.channels):
        if channel.template is not None:
            why = try_template(channel, now)
            if why is not None:
                yield Problem(f"channels[{position}].template", why)


def examine_settings(config: Config, database: Path, now: datetime) -> Iterator[Finding]:
    """
    Yield what is wrong with *config*, and what its owner should know.
    """
    secrets = check_secrets(config)
    problems = list_problems(config, secrets, database, now)
    for problem in problems:
        yield Finding(Area.SETTINGS, Mark.FAILED, str(problem))
    for remark in list_remarks(config, secrets):
        is_elsewhere = remark in secrets.notices
        yield Finding(Area.SETTINGS, Mark.SKIPPED if is_elsewhere else Mark.WARNING, str(remark))
    if config.path.stat().st_mode & _OTHERS_MAY_WRITE:
        yield Finding(
            Area.SETTINGS,
            Mark.FAILED,
            f"others may change {config.path}, and with it where tokens are sent",
            f"chmod go-w {config.path}",
        )
    if not problems:
        yield Finding(
            Area.SETTINGS,
            Mark.OK,
            f"{config.path}: {say_count(len(config.connections), 'connection')},"
            f" {say_count(len(config.channels), 'channel')}",
        )


def examine_secrets(config: Config) -> Iterator[Finding]:
    """
    Yield the files with secrets that others may read.
    """
    files = sorted(_secret_files(config))
    for path in files:
        if may_others_read(path.stat()):
            yield Finding(
                Area.SECRETS,
                Mark.WARNING,
                f"others on this machine may read {path}, which holds a secret",
                f"chmod go-rwx {path}",
            )
    if files:
        yield Finding(
            Area.SECRETS, Mark.OK, f"{say_count(len(files), 'file')} with secrets looked at"
        )


def _secret_files(config: Config) -> set[Path]:
    paths = {
        leaf.value.path
        for leaf in walk(config)
        if isinstance(leaf.value, Secret) and leaf.value.kind is SourceKind.FILE
    }
    return {
        path
        for path in paths
        if path is not None
        and os.path.isfile(path)  # noqa: PTH113 - Path.is_file raises where it may not look
        and not str(path).startswith(_OF_CONTAINERS)
    }
