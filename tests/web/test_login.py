"""
People: how they sign in, by password or by a proxy, and what ends that.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from secrets import token_hex
from typing import TYPE_CHECKING

import httpx
import pytest

from monitor.config.model import Config, ProxyAuthSettings, WebSettings, WebUser
from monitor.config.secret import Secret
from monitor.config.values import LONGEST_NAME
from monitor.judge.access import Role
from monitor.store import credentials
from monitor.store.audit import list_audit
from monitor.web import sessions
from monitor.web.problems import ROLE
from monitor.web.sessions import CSRF_HEADER, MOST_OF_ONE, hash_password
from tests.builders import OPS, Story, entry, plan_of
from tests.fakes import NOON
from tests.web_client import HOST, open_web

if TYPE_CHECKING:
    from monitor.store.engine import Database
    from tests.web_client import Web

pytestmark = pytest.mark.anyio

PLAN = plan_of(entry("acme"), channels=[OPS])
LIST = "/api/v1/connections"
PAUSE = "/api/v1/connections/acme/pause"
PAGE = {"Accept": "text/html"}


def person(name: str, role: Role = Role.VIEWER, password: str | None = "secret") -> WebUser:
    known = None if password is None else Secret(password)
    return WebUser(name=name, role=role, password=known)


ANA, BOB, CARLA = (
    person("ana", Role.VIEWER, "ana's own"),
    person("bob", Role.OPERATOR, "bob's own"),
    person("carla", Role.ADMIN, None),
)


def config_of(*users: WebUser, **web: object) -> Config:
    return Config(web=WebSettings(users=users, **web))  # type: ignore[arg-type]


PEOPLE = config_of(ANA, BOB, CARLA)


@pytest.fixture
def filled(database: Database) -> Database:
    Story.begin(database, PLAN)
    return database


async def log_in(web: Web, **fields: str) -> int:
    return int((await web.change("/login", data=fields)).status_code)


def put_in_force(web: Web, config: Config) -> None:
    web.views.append(replace(web.parts, now=replace(web.parts.now, config=config)))


LOGINS = {
    "name and password": ({"name": "ana", "password": "ana's own"}, 303),
    "with spaces around the name": ({"name": " ana ", "password": "ana's own"}, 303),
    "somebody else's password": ({"name": "ana", "password": "bob's own"}, 401),
    "an unknown name": ({"name": "dora", "password": "ana's own"}, 401),
    "a name in another case": ({"name": "Ana", "password": "ana's own"}, 401),
    "no password to know": ({"name": "carla", "password": ""}, 401),
    "nothing": ({}, 401),
    "no name, and there is no admin": ({"password": "ana's own"}, 401),
}


@pytest.mark.parametrize(("fields", "status"), LOGINS.values(), ids=LOGINS)
async def test_people_log_in_by_name_and_password(filled, fields, status):
    async with open_web(filled, PLAN, PEOPLE) as web:
        assert await log_in(web, **fields) == status
        assert (await web.get(LIST)).status_code == (200 if status == 303 else 401)


def printed(password: str) -> Secret:
    """
    A password that a command prints, which has not run yet: the daemon has just started.
    """
    told = f"print({password!r})  # {token_hex()}"
    return Secret({"command": [sys.executable, "-c", told]})


async def test_the_first_login_after_a_start_waits_for_the_command_of_the_password(filled):
    async with open_web(filled, PLAN, config_of(password=printed("the key"))) as web:
        assert await log_in(web, password="the key") == 303
        assert (await web.get(LIST)).status_code == 200


async def test_a_session_goes_on_after_a_start_although_the_command_has_not_run_since(filled):
    async with open_web(filled, PLAN, config_of(password=printed("the key"))) as web:
        assert await log_in(web, password="the key") == 303
        put_in_force(web, config_of(password=printed("the key")))
        assert (await web.get(LIST)).status_code == 200
        put_in_force(web, config_of(password=printed("another")))
        assert (await web.get(LIST)).status_code == 401


ADMIN_LOGINS = {
    "without name": {"password": "the key"},
    "with an empty name": {"name": "", "password": "the key"},
    "by name": {"name": "admin", "password": "the key"},
}


@pytest.mark.parametrize("fields", ADMIN_LOGINS.values(), ids=ADMIN_LOGINS)
async def test_the_password_of_the_dashboard_lets_in_the_user_admin(filled, fields):
    async with open_web(filled, PLAN, config_of(ANA, password=Secret("the key"))) as web:
        assert await log_in(web, **fields) == 303
        assert (await web.change(f"{LIST}/acme", "DELETE")).status_code == 204


async def test_with_users_nobody_comes_in_without_a_login(filled):
    async with open_web(filled, PLAN, config_of(ANA)) as web:
        assert (await web.get(LIST)).status_code == 401
        assert (await web.get("/", headers=PAGE)).headers["location"] == "/login?next=/"


FORMS = {
    "with users": (PEOPLE, True, True),
    "with one password": (config_of(password=Secret("x")), False, False),
    "with both": (config_of(ANA, password=Secret("x")), True, False),
    "with a user admin": (config_of(ANA, person("admin", Role.ADMIN)), True, False),
}


@pytest.mark.parametrize(("config", "has_name", "is_needed"), FORMS.values(), ids=FORMS)
async def test_the_form_asks_for_a_name_where_there_are_several(
    filled, config, has_name, is_needed
):
    async with open_web(filled, PLAN, config) as web:
        form = (await web.get("/login", headers=PAGE)).text
    field = form.partition('name="name"')[2].partition(">")[0]
    assert (bool(field), " required" in field) == (has_name, is_needed)
    assert 'name="password"' in form


async def test_a_user_admin_need_not_say_the_name(filled):
    config = config_of(ANA, person("admin", Role.ADMIN, "the key"))
    async with open_web(filled, PLAN, config) as web:
        assert await log_in(web, password="the key") == 303


async def test_where_only_a_proxy_signs_in_the_form_says_so(filled):
    async with open_web(filled, PLAN, config_of(CARLA, proxy_auth=proxy())) as web:
        form = (await web.get("/login", headers=PAGE)).text
    assert 'name="password"' not in form
    assert "sign in at the proxy" in form


async def test_a_login_is_in_the_audit(filled):
    async with open_web(filled, PLAN, PEOPLE) as web:
        await log_in(web, name="ana", password="wrong")
        await log_in(web, name="bob", password="bob's own")
    with filled.read() as tx:
        rows = [(row.who, row.action.value) for _, row in list_audit(tx)]
    assert rows == [("user:bob", "login")]


# --- what ends it

ENDS = {
    "another password": (config_of(person("ana", password="another"), BOB), 401),
    "no password": (config_of(person("ana", password=None), BOB), 401),
    "removed": (config_of(BOB), 401),
    "the same name with the password of another": (config_of(person("ana", password="x")), 401),
    "another role": (config_of(person("ana", Role.ADMIN, "ana's own")), 200),
    "another user's password": (config_of(ANA, person("bob", password="another")), 200),
}


@pytest.mark.parametrize(("after", "status"), ENDS.values(), ids=ENDS)
async def test_another_password_and_the_removal_of_a_user_end_the_session(filled, after, status):
    async with open_web(filled, PLAN, PEOPLE) as web:
        await log_in(web, name="ana", password="ana's own")
        put_in_force(web, after)
        assert (await web.get(LIST)).status_code == status


@pytest.mark.parametrize("between", [config_of(BOB), config_of(person("ana", password="another"))])
async def test_a_session_that_ended_does_not_come_back(filled, between):
    async with open_web(filled, PLAN, PEOPLE) as web:
        await log_in(web, name="ana", password="ana's own")
        put_in_force(web, between)
        assert (await web.get(LIST)).status_code == 401
        put_in_force(web, PEOPLE)
        assert (await web.get(LIST)).status_code == 401


async def test_a_removed_user_is_out_at_once(filled):
    async with open_web(filled, PLAN, PEOPLE) as web:
        await log_in(web, name="ana", password="ana's own")
        page = (await web.get("/calendar", headers=PAGE)).text
        address = page.partition('href="/calendar.ics')[2].partition('"')[0]
        async with web.stranger() as program:
            assert (await program.get(f"/calendar.ics{address}")).status_code == 200
            put_in_force(web, config_of(BOB))
            assert (await program.get(f"/calendar.ics{address}")).status_code == 401
        assert (await web.get(LIST)).status_code == 401


async def test_each_person_has_a_calendar_address_of_their_own(filled):
    addresses = set()
    for user in (ANA, BOB):
        async with open_web(filled, PLAN, PEOPLE) as web:
            assert user.password is not None
            await log_in(web, name=user.name, password=user.password.reveal())
            page = (await web.get("/calendar", headers=PAGE)).text
            addresses.add(page.partition('href="/calendar.ics')[2].partition('"')[0])
    assert len(addresses) == 2


async def test_a_role_is_read_at_each_request(filled):
    async with open_web(filled, PLAN, PEOPLE) as web:
        await log_in(web, name="ana", password="ana's own")
        before = await web.change(PAUSE)
        assert (before.status_code, before.json()["type"]) == (403, ROLE)
        put_in_force(web, config_of(person("ana", Role.OPERATOR, "ana's own")))
        assert (await web.change(PAUSE)).status_code == 200
        put_in_force(web, PEOPLE)
        assert (await web.change(PAUSE)).status_code == 403


async def test_the_page_below_the_role_says_what_it_needs(filled):
    async with open_web(filled, PLAN, PEOPLE) as web:
        await log_in(web, name="bob", password="bob's own")
        page = await web.get("/connections/acme/delete", headers=PAGE)
    assert page.status_code == 403
    assert "This needs the role admin, and bob has the role operator." in page.text


async def test_the_calendar_of_a_token_s_namesake_is_not_shown(filled):
    with filled.write() as tx:
        token = credentials.add_api_token(tx, "bob", NOON, Role.VIEWER)
    async with open_web(filled, PLAN, PEOPLE) as web:
        page = await web.get("/calendar", headers=PAGE | {"Authorization": f"Bearer {token}"})
    assert page.status_code == 200
    assert "calendar.ics" not in page.text


# --- attempts


async def test_attempts_are_counted_for_each_account(filled):
    async with open_web(filled, PLAN, PEOPLE) as web:
        wrong = [await log_in(web, name="ana", password="x") for _ in range(MOST_OF_ONE + 1)]
        assert wrong == [401] * MOST_OF_ONE + [429]
        assert await log_in(web, name="ana", password="ana's own") == 429
        assert await log_in(web, name="bob", password="bob's own") == 303


async def test_an_unknown_name_must_wait_like_a_known_one(filled):
    async with open_web(filled, PLAN, PEOPLE) as web:
        wrong = [await log_in(web, name="dora", password="x") for _ in range(MOST_OF_ONE + 1)]
    assert wrong == [401] * MOST_OF_ONE + [429]


async def test_of_a_name_that_is_too_long_little_is_remembered(filled):
    long_one = "d" * 50_000
    async with open_web(filled, PLAN, PEOPLE) as web:
        wrong = [await log_in(web, name=long_one, password="x") for _ in range(MOST_OF_ONE + 1)]
        kept = [account for _, (account, _) in web.app.state.attempts._failures]
    assert wrong[-1] == 429
    assert max(map(len, kept)) <= LONGEST_NAME + 1


async def test_a_browser_that_knew_one_password_is_no_friend_of_other_accounts(filled):
    async with open_web(filled, PLAN, PEOPLE) as web:
        await log_in(web, name="bob", password="bob's own")
        await web.change("/logout")
        await web.get("/login")
        wrong = [await log_in(web, name="ana", password="x") for _ in range(MOST_OF_ONE + 1)]
        async with web.stranger() as other:
            await other.get("/login")
            headers = {CSRF_HEADER: other.cookies[sessions.CSRF_COOKIE]}
            fields = {"name": "ana", "password": "ana's own"}
            same_peer = await other.post("/login", data=fields, headers=headers)
    assert (wrong[-1], same_peer.status_code) == (429, 429)


HASHED = hash_password("ana's own")
NAMES = {
    "a hash": ("ana", [HASHED]),
    "a plain password": ("bob", [HASHED]),
    "no password": ("carla", [HASHED]),
    "an unknown name": ("dora", [HASHED]),
}


@pytest.mark.parametrize(("name", "compared"), NAMES.values(), ids=NAMES)
async def test_an_unknown_name_takes_as_long_as_a_known_one(filled, monkeypatch, name, compared):
    hashes = []
    real = sessions.matches

    def note(given: str, known: str) -> bool:
        if sessions.is_hash(known):
            hashes.append(known)
        return real(given, known)

    monkeypatch.setattr(sessions, "matches", note)
    config = config_of(person("ana", password=HASHED), BOB, CARLA)
    async with open_web(filled, PLAN, config) as web:
        assert await log_in(web, name=name, password="ana's own!") == 401
    assert hashes == compared


async def test_the_password_of_another_account_lets_nobody_in_by_its_hash(filled):
    config = config_of(person("ana", password=HASHED), BOB, CARLA)
    async with open_web(filled, PLAN, config) as web:
        answers = [await log_in(web, name=name, password="ana's own") for name in NAMES_OF_OTHERS]
        assert await log_in(web, name="ana", password="ana's own") == 303
    assert answers == [401] * 4


NAMES_OF_OTHERS = ["bob", "carla", "dora", ""]


# --- a proxy that signs people in


def proxy(*trusted: str, header: str | None = "Remote-User") -> ProxyAuthSettings:
    return ProxyAuthSettings(header=header, trusted=trusted or ("127.0.0.1/32",))


PROXIED = config_of(ANA, BOB, CARLA, proxy_auth=proxy())


def by_proxy(web: Web, *names: str | bytes, peer: str = "127.0.0.1") -> httpx.AsyncClient:
    transport = httpx.ASGITransport(web.app, raise_app_exceptions=False, client=(peer, 4711))
    values = [name if isinstance(name, bytes) else name.encode() for name in names]
    headers = [(b"Remote-User", value) for value in values]
    return httpx.AsyncClient(transport=transport, base_url=HOST, headers=headers)


async def test_whom_a_trusted_proxy_names_is_in_without_a_password(filled):
    async with open_web(filled, PLAN, PROXIED) as web:
        for name, status in (("ana", 403), ("bob", 200), ("carla", 200)):
            async with by_proxy(web, name) as browser:
                assert (await browser.get("/", headers=PAGE)).status_code == 200
                word = browser.cookies[sessions.CSRF_COOKIE]
                answer = await browser.post(PAUSE, headers={CSRF_HEADER: word})
                assert answer.status_code == status


async def test_a_change_behind_a_proxy_carries_the_word_of_that_person(filled):
    async with open_web(filled, PLAN, PROXIED) as web:
        async with by_proxy(web, "carla") as browser:
            assert (await browser.post(PAUSE)).status_code == 403
            await browser.get("/", headers=PAGE)
            other_site = {CSRF_HEADER: browser.cookies[sessions.CSRF_COOKIE]}
            other_site["Origin"] = "https://evil.example"
            assert (await browser.post(PAUSE, headers=other_site)).status_code == 403
        async with by_proxy(web, "bob") as browser:
            await browser.get("/", headers=PAGE)
            of_bob = browser.cookies[sessions.CSRF_COOKIE]
        async with by_proxy(web, "carla") as browser:
            browser.cookies.set(sessions.CSRF_COOKIE, of_bob)
            assert (await browser.post(PAUSE, headers={CSRF_HEADER: of_bob})).status_code == 403


async def test_who_has_a_renewal_link_needs_no_name_from_a_proxy(filled):
    """
    The store's owner may be signed in there, and is nobody here: the token of the link counts.
    """
    async with open_web(filled, PLAN, PROXIED) as web, by_proxy(web, "the owner") as browser:
        page = await browser.get("/renew/unknown", headers=PAGE)
        assert (page.status_code, "Link not found" in page.text) == (404, True)
        word = {CSRF_HEADER: browser.cookies[sessions.CSRF_COOKIE]}
        assert (await browser.post("/renew/unknown", headers=word)).status_code == 404
        assert (await browser.get("/", headers=PAGE)).status_code == 403


NOT_LET_IN = {
    "unknown": ["dora"],
    "empty": [""],
    "a space": [" "],
    "twice": ["ana", "ana"],
    "two people": ["ana", "bob"],
    "a list": ["ana, bob"],
    "in another case": ["ANA"],
    "the admin of web.password": ["admin"],
    "in another encoding": ["\xe4na".encode("latin-1")],
}


@pytest.mark.parametrize("names", NOT_LET_IN.values(), ids=NOT_LET_IN)
async def test_a_proxy_that_names_nobody_who_may_come_in_is_refused(filled, names):
    config = config_of(ANA, BOB, proxy_auth=proxy(), password=Secret("the key"))
    async with open_web(filled, PLAN, config) as web, by_proxy(web, *names) as browser:
        for path in ("/", LIST, "/login", "/metrics", "/nothing"):
            assert (await browser.get(path)).status_code == 403
        assert "text/html" in (await browser.get("/", headers=PAGE)).headers["content-type"]
        for path in ("/healthz", "/static/style.css"):
            assert (await browser.get(path)).status_code == 200


FROM_ELSEWHERE = ["198.51.100.7", "127.0.0.2", "::1", "testclient"]


@pytest.mark.parametrize("peer", FROM_ELSEWHERE)
@pytest.mark.parametrize("name", ["ana", "dora", ""])
async def test_a_name_from_elsewhere_is_ignored(filled, peer, name):
    async with open_web(filled, PLAN, PROXIED) as web, by_proxy(web, name, peer=peer) as browser:
        assert (await browser.get(LIST)).status_code == 401
        forwarded = {"X-Forwarded-For": "127.0.0.1"}
        assert (await browser.get(LIST, headers=forwarded)).status_code == 401
        await browser.get("/login")
        word = {CSRF_HEADER: browser.cookies[sessions.CSRF_COOKIE]}
        fields = {"name": "ana", "password": "ana's own"}
        assert (await browser.post("/login", data=fields, headers=word)).status_code == 303
        assert (await browser.get(LIST)).status_code == 200


async def test_an_address_in_the_new_form_is_the_same_peer(filled):
    async with (
        open_web(filled, PLAN, PROXIED) as web,
        by_proxy(web, "ana", peer="::ffff:127.0.0.1") as browser,
    ):
        assert (await browser.get(LIST)).status_code == 200


async def test_without_a_header_the_proxy_s_visitors_log_in_themselves(filled):
    async with open_web(filled, PLAN, PROXIED) as web, by_proxy(web) as browser:
        assert (await browser.get(LIST)).status_code == 401


async def test_no_header_is_believed_where_none_is_named(filled):
    config = config_of(ANA, proxy_auth=proxy(header=None))
    async with open_web(filled, PLAN, config) as web, by_proxy(web, "ana") as browser:
        assert (await browser.get(LIST)).status_code == 401


async def test_a_user_who_is_taken_out_is_refused_behind_the_proxy_as_well(filled):
    async with open_web(filled, PLAN, PROXIED) as web, by_proxy(web, "ana") as browser:
        assert (await browser.get(LIST)).status_code == 200
        put_in_force(web, config_of(BOB, proxy_auth=proxy()))
        assert (await browser.get(LIST)).status_code == 403


async def test_the_header_counts_over_the_session_of_somebody_else(filled):
    async with open_web(filled, PLAN, PROXIED) as web, by_proxy(web) as browser:
        await browser.get("/login")
        word = {CSRF_HEADER: browser.cookies[sessions.CSRF_COOKIE]}
        fields = {"name": "bob", "password": "bob's own"}
        await browser.post("/login", data=fields, headers=word)
        as_bob = await browser.get("/", headers=PAGE)
        as_ana = await browser.get("/", headers=PAGE | {"Remote-User": "ana"})
    assert "signed in as bob (operator)" in as_bob.text
    assert "signed in as ana (viewer)" in as_ana.text
    assert "Log out" in as_bob.text
    assert "Log out" not in as_ana.text


async def test_secret_addresses_work_behind_a_proxy_for_whoever_it_names(filled):
    async with open_web(filled, PLAN, PROXIED) as web, by_proxy(web, "dora") as browser:
        address = sessions.badge_path(web.parts, "acme")
        assert (await browser.get(address)).status_code == 200
        assert (await browser.get("/badge/acme.svg")).status_code == 401


async def test_many_logins_at_once_are_counted_one_by_one(filled):
    async with open_web(filled, PLAN, PEOPLE) as web:
        await web.get("/login")
        answers = await asyncio.gather(
            *(log_in(web, name="ana", password="x") for _ in range(2 * MOST_OF_ONE))
        )
    assert sorted(answers) == [401] * MOST_OF_ONE + [429] * MOST_OF_ONE
