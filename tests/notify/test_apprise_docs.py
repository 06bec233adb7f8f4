"""
Do what the pages about channels say.
"""

from __future__ import annotations

import asyncio
import re
import shlex
import ssl
import subprocess
import tomllib
from pathlib import Path

import pytest
import trustme

from monitor.clock import utc_now
from monitor.judge.alerts import AlertKind
from monitor.notify.formats import Form
from monitor.notify.samples import sample_message
from monitor.notify.template import render
from tests.command_line import connwatch
from tests.sinks import run_mail_server

DOCS = Path(__file__).resolve().parents[2] / "docs" / "channels"
PAGES = ["email", "slack", "telegram"]


def blocks(page: str, language: str) -> list[str]:
    text = (DOCS / f"{page}.md").read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def commands(page: str, name: str) -> list[list[str]]:
    lines = "".join(blocks(page, "sh")).splitlines()
    return [shlex.split(line) for line in lines if line.startswith(f"{name} ")]


@pytest.mark.parametrize("page", PAGES)
def test_what_the_page_says_makes_a_good_configuration(page, tmp_path):
    config = tmp_path / "config.toml"
    config.write_text("".join(blocks(page, "toml")))
    config.chmod(0o600)
    (keeping,) = [block for block in blocks(page, "sh") if "printf" in block]
    subprocess.run(["sh", "-eu", "-c", keeping], cwd=tmp_path, check=True)

    ended = connwatch("config", "check", cwd=tmp_path)

    assert ended.code == 0, ended.err
    assert "1 channel, no problem found" in ended.out
    (url,) = [path for path in tmp_path.iterdir() if path.name.endswith("-url")]
    assert url.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("page", PAGES)
def test_the_page_tries_the_channel_that_it_made(page):
    (settings,) = blocks(page, "toml")
    (channel,) = tomllib.loads(settings)["channels"]
    assert ["connwatch", "config", "check"] in commands(page, "connwatch")
    assert ["connwatch", "alerts", "test", channel["name"], "--kind", "error"] in commands(
        page, "connwatch"
    )


@pytest.mark.parametrize("page", [*PAGES, "templates"])
def test_every_command_that_the_page_names_exists(page, tmp_path):
    text = (DOCS / f"{page}.md").read_text(encoding="utf-8")
    named = set(re.findall(r"connwatch ((?:alerts|config) [a-z]+|run)", text))
    assert named
    for command in sorted(named):
        assert connwatch(*command.split(), "--help", cwd=tmp_path).code == 0, command


@pytest.mark.parametrize("kind", AlertKind)
def test_the_example_of_a_template_words_every_kind(kind, tmp_path):
    path = tmp_path / "ops.j2"
    path.write_text(blocks("templates", "jinja")[0])
    title, text = render(path, sample_message(kind, utc_now()), Form.MRKDWN)
    assert "[TEST]" in title
    assert "*Next step:*" in text


def test_the_page_about_templates_names_all_that_they_can_use():
    from monitor.notify.sandbox import make_environment
    from monitor.notify.template import context_of

    text = (DOCS / "templates.md").read_text(encoding="utf-8")
    filters = {name for name in make_environment(Form.PLAIN).filters if not name.startswith("_")}
    context = context_of(sample_message(AlertKind.ERROR, utc_now()), Form.PLAIN)
    missing = [name for name in {*filters, *context} - {"d"} if f"`{name}`" not in text]
    assert missing == []


@pytest.mark.anyio
async def test_the_page_about_mail_leads_to_a_first_alert(tmp_path):
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(tls)
    config = tmp_path / "config.toml"
    config.write_text("".join(blocks("email", "toml")))
    config.chmod(0o600)
    (keeping,) = [block for block in blocks("email", "sh") if "printf" in block]
    trying = commands("email", "connwatch")[-1][1:]
    async with run_mail_server(tls) as box:
        keeping = keeping.replace("app-password", "hunter2").replace("alerts:", "anna:")
        keeping = keeping.replace("smtp=smtp.example.com", "smtp=localhost")
        keeping = keeping.replace("@example.com?", f"@example.com:{box.port}?")
        subprocess.run(["sh", "-eu", "-c", keeping], cwd=tmp_path, check=True)  # noqa: ASYNC221 - short
        ended = await asyncio.to_thread(
            connwatch,
            *trying,
            cwd=tmp_path,
            env={"SSL_CERT_FILE": str(tmp_path / "ca.pem")},
        )
    assert (ended.code, ended.out) == (0, "ops-mail: 1 message sent\n"), ended.err
    [mail] = box.mails
    assert mail["Subject"] == "🔴 [TEST] soldscope-production: token rejected"
    assert mail["To"].addresses[0].addr_spec == "ops@example.com"
