"""Check who is added in the dashboard, by the model of the file's users."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from monitor.config.entries import LATEST, EntryUnusable
from monitor.config.errors import place_of
from monitor.config.load import translate
from monitor.config.model import ADMIN, WebUser
from monitor.config.owners import EntryRefused
from monitor.config.secret import Secret
from monitor.config.values import Reading
from monitor.judge.access import Role
from monitor.judge.connections import OWNER_DASHBOARD

if TYPE_CHECKING:
    from collections.abc import Mapping

    from monitor.config.model import Config

NOT_FOR_ADMINS = "an admin sees all groups: leave it empty, or choose another role"


def check_person(values: Mapping[str, Any], config: Config, *, is_new: bool) -> WebUser:
    """Return the person that *values* are, without a password.

    Args:
        values: `name`, `role` and `groups`, as a user of the file has them.

    Raises:
        EntryRefused: They mean nobody; holds all that is wrong.
    """
    problems: list[tuple[str, str]] = []
    name = values.get("name")
    if is_new and config.web.account(str(name)) is not None:
        problems.append(("name", "another person has this name"))
    elif name == ADMIN and config.web.password is not None:
        problems.append(("name", f"{ADMIN} is the user of web.password"))
    if values.get("role") == Role.ADMIN and values.get("groups") is not None:
        problems.append(("groups", NOT_FOR_ADMINS))
    try:
        person = WebUser.model_validate(dict(values), context=_reading(config))
    except ValidationError as error:
        located = translate(error, ("web", "users", 0))
        problems += [(place_of(path[3:]), why) for path, why in located]
    if problems:
        raise EntryRefused(tuple(problems))
    person.belong_to(OWNER_DASHBOARD)
    return person


def read_person(name: str, role: Role, groups: Any, password_hash: str | None) -> WebUser:
    """Return the person that a row means.

    Raises:
        EntryUnusable: It means nobody.
    """
    if groups is not None and not (
        isinstance(groups, list) and groups and all(isinstance(one, str) for one in groups)
    ):
        # Rather nobody than somebody who sees more than was meant.
        raise EntryUnusable("its groups are not a list of names")
    password = None if password_hash is None else Secret(password_hash)
    seen = None if groups is None else tuple(groups)
    person = WebUser.model_construct(name=name, password=password, role=role, groups=seen)
    person.belong_to(OWNER_DASHBOARD)
    return person


def _reading(config: Config) -> Reading:
    return Reading(config.path, LATEST, dict(os.environ))
