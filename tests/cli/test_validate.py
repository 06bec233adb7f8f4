"""
`connwatch validate`: step by step, what is wrong, and who can mend it where.
"""

from __future__ import annotations

import http.server
import json
import re
import ssl
import threading
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from monitor.clock import utc_now
from monitor.notify.times import format_expiry
from tests.bench import OK, Bench, connection
from tests.command_line import converse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import trustme

    from monitor.simulator.amazon import SampleStores
    from monitor.simulator.server import Simulator
    from tests.command_line import Ended

REDIRECT = "https://app.example/callback"
STORE = "acme-north-america"


@pytest.fixture
def samples(simulator: Simulator) -> SampleStores:
    return simulator.amazon.add_sample_stores(utc_now(), redirect_uris=[REDIRECT])


class Store:
    """
    A store in North America, as a configuration has it.
    """

    def __init__(self, bench: Bench, simulator: Simulator, samples: SampleStores) -> None:
        self.bench, self.simulator, self.samples = bench, simulator, samples
        self.grant = samples.stores[0].grant
        self.app = samples.issued.application
        self.application: dict[str, object] = {
            "name": "our-app",
            "client_id": self.app.client_id,
            "client_secret": samples.issued.client_secret,
            "application_id": self.app.application_id,
            "redirect_url": REDIRECT,
            "token_url": simulator.lwa_token_url,
        }
        self.table: dict[str, object] = {
            "name": STORE,
            "provider": "amazon",
            "application": "our-app",
            "region": "na",
            "endpoint": simulator.endpoint("na"),
            "refresh_token": samples.stores[0].refresh_token,
            "marketplaces": ["US", "CA"],
        }
        self.dates = {"authorized_on": self.day(100), "client_secret_created_on": self.day(30)}

    @staticmethod
    def day(ago: int) -> str:
        return f"{utc_now() - timedelta(days=ago):%Y-%m-%d}"

    def configure(self) -> None:
        # JSON's texts and lists are TOML's too.
        lines = ["[[applications]]"]
        lines += [f"{key} = {json.dumps(value)}" for key, value in self.application.items()]
        lines.append(f"client_secret_created_on = {self.dates['client_secret_created_on']}")
        table = [f"{key} = {json.dumps(value)}" for key, value in self.table.items()]
        table.append(f"authorized_on = {self.dates['authorized_on']}")
        self.bench.configure("\n".join(table) + "\n", more="\n".join(lines) + "\n")

    def validate(self, *options: str) -> Ended:
        self.configure()
        return self.bench.run("validate", STORE, *options)

    def fault(self, name: str) -> None:
        self.simulator.amazon_faults.switch_on(name)


@pytest.fixture
def store(bench, simulator, samples):
    return Store(bench, simulator, samples)


def marks(ended: Ended) -> dict[str, str]:
    """The mark of each step; the dash as it is typed."""
    text = ended.out.replace("\N{EN DASH}", "-")
    return {name: mark for mark, name in re.findall(r"(?m)^ ([✓✗!-]) ((?:\w+ )?\w+)  ", text)}


def flat(text: str) -> str:
    return " ".join(text.split())


def countdown(days_left: int, **more: str) -> str:
    authorized_on = f"{utc_now() - timedelta(days=365 - days_left):%Y-%m-%d}"
    lines = ['name = "store"', 'provider = "countdown"', f"authorized_on = {authorized_on}"]
    return "\n".join([*lines, *(f"{key} = {value}" for key, value in more.items())]) + "\n"


# Amazon


def test_a_store_that_is_well_passes_every_step_and_is_stored(store):
    ended = store.validate()
    assert (ended.code, ended.err) == (0, "")
    assert marks(ended) == {
        "name resolution": "✓",
        "connect": "✓",
        "TLS": "-",
        "token": "✓",
        "permission": "✓",
        "marketplaces": "✓",
        "authorization": "✓",
        "client secret": "✓",
    }
    assert "US, CA; also has MX, which `marketplaces` does not name" in flat(ended.out)
    assert "What to do" not in ended.out
    each = store.bench.shown()[STORE]
    assert (each["state"], each["last_check"]["in_a_row"]) == ("active", 1)


def test_the_two_hosts_of_amazon_are_reached_one_after_the_other(store):
    ended = store.validate()
    port = store.simulator.base_url.rpartition(":")[2]
    store.table["endpoint"] = f"http://localhost:{port}/amazon/na"
    both = store.validate()
    assert ended.out.count("name resolution") == 1
    assert both.out.count("name resolution") == 2
    assert both.out.index("token") < both.out.index(f"localhost:{port}\n")


def test_a_revoked_store_gets_the_consent_page_of_its_country(store):
    store.simulator.amazon.revoke(store.grant.id, utc_now())
    ended = store.validate()
    assert ended.code == 2
    assert marks(ended) | {"TLS": "", "connect": ""} == {
        "name resolution": "✓",
        "connect": "",
        "TLS": "",
        "token": "✗",
        "permission": "-",
        "marketplaces": "-",
        "authorization": "✓",
        "client secret": "✓",
    }
    assert "Ask the store owner to authorize the app again in Seller Central," in flat(ended.out)
    [url] = re.findall(r"https://sellercentral\S+", ended.out)
    assert url.startswith("https://sellercentral.amazon.com/apps/authorize/consent?")
    assert f"application_id={store.app.application_id}&state=" in url
    assert url.endswith("&redirect_uri=https%3A%2F%2Fapp.example%2Fcallback")


def test_the_state_of_the_consent_page_is_another_one_each_time(store):
    store.simulator.amazon.revoke(store.grant.id, utc_now())
    states = {re.findall(r"state=([\w-]+)", store.validate().out)[0] for _ in range(2)}
    assert len(states) == 2
    assert min(map(len, states)) >= 16


REFUSALS = {
    "client rejected": ("lwa_unauthorized_client", "token", "Compare client ID and secret"),
    "access denied": ("lwa_access_denied", "token", "Compare the app's roles"),
    "permission denied": ("account_deactivated", "permission", "Compare the app's roles"),
    "no token will do": ("token_refused", "permission", "Ask the store owner"),
}


@pytest.mark.parametrize(("fault", "step", "who"), REFUSALS.values(), ids=REFUSALS)
def test_a_refusal_shows_at_the_step_that_met_it(store, fault, step, who):
    store.fault(fault)
    ended = store.validate()
    assert (ended.code, marks(ended)[step]) == (2, "✗")
    assert marks(ended)["token"] == ("✗" if step == "token" else "✓")
    assert f"What to do: {who}" in flat(ended.out)


def test_a_store_that_worked_is_told_from_one_that_never_did(store):
    store.fault("account_deactivated")
    store.validate()
    [never] = [store.bench.shown()[STORE]["detail"]]
    store.simulator.amazon_faults.clear()
    store.validate()
    store.fault("account_deactivated")
    store.validate()
    assert "connwatch has never seen this authorization work" in never
    assert "It worked before" in store.bench.shown()[STORE]["detail"]


NO_ANSWERS = {
    "token service down": ("lwa_503", "token", "✗"),
    "region down": ("sp_503", "permission", "✗"),
    "region throttles": ("sp_throttle", "permission", "!"),
    "token service is reset": ("lwa_reset", "token", "✗"),
}


@pytest.mark.parametrize(("fault", "step", "mark"), NO_ANSWERS.values(), ids=NO_ANSWERS)
def test_no_answer_is_3_and_names_no_page(store, fault, step, mark):
    store.configure()
    store.bench.evaluate(STORE, OK)
    store.fault(fault)
    ended = store.validate()
    assert (ended.code, marks(ended)[step]) == (3, mark)
    assert "https://" not in ended.out
    assert store.bench.shown()[STORE]["state"] == "active"


def test_a_wrong_client_secret_is_the_developers_and_no_sellers_business(store):
    store.application["client_secret"] = "amzn1.oa2-cs.v1.0000"
    ended = store.validate()
    assert (ended.code, marks(ended)["token"]) == (2, "✗")
    assert "Developer Central" in ended.out
    assert "https://" not in ended.out


def test_an_expired_client_secret_shows_although_the_token_came(store):
    store.app.age_secret(timedelta(days=200))
    ended = store.validate()
    found = marks(ended)
    assert (ended.code, found["token"], found["permission"]) == (2, "✓", "✗")
    assert found["client secret"] == "✗"
    assert "Developer Central" in ended.out
    assert "https://" not in ended.out


def test_a_client_secret_that_ends_soon_is_1(store):
    store.dates["client_secret_created_on"] = store.day(160)
    ended = store.validate()
    assert (ended.code, marks(ended)["client secret"]) == (1, "!")
    assert "Rotate the client secret in Developer Central" in flat(ended.out)


def test_a_client_secret_that_ends_soon_is_named_by_check_and_status(store):
    store.dates["client_secret_created_on"] = store.day(160)
    store.configure()
    now = utc_now()
    end = format_expiry(now + timedelta(days=20), now)
    for command in ("check", "status"):
        ended = store.bench.run(command)
        assert ended.code == 1
        assert f"the client secret of our-app {end}" in flat(ended.out)
    store.dates["client_secret_created_on"] = store.day(100)
    store.configure()
    assert "client secret" not in store.bench.run("status").out


def test_a_missing_marketplace_leads_to_seller_central(store):
    store.grant.remove_marketplace("CA")
    ended = store.validate()
    found = marks(ended)
    assert (ended.code, found["permission"], found["marketplaces"]) == (2, "✓", "✗")
    assert "missing: CA" in ended.out
    assert "https://sellercentral.amazon.com/\n" in ended.out


def test_suspended_listings_are_a_warning_and_no_fault(store):
    store.grant.set_participation("CA", has_suspended_listings=True)
    ended = store.validate()
    assert (ended.code, marks(ended)["marketplaces"]) == (0, "!")
    assert "listings suspended in CA" in ended.out


def test_a_probe_of_the_token_says_what_it_cannot_see(store):
    store.table["probe"] = "token"
    store.table.pop("marketplaces")
    ended = store.validate()
    found = marks(ended)
    assert (ended.code, found["token"], found["permission"]) == (0, "✓", "-")
    assert "neither region nor marketplaces, nor a client secret past" in flat(ended.out)


def test_an_authorization_that_ends_soon_has_its_page(store):
    store.dates["authorized_on"] = store.day(355)
    ended = store.validate()
    assert (ended.code, marks(ended)["authorization"]) == (1, "!")
    assert "/apps/authorize/consent?" in ended.out


def test_a_token_service_that_cannot_be_reached_was_sent_no_token(store):
    store.application["token_url"] = "http://127.0.0.1:9/auth/o2/token"
    ended = store.validate()
    found = marks(ended)
    assert (ended.code, found["connect"], found["TLS"], found["token"]) == (3, "✗", "-", "-")
    assert "connection refused" in ended.out


# Paused, deleted, unknown


def test_a_paused_store_is_asked_once_and_nothing_of_that_is_stored(store):
    store.configure()
    store.bench.evaluate(STORE, OK)
    store.bench.run("pause", STORE)
    before = store.bench.shown()[STORE]
    store.simulator.amazon.revoke(store.grant.id, utc_now())
    ended = store.validate()
    assert (ended.code, marks(ended)["token"]) == (0, "✗")
    assert "authorization revoked" in ended.out
    assert "the result was not stored, and it stays paused" in flat(ended.out)
    assert store.bench.shown()[STORE] == before
    assert before["state"] == "paused"


def test_one_that_the_file_switches_off_needs_no_database(store):
    store.table["enabled"] = False
    ended = store.validate("--report")
    assert (ended.code, ended.err) == (0, "")
    assert "checked this once, and the result was not stored" in ended.out
    assert not store.bench.database.exists()


def test_an_unknown_name_is_3_and_names_the_nearest(store):
    store.configure()
    ended = store.bench.run("validate", "acme-north-amerika")
    assert (ended.code, ended.out) == (3, "")
    assert f'did you mean "{STORE}"' in ended.err


def test_a_deleted_one_is_not_asked(store):
    store.configure()
    store.bench.evaluate(STORE, OK)
    store.bench.run("delete", STORE)
    ended = store.bench.run("validate", STORE)
    assert (ended.code, ended.out) == (3, "")
    assert "was deleted" in ended.err


@pytest.mark.parametrize("is_paused", [False, True], ids=["watched", "paused"])
def test_without_its_secret_nothing_is_asked(store, is_paused):
    store.configure()
    if is_paused:
        store.bench.evaluate(STORE, OK)
        store.bench.run("pause", STORE)
    text = store.bench.config_path.read_text()
    written = json.dumps(store.table["refresh_token"])
    store.bench.config_path.write_text(text.replace(written, '{ credential = "acme" }'))
    ended = store.bench.run("validate", STORE)
    assert (ended.code, ended.out) == (3, "")
    assert "connections[0].refresh_token: credential acme: not visible from here" in ended.err


def test_what_was_found_is_told_later_and_not_sent(store):
    store.simulator.amazon.revoke(store.grant.id, utc_now())
    for _ in range(2):
        assert store.validate().code == 2
    past = json.loads(store.bench.run("history", STORE, "--json").out)
    assert [each["kind"] for each in past["alerts"]] == ["error"]
    assert past["alerts"][0]["notifications"] == []
    rows = json.loads(store.bench.run("audit", STORE, "--json").out)["audit"]
    assert [row["action"] for row in rows] == ["validate", "validate"]


# Countdown


COUNTDOWNS = {
    "far": (100, 0, "✓", False),
    "near": (9, 1, "!", True),
    "past": (-3, 2, "✗", True),
}


@pytest.mark.parametrize(("days", "code", "mark", "has_page"), COUNTDOWNS.values(), ids=COUNTDOWNS)
def test_a_countdown_is_clocks_only(bench, days, code, mark, has_page):
    bench.configure(countdown(days, renew_url='"https://x.example/apps"'))
    ended = bench.run("validate", "store")
    assert (ended.code, marks(ended)) == (code, {"authorization": mark})
    assert ("https://x.example/apps" in ended.out) is has_page


# Other hosts


class _Answers(http.server.BaseHTTPRequestHandler):
    status = 200
    body = b'{"name": "Acme Ltd"}'
    more: Mapping[str, str] = {}

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(self.body)))
        for name, value in self.more.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *args: Any) -> None:
        """Keep the tests' output clean."""


class _Server(http.server.ThreadingHTTPServer):
    def handle_error(self, *args: Any) -> None:
        """A client that turns away from our certificate is part of the test."""


@contextmanager
def serving(context: ssl.SSLContext | None = None, **answer: Any) -> Iterator[int]:
    handler = type("Handler", (_Answers,), answer)
    with _Server(("127.0.0.1", 0), handler) as server:
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def context_until(authority: trustme.CA, days: float | None = None) -> ssl.SSLContext:
    until = None if days is None else utc_now() + timedelta(days=days)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", not_after=until).configure_cert(context)
    return context


def test_a_host_that_has_no_name_ends_at_the_first_step(bench):
    bench.configure(connection("acme", "https://nowhere.invalid"))
    ended = bench.run("validate", "acme")
    assert ended.code == 3
    assert marks(ended) == {
        "name resolution": "✗",
        "connect": "-",
        "TLS": "-",
        "token": "-",
        "quota": "-",
    }
    assert "What to do: Check DNS on this host" in flat(ended.out)


def test_a_certificate_that_is_not_trusted_is_sent_nothing(bench, authority):
    with serving(context_until(authority)) as port:
        bench.configure(connection("acme", f"https://localhost:{port}"))
        ended = bench.run("validate", "acme")
    found = marks(ended)
    assert (ended.code, found["connect"], found["TLS"], found["token"]) == (3, "✓", "✗", "-")
    assert "ca_file" in ended.out


@pytest.mark.parametrize(("days", "mark"), [(10, "!"), (100, "✓")])
def test_a_certificate_shows_its_end(bench, authority, days, mark):
    authority.cert_pem.write_to_path(bench.folder / "ca.pem")
    with serving(context_until(authority, days)) as port:
        bench.configure(connection("acme", f"https://localhost:{port}", ca_file='"ca.pem"'))
        ended = bench.run("validate", "acme")
    assert (ended.code, marks(ended)["TLS"], marks(ended)["token"]) == (0, mark, "✓")
    now = utc_now()
    assert format_expiry(now + timedelta(days=days), now) in " ".join(ended.out.split())


def test_a_refused_token_has_the_page_of_the_file(bench, simulator):
    table = connection("acme", simulator.soldscope_url, renew_url='"https://x.example/api"')
    bench.configure(table)
    ended = bench.run("validate", "acme")
    assert (ended.code, marks(ended)["token"], marks(ended)["quota"]) == (2, "✗", "-")
    assert "token rejected (HTTP 401)" in ended.out
    assert "https://x.example/api" in ended.out


def test_a_payment_required_is_a_token_that_works_and_a_quota_that_does_not(bench):
    with serving(status=402, more={"x-quota-limit": "100"}) as port:
        bench.configure(connection("acme", f"http://127.0.0.1:{port}"))
        ended = bench.run("validate", "acme")
    assert (ended.code, marks(ended)["token"], marks(ended)["quota"]) == (2, "✓", "✗")
    assert "used up (HTTP 402)" in ended.out


def test_a_low_quota_is_1(bench, simulator):
    issued = simulator.create_token("acme", "production")
    simulator.soldscope.spend("acme", 9_600, utc_now())
    bench.configure(connection("acme", simulator.soldscope_url, token=f'"{issued.value}"'))
    ended = bench.run("validate", "acme")
    assert (ended.code, marks(ended)["token"], marks(ended)["quota"]) == (1, "✓", "!")
    assert "400 of 10,000 requests left" in ended.out


def any_api(port: int) -> str:
    return f"""
name = "own"
provider = "http"
url = "http://127.0.0.1:{port}/me?page=1"
auth = "header:X-Api-Key"
token = "hunter2"
authorized_on = {utc_now() - timedelta(days=100):%Y-%m-%d}
"""


def test_any_api_is_reached_asked_and_its_quota_and_dates_are_read(bench):
    windows = {"x-ratelimit-limit": "5000", "x-ratelimit-remaining": "4000"}
    with serving(more=windows) as port:
        bench.configure(any_api(port))
        ended = bench.run("validate", "own")
    assert ended.code == 0
    assert marks(ended) == {
        "name resolution": "✓",
        "connect": "✓",
        "TLS": "-",
        "token": "✓",
        "quota": "✓",
        "authorization": "✓",
    }
    assert "4,000 of 5,000 requests left" in ended.out


def test_any_api_that_refuses_shows_where(bench):
    with serving(status=401) as port:
        bench.configure(any_api(port))
        ended = bench.run("validate", "own")
    assert (ended.code, marks(ended)["connect"], marks(ended)["token"]) == (2, "✓", "✗")
    assert "hunter2" not in ended.out + ended.err


def test_whoever_does_not_want_to_wait_need_not(bench, simulator):
    simulator.faults.switch_on("hang")
    bench.configure(connection("acme", simulator.soldscope_url, every='"10m"', timeout='"10m"'))
    # It would take longer than a test waits for anything.
    code, seen = converse("validate", "acme", cwd=bench.folder, answers=[("TLS", "\x03")])
    assert (code, "connwatch: interrupted" in seen) == (130, True)
    assert bench.shown()["acme"]["checked_at"] is None


# --report


def test_a_report_is_one_text_with_all_that_support_asks_for(store):
    store.fault("sp_503")
    ended = store.validate("--report")
    assert (ended.code, ended.err) == (3, "")
    for line in (
        r"connwatch report$",
        r"  software      connwatch [\d.]+, Python 3\.\d+\.\d+, \w+ ",
        r"  time          20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$",
        rf"  connection    {STORE}$",
        r"  provider      amazon$",
        r"  region        na$",
        r"  hosts         127\.0\.0\.1:\d+$",
        r"  ok      token, 127\.0\.0\.1:\d+: accepted$",
        r"  failed  permission, .*: server error \(HTTP 503\) \([\d,]+ ms\)$",
        r"  reason        server_error$",
        r"  HTTP status   503$",
        r"  request id    [0-9a-f-]{36}$",
        r"  state         pending \(not_checked\) since ",
        r"  none$",
    ):
        assert re.search(f"(?m)^{line}", ended.out), line
    assert not re.search(r"[\x1b🔴✓]", ended.out)


def test_a_report_holds_every_call_with_its_request_and_response(store):
    ended = store.validate("--report")
    for line in (
        r"  1\. .*Z POST http://127\.0\.0\.1:\d+/\S*token$",
        r"     > .*grant_type=refresh_token&refresh_token=••••&client_id=.*&client_secret=••••$",
        r"     < HTTP 200 \([\d,]+ ms\), request id \S+$",
        r"  2\. .*Z GET http://127\.0\.0\.1:\d+/\S*sellers/v1/marketplaceParticipations$",
        r"     > x-amz-access-token: ••••$",
    ):
        assert re.search(f"(?mi)^{line}", ended.out), line
    assert "Atza|" not in ended.out
    for secret in (store.application["client_secret"], store.table["refresh_token"]):
        assert str(secret) not in ended.out


def test_a_report_of_a_call_without_a_response_says_why(bench):
    bench.configure(connection("acme"))
    ended = bench.run("validate", "acme", "--report")
    assert re.search(r"(?m)^  1\. .*Z GET http://127\.0\.0\.1:9/api/v1/auth/check$", ended.out)
    assert re.search(r"(?m)^     > Authorization: Bearer ••••$", ended.out, re.IGNORECASE)
    assert re.search(r"(?m)^     no response \(\d+ ms\): Cannot connect to ", ended.out)


def test_a_report_names_the_latest_changes(store):
    store.validate()
    store.simulator.amazon.revoke(store.grant.id, utc_now())
    ended = store.validate("--report")
    assert ended.code == 2
    changes = [line.split("(")[0].split("Z ")[1] for line in ended.out.splitlines() if "->" in line]
    assert changes == ["active -> error ", "pending -> active "]


@pytest.mark.parametrize("options", [(), ("--report",)], ids=["steps", "report"])
def test_no_secret_and_no_address_of_a_person_leaves(bench, store, options):
    token = "sst_hunter2hunter2hunter2"
    body = json.dumps({"message": f"Bad token {token}, mail ann@acme.example"}).encode()
    with serving(status=401, body=body) as port:
        bench.configure(connection("acme", f"http://127.0.0.1:{port}", token=f'"{token}"'))
        ended = bench.run("validate", "acme", *options)
    assert (ended.code, token in ended.out + ended.err) == (2, False)
    assert ("ann@acme.example" in ended.out) is (options == ())
    for fault in (None, "account_deactivated", "token_refused", "lwa_html"):
        if fault is not None:
            store.fault(fault)
        told = store.validate(*options)
        for bait in (store.application["client_secret"], store.table["refresh_token"], "Atza|"):
            assert str(bait) not in told.out + told.err


def test_an_account_named_by_its_address_is_hidden_from_a_report(bench):
    with serving(body=b'{"email": "ann@acme.example"}') as port:
        bench.configure(connection("acme", f"http://127.0.0.1:{port}"))
        ended = bench.run("validate", "acme", "--report")
    assert (ended.code, "ann@" in ended.out) == (0, False)


# --open


@pytest.fixture
def browser(tmp_path):
    """A browser that writes down what it was to show."""
    script = tmp_path / "browser"
    script.write_text(f'#!/bin/sh\nprintf "%s\\n" "$1" >> {tmp_path}/opened\n')
    script.chmod(0o700)
    return {"BROWSER": f"{script} %s"}


def test_the_page_is_opened_if_asked_for(bench, browser):
    bench.configure(countdown(-1, renew_url='"https://x.example/a?b=1"'))
    assert bench.spawn("validate", "store", **browser).code == 2
    assert not (bench.folder / "opened").exists()
    ended = bench.spawn("validate", "store", "--open", **browser)
    assert (ended.code, ended.err) == (2, "")
    assert (bench.folder / "opened").read_text() == "https://x.example/a?b=1\n"


def test_without_a_browser_that_is_said_and_the_code_stays(bench):
    bench.configure(countdown(-1, renew_url='"https://x.example/a"'))
    ended = bench.spawn("validate", "store", "--open", PATH="/nonexistent", BROWSER="", DISPLAY="")
    assert ended.code == 2
    assert "no browser found; open https://x.example/a yourself" in ended.err


def test_where_nothing_is_to_be_mended_nothing_is_opened(bench, browser):
    bench.configure(countdown(100, renew_url='"https://x.example/a"'))
    ended = bench.spawn("validate", "store", "--open", **browser)
    assert (ended.code, (bench.folder / "opened").exists()) == (0, False)
    assert "there is no page" in ended.err


# On a terminal


@pytest.mark.parametrize("columns", ["60", "80"])
def test_lines_fit_a_narrow_terminal_but_addresses_stay_in_one_piece(store, columns):
    store.simulator.amazon.revoke(store.grant.id, utc_now())
    store.configure()
    env = {"TERM": "xterm-256color", "COLUMNS": columns}
    code, seen = converse("validate", STORE, cwd=store.bench.folder, answers=[], env=env)
    lines = [re.sub(r"\x1b\[[\d;]*m", "", line) for line in seen.splitlines()]
    assert code == 2
    assert "\x1b[" in seen
    assert all(len(line) <= int(columns) for line in lines if "https://" not in line)
    assert sum("https://" in line for line in lines) == 1
