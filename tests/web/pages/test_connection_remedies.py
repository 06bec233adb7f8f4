"""
What list and page advise, and what they offer to press: the same, and nothing that says no.
"""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING

import pytest
from cryptography.fernet import Fernet

from monitor.config.load import load_config
from monitor.config.plan import make_plan
from monitor.judge.authorizations import OLD_TOKEN_IN_USE
from monitor.judge.outcome import Outcome, Reason
from monitor.notify.words import explain
from monitor.report.advice import advise
from monitor.report.validation import CheckedConnection
from monitor.store.connections import find_record
from tests.builders import DAY, OK, Story, watched_of
from tests.fakes import NOON
from tests.web_client import HOST, open_web

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.config.model import Config
    from monitor.store.engine import Database

pytestmark = pytest.mark.anyio

APP = """
[[applications]]
name = "our-app"
client_id = "amzn1.application-oa2-client.0123456789abcdef0123456789abcdef"
client_secret = "amzn1.oa2-cs.v1.0123456789abcdef"
"""
HANDSHAKE = """
application_id = "amzn1.sp.solution.1"
redirect_url = "https://watch.example.com/oauth/amazon/callback"
"""
STORE = """
[[connections]]
name = "store"
provider = "amazon"
application = "our-app"
region = "eu"
refresh_token = "Atzr|0123456789"
"""
WEB = """
[web]
public_url = "https://watch.example.com"
key = "{key}"
"""
COUNTDOWN = """
[[connections]]
name = "store"
provider = "countdown"
"""
TOKEN = """
[[connections]]
name = "store"
provider = "soldscope"
base_url = "https://api.example.com"
token = "sst_0123456789"
"""

REVOKED = Outcome(
    Reason.AUTHORIZATION_REVOKED,
    'Amazon rejected the refresh token. Amazon says: "no"',
    account="Initech Store FE",
)
DENIED = Outcome(Reason.PERMISSION_DENIED, "Access denied (403).", account="Initech Store FE")
OLD = Outcome(
    Reason.AUTHORIZATION_REVOKED,
    f'{OLD_TOKEN_IN_USE.format(day=NOON)} Amazon says: "no"',
)


def read(tmp_path: Path, text: str) -> Config:
    path = tmp_path / "config.toml"
    path.touch(0o600)
    path.write_text(text.replace("{key}", Fernet.generate_key().decode()))
    return load_config(path)


async def show(
    database: Database, config: Config, outcome: Outcome, path: str = "/connections/store"
) -> tuple[str, str]:
    """
    Return list and page after *outcome*, without tags but for links and buttons.
    """
    plan = make_plan(config)
    story = Story.begin(database, plan)
    story.evaluate(NOON, store=outcome)
    story.evaluate(NOON, store=outcome)
    async with open_web(database, plan, config) as web:
        headers = {"Accept": "text/html"}
        found = [(await web.get(one, headers=headers)).text for one in ("/", path)]
    keep = r"<(?!/?(?:a|button|summary|details)\b)[^>]+>"
    both = [" ".join(unescape(re.sub(keep, "", one)).split()) for one in found]
    return both[0], both[1]


SET_UPS = {
    "by hand": APP + STORE,
    "consent page": APP + 'application_id = "amzn1.sp.solution.1"\n' + STORE,
    "here": APP + HANDSHAKE + STORE + WEB,
}
OUTCOMES = {"revoked": REVOKED, "denied": DENIED, "old token": OLD}


@pytest.mark.parametrize("outcome", OUTCOMES.values(), ids=OUTCOMES)
@pytest.mark.parametrize("text", SET_UPS.values(), ids=SET_UPS)
async def test_list_page_and_validate_advise_the_same(database, tmp_path, text, outcome):
    config = read(tmp_path, text)
    can_renew = WEB in text
    advice = explain(outcome.reason, "amazon", outcome.detail, can_renew_here=can_renew).remedy
    said = re.sub("`", "", advice).replace("NAME", "store")
    both = await show(database, config, outcome)
    assert [said in one for one in both] == [True, True]
    # The one that is printed below the steps of a validation.
    story_plan = make_plan(config)
    with database.read() as tx:
        record = find_record(tx, "store")
    assert record is not None
    checked = CheckedConnection.of(outcome, record, watched_of(story_plan)["store"], config, NOON)
    [first, *_] = advise(checked, config.connections[0], config)
    assert first.remedy == advice.replace("NAME", "store")


LINKS = {
    "by hand": "https://sellercentral-europe.amazon.com/apps/manage",
    "consent page": "https://sellercentral-europe.amazon.com/apps/authorize/consent?",
    "here": "/oauth/amazon/start/store",
}


@pytest.mark.parametrize("name", SET_UPS)
async def test_a_revoked_store_has_one_way_to_amazon_on_list_and_page(database, tmp_path, name):
    for shown in await show(database, read(tmp_path, SET_UPS[name]), REVOKED):
        links = [link for link in re.findall(r'href="([^"]+)"', shown) if "//" in link[:9]]
        links += re.findall(r'href="(/oauth/[^"]+)"', shown)
        assert len(links) == 1
        assert links[0].startswith(LINKS[name])
        assert "Sign in as the primary user of Initech Store FE." in shown
        assert "Open this in a private window." in shown


async def test_a_link_to_send_to_the_client_is_offered(database, tmp_path):
    _, page = await show(database, read(tmp_path, SET_UPS["here"]), REVOKED)
    shared = "Link to send to the store owner: https://watch.example.com/connections/store"
    assert shared in page


async def test_a_link_behind_a_password_says_so(database, tmp_path):
    text = SET_UPS["here"] + 'password = "a long password"\n'
    config = read(tmp_path, text.replace('https://watch.example.com"\nkey', f'{HOST}"\nkey'))
    plan = make_plan(config)
    story = Story.begin(database, plan)
    story.evaluate(NOON, store=REVOKED)
    async with open_web(database, plan, config) as web:
        await web.log_in("a long password")
        page = (await web.get("/connections/store", headers={"Accept": "text/html"})).text
    assert "Link to send to the store owner (needs a login here): " in page


@pytest.mark.parametrize("outcome", [OK, REVOKED, DENIED, OLD], ids=["ok", *OUTCOMES])
@pytest.mark.parametrize("name", ["by hand", "consent page"])
async def test_where_it_cannot_be_renewed_here_no_button_says_so(database, tmp_path, name, outcome):
    for shown in await show(database, read(tmp_path, SET_UPS[name]), outcome):
        assert "/oauth/amazon/start/" not in shown


async def test_a_missing_role_is_not_sent_to_a_renewal_first(database, tmp_path):
    listed, page = await show(database, read(tmp_path, SET_UPS["here"]), DENIED)
    assert "Renew at Amazon" not in listed
    assert "Compare the app's roles in Developer Central" in page


async def test_the_conclusion_stands_before_what_amazon_says(database, tmp_path):
    listed, page = await show(database, read(tmp_path, SET_UPS["here"]), OLD)
    assert "Old refresh token still in use." in listed
    assert "Renew at Amazon" not in listed
    assert page.index("Put the new refresh token where") < page.index('Amazon says: "no"')


def countdown(n_days_ago: int, more: str = "") -> str:
    return COUNTDOWN + f"authorized_on = {(NOON - n_days_ago * DAY).date()}\n{more}"


async def test_a_countdown_is_on_schedule_and_never_works(database, tmp_path):
    listed, page = await show(database, read(tmp_path, countdown(100)), OK)
    assert "On schedule: renew by " in page
    assert "connwatch does not call this service; it counts from the date you gave." in page
    for shown in (listed, page):
        assert "Works" not in shown
        assert "Healthy<" not in shown
        assert "accepts the credential" not in shown
    assert "Last checked" not in page.split("Recent checks")[0]
    assert "on schedule" in page.split("Recent checks")[1]


@pytest.mark.parametrize("n_days_ago", [340, 364])
async def test_a_countdown_that_ends_is_recorded_not_validated(database, tmp_path, n_days_ago):
    listed, page = await show(database, read(tmp_path, countdown(n_days_ago)), OK)
    assert '<a class="button main" href="/connections/store?record=true#record"' in listed
    assert "Validate" not in listed
    assert re.search(r'<summary class="button main">Record a renewal…</summary>', page)
    assert '<button class="main">Validate' not in page


async def test_the_link_to_record_a_renewal_opens_the_form(database, tmp_path):
    path = "/connections/store?record=true"
    _, page = await show(database, read(tmp_path, countdown(340)), OK, path)
    assert re.search(r'<details name="action" id="record" open>', page)


RECORDED = {
    "countdown": (countdown(100), "Nov 22, 2027 (365 days after the day that you enter)"),
    "another length": (countdown(10, "valid_days = 90\n"), "(90 days after the day"),
    "store without a date": (APP + STORE, "Nov 22, 2027 (365 days after"),
    "self-authorized": (APP + STORE + "valid_days = 0\n", None),
    "token": (TOKEN, None),
    "token with a date": (
        TOKEN + f"authorized_on = {(NOON - 9 * DAY).date()}\n",
        "Nov 22, 2027 (365 days after",
    ),
}


@pytest.mark.parametrize(("text", "said"), RECORDED.values(), ids=RECORDED)
async def test_a_renewal_is_recorded_only_where_a_clock_is(database, tmp_path, text, said):
    _, page = await show(database, read(tmp_path, text), OK)
    assert ("Record a renewal…" in page) is (said is not None)
    assert ('<button class="main">Save</button>' in page) is (said is not None)
    if said is None:
        assert "or record a renewal" not in page
    else:
        assert re.search(rf"Next expiry: .*{re.escape(said)}", page)
