"""
Real services, as Apprise's real plugins reach them: under their own names, over TLS.
"""

from __future__ import annotations

import asyncio
import html
import re
import socket
import ssl
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from monitor.config.secret import Secret
from monitor.judge.alerts import KINDS, AlertKind
from monitor.notify.apprise import AppriseSender
from monitor.notify.delivery import AlertError
from monitor.notify.message import Message, compose
from monitor.notify.samples import sample_message
from tests.sinks import Stage, run_mail_server, run_stage

if TYPE_CHECKING:
    import trustme

# Apprise asks for it while it imports, prepared to do without.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
LINK = "https://watch.example.com/connections/acme?a=1&b=2"
SERVICES = ("hooks.slack.com", "slack.com", "api.telegram.org", "discord.com")

SLACK = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/"
TELEGRAM = "tgram://123456789:abcdefg_hijklmnop/12315544/"
DISCORD = "discord://417421629812345678/JHMHI8qBe7bk2ZwO5U711o3dV_js/"

EVIL_NAME = "acme <!channel> @here *x* _y_ [bank](https://e.io)"
EVIL_DETAIL = "</b><a href='https://e.io'>go</a> <!here> <@U123> <https://e.io|bank> `z` ~w~ &amp;"


@pytest.fixture
def trusted(authority, tmp_path, monkeypatch):
    """
    The ways in which the documents tell people to trust a CA of their own.
    """
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(path)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(path))


def server_side(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    return context


@pytest.fixture
def stage(authority, trusted, monkeypatch):
    """
    Every service of `SERVICES`, at its own address as far as this process can tell.
    """
    resolve = socket.getaddrinfo
    with run_stage(server_side(authority, *SERVICES)) as stage:

        def resolve_here(host, port, *args, **kwargs):
            if host in SERVICES and port == 443:
                return resolve("127.0.0.1", stage.port, *args, **kwargs)
            return resolve(host, port, *args, **kwargs)

        monkeypatch.setattr(socket, "getaddrinfo", resolve_here)
        yield stage


def error_of(detail: str, names=("acme",), n: int | None = None) -> Message:
    return compose(
        AlertKind.ERROR,
        KINDS[AlertKind.ERROR].severity,
        {"reason": "token_rejected", "detail": detail, "since": "2026-11-22T11:55:00+00:00"},
        names,
        NOW,
        LINK,
        NOW,
        n_connections=n,
    )


def send(url: str, message: Message, template=None) -> None:
    templates = {"ops": template} if template else {}
    AppriseSender({"ops": Secret(url)}, templates).send("ops", message)


def slack_text(stage: Stage) -> tuple[str, str]:
    [(host, path, payload)] = stage.posts
    assert host == "hooks.slack.com"
    assert path == "/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"
    [attachment] = payload["attachments"]
    return attachment["title"], attachment["text"]


def test_slack_gets_its_own_formatting(stage):
    send(SLACK, error_of("401 Unauthorized"))
    title, text = slack_text(stage)
    assert title == "🔴 acme: token rejected"
    assert stage.posts[0][2]["mrkdwn"] is True
    assert "\n\n*What to do:* Create a new token" in text
    assert f"\n\n*Open in connwatch:* <{html.escape(LINK)}>\n\n" in text
    assert text.endswith("\n\nDetails: 401 Unauthorized")


def test_slack_shows_nothing_from_outside_as_a_mark_or_a_mention(stage):
    send(SLACK, error_of(EVIL_DETAIL, (EVIL_NAME,)))
    title, text = slack_text(stage)
    assert re.findall(r"<[^>]*>", text) == [f"<{html.escape(LINK)}>"]
    assert "<" not in title
    assert "@here" not in title + text
    assert re.findall(r"\*[^*]+\*", text) == ["*What to do:*", "*Open in connwatch:*"]
    assert "&amp;amp;" in text


def test_slack_gets_an_address_of_a_block_in_blocks_too(stage):
    send(f"{SLACK}?blocks=yes", error_of(EVIL_DETAIL, [f"store-{n}" for n in range(20)], 1000))
    header, section, _ = stage.posts[0][2]["attachments"][0]["blocks"]
    assert len(header["text"]["text"]) <= 150
    assert section["text"]["type"] == "mrkdwn"
    assert len(section["text"]["text"]) <= 3000
    assert f"and 980 more: <{html.escape(LINK)}>" in section["text"]["text"]


def test_slack_without_formatting_gets_plain_text(stage):
    send(f"{SLACK}?format=text", error_of("<!channel> & co"))
    _, text = slack_text(stage)
    assert stage.posts[0][2]["mrkdwn"] is False
    assert "Details: &lt;\u200b!channel&gt; &amp; co" in text
    assert "*" not in text


def test_slack_gets_one_message_however_much_there_is_to_say(stage):
    names = [f"{n} {'&' * 90}" for n in range(20)]
    send(SLACK, error_of("&" * 300, names, 90_000))
    _, text = slack_text(stage)
    assert len(text) <= 3000
    assert "\n... and more\n\n*What to do:*" in text
    assert re.sub(r"&amp;", "", text).count("&") == 0


def test_a_template_for_slack_is_sent_as_it_is_written(stage, tmp_path):
    path = tmp_path / "ops.j2"
    path.write_text("Subject: {{ kind }}\n*{{ connections[0] }}* <{{ link }}|open> <!here>")
    send(SLACK, error_of("x", (EVIL_NAME,)), path)
    title, text = slack_text(stage)
    assert title == "error"
    assert text.endswith(f"* <{html.escape(LINK)}|open> <!here>")
    assert text.startswith("*acme &lt;\u200b!channel&gt; @\u200bhere \u2217x\u2217 ")


@pytest.mark.parametrize(
    ("headers", "body", "expected"),
    [
        ({"Retry-After": "30"}, b"rate_limited", timedelta(seconds=30)),
        ({"Retry-After": "Fri, 01 Jan 2100 00:00:00 GMT"}, b"", timedelta(days=1)),
        ({"Retry-After": "soon"}, b"", None),
        ({}, b"[]", None),
    ],
    ids=["seconds", "date", "nonsense", "nothing"],
)
def test_how_long_slack_wants_to_be_left_alone_is_kept(stage, headers, body, expected):
    stage.status, stage.headers, stage.body = 429, headers, body
    with pytest.raises(AlertError) as caught:
        send(SLACK, error_of("x"))
    assert caught.value.retry_after == expected
    assert "error=429" in str(caught.value)
    assert "TIiajkdnlazkcOXrIdevi7FQ" not in str(caught.value)


def test_a_refusal_that_is_no_hurry_says_nothing_of_waiting(stage):
    stage.status, stage.headers = 404, {"Retry-After": "30"}
    with pytest.raises(AlertError) as caught:
        send(SLACK, error_of("x"))
    assert caught.value.retry_after is None


def test_a_certificate_of_a_stranger_is_not_trusted(stage, monkeypatch):
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    with pytest.raises(AlertError, match="certificate verify failed"):
        send(SLACK, error_of("x"))
    assert stage.posts == []


def telegram_text(stage: Stage) -> str:
    [(host, path, payload)] = stage.posts
    assert (host, payload["chat_id"]) == ("api.telegram.org", 12315544)
    assert path == "/bot123456789:abcdefg_hijklmnop/sendMessage"
    assert payload["parse_mode"] == "HTML"
    text: str = payload["text"]
    return text


@pytest.fixture
def telegram(stage):
    stage.body = b'{"ok": true, "result": {}}'
    return stage


def test_telegram_gets_its_own_html(telegram):
    send(TELEGRAM, error_of("401 Unauthorized"))
    text = telegram_text(telegram)
    assert text.startswith("<b>🔴 acme: token rejected</b>\n\nThe service rejects")
    assert "\n\n<b>What to do:</b> Create a new token" in text
    assert text.endswith("\n\nDetails: 401 Unauthorized")
    assert f'<a href="{html.escape(LINK)}">' in text


def test_telegram_gets_no_tag_from_outside(telegram):
    send(TELEGRAM, error_of(EVIL_DETAIL, (EVIL_NAME,)))
    text = telegram_text(telegram)
    tags = re.findall(r"<[^>]*>", text)
    assert [tag[1:-1] for tag in tags if not tag.startswith("</")] == [
        "b",
        "b",
        "b",
        f'a href="{html.escape(LINK)}"',
        "code",
    ]  # `z` from outside reads as code, which does no harm
    assert len(tags) == 10
    assert "@here" not in text
    assert "&lt;/b&gt;&lt;a href=" in text


def test_telegram_gets_one_message_however_much_there_is_to_say(telegram):
    names = [f"🔴{n} {'&' * 90}" for n in range(20)]
    send(TELEGRAM, error_of("&" * 300, names, 90_000))
    text = telegram_text(telegram)
    assert len(text.encode("utf-16-le")) // 2 <= 4096
    assert "\n... and more\n\n<b>What to do:</b>" in text
    assert not re.search(r"&(?!amp;|lt;|gt;|quot;)", text)


def test_a_template_for_telegram_with_an_open_tag_is_mended(telegram, tmp_path):
    path = tmp_path / "ops.j2"
    path.write_text("<b>{{ connections[0] }}\nsecond <marquee>line")
    send(TELEGRAM, error_of("x", ("a<b>",)), path)
    text = telegram_text(telegram)
    assert "<b>a&lt;b&gt;\r\nsecond line</b>" in text


def test_telegrams_own_way_of_asking_to_wait_is_understood(telegram):
    telegram.status = 429
    telegram.body = b'{"ok": false, "error_code": 429, "parameters": {"retry_after": 17}}'
    with pytest.raises(AlertError) as caught:
        send(TELEGRAM, error_of("x"))
    assert caught.value.retry_after == timedelta(seconds=17)


def test_discord_gets_markdown_in_which_nothing_from_outside_is_a_mark(stage):
    stage.status, stage.body = 204, b""
    send(DISCORD, error_of(EVIL_DETAIL, (EVIL_NAME,)))
    [(host, _, payload)] = stage.posts
    assert host == "discord.com"
    text = payload["content"]
    assert text.startswith("**🔴 acme \\<")
    assert "\\*x\\* \\_y\\_ \\[bank\\]\u200b\\(https" in text
    assert f"**Open in connwatch:** <{LINK}>" in text
    assert "@here" not in text
    assert len(text) <= 2000


def test_a_template_that_fails_is_replaced_by_the_built_in_text_and_logged_once(stage, tmp_path):
    path = tmp_path / "ops.j2"
    path.write_text("{{ nope }}")
    with capture_logs() as logs:
        send(SLACK, error_of("401 Unauthorized"), path)
        assert "Details: 401 Unauthorized" in slack_text(stage)[1]
        send(SLACK, error_of("401 Unauthorized"), path)
        path.write_text("{{ other }}")
        send(SLACK, error_of("401 Unauthorized"), path)
    assert len(stage.posts) == 3
    assert [(entry["event"], entry["error"]) for entry in logs] == [
        ("template.failed", "ops.j2, line 1: 'nope' is undefined"),
        ("template.failed", "ops.j2, line 1: 'other' is undefined"),
    ]


def test_a_template_with_lines_too_long_for_the_service_is_replaced(stage, tmp_path):
    path = tmp_path / "ops.j2"
    path.write_text("{% for n in range(500) %}{{ title }}{% endfor %}")
    send(SLACK, error_of("401 Unauthorized"), path)
    assert "Details: 401 Unauthorized" in slack_text(stage)[1]


def test_a_web_hook_gets_plain_text(hook):
    message = error_of(EVIL_DETAIL, (EVIL_NAME,))
    send(hook.url(), message)
    [(_, post)] = hook.posts
    assert (post["title"], post["message"]) == (message.title, message.body)


MODES = {"starttls": False, "ssl": True}


@pytest.mark.anyio
@pytest.mark.parametrize(("mode", "is_implicit"), MODES.items(), ids=MODES)
async def test_mail_is_sent_over_tls_as_text_and_as_a_page(authority, trusted, mode, is_implicit):
    tls = server_side(authority, "localhost")
    message = error_of(EVIL_DETAIL, (EVIL_NAME,))
    async with run_mail_server(tls, is_implicit=is_implicit) as box:
        await asyncio.to_thread(send, box.url(mode=mode), message)
    [mail] = box.mails
    assert mail["Subject"] == message.title
    assert mail["To"].addresses[0].addr_spec == "boss@example.com"
    assert mail.get_content_type() == "multipart/alternative"
    plain, page = mail.get_body(("plain",)), mail.get_body(("html",))
    assert plain is not None
    assert page is not None
    assert plain.get_content().strip().splitlines() == message.body.replace("`", "").splitlines()
    assert "&lt;/b&gt;&lt;a href=&#x27;https://e.io&#x27;&gt;go" in page.get_content()
    assert re.findall(r'href="([^"]*)"', page.get_content()) == [html.escape(LINK)]


@pytest.mark.anyio
async def test_mail_to_a_server_of_a_stranger_is_not_sent(authority, trusted, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE")
    async with run_mail_server(server_side(authority, "localhost")) as box:
        with pytest.raises(AlertError, match="certificate verify failed"):
            await asyncio.to_thread(send, box.url(mode="starttls"), error_of("x"))
    assert box.mails == []


@pytest.mark.anyio
async def test_no_line_of_a_name_becomes_a_header():
    async with run_mail_server() as box:
        name = "acme\r\nBcc: all@example.com\r\n\r\nhello"
        await asyncio.to_thread(send, box.url(), error_of("x", (name,)))
    [mail] = box.mails
    assert mail["Bcc"] is None
    assert mail["Subject"] == "🔴 acme Bcc: all@example.com hello: token rejected"


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("file", "kind"), [("ops.j2", "text/plain"), ("ops.html.j2", "multipart/alternative")]
)
async def test_the_name_of_a_template_says_what_a_mail_is_written_in(tmp_path, file, kind):
    path = tmp_path / file
    path.write_text("Subject: {{ severity }}\n<b>{{ facts.detail }}</b>")
    async with run_mail_server() as box:
        await asyncio.to_thread(send, box.url(), error_of("a < b"), path)
    [mail] = box.mails
    assert (mail["Subject"], mail.get_content_type()) == ("critical", kind)
    if kind == "text/plain":
        assert mail.get_content().strip() == "<b>a < b</b>"
    else:
        page = mail.get_body(("html",))
        assert page is not None
        assert "<b>a &lt; b</b>" in page.get_content()


@pytest.mark.parametrize("kind", AlertKind)
def test_each_kind_can_be_posted(telegram, kind):
    send(TELEGRAM, sample_message(kind, NOW))
    assert "[TEST]" in telegram_text(telegram).splitlines()[0]
