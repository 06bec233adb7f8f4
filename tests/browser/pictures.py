"""
Take the pictures of the docs: `make pictures`, or `python -m tests.browser.pictures [FOLDER]`.

A daemon watches a simulated world whose past was made up, so that they show what weeks of
watching show. Needs Chromium; asks nothing outside this machine.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import replace
from datetime import timedelta
from math import sin
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import expect, sync_playwright
from sqlalchemy import insert, update

from monitor.clock import utc_now
from monitor.config.load import load_config
from monitor.config.plan import make_plan
from monitor.judge.outbox import NotificationState
from monitor.judge.outcome import Outcome, QuotaReading, Reason
from monitor.store import migrate
from monitor.store.engine import Database
from monitor.store.schema import check_days, check_hours, notifications
from tests.browser.conftest import CHROMIUM, DESKTOP, PHONE, start_chromium
from tests.builders import REVOKED, UNREACHED, Story, watched_of
from tests.sinks import run_web_hook
from tests.stage import PASSWORD, run_daemon, set_stage
from tests.waiting import PATIENCE_MS

if TYPE_CHECKING:
    from datetime import datetime

    from playwright.sync_api import Browser, Page

    from tests.stage import Stage

IMAGES = Path(__file__).parents[2] / "docs" / "images"

REVOKED_STORE = "initech-america"
TOKEN = "acme-production"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
PAST = timedelta(days=80)
CYCLE_STARTED_DAYS_AGO = 17
LIMIT, A_DAY = 10_000, 430
ACCOUNTS = {TOKEN: ("acme", "Acme Ltd"), "globex-production": ("globex", "Globex GmbH")}
STORES = ("acme-america", "acme-outlet", "globex-america", REVOKED_STORE)
AUTHORIZED_DAYS_AGO = dict(zip(STORES, (120, 339, 210, 95), strict=True))


def main(arguments: list[str]) -> None:
    if CHROMIUM is None:
        sys.exit("no Chromium is installed: apt-get install chromium")
    folder = Path(arguments[0]) if arguments else IMAGES
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as place,
        run_web_hook() as hook,
        set_stage(Path(place)) as stage,
    ):
        open_world(stage, hook.url())
        remember(stage, utc_now())
        web = f'password = "{PASSWORD}"\nallowed_hosts = ["127.0.0.1"]\npublic_url = "{stage.url}"'
        with run_daemon(stage, web), sync_playwright() as playwright:
            browser = start_chromium(playwright)
            take(browser, stage, folder)
            browser.close()


def open_world(stage: Stage, channel: str) -> None:
    """
    Four stores, one of which was revoked, two tokens, and a store that is only counted down.
    """
    now = stage.simulator.clock.now()
    stage.open_application(f'endpoint = "{stage.simulator.endpoint("na")}"')
    for name, days in AUTHORIZED_DAYS_AGO.items():
        since = now - days * DAY
        more = f'authorized_on = {since.date()}\ntags = ["stores"]'
        stage.open_store(name, since, f'{more}\ngroup = "{name.split("-")[0]}"')
    stage.simulator.amazon.revoke(stage.grants[REVOKED_STORE].id, now)
    for name, (account, _) in ACCOUNTS.items():
        stage.simulator.soldscope.account(account).cycle_day = reset_after(now).day
        stage.open_token(name, 'tags = ["production"]', account=account)
    stage.simulator.soldscope.spend("acme", spent_by(now, now), now)
    stage.simulator.soldscope.spend("globex", 31, now)
    authorized_on = (now - 60 * DAY).date()
    stage.add(
        '\n[[connections]]\nname = "globex-europe-in-soldscope"\nprovider = "countdown"\n'
        f'authorized_on = {authorized_on}\ntags = ["stores"]\n'
    )
    stage.add(f'\n[[channels]]\nname = "ops-slack"\nurl = "{channel}"\n')


def cycle_start(now: datetime) -> datetime:
    """
    Return when the present period of the quotas began.
    """
    return (now - CYCLE_STARTED_DAYS_AGO * DAY).replace(hour=0, minute=0, second=0, microsecond=0)


def reset_after(now: datetime) -> datetime:
    started = cycle_start(now)
    return started.replace(year=started.year + started.month // 12, month=started.month % 12 + 1)


def spent_by(at: datetime, now: datetime) -> int:
    """
    Return what was used of the period of *at*, a little more on some days than on others.
    """
    days = ((at - cycle_start(now)) / DAY) % 30
    return max(0, min(LIMIT, round(A_DAY * days + 260 * sin(days * 1.3))))


def remember(stage: Stage, now: datetime) -> None:
    """
    Make up what the daemon would have seen.
    """
    plan = make_plan(load_config(stage.configure()))
    database = Database(f"sqlite:///{stage.folder / 'connwatch.db'}")
    migrate.upgrade(database)
    story = Story.begin(database, plan, now - PAST)
    works = {name: Outcome(Reason.OK, latency_ms=180.0) for name in watched_of(plan)}
    for name, (_, account) in ACCOUNTS.items():
        works[name] = replace(works[name], account=account)
    for name in STORES:
        works[name] = replace(works[name], account=name.replace("-", " ").title())
    story.evaluate(now - PAST, **works)
    _break_down(story, now, works)
    _use_quota(story, now, works[TOKEN])
    for hours in (4.0, 3.9):
        story.evaluate(now - hours * HOUR, **{REVOKED_STORE: REVOKED})
    with database.write() as tx:
        tx.execute(
            update(notifications).values(
                state=NotificationState.SENT, sent_at=notifications.c.due_since, attempts=1
            )
        )
        for number, name in enumerate(watched_of(plan)):
            for table, length in ((check_hours, HOUR), (check_days, DAY)):
                tx.execute(insert(table), list(_sums(story.record(name).id, number, now, length)))
    database.close()


def _break_down(story: Story, now: datetime, works: dict[str, Outcome]) -> None:
    """
    Have a token without an answer for three hours, and a store without one for a day.
    """
    for name, days, hours in ((TOKEN, 41, 9), ("acme-america", 22, 26), ("acme-outlet", 60, 30)):
        for minutes in (0, 5, 10):
            story.evaluate(now - days * DAY + timedelta(minutes=minutes), **{name: UNREACHED})
        story.evaluate(now - days * DAY + hours * HOUR, **{name: works[name]})


def _use_quota(story: Story, now: datetime, works: Outcome) -> None:
    at = cycle_start(now) - 13 * DAY
    while at < now:
        resets_at = reset_after(now) if at >= cycle_start(now) else cycle_start(now)
        reading = QuotaReading(LIMIT, LIMIT - spent_by(at, now), resets_at)
        story.evaluate(at, **{TOKEN: replace(works, quota=reading)})
        at += 6 * HOUR


def _sums(connection_id: int, number: int, now: datetime, length: timedelta):
    step = length // HOUR
    starts_at = (now - PAST).replace(hour=0, minute=0, second=0, microsecond=0)
    hour = 0
    while starts_at + length <= now:
        hours = range(hour, hour + step)
        took = [_answer_time(number, each) for each in hours]
        yield {
            "starts_at": starts_at,
            "connection_id": connection_id,
            "n_success": 60 * step,
            "n_refusal": 0,
            "n_inconclusive": sum(each % 531 == 250 for each in hours),
            "latency_us_sum": round(60 * sum(took) * 1000),
            "latency_us_max": round(max(took) * 2000),
            "n_latency": 60 * step,
        }
        starts_at += length
        hour += step


def _answer_time(number: int, hour: int) -> float:
    return 150 + 30 * number + 25 * sin(hour / 160) + 18 * sin(hour * 1.7) * sin(hour / 9)


def take(browser: Browser, stage: Stage, folder: Path) -> None:
    """
    Look at the list and at one connection, and keep what is to be seen.
    """
    page = _open(browser, stage, "/", viewport=DESKTOP | {"height": 760})
    page.screenshot(path=str(folder / "connections.png"))
    page = _open(browser, stage, f"/connections/{TOKEN}", viewport=DESKTOP | {"height": 860})
    page.screenshot(path=str(folder / "connection.png"))
    page = _open(browser, stage, "/", viewport=PHONE, color_scheme="dark")
    page.screenshot(path=str(folder / "phone.png"))
    page = _open(browser, stage, "/new", viewport=DESKTOP | {"height": 760})
    take_setup(page, stage, folder)
    take_people(page, stage, folder)
    take_renewal(browser, page, stage, folder)


def take_setup(page: Page, stage: Stage, folder: Path) -> None:
    """
    Go the ways on which things are added, and keep what is to be seen there.
    """
    page.screenshot(path=str(folder / "new.png"))
    page.goto(f"{stage.url}/new/soldscope")
    page.get_by_label("Base URL").fill(stage.simulator.soldscope_url)
    page.get_by_label("API token").fill("mistyped")
    page.get_by_role("button", name="Test and save").click()
    expect(page.get_by_role("alert")).to_contain_text("rejected", timeout=PATIENCE_MS)
    page.set_viewport_size({"width": DESKTOP["width"], "height": 1200})
    page.screenshot(path=str(folder / "token.png"))
    page.goto(f"{stage.url}/new/store")
    page.get_by_role("link", name="North America").click()
    page.get_by_label("Signed in as").select_option("")
    page.get_by_label("Name of a new store").fill("Umbrella America")
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("has confirmed")
    page.set_viewport_size({"width": DESKTOP["width"], "height": 860})
    page.screenshot(path=str(folder / "store.png"))
    page.goto(f"{stage.url}/channels/new")
    page.set_viewport_size({"width": DESKTOP["width"], "height": 560})
    page.screenshot(path=str(folder / "channel.png"))


def take_people(page: Page, stage: Stage, folder: Path) -> None:
    """
    Let somebody in who sees one group, and look at the group.
    """
    for name, groups in (("ana", ""), ("globex-owner", "globex")):
        page.goto(f"{stage.url}/people/new")
        page.get_by_label("Name").fill(name)
        page.get_by_label("Role").select_option("viewer" if groups else "operator")
        page.get_by_label("Groups").fill(groups)
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_role("heading", level=1)).to_have_text(f"{name} can log in now")
    page.goto(f"{stage.url}/people")
    page.set_viewport_size({"width": DESKTOP["width"], "height": 480})
    page.screenshot(path=str(folder / "people.png"))
    page.goto(f"{stage.url}/groups/globex")
    page.set_viewport_size({"width": DESKTOP["width"], "height": 760})
    page.screenshot(path=str(folder / "group.png"))
    page.goto(f"{stage.url}/audit")
    page.set_viewport_size({"width": DESKTOP["width"], "height": 560})
    page.screenshot(path=str(folder / "audit.png"))


def take_renewal(browser: Browser, page: Page, stage: Stage, folder: Path) -> None:
    """
    Invite the owner of the revoked store, and look at the link on a phone.
    """
    page.goto(f"{stage.url}/connections/{REVOKED_STORE}")
    page.get_by_text("Invite the owner …").click()
    page.get_by_role("button", name="Make a link").click()
    address = page.get_by_label("Address").input_value()
    phone = browser.new_context(viewport=PHONE).new_page()  # type: ignore[arg-type]
    phone.goto(address)
    phone.screenshot(path=str(folder / "renewal.png"))


def _open(browser: Browser, stage: Stage, path: str, **options: object) -> Page:
    page = browser.new_context(**options).new_page()  # type: ignore[arg-type]
    page.goto(stage.url)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.locator(".list > li").first).to_contain_text("revoked", timeout=PATIENCE_MS)
    page.wait_for_function(
        "!document.querySelector('.list').textContent.includes('not checked yet')",
        timeout=PATIENCE_MS,
    )
    page.goto(stage.url + path)
    expect(page.locator("#live")).to_have_text("live")
    return page


if __name__ == "__main__":
    main(sys.argv[1:])
