"""
Commands know the channels that are not in the file.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from cryptography.fernet import Fernet

from monitor.clock import utc_now
from monitor.config.channels import ChannelRules
from monitor.config.load import load_config
from monitor.config.plan import make_plan
from monitor.engine.channels import put_channel
from monitor.engine.ciphers import Cipher
from monitor.store import migrate
from monitor.store.engine import Database
from tests.bench import Bench
from tests.loopback import Handler, serve
from tests.sinks import run_web_hook

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.sinks import WebHook

WEB = f'[web]\nlisten = ""\nkey = "{Fernet.generate_key().decode()}"\n'
EXPIRED = """
name = "old"
provider = "countdown"
authorized_on = 2020-01-01
valid_days = 365
"""


@pytest.fixture
def hook() -> Iterator[WebHook]:
    with run_web_hook() as hook:
        yield hook


@pytest.fixture
def bench(tmp_path: Path, hook: WebHook) -> Bench:
    bench = Bench(tmp_path)
    bench.configure(EXPIRED, more=WEB + 'allowed_hosts = ["127.0.0.1"]\n')
    config = load_config(bench.config_path)
    database = Database(config.monitor.database)
    migrate.upgrade(database)
    checked = ChannelRules(config, str, utc_now()).check({"name": "ops", "url": hook.url()})
    with database.write() as tx:
        put_channel(tx, checked, Cipher.of(config.web), make_plan(config), config, utc_now())
    database.close()
    return bench


def test_alerts_test_sends_to_it(bench, hook):
    ended = bench.run("alerts", "test", "ops", "--kind", "error")
    assert (ended.code, ended.out) == (0, "ops: 1 message sent\n")
    assert hook.paths() == ["/hook"]


class Rejecting(Handler):
    def do_GET(self) -> None:  # noqa: N802 - its name there
        self.answer(401)


def test_a_check_delivers_its_alerts_to_it(bench, hook):
    with serve(Rejecting) as port:
        shop = f'name = "shop"\nprovider = "http"\nurl = "http://127.0.0.1:{port}/"\ntoken = "x"\n'
        web = bench.config_path.read_text().partition("[[connections]]")[0]
        bench.configure(shop, more=f"{web}[checks]\nalert_after_refusals = 1\n")
        ended = bench.run("check", "--send")
    assert "1 sent" in ended.err
    assert ["shop" in str(sent) for _, sent in hook.posts] == [True]


def test_explain_names_it_and_status_does_not_miss_a_channel(bench):
    explained = json.loads(bench.run("alerts", "explain", "old", "error", "--json").out)
    assert [one["channel"] for one in explained["channels"]] == ["ops"]
    assert "No notification channel" not in bench.run("status").out


def test_it_may_call_no_more_than_the_file_lets_in(bench, hook):
    bench.configure(EXPIRED, more=WEB)
    ended = bench.run("alerts", "test", "ops", "--kind", "error")
    assert ended.code != 0
    assert "web.allowed_hosts" in ended.out
    assert hook.posts == []
