"""
The URL of a channel is built of what people know of it, and no part is ever quoted in an error.
"""

from __future__ import annotations

import asyncio

import pytest

from monitor.notify.apprise import open_urls
from monitor.notify.channel_urls import BUILDERS, BadParts, build_url
from tests.sinks import run_mail_server, run_web_hook

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

MAIL = {"recipients": "ops@example.com", "sender": "watch@example.com"}
LOGIN = {"user": "anna@example.com", "password": "p/%a b@:#"}
BOT = "123456789:abcdefghijklmnopqrstuvwxyz012345678"
SLACK = "https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"
TEAMS = (
    "https://prod-12.westus.logic.azure.com:443/workflows/abcdef0123456789/triggers/manual/paths"
    "/invoke?api-version=2016-06-01&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=AbC-dEf_1"
)
POWER = (
    "https://default0123.45.environment.api.powerplatform.com:443/powerautomate/automations/direct"
    "/workflows/abcdef0123456789/triggers/manual/paths/invoke?api-version=1"
    "&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=AbC-dEf_1"
)

GOOD = {
    "mail by server": (
        "email",
        {**MAIL, "server": "smtp.example.com"},
        "mailtos://smtp.example.com?",
    ),
    "mail with TLS from the start": (
        "email",
        {**MAIL, **LOGIN, "server": "smtp.example.com", "port": "465", "security": "ssl"},
        "mailtos://anna%40example.com:p%2F%25a%20b%40%3A%23@smtp.example.com:465?",
    ),
    "mail without encryption": (
        "email",
        {**MAIL, "server": "127.0.0.1", "port": "25", "security": "insecure"},
        "mailto://127.0.0.1:25?from=watch%40example.com&to=ops%40example.com&mode=insecure",
    ),
    "mail of a provider": (
        "email",
        {"recipients": "a@b.de; c@d.de", "user": "anna@gmail.com", "password": "pw"},
        "mailtos://anna%40gmail.com:pw@gmail.com?from=anna%40gmail.com&to=a%40b.de,c%40d.de",
    ),
    "slack": ("slack", {"address": f" {SLACK}\n"}, SLACK),
    "teams": ("teams", {"address": TEAMS}, TEAMS),
    "teams of power automate": ("teams", {"address": POWER}, POWER),
    "telegram": (
        "telegram",
        {"token": BOT, "chats": "-1001234567890, @alerts 12315544:7"},
        f"tgram://{BOT}/-1001234567890/@alerts/12315544:7/",
    ),
    "webhook": (
        "webhook",
        {"address": "https://example.com:8443/in?token=aBc&x=1%2F2"},
        "jsons://example.com:8443/in?-token=aBc&-x=1%2F2",
    ),
    "webhook in the clear": (
        "webhook",
        {"address": "http://127.0.0.1:9/x"},
        "json://127.0.0.1:9/x",
    ),
    "anything": ("apprise", {"address": "ntfys://ntfy.sh/topic"}, "ntfys://ntfy.sh/topic"),
}


@pytest.mark.parametrize(("kind", "parts", "expected"), GOOD.values(), ids=GOOD)
def test_a_url_is_built_that_the_service_can_be_opened_with(kind, parts, expected):
    url = build_url(kind, parts)
    assert url.startswith(expected)
    assert open_urls(url)


CANARY = "hunter2-canary"
BAD = {
    "nobody to write to": ("email", {"sender": "a@b.de"}, {"recipients"}),
    "no sender": ("email", {"recipients": "a@b.de", "user": "anna", "password": "x"}, {"sender"}),
    "recipients that are none": ("email", {**MAIL, "recipients": "anna"}, {"recipients"}),
    "a port that is none": ("email", {**MAIL, "port": "99999"}, {"port"}),
    "a port of words": ("email", {**MAIL, "port": "²"}, {"port"}),
    "a server with a scheme": ("email", {**MAIL, "server": "smtp://x"}, {"server"}),
    "a user alone": ("email", {**MAIL, "user": "anna"}, {"password"}),
    "a password alone": ("email", {**MAIL, "password": CANARY}, {"user"}),
    "another encryption": ("email", {**MAIL, "security": "none"}, {"security"}),
    "another site than slack": ("slack", {"address": f"https://example.com/{CANARY}"}, {"address"}),
    "slack without its parts": (
        "slack",
        {"address": f"https://hooks.slack.com/services/{CANARY}"},
        {"address"},
    ),
    "another site than teams": ("teams", {"address": f"https://x.example/{CANARY}"}, {"address"}),
    "nothing of telegram": ("telegram", {}, {"token", "chats"}),
    "a token that is none": ("telegram", {"token": CANARY, "chats": "1"}, {"token"}),
    "chats that are none": ("telegram", {"token": BOT, "chats": "my group"}, {"chats"}),
    "a webhook without a scheme": ("webhook", {"address": f"example.com/{CANARY}"}, {"address"}),
    "a webhook of two lines": ("webhook", {"address": f"https://a/{CANARY}\nb"}, {"address"}),
    "a webhook with an odd port": ("webhook", {"address": "https://a:port/"}, {"address"}),
    "a webhook of files": ("webhook", {"address": "file:///etc/passwd"}, {"address"}),
}


@pytest.mark.parametrize(("kind", "parts", "named"), BAD.values(), ids=BAD)
def test_a_part_that_is_of_no_use_is_named_and_not_quoted(kind, parts, named):
    with pytest.raises(BadParts) as caught:
        build_url(kind, parts)
    assert {part for part, _ in caught.value.problems} == named
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize("kind", BUILDERS)
def test_nothing_at_all_is_refused(kind):
    with pytest.raises(BadParts):
        build_url(kind, {})


def test_what_a_web_address_asks_for_arrives_as_it_was_written():
    with run_web_hook() as hook:
        url = build_url("webhook", {"address": f"http://127.0.0.1:{hook.port}/in/here?Key=a%26B"})
        [target] = open_urls(url)
        assert target.apprise.notify("hello")
        assert hook.paths() == ["/in/here"]


@pytest.mark.anyio
async def test_a_mail_server_lets_in_whose_password_holds_any_character():
    async with run_mail_server() as box:
        box.password = b"p/%a b@:#"
        parts = {**MAIL, **LOGIN, "server": "127.0.0.1", "port": str(box.port)}
        url = build_url("email", {**parts, "security": "insecure"})
        [target] = open_urls(url)
        assert await asyncio.to_thread(target.apprise.notify, "hello")
        assert [mail["To"] for mail in box.mails] == ["ops@example.com"]
