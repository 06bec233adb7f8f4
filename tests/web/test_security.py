"""
Who may enter: hosts, passwords, sessions, tokens, and changes from elsewhere.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from fastapi.routing import APIRoute
from structlog.testing import capture_logs

from monitor.config.model import Config, ProxyAuthSettings, WebSettings
from monitor.config.secret import Secret
from monitor.judge.access import Role
from monitor.store import credentials
from monitor.store.engine import StoreError
from monitor.web import sessions
from monitor.web.app import ROUTERS
from monitor.web.bodies import LARGEST_BODY
from monitor.web.security import keep_own_cookies
from monitor.web.sessions import (
    CSRF_COOKIE,
    CSRF_HEADER,
    MOST_OF_ALL,
    MOST_OF_ONE,
    SESSION_LASTS,
    hash_password,
    make_csrf_token,
)
from monitor.web.sessions import SESSION_COOKIE as SESSION
from tests.builders import OPS, Story, entry, plan_of
from tests.fakes import NOON
from tests.web_client import open_web

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import Message

    from monitor.store.engine import Database

pytestmark = pytest.mark.anyio

PLAN = plan_of(entry("acme"), channels=[OPS])
PASSWORD = "correct horse"
LIST = "/api/v1/connections"
PAUSE = "/api/v1/connections/acme/pause"


def config_of(**web: object) -> Config:
    return Config(web=WebSettings(**web))  # type: ignore[arg-type]


LOCKED = config_of(password=Secret(PASSWORD))


@pytest.fixture
def filled(database: Database) -> Database:
    Story.begin(database, PLAN)
    return database


def add_token(database: Database, *, is_read_only: bool = False) -> str:
    with database.write() as tx:
        role = Role.VIEWER if is_read_only else Role.ADMIN
        token = credentials.add_api_token(tx, "ci", NOON, role)
    assert token is not None
    return token


def is_in_file(database: Database, text: str) -> bool:
    log = database.path.with_name(f"{database.path.name}-wal")
    return any(text.encode() in path.read_bytes() for path in (database.path, log))


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8080", 200),
        ("localhost", 200),
        ("[::1]:8080", 200),
        ("LOCALHOST:9999", 200),
        ("watch.example.com", 200),
        ("evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("192.0.2.1", 421),
        ("watch.example.com.evil.example", 421),
        ("[", 421),
        ("", 421),
    ],
)
async def test_only_names_of_the_file_are_answered_to(filled, host, status):
    config = config_of(public_url="https://watch.example.com")
    async with open_web(filled, PLAN, config) as web:
        response = await web.get(LIST, headers={"Host": host})
    assert response.status_code == status


async def test_supervisors_may_ask_by_any_name(filled):
    async with open_web(filled, PLAN) as web:
        response = await web.get("/healthz", headers={"Host": "10.1.2.3:8080"})
    assert (response.status_code, response.json()) == (200, {"status": "alive"})


async def test_an_address_in_figures_is_answered_to_where_we_listen_to_all(filled):
    config = config_of(listen="0.0.0.0:8080", password=Secret(PASSWORD))
    async with open_web(filled, PLAN, config) as web:
        by_address = await web.get("/login", headers={"Host": "192.0.2.1:8080"})
        by_name = await web.get("/login", headers={"Host": "evil.example"})
    assert (by_address.status_code, by_name.status_code) == (200, 421)


async def test_without_password_everything_is_open_on_this_machine(filled):
    async with open_web(filled, PLAN) as web:
        assert (await web.get(LIST)).status_code == 200
        assert (await web.change(PAUSE)).status_code == 200


CLOSED = ["/", LIST, "/metrics", "/api/docs", "/api/openapi.json", "/api/v1/events", "/nothing"]


@pytest.mark.parametrize("path", CLOSED)
async def test_with_a_password_strangers_see_nothing(filled, path):
    async with open_web(filled, PLAN, LOCKED) as web:
        response = await web.get(path)
    assert response.status_code == 401
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["www-authenticate"].startswith("Bearer")


async def test_every_route_but_the_open_ones_asks_who_comes(filled):
    open_to_all = {"/healthz", "/readyz", "/login"}
    async with open_web(filled, PLAN, LOCKED) as web:
        paths = web.app.openapi()["paths"]
        answers = {
            path: (await web.get(path.replace("{name}", "acme"))).status_code for path in paths
        }
    assert {path for path, status in answers.items() if status != 401} <= open_to_all


def routes_of(router) -> Iterator[APIRoute]:
    for route in router.routes:
        if isinstance(route, APIRoute):
            yield route
        else:
            yield from routes_of(route.original_router)


def list_routes() -> list[tuple[str, str]]:
    """
    Every method and path that is answered, those of pages as well.
    """
    paths = [
        (method, route.path.replace("{number}", "1").replace("{name}", "acme"))
        for router in ROUTERS
        for route in routes_of(router)
        for method in sorted(route.methods or ())
    ]
    assert ("POST", "/connections/acme/pause") in paths
    assert ("DELETE", "/api/v1/silences/1") in paths
    return paths


async def test_no_route_does_anything_for_strangers(filled):
    answered = {}
    async with open_web(filled, PLAN, LOCKED) as web:
        for method, path in list_routes():
            answer = await web.client.request(method, path, headers={"Accept": "application/json"})
            if answer.status_code != 401:
                answered[method, path] = answer.status_code
    assert answered == {
        ("GET", "/healthz"): 200,
        ("GET", "/readyz"): 200,
        ("GET", "/login"): 200,
        ("POST", "/login"): 403,
        # Its token lets in, and there is none.
        ("GET", "/renew/{token}"): 404,
        ("POST", "/renew/{token}"): 403,
    }


async def test_no_change_is_made_for_who_may_only_read_nor_without_the_word(filled):
    token = add_token(filled, is_read_only=True)
    async with open_web(filled, PLAN, LOCKED) as web:
        await web.log_in(PASSWORD)
        changes = [each for each in list_routes() if each[0] not in {"GET", "HEAD"}]
        # What everyone may do about themselves, and what has a token of its own.
        for own in ("/login", "/logout", "/renew/{token}"):
            changes.remove(("POST", own))
        for method, path in changes:
            no_word = await web.client.request(method, path)
            async with web.stranger(Authorization=f"Bearer {token}") as program:
                read_only = await program.request(method, path)
            assert (no_word.status_code, read_only.status_code) == (403, 403), (method, path)
    assert len(changes) > 20


async def test_people_are_led_to_the_login_and_back(filled):
    async with open_web(filled, PLAN, LOCKED) as web:
        asked = await web.get("/alerts?dead=1", headers={"Accept": "text/html"})
        assert (asked.status_code, asked.headers["location"]) == (
            303,
            "/login?next=/alerts%3Fdead%3D1",
        )
        entered = await web.change("/login", data={"password": PASSWORD, "next": "/alerts?dead=1"})
        assert (entered.status_code, entered.headers["location"]) == (303, "/alerts?dead=1")
        assert (await web.get(LIST)).status_code == 200


@pytest.mark.parametrize("is_script", [False, True], ids=["a person", "a script"])
async def test_the_login_is_behind_the_path_under_which_a_proxy_offers_us(filled, is_script):
    config = config_of(password=Secret(PASSWORD), public_url="https://watch.example.com/connwatch")
    headers = {"Accept": "text/html", "Host": "watch.example.com"}
    async with open_web(filled, PLAN, config) as web:
        asked = await web.get("/", headers=headers | ({"HX-Request": "true"} if is_script else {}))
    led_to = asked.headers["hx-redirect" if is_script else "location"]
    assert led_to.partition("?")[0] == "/connwatch/login"


@pytest.mark.parametrize(
    "target", ["//evil.example", "https://evil.example", "/\\evil.example", "evil", "/a\nb"]
)
async def test_a_login_leads_to_our_own_pages_only(filled, target):
    async with open_web(filled, PLAN, LOCKED) as web:
        response = await web.change("/login", data={"password": PASSWORD, "next": target})
    assert response.headers["location"] == "/"


@pytest.mark.parametrize("kept", [PASSWORD, hash_password(PASSWORD)], ids=["plain", "hashed"])
async def test_only_the_password_opens(filled, kept):
    async with open_web(filled, PLAN, config_of(password=Secret(kept))) as web:
        wrong = await web.log_in("battery staple")
        assert (wrong.status_code, SESSION in web.client.cookies) == (401, False)
        empty = await web.log_in("")
        assert empty.status_code == 401
        if kept != PASSWORD:
            assert (await web.log_in(kept)).status_code == 401
        assert (await web.log_in(PASSWORD)).status_code == 303
        assert (await web.get(LIST)).status_code == 200


async def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(filled):
    async with open_web(filled, PLAN, LOCKED) as web:
        cookies = (await web.log_in(PASSWORD)).headers.get_list("set-cookie")
    [session] = [one for one in cookies if one.startswith(SESSION)]
    assert "HttpOnly" in session
    assert "SameSite=lax" in session
    assert "Secure" not in session


async def test_cookies_are_for_https_only_where_people_use_that(filled):
    config = config_of(password=Secret(PASSWORD), public_url="https://localhost")
    async with open_web(filled, PLAN, config) as web:
        page = await web.get("/login")
        word = page.headers["set-cookie"].partition("=")[2].partition(";")[0]
        response = await web.client.post(
            "/login",
            data={"password": PASSWORD},
            headers={CSRF_HEADER: word, "Cookie": f"{CSRF_COOKIE}={word}"},
        )
    cookies = response.headers.get_list("set-cookie")
    assert response.status_code == 303
    assert len(cookies) == 3
    assert all("Secure" in one for one in cookies)
    assert response.headers["strict-transport-security"].startswith("max-age=")


async def test_a_session_ends_after_its_days(filled):
    async with open_web(filled, PLAN, LOCKED) as web:
        await web.log_in(PASSWORD)
        web.now[0] = NOON + SESSION_LASTS - timedelta(seconds=1)
        assert (await web.get(LIST)).status_code == 200
        web.now[0] = NOON + SESSION_LASTS
        assert (await web.get(LIST)).status_code == 401


async def test_another_password_ends_all_sessions(filled):
    async with open_web(filled, PLAN, LOCKED) as web:
        await web.log_in(PASSWORD)
        cookies = web.client.cookies
    async with open_web(filled, PLAN, config_of(password=Secret("another one"))) as web:
        web.client.cookies = cookies
        assert (await web.get(LIST)).status_code == 401


async def test_logging_out_ends_the_session_for_good(filled):
    async with open_web(filled, PLAN, LOCKED) as web:
        await web.log_in(PASSWORD)
        secret = web.client.cookies[SESSION]
        assert (await web.change("/logout")).headers["location"] == "/login"
        assert (await web.get(LIST)).status_code == 401
        stolen = await web.get(LIST, headers={"Cookie": f"{SESSION}={secret}"})
        assert stolen.status_code == 401


PROXY = {"proxy_auth": {"trusted": ["127.0.0.1"]}}
PROXIED = {
    "behind a proxy that is trusted": (PROXY, "203.0.113.9, {}", True),
    "behind two": (
        {"proxy_auth": {"trusted": ["127.0.0.0/8", "10.0.0.0/8"]}},
        "{}, 10.1.2.3",
        True,
    ),
    "with a port": (PROXY, "{}:4711", True),
    "before the trusted one anything can stand": (PROXY, "{}, 203.0.113.9", False),
    "behind none": ({}, "{}", False),
    "behind one that nobody trusts": (
        {"public_url": "http://watch.example.com", "proxy_auth": {"trusted": ["10.0.0.0/8"]}},
        "{}",
        False,
    ),
    "with a public name alone": ({"public_url": "http://watch.example.com"}, "{}", False),
    "behind one that names no address": (PROXY, "unknown-{}", False),
}


@pytest.mark.parametrize(("settings", "named", "is_told_apart"), PROXIED.values(), ids=PROXIED)
async def test_only_who_was_wrong_must_wait(filled, settings, named, is_told_apart):
    config = config_of(password=Secret(PASSWORD), **settings)
    async with open_web(filled, PLAN, config) as web:
        statuses = [
            await try_password(web, password, {"X-Forwarded-For": named.format(address)})
            for address, password in [
                *[("198.51.100.1", "wrong")] * (MOST_OF_ONE + 1),
                ("198.51.100.2", PASSWORD),
            ]
        ]
    assert statuses[-2:] == [429, 303 if is_told_apart else 429]


async def try_password(web, password: str, headers: dict[str, str] | None = None) -> int:
    answer = await web.change("/login", data={"password": password}, headers=headers or {})
    return int(answer.status_code)


async def test_wrong_passwords_from_elsewhere_do_not_lock_the_owner_out(filled):
    config = config_of(password=Secret(PASSWORD), **PROXY)
    async with open_web(filled, PLAN, config) as web:
        for number in range(2 * MOST_OF_ALL):
            where = {"X-Forwarded-For": f"198.51.100.{number % 50}"}
            await try_password(web, "wrong", where)
        again = await try_password(web, PASSWORD, {"X-Forwarded-For": "198.51.100.7"})
        owner = await try_password(web, PASSWORD, {"X-Forwarded-For": "203.0.113.1"})
    assert (again, owner) == (429, 303)


@pytest.mark.parametrize("is_logged_in", [True, False], ids=["logged in", "logged out"])
async def test_a_browser_that_knew_the_password_has_tries_of_its_own(filled, is_logged_in):
    async with open_web(filled, PLAN, LOCKED) as web:
        assert await try_password(web, PASSWORD) == 303
        if not is_logged_in:
            await web.change("/logout")
            await web.get("/login")  # where a browser is led
        async with web.stranger() as stranger:
            await stranger.get("/login")
            headers = {CSRF_HEADER: stranger.cookies[CSRF_COOKIE]}
            wrong = [
                (await stranger.post("/login", data={"password": "x"}, headers=headers)).status_code
                for _ in range(MOST_OF_ALL)
            ]
            right = await stranger.post("/login", data={"password": PASSWORD}, headers=headers)
        assert (wrong[:6], right.status_code) == ([401] * 5 + [429], 429)
        assert await try_password(web, PASSWORD) == 303
        tries = [await try_password(web, "wrong") for _ in range(MOST_OF_ONE + 1)]
    assert tries[-1] == 429


TRUSTED = ProxyAuthSettings(trusted=("127.0.0.0/8", "0.0.0.0/0", "::/0"))


@pytest.mark.parametrize(
    "name", ["Remote-User", "X-Forwarded-User", "X-Remote-User", "X-Forwarded-For"]
)
async def test_a_trusted_proxy_says_who_asks_and_signs_nobody_in(filled, name):
    settings = config_of(password=Secret(PASSWORD), proxy_auth=TRUSTED)
    async with open_web(filled, PLAN, settings) as web:
        headers = {name: "admin", "Accept": "text/html"}
        assert (await web.client.get(LIST, headers=headers)).status_code == 401
        assert (await web.client.get("/", headers=headers)).status_code == 303
        assert (await web.client.post(PAUSE, headers=headers)).status_code == 401


def test_none_of_our_own_cookies_is_left_out():
    ours = {word for name, word in vars(sessions).items() if name.endswith("_COOKIE")}
    sent = "; ".join(f"{word}=x" for word in ours)
    [(_, kept)] = keep_own_cookies([(b"cookie", f"theirs=y; {sent}".encode())])
    assert kept.decode() == sent


async def test_what_a_known_browser_keeps_lets_in_to_nothing_and_ends_with_the_password(filled):
    async with open_web(filled, PLAN, LOCKED) as web:
        await web.log_in(PASSWORD)
        kept = {"connwatch_known": web.client.cookies["connwatch_known"]}
        async with web.stranger(Cookie=f"connwatch_known={kept['connwatch_known']}") as stranger:
            assert (await stranger.get(LIST)).status_code == 401
    other = config_of(password=Secret("another"))
    async with open_web(filled, PLAN, other) as web:
        for _ in range(MOST_OF_ONE):
            await try_password(web, "wrong")
        web.client.cookies.set("connwatch_known", kept["connwatch_known"])
        assert await try_password(web, "another") == 429


@pytest.mark.parametrize("step", [timedelta(days=1), timedelta(days=-1)], ids=["ahead", "back"])
async def test_how_long_one_must_wait_is_no_matter_of_the_wall_clock(filled, step):
    async with open_web(filled, PLAN, LOCKED) as web:
        for _ in range(MOST_OF_ONE):
            await web.log_in("wrong")
        web.now[0] = NOON + step
        web.seconds[0] += 20
        limited = await web.log_in(PASSWORD)
        assert (limited.status_code, limited.headers["retry-after"]) == (429, "40")
        web.seconds[0] += 41
        assert (await web.log_in(PASSWORD)).status_code == 303


async def test_a_token_is_seen_in_use_after_the_clock_was_set_back(filled):
    token = add_token(filled)
    async with (
        open_web(filled, PLAN, LOCKED) as web,
        web.stranger(Authorization=f"Bearer {token}") as program,
    ):
        await program.get(LIST)
        web.now[0] = NOON - timedelta(days=1)
        web.seconds[0] += 61
        await program.get(LIST)
    with filled.read() as tx:
        [known] = credentials.list_api_tokens(tx)
    assert known.last_used_at == NOON - timedelta(days=1)


async def test_a_session_is_stored_as_its_hash(filled):
    async with open_web(filled, PLAN, LOCKED) as web:
        await web.log_in(PASSWORD)
        secret = web.client.cookies[SESSION]
    assert is_in_file(filled, credentials.hash_secret(secret))
    assert not is_in_file(filled, secret)


async def test_of_many_passwords_at_once_those_not_compared_are_told_to_wait(filled):
    async with open_web(filled, PLAN, LOCKED) as web:
        answers = await asyncio.gather(*(web.log_in("wrong") for _ in range(MOST_OF_ONE + 3)))
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [401] * MOST_OF_ONE + [429] * 3
    assert all("retry-after" in one.headers for one in answers if one.status_code == 429)


async def test_nobody_may_try_many_passwords(filled):
    async with open_web(filled, PLAN, LOCKED) as web:
        for _ in range(MOST_OF_ONE):
            assert (await web.log_in("wrong")).status_code == 401
        limited = await web.log_in(PASSWORD)
        assert (limited.status_code, limited.headers["retry-after"]) == (429, "60")
        assert SESSION not in web.client.cookies
        web.seconds[0] += 60
        assert (await web.log_in(PASSWORD)).status_code == 303


@pytest.mark.parametrize(("is_read_only", "status"), [(True, 403), (False, 200)])
async def test_a_token_may_do_what_it_was_made_for(filled, is_read_only, status):
    token = add_token(filled, is_read_only=is_read_only)
    headers = {"Authorization": f"Bearer {token}"}
    async with open_web(filled, PLAN, LOCKED) as web:
        assert (await web.get(LIST, headers=headers)).status_code == 200
        changed = await web.client.post(PAUSE, headers=headers)
    assert changed.status_code == status


@pytest.mark.parametrize("config", [LOCKED, Config()], ids=["password", "open"])
async def test_a_token_that_nobody_gave_out_opens_nothing(filled, config):
    async with open_web(filled, PLAN, config) as web:
        response = await web.get(LIST, headers={"Authorization": "Bearer cw_nonsense"})
    assert response.status_code == 401


async def test_a_revoked_token_opens_nothing(filled):
    headers = {"Authorization": f"Bearer {add_token(filled)}"}
    async with open_web(filled, PLAN, LOCKED) as web:
        assert (await web.get(LIST, headers=headers)).status_code == 200
        with filled.write() as tx:
            assert credentials.revoke_api_token(tx, "ci")
        assert (await web.get(LIST, headers=headers)).status_code == 401


async def test_when_a_token_was_last_used_is_known(filled):
    headers = {"Authorization": f"Bearer {add_token(filled)}"}
    async with open_web(filled, PLAN, LOCKED) as web:
        await web.get(LIST, headers=headers)
    with filled.read() as tx:
        [token] = credentials.list_api_tokens(tx)
    assert token.last_used_at == NOON


async def test_who_reads_with_a_token_needs_nothing_written(filled, monkeypatch):
    def fail(*_: object) -> None:
        raise StoreError("disk full")

    headers = {"Authorization": f"Bearer {add_token(filled)}"}
    monkeypatch.setattr(credentials, "note_token_use", fail)
    async with open_web(filled, PLAN) as web:
        with capture_logs() as logs:
            assert (await web.get(LIST, headers=headers)).status_code == 200
    assert [(one["event"], one["token"]) for one in logs] == [("web.use_not_noted", "ci")]


@pytest.mark.parametrize(
    ("path", "status"), [(LIST, 503), ("/healthz", 200), ("/static/style.css", 200)]
)
@pytest.mark.parametrize(
    "headers",
    [{"Authorization": "Bearer cw_x"}, {"Cookie": f"{SESSION}=x"}],
    ids=["token", "session"],
)
async def test_without_the_database_nobody_is_recognised_and_supervisors_are_answered(
    filled, path, status, headers
):
    async with open_web(filled, PLAN, LOCKED) as web:
        filled.close()
        filled.path.write_bytes(b"not a database at all" * 100)
        response = await web.get(path, headers=headers)
    assert response.status_code == status
    assert "fault of connwatch" not in response.text


async def test_a_token_is_stored_as_its_hash(filled):
    token = add_token(filled)
    assert is_in_file(filled, credentials.hash_secret(token))
    assert not is_in_file(filled, token)


WORD = make_csrf_token(b"c" * 32, "")
FOREIGN = make_csrf_token(b"x" * 32, "")
REFUSED_CHANGES = {
    "no word": ({}, {}),
    "word in the cookie only": ({CSRF_COOKIE: WORD}, {}),
    "word in the header only": ({}, {CSRF_HEADER: WORD}),
    "two different words": ({CSRF_COOKIE: WORD}, {CSRF_HEADER: make_csrf_token(b"c" * 32, "")}),
    "a word that was not made here": ({CSRF_COOKIE: FOREIGN}, {CSRF_HEADER: FOREIGN}),
    "the word of a session": (
        {CSRF_COOKIE: make_csrf_token(b"c" * 32, "s")},
        {CSRF_HEADER: make_csrf_token(b"c" * 32, "s")},
    ),
    "another site": ({CSRF_COOKIE: WORD}, {CSRF_HEADER: WORD, "Origin": "https://evil.example"}),
    "another port of this machine": (
        {CSRF_COOKIE: WORD},
        {CSRF_HEADER: WORD, "Origin": "http://127.0.0.1:9999", "Sec-Fetch-Site": "same-site"},
    ),
    "an origin that is none": ({CSRF_COOKIE: WORD}, {CSRF_HEADER: WORD, "Origin": "http://["}),
    "a hidden origin": ({CSRF_COOKIE: WORD}, {CSRF_HEADER: WORD, "Origin": "null"}),
    "another site, says the browser": (
        {CSRF_COOKIE: WORD},
        {CSRF_HEADER: WORD, "Sec-Fetch-Site": "cross-site"},
    ),
    "another port, says the browser": (
        {CSRF_COOKIE: WORD},
        {CSRF_HEADER: WORD, "Sec-Fetch-Site": "same-site"},
    ),
}


@pytest.mark.parametrize(("cookies", "headers"), REFUSED_CHANGES.values(), ids=REFUSED_CHANGES)
async def test_a_change_from_elsewhere_is_refused(filled, cookies, headers):
    cookie = "; ".join(f"{name}={value}" for name, value in cookies.items())
    async with open_web(filled, PLAN) as web:
        response = await web.client.post(PAUSE, headers=headers | {"Cookie": cookie})
        state = (await web.get("/api/v1/connections/acme")).json()["state"]
    assert (response.status_code, state) == (403, "pending")


async def test_a_change_from_our_own_page_is_made(filled):
    async with open_web(filled, PLAN) as web:
        headers = {"Origin": "http://127.0.0.1:8080", "Sec-Fetch-Site": "same-origin"}
        response = await web.change(PAUSE, headers=headers)
    assert response.status_code == 200


@pytest.mark.parametrize("host", ["watch.example.com", "127.0.0.1:8080"])
async def test_a_change_is_made_behind_a_proxy_whatever_name_that_asks_by(filled, host):
    config = config_of(public_url="https://watch.example.com")
    word = {CSRF_HEADER: WORD, "Cookie": f"{CSRF_COOKIE}={WORD}"}
    headers = {"Host": host, "Origin": "https://watch.example.com"} | word
    async with open_web(filled, PLAN, config) as web:
        assert (await web.client.post(PAUSE, headers=headers)).status_code == 200


@pytest.mark.parametrize("path", [PAUSE, "/login"])
async def test_a_form_of_many_fields_is_refused_without_a_fault(filled, path):
    async with open_web(filled, PLAN, LOCKED) as web:
        await web.log_in(PASSWORD)
        data = {f"field{number}": "x" for number in range(200)}
        response = await web.client.post(path, data=data)
        with_word = await web.change("/login", data=data)
    assert (response.status_code, with_word.status_code) == (403, 422)


async def test_a_form_carries_the_word_in_a_field(filled):
    async with open_web(filled, PLAN) as web:
        await web.get(LIST)
        data = {"csrf_token": web.client.cookies[CSRF_COOKIE]}
        response = await web.client.post(PAUSE, data=data)
    assert response.status_code == 200


async def test_the_word_changes_with_the_login(filled):
    async with open_web(filled, PLAN, LOCKED) as web:
        await web.get("/login")
        before = web.client.cookies[CSRF_COOKIE]
        await web.log_in(PASSWORD)
        stale = await web.client.post(
            PAUSE, headers={CSRF_HEADER: before, "Cookie": f"{CSRF_COOKIE}={before}"}
        )
        assert stale.status_code in {401, 403}
        assert (await web.change(PAUSE)).status_code == 200


async def test_who_leaves_in_the_middle_of_a_change_is_no_fault_of_ours(filled):
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/login",
        "raw_path": b"/login",
        "query_string": b"",
        "headers": [(b"host", b"localhost")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8080),
        "scheme": "http",
    }
    heard = iter([{"type": "http.request", "body": b"a", "more_body": True}])
    answers: list[Message] = []

    async def receive() -> Message:
        return next(heard, {"type": "http.disconnect"})

    async def send(message: Message) -> None:
        answers.append(message)

    async with open_web(filled, PLAN, LOCKED) as web:
        with capture_logs() as logs:
            await web.app(scope, receive, send)
    assert (answers, logs) == ([], [])


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/", LIST, "/badge/acme.svg", "/nothing"])
async def test_who_asks_for_the_head_gets_what_a_reader_gets_but_the_body(filled, path):
    async with open_web(filled, PLAN) as web:
        await web.get("/login")
        whole = await web.get(path)
        head = await web.client.head(path)
    assert head.status_code == whole.status_code
    assert head.headers == whole.headers
    assert (head.content, whole.content != b"") == (b"", True)


@pytest.mark.parametrize("path", ["/alerts/", "/connections/acme/", f"{LIST}/"])
async def test_a_slash_too_many_leads_nobody_past_the_proxy(filled, path):
    config = config_of(public_url="https://watch.example.com/cw")
    async with open_web(filled, PLAN, config) as web:
        answer = await web.get(path, headers={"Host": "watch.example.com"})
    assert (answer.status_code, answer.headers.get("location")) == (404, None)


async def test_no_more_is_read_than_a_form_can_be(filled):
    async with open_web(filled, PLAN) as web:
        response = await web.change(PAUSE, content=b"x" * (LARGEST_BODY + 1))
    assert response.status_code == 413


@pytest.mark.parametrize("path", [LIST, "/healthz", "/nothing", "/static/style.css", "/metrics"])
async def test_every_answer_keeps_browsers_from_mischief(filled, path):
    async with open_web(filled, PLAN) as web:
        headers = (await web.get(path)).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "same-origin"


async def test_style_is_sent_once_and_pages_are_kept_nowhere(filled):
    async with open_web(filled, PLAN) as web:
        style = await web.get("/static/style.css")
        again = await web.get("/static/style.css", headers={"If-None-Match": style.headers["etag"]})
        page = await web.get("/", headers={"Accept": "text/html"})
    assert (style.headers["cache-control"], again.status_code) == ("no-cache", 304)
    assert page.headers["cache-control"] == "no-store"


async def test_a_fault_of_ours_says_nothing_of_itself(filled):
    def fail() -> None:
        raise RuntimeError("a secret")

    async with open_web(filled, PLAN, wake=fail) as web:
        response = await web.change("/api/v1/alerts/retry")
    assert response.status_code == 500
    assert "secret" not in response.text
    assert "content-security-policy" in response.headers
