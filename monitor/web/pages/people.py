"""Let admins list, add, edit and remove the people who may sign in.

Those of the file are shown as they are. Which names, roles and groups there may be is decided in
`monitor.config.people`; a password is kept as its Argon2 hash alone.
"""

# ruff: noqa: TC001, TC002 - FastAPI reads the annotations when the program runs
from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

import structlog
from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from monitor.config.model import ADMIN
from monitor.config.owners import EntryRefused
from monitor.config.people import check_person
from monitor.judge.access import Role
from monitor.judge.audit import Action, AuditRow
from monitor.store import people
from monitor.store.audit import add_audit
from monitor.web.bodies import form
from monitor.web.entry_forms import (
    CHOICE,
    NO_ERRORS,
    SECRET,
    FormErrors,
    FormField,
    place_errors,
)
from monitor.web.parts import Here, Parts
from monitor.web.sessions import Who, hash_password
from monitor.web.templating import lead_to, render
from monitor.web.visibility import for_all_groups

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from monitor.config.model import WebUser
    from monitor.store.engine import Transaction
    from monitor.store.people import StoredPerson
    from monitor.web.sessions import Visitor

log = structlog.get_logger()

router = APIRouter(dependencies=[for_all_groups])

LEAST_LENGTH = 12
MOST_LENGTH = 1000
"""Of a password that somebody chooses."""

_MADE_BYTES = 12

ROLES = {
    Role.VIEWER: "Viewer: reads",
    Role.OPERATOR: "Operator: also validates, pauses, acknowledges, mutes and renews",
    Role.ADMIN: "Admin: everything",
}
DONE = {"saved": "Saved.", "removed": "Removed. Their sessions have ended."}

NAME = FormField("name", "Name", hint="To log in with.", example="ana", is_required=True)
ROLE = FormField(
    "role", "Role", CHOICE, choices=tuple((role.value, words) for role, words in ROLES.items())
)
GROUPS = FormField(
    "groups",
    "Groups",
    hint="Separated by commas. They see connections of these groups and nothing else. Empty: all.",
    example="acme",
)
PASSWORD = FormField(
    "password",
    "Password",
    SECRET,
    hint=f"At least {LEAST_LENGTH} characters. Leave it empty to get one made.",
)
NEW_PASSWORD = FormField(
    "password",
    "New password",
    SECRET,
    hint=f"At least {LEAST_LENGTH} characters. Leave it empty to keep the present one.",
)
Fields = Annotated[dict[str, str], form("name", "role", "groups", "password")]


def path_of_person(name: str) -> str:
    """Return the path of the pages about somebody."""
    return f"/people/{quote(name, safe='')}"


@dataclass(frozen=True, slots=True)
class ListedPerson:
    """Somebody as the list shows them.

    Args:
        where: Where they are set up, if not here.
    """

    name: str
    role: str
    groups: Sequence[str]
    path: str
    where: str = ""


@router.get("/people")
async def list_people(request: Request, here: Here, done: str = "") -> Response:
    """List all who may sign in."""
    web, file = here.config.web, here.config.path.name
    of_file = {one.name for one in web.file_users}
    rows = await here.reader.read(people.list_people)
    own = [one for one in rows if one.name not in of_file]
    listed = []
    if web.password is not None:
        listed.append(ListedPerson(ADMIN, Role.ADMIN, (), "", f"web.password in {file}"))
    listed += [_list_one(one.name, one.role, one.groups, file) for one in web.file_users]
    listed += [_list_one(one.name, one.role, one.groups) for one in own]
    context = {"people": listed, "done": DONE.get(done, ""), "is_open": web.is_open, "file": file}
    return render(request, "people.html", context)


def _list_one(name: str, role: Role, groups: Any, where: str = "") -> ListedPerson:
    seen = [str(one) for one in groups] if isinstance(groups, list | tuple) else []
    return ListedPerson(name, role.value, seen, path_of_person(name), where)


# --- a form


@dataclass(frozen=True, slots=True)
class PersonForm:
    """A form as it was filled in.

    Args:
        former: Whoever is edited; None for somebody new.
    """

    typed: Mapping[str, str]
    password: str = field(default="", repr=False)
    former: StoredPerson | None = None

    @property
    def fields(self) -> tuple[FormField, ...]:
        """Return what is asked for."""
        if self.former is None:
            return (NAME, ROLE, GROUPS, PASSWORD)
        return (ROLE, GROUPS, NEW_PASSWORD)

    def values(self) -> dict[str, Any]:
        """Return what was typed, as a user of the file has it."""
        name = self.typed.get("name", "").strip() if self.former is None else self.former.name
        values: dict[str, Any] = {"name": name, "role": self.typed.get("role", "")}
        groups = [one.strip() for one in self.typed.get("groups", "").split(",")]
        groups = list(dict.fromkeys(filter(None, groups)))
        return values | ({"groups": groups} if groups else {})


def _show_form(
    request: Request, here: Parts, filled: PersonForm, errors: FormErrors = NO_ERRORS
) -> Response:
    has_errors = bool(errors.at or errors.others)
    context = {
        "fields": filled.fields,
        "typed": filled.typed,
        "errors": errors,
        "former": filled.former,
        "path": "/people/new" if filled.former is None else f"{_path(filled.former)}/edit",
        "is_open": here.config.web.is_open,
        "file": here.config.path.name,
    }
    status = HTTPStatus.UNPROCESSABLE_ENTITY if has_errors else HTTPStatus.OK
    return render(request, "person.html", context, status=status)


def _path(person: StoredPerson) -> str:
    return path_of_person(person.name)


async def _save(request: Request, here: Parts, who: Visitor, filled: PersonForm) -> Response:
    """Keep somebody, or show the form with what is wrong."""
    problems: list[tuple[str, str]] = []
    person: WebUser | None = None
    try:
        person = check_person(filled.values(), here.config, is_new=filled.former is None)
    except EntryRefused as error:
        problems += error.problems
    if filled.password and len(filled.password) < LEAST_LENGTH:
        problems.append(("password", f"at least {LEAST_LENGTH} characters"))
    elif len(filled.password) > MOST_LENGTH:
        problems.append(("password", f"at most {MOST_LENGTH:,} characters"))
    if person is None or problems:
        return _show_form(
            request, here, filled, place_errors(filled.fields, problems, filled.typed)
        )
    made = "" if filled.password or filled.former else secrets.token_urlsafe(_MADE_BYTES)
    chosen = filled.password or made
    hashed = await asyncio.to_thread(hash_password, chosen) if chosen else None
    if not await here.store.write(partial(_keep, here, who, filled.former, person, hashed)):
        raced = (("name", "another person has this name"),)
        return _show_form(request, here, filled, place_errors(filled.fields, raced, filled.typed))
    await here.follow_stored()
    log.info("web.ordered", order="put person", user=person.name, who=who.who)
    if made:
        context = {"name": person.name, "password": made}
        return render(request, "person_added.html", context)
    return lead_to(request, "/people?done=saved")


def _keep(
    here: Parts,
    who: Visitor,
    former: StoredPerson | None,
    person: WebUser,
    hashed: str | None,
    tx: Transaction,
) -> bool:
    """Keep *person*; tell whether nobody else came in between.

    Args:
        hashed: The hash of a new password; None for the one that is kept.
    """
    stored, now = people.find_person(tx, person.name), here.clock()
    if (stored is None) is not (former is None):
        return False
    keys = [
        key
        for key, is_new in {
            "role": stored is None or stored.role != person.role,
            "groups": (stored and stored.groups) != (person.groups and sorted(person.groups)),
            "password": hashed is not None,
        }.items()
        if is_new
    ]
    hashed = hashed if hashed is not None else stored.password_hash if stored else None
    created_at = stored.created_at if stored else now
    people.put_person(tx, person.name, person.role, person.groups, hashed, created_at)
    named = tuple(f"people.{person.name}.{key}" for key in keys)
    add_audit(tx, AuditRow(now, who.who, Action.PUT, keys=named))
    return True


@router.get("/people/new")
async def ask(request: Request, here: Here) -> Response:
    """Ask who is to be added."""
    return _show_form(request, here, PersonForm({"role": Role.VIEWER}))


@router.post("/people/new")
async def add(request: Request, here: Here, who: Who, fields: Fields) -> Response:
    """Add somebody; a password that was made is shown this once."""
    if here.config.web.is_open:
        raise HTTPException(
            HTTPStatus.CONFLICT, "No one signs in here: set web.password first, then add people."
        )
    return await _save(request, here, who, _fill(fields))


def _fill(fields: dict[str, str], former: StoredPerson | None = None) -> PersonForm:
    typed = {key: text for key, text in fields.items() if key != PASSWORD.key}
    return PersonForm(typed, fields.get(PASSWORD.key, ""), former)


async def _find(here: Parts, name: str) -> StoredPerson:
    found = await here.reader.read(partial(people.find_person, name=name))
    if found is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, "There is no one of this name here.")
    return found


@router.get("/people/{name}/edit")
async def edit(request: Request, here: Here, name: str) -> Response:
    """Show somebody's role and groups in fields."""
    former = await _find(here, name)
    groups = former.groups if isinstance(former.groups, list) else []
    typed = {"role": former.role.value, "groups": ", ".join(map(str, groups))}
    return _show_form(request, here, PersonForm(typed, former=former))


@router.post("/people/{name}/edit")
async def save(request: Request, here: Here, who: Who, name: str, fields: Fields) -> Response:
    """Keep what was changed; it counts from the next request on."""
    return await _save(request, here, who, _fill(fields, await _find(here, name)))


@router.get("/people/{name}/delete")
async def ask_to_remove(request: Request, here: Here, name: str) -> Response:
    """Ask before somebody is removed."""
    await _find(here, name)
    return render(request, "person_delete.html", {"name": name, "path": path_of_person(name)})


@router.post("/people/{name}/delete", dependencies=[form()])
async def remove(request: Request, here: Here, who: Who, name: str) -> Response:
    """Remove somebody; their sessions and their calendar's address end."""
    await _find(here, name)

    def write(tx: Transaction) -> None:
        if people.drop_person(tx, name):
            key = (f"people.{name}",)
            add_audit(tx, AuditRow(here.clock(), who.who, Action.DELETE, keys=key))

    await here.store.write(write)
    await here.follow_stored()
    log.info("web.ordered", order="remove person", user=name, who=who.who)
    return lead_to(request, "/people?done=removed")
