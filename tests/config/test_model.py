from __future__ import annotations

import copy
import pickle
from datetime import UTC, date, datetime, time, timedelta, timezone

import pytest
from pydantic import ValidationError

from monitor.config.connections import SoldscopeConnection
from monitor.config.describe import list_settings
from monitor.config.errors import ConfigError
from monitor.config.model import Channel, Config
from monitor.config.secret import Secret
from monitor.config.values import is_host, is_loopback
from monitor.judge.access import FULL_ACCESS, Access, Role
from monitor.judge.alerts import AlertKind, Severity
from monitor.judge.outcome import Rules
from monitor.judge.routing import Digest


@pytest.mark.parametrize("kind", AlertKind)
def test_a_channel_may_name_every_kind(kind):
    channel = Channel.model_validate({"name": "o", "url": "json://x", "kinds": [kind.value]})
    assert list(channel.kinds or ()) == [kind.value]


def test_contracts_kinds_are_all_there():
    assert len(AlertKind) == 25


def test_defaults_are_the_contracts():
    config = Config()
    assert config.checks.every == timedelta(minutes=5)
    assert config.checks.timeout == timedelta(seconds=10)
    assert config.checks.concurrency == 200
    assert config.checks.recheck_after == timedelta(seconds=30)
    assert config.checks.alert_after_refusals == 2
    assert config.checks.error_after_failures == 3
    assert config.checks.outage_hold == timedelta(hours=1)
    assert config.checks.uplink == ()
    assert config.alerts.expiring_soon_days == (30, 14, 7, 3, 1)
    assert config.alerts.quota_low_percent == (20, 10, 5)
    assert config.alerts.quota_min_window == timedelta(hours=12)
    assert config.alerts.remind_every == timedelta(hours=24)
    assert config.alerts.group_wait == timedelta(seconds=10)
    assert config.alerts.retry_for == timedelta(hours=24)
    assert config.alerts.quiet_hours is None
    assert config.web.listen == "127.0.0.1:8080"
    assert config.web.public_url == ""
    assert config.heartbeat.every == timedelta(minutes=1)


def test_defaults_are_those_of_the_rules_of_judgement():
    checks, alerts, rules = Config().checks, Config().alerts, Rules()
    assert rules == Rules(
        checks.every,
        checks.recheck_after,
        checks.alert_after_refusals,
        checks.error_after_failures,
        alerts.quota_low_percent,
        alerts.quota_min_window,
        alerts.expiring_soon_days,
    )


def test_defaults_of_a_connection(load, connection):
    one = load(connection()).connections[0]
    assert isinstance(one, SoldscopeConnection)
    assert (one.name, one.provider, one.auth) == ("a", "soldscope", "bearer")
    assert (one.every, one.timeout, one.tags, one.channels) == (None, None, (), None)
    assert (one.enabled, one.ca_file, one.valid_days) == (True, None, 365)
    assert (one.authorized_on, one.renew_url, one.notes) == (None, None, "")
    assert one.renamed_from is None


def test_defaults_of_a_channel(load):
    one = load('[[channels]]\nname = "ops"\nurl = { env = "URL" }').channels[0]
    assert (one.kinds, one.min_severity, one.tags, one.connections) == (None, Severity.INFO, (), ())
    assert (one.template, one.quiet_hours, one.digest) == (None, None, None)


def test_channel_says_all_it_can(load, connection, tmp_path):
    one = load(
        connection()
        + '[[channels]]\nname = "ops"\nurl = { env = "URL" }\nkinds = ["error", "digest"]\n'
        'min_severity = "critical"\ntags = ["x", "y", "x"]\nconnections = ["a"]\n'
        'template = "t.j2"\ndigest = "weekly"\n'
        'quiet_hours = { zone = "Europe/Berlin", from = "22:00", to = "07:30" }\n'
    ).channels[0]
    assert one.kinds == {"error", "digest"}
    assert one.min_severity is Severity.CRITICAL
    assert (one.tags, one.connections) == (("x", "y"), ("a",))
    assert one.template == tmp_path / "t.j2"
    assert one.digest is Digest.WEEKLY
    assert one.quiet_hours is not None
    assert (one.quiet_hours.zone, one.quiet_hours.start) == ("Europe/Berlin", time(22))
    assert one.quiet_hours.end == time(7, 30)


@pytest.mark.parametrize(
    ("checks", "own", "every", "timeout"),
    [
        ("", [], 300, 10),
        ('every = "1h"\ntimeout = "20s"', [], 3600, 20),
        ("", ['every = "1m"'], 60, 10),
        ("", ['timeout = "30s"'], 300, 30),
        ('timeout = "90s"', ['every = "1m"'], 60, 60),
        ('timeout = "90s"', ['every = "1m"', 'timeout = "60s"'], 60, 60),
    ],
    ids=["defaults", "common", "own rhythm", "own patience", "patience cut down", "both own"],
)
def test_rhythm_and_patience_of_a_connection(load, connection, checks, own, every, timeout):
    config = load(f"[checks]\n{checks}\n{connection(*own)}")
    (one,) = config.connections
    assert config.every_of(one) == timedelta(seconds=every)
    assert config.timeout_of(one) == timedelta(seconds=timeout)


def test_providers_own_rhythm_comes_before_the_common_one(load, connection, monkeypatch):
    config = load(connection())
    monkeypatch.setattr(SoldscopeConnection, "own_rhythm", timedelta(minutes=15))
    assert config.every_of(config.connections[0]) == timedelta(minutes=15)


def test_connection_is_found_by_its_name(load, connection):
    config = load(connection() + connection('name = "b"'))
    assert config.connection("b") is config.connections[1]
    assert config.connection("c") is None


def test_steps_are_sorted_and_each_kept_once(load):
    config = load("[alerts]\nexpiring_soon_days = [1, 30, 7, 7]\nquota_low_percent = []")
    assert config.alerts.expiring_soon_days == (30, 7, 1)
    assert config.alerts.quota_low_percent == ()


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2026-01-15", date(2026, 1, 15)),
        ("2026-11-22", date(2026, 11, 22)),
        ("2026-01-15T10:00:00Z", datetime(2026, 1, 15, 10, tzinfo=UTC)),
        (
            "2026-11-22T13:00:00+01:00",
            datetime(2026, 11, 22, 13, tzinfo=timezone(timedelta(hours=1))),
        ),
    ],
)
def test_authorization_date_is_a_day_or_an_instant(load, connection, written, read):
    value = load(connection(f"authorized_on = {written}")).connections[0].authorized_on
    assert value == read
    assert type(value) is type(read)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("https://api.example.com", "https://api.example.com"),
        ("https://API.example.com/v1//", "https://api.example.com/v1"),
        ("https://api.example.com:8443/V1", "https://api.example.com:8443/V1"),
        ("https://192.0.2.1/", "https://192.0.2.1"),
        ("https://[2001:db8::1]:443", "https://[2001:db8::1]:443"),
        ("https://bücher.example", "https://bücher.example"),
        ("http://localhost:8000/", "http://localhost:8000"),
        ("http://127.8.9.10:1", "http://127.8.9.10:1"),
        ("http://[::1]:8000", "http://[::1]:8000"),
    ],
)
def test_base_url_is_accepted_without_its_last_slash(load, connection, written, read):
    one = load(connection(f'base_url = "{written}"')).connections[0]
    assert isinstance(one, SoldscopeConnection)
    assert one.base_url == read


@pytest.mark.parametrize(
    "written",
    [
        "http://localhost.example.com",
        "http://127.0.0.1.example.com",
        "http://0.0.0.0",
        "http://[::2]",
        "http://2130706433",
        "https://",
        "https:///v1",
        "https://:443",
        "https://a:",
        "https://a:b",
        "https://[::1",
        "https://-a.example.com",
        "https://a..b",
        "https://a\\\\b",
        "https://a\\u0000b",
        "https://a\\tb",
        "ftp://a",
        "//a",
        "javascript:alert(1)",
    ],
)
def test_base_url_is_refused(load, connection, written):
    with pytest.raises(Exception, match=r"^connections\[0\]\.base_url: "):
        load(connection(f'base_url = "{written}"'))


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "127.0.0.1", "127.255.255.254", "::1"])
def test_host_is_this_machine(host):
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["example.com", "0.0.0.0", "::", "128.0.0.1", "localhost.x", ""])
def test_host_is_another_machine(host):
    assert not is_loopback(host)


@pytest.mark.parametrize("host", ["", ".", "a b", "a/b", "x" * 64, ".".join(["abcdefg"] * 40), "…"])
def test_host_is_none(host):
    assert not is_host(host)


@pytest.mark.parametrize("auth", ["bearer", "header:X-Api-Key", "header:apikey"])
def test_auth_is_accepted(load, connection, auth):
    one = load(connection(f'auth = "{auth}"')).connections[0]
    assert isinstance(one, SoldscopeConnection)
    assert one.auth == auth


@pytest.mark.parametrize(
    "auth", ["Bearer", "header", "header:a b", "header:a:b", "header:a\\r\\nb"]
)
def test_auth_is_refused(load, connection, auth):
    with pytest.raises(Exception, match=r"^connections\[0\]\.auth: "):
        load(connection(f'auth = "{auth}"'))


@pytest.mark.parametrize("name", ["acme-eu", "Acme EU", "käse", "店", "a.b", "x" * 100, "?#%"])
def test_name_is_accepted(load, connection, name):
    assert load(connection(f'name = "{name}"')).connections[0].name == name


@pytest.mark.parametrize(
    ("listen", "password", "accepted"),
    [
        ("", False, True),
        ("localhost:80", False, True),
        ("[::1]:8080", False, True),
        ("0.0.0.0:8080", True, True),
        ("[::]:8080", True, True),
        ("[::]:8080", False, False),
        ("monitor.example.com:80", False, False),
        ("127.0.0.1:65536", False, False),
        (":8080", True, False),
        ("::1:8080", False, False),
        ("[example.com]:80", True, False),
    ],
)
def test_dashboard_is_open_to_others_only_with_a_password(load, listen, password, accepted):
    text = f'[web]\nlisten = "{listen}"\n' + ('password = { env = "P" }\n' if password else "")
    if accepted:
        assert load(text).web.listen == listen
    else:
        with pytest.raises(Exception, match=r"^web\.listen: "):
            load(text)


def test_settings_are_frozen(load, connection):
    config = load(connection())
    with pytest.raises(ValidationError):
        config.connections[0].name = "b"


def test_settings_can_be_compared_and_copied(load, connection):
    one, other = load(connection()), load(connection())
    one.connection("a")
    assert one == other == copy.deepcopy(one)
    assert hash(one) == hash(other)
    assert one != load(connection('token = { env = "OTHER" }'))


def test_settings_with_a_secret_cannot_be_pickled(load, connection):
    with pytest.raises(TypeError):
        pickle.dumps(load(connection()))


def test_secrets_never_leave_with_the_settings(load, connection):
    config = load(connection('token = "hunter2"') + '[web]\npassword = "hunter2"\n')
    assert config.web.password == Secret("hunter2")
    for shown in (repr(config), str(config.model_dump()), config.model_dump_json()):
        assert "hunter2" not in shown


def test_a_raw_validation_error_does_not_repeat_the_input():
    with pytest.raises(ValidationError) as caught:
        Config.model_validate({"connections": [{"provider": "soldscope", "tokn": "hunter2"}]})
    assert "hunter2" not in str(caught.value)


BAD_PROXIES = {
    "a name": (["proxy.example.com"], "web.proxy_auth.trusted[0]: an address or network"),
    "host bits": (["10.0.0.7/8"], 'did you mean "10.0.0.0/8"?'),
    "with a port": (["127.0.0.1:80"], "an address or network"),
    "none": ([], "web.proxy_auth.trusted"),
}


@pytest.mark.parametrize(("trusted", "words"), BAD_PROXIES.values(), ids=BAD_PROXIES)
def test_a_proxy_that_cannot_be_is_refused_with_its_place(load, trusted, words):
    with pytest.raises(ConfigError) as refused:
        load(f"[web]\nproxy_auth = {{ trusted = {trusted} }}\n")
    assert words in str(refused.value)


PEOPLE = """
[web]
proxy_auth = { header = "Remote-User", trusted = ["127.0.0.1"] }

[[web.users]]
name = "ana"
role = "operator"
groups = ["acme", "globex"]

[[web.users]]
name = "bob"
role = "admin"
password = "hunter2"
"""


def test_users_have_a_role_and_see_groups_or_all(load):
    web = load(PEOPLE).web
    assert [(one.name, one.access) for one in web.accounts] == [
        ("ana", Access(Role.OPERATOR, frozenset({"acme", "globex"}))),
        ("bob", Access(Role.ADMIN)),
    ]
    assert (web.is_open, web.account("ana"), web.account("carl")) == (False, web.users[0], None)


def test_the_password_of_the_dashboard_is_that_of_one_user_admin(load):
    web = load('[web]\npassword = "hunter2"\n').web
    [admin] = web.accounts
    assert (admin.name, admin.access, admin.password) == ("admin", FULL_ACCESS, web.password)


OPEN = {
    "": True,
    'password = "x"': False,
    'users = [{ name = "ana", role = "viewer", password = "x" }]': False,
    'proxy_auth = { trusted = ["127.0.0.1"] }': False,
    'public_url = "https://watch.example.com"': True,
}


@pytest.mark.parametrize(("line", "is_open"), OPEN.items(), ids=OPEN)
def test_the_dashboard_is_open_only_where_nobody_can_sign_in(load, line, is_open):
    assert load(f"[web]\n{line}\n").web.is_open == is_open


def test_a_user_s_password_knows_its_place_and_is_never_shown(load):
    config = load(PEOPLE)
    password = config.web.users[1].password
    assert (password.place, password.reveal()) == ("web.users[1].password", "hunter2")
    settings = {one.place: one.value for one in list_settings(config)}
    assert settings["web.users[0].password"] == "not set"
    assert settings["web.users[0].groups"] == "[acme, globex]"
    for shown in (repr(config), config.model_dump_json(), str(settings)):
        assert "hunter2" not in shown
