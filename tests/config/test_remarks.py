from __future__ import annotations

import pytest
import trustme

from monitor.config.errors import Notice, Problem
from monitor.config.remarks import (
    CODES_IN_BODIES,
    check_files,
    check_secrets,
    notices,
    unused_groups,
)


def test_all_secrets_that_cannot_be_read_are_told(load, connection, monkeypatch):
    monkeypatch.setenv("GOOD", "x")
    monkeypatch.delenv("TOKEN", raising=False)
    config = load(
        connection('token = { env = "GOOD" }')
        + connection('name = "b"')
        + '[[channels]]\nname = "ops"\nurl = { file = "/nowhere" }\n'
        + '[web]\npassword = "literal"\n'
    )
    checked = check_secrets(config)
    assert checked.problems == (
        Problem(
            "channels[0].url", "file /nowhere: /nowhere cannot be read: No such file or directory"
        ),
        Problem("connections[1].token", "env TOKEN: this environment variable is not set"),
    )
    assert checked.notices == ()


def test_credential_outside_the_unit_is_a_notice(load, connection):
    checked = check_secrets(load(connection('token = { credential = "acme" }')))
    assert checked.problems == ()
    (notice,) = checked.notices
    assert notice.place == "connections[0].token"
    assert notice.message.startswith("credential acme: not visible from here")


def test_credential_missing_inside_the_unit_is_a_problem(load, connection, monkeypatch, tmp_path):
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    checked = check_secrets(load(connection('token = { credential = "acme" }')))
    assert [problem.place for problem in checked.problems] == ["connections[0].token"]
    assert checked.notices == ()


def test_certificates_are_read(load, connection, tmp_path):
    trustme.CA().cert_pem.write_to_path(tmp_path / "ca.pem")
    assert check_files(load(connection('ca_file = "ca.pem"'))) == ()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "{path} cannot be read: No such file or directory"),
        ("no certificate", "{path} holds no certificates in PEM form"),
        ("", "{path} holds no certificates in PEM form"),
    ],
)
def test_file_without_certificates_is_told(load, connection, tmp_path, content, message):
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    config = load(connection('ca_file = "ca.pem"'))
    assert check_files(config) == (Problem("connections[0].ca_file", message.format(path=path)),)


def test_defaults_give_no_notice(load, connection):
    assert notices(load(connection())) == []


def test_a_heartbeat_that_calls_nobody_is_told(load):
    assert [one.place for one in notices(load('[heartbeat]\nevery = "2m"'))] == ["heartbeat"]
    assert notices(load('[heartbeat]\nurl = "https://hc.example/x"')) == []


def test_a_channel_that_names_digests_and_has_no_rhythm_is_told(load):
    text = '[[channels]]\nname = "o"\nurl = "json://x"\nkinds = ["error", "digest"]'
    [notice] = notices(load(text))
    assert notice.place == "channels[0].kinds"
    assert 'add digest = "daily"' in notice.message
    assert notices(load(text + '\ndigest = "daily"')) == []


def test_application_that_no_connection_uses_is_told(load, application, store):
    config = load(application() + application('name = "old-app"') + store())
    assert notices(config) == [Notice("applications[1]", "no connection uses it")]


def test_what_the_token_alone_does_not_show_is_told(load, application, store):
    text = application() + store('probe = "token"') + store('name = "b"', 'probe = "sellers"')
    (notice,) = notices(load(text))
    assert notice.place == "connections[0].probe"
    assert "region, missing marketplaces or a client secret older than 180 days" in notice.message


def test_marketplaces_that_are_not_compared_are_told(load, application, store):
    text = application() + store('probe = "token"', 'marketplaces = ["US"]')
    assert notices(load(text))[1:] == [
        Notice(
            "connections[0].marketplaces",
            'is not compared: probe = "token" cannot see marketplaces',
        )
    ]


def test_authorization_without_a_date_is_told(load, application, store):
    text = application() + store("authorized_on = 2026-01-15") + store('name = "b"', undated=True)
    (notice,) = notices(load(text))
    assert notice.place == "connections[1].authorized_on"
    assert notice.message.startswith("unknown: no countdown")
    assert "add authorized_on" in notice.message


def test_authorization_that_has_no_end_needs_no_date(load, application, store):
    assert notices(load(application() + store("valid_days = 0", undated=True))) == []


API = '[[connections]]\nname = "a"\nprovider = "http"\ntoken = "x"\nurl = "{}"\n'


@pytest.mark.parametrize(
    ("url", "more", "advice"),
    [
        ("https://slack.com/api/auth.test", "", '{ "/ok" = true }'),
        ("https://api.telegram.org/me", "", '{ "/ok" = true }'),
        ("https://maps.googleapis.com/maps/api/geocode/json", "", '{ "/status" = "OK" }'),
        ("https://open.feishu.cn:443/me", "", '{ "/code" = 0 }'),
        ("https://sub.oapi.dingtalk.com/me", "", '{ "/errcode" = 0 }'),
        ("https://slack.com/api/auth.test", 'preset = "slack"', None),
        ("https://slack.com/api/auth.test", 'expect_json = { "/user" = "x" }', None),
        ("https://slack.com/api/auth.test", 'method = "HEAD"', None),
        ("https://notslack.com/me", "", None),
        ("https://api.example.com/v1/me", "", None),
    ],
)
def test_services_with_codes_in_the_body_are_told_with_what_to_write(load, url, more, advice):
    told = notices(load(API.format(url) + more))

    assert [one.place for one in told] == ["connections[0].expect_json"] * (advice is not None)
    assert all(f"set expect_json = {advice}" in one.message for one in told)


@pytest.mark.parametrize("host", CODES_IN_BODIES)
def test_what_is_advised_can_be_written(load, host):
    pointer, value = CODES_IN_BODIES[host]
    config = load(API.format(f"https://{host}/") + f'expect_json = {{ "{pointer}" = {value} }}')

    assert notices(config) == []


def test_notes_by_the_hundred_are_counted(load, application, store):
    stores = "".join(store(f'name = "store-{number}"', undated=True) for number in range(120))
    told = notices(load(application() + stores))
    assert [notice.place for notice in told[:20]] == [
        f"connections[{number}].authorized_on" for number in range(20)
    ]
    assert told[20:] == [Notice("connections", "100 more notes like the one before")]


@pytest.mark.parametrize("content", ["Atzr|hunter2\nX-Evil: 1\n", "Atzr|hunter2\0"])
def test_refresh_token_that_cannot_travel_is_told_without_showing_it(
    load, application, store, monkeypatch, tmp_path, content
):
    (tmp_path / "token").write_text(content, encoding="utf-8")
    monkeypatch.setenv("LWA_CLIENT_SECRET", "hunter2\r\nX-Evil: 1")
    config = load(application() + store('refresh_token = { file = "token" }'))
    problems = check_secrets(config).problems
    assert [problem.place for problem in problems] == [
        "applications[0].client_secret",
        "connections[0].refresh_token",
    ]
    assert [one for one in problems if "keep it on one line" not in one.message] == []
    assert "hunter2" not in str(problems)


def test_problems_and_notices_read_as_one_line():
    assert str(Problem("a.b", "wrong")) == "a.b: wrong"
    assert str(Notice("a.b", "odd")) == "a.b: odd"


CHANNEL = '[[channels]]\nname = "o"\nurl = "json://x"\n'
SOURCE = '[[sources]]\nname = "s"\nkind = "file"\npath = "x.csv"\n'


@pytest.mark.parametrize(
    ("group", "others", "more", "places"),
    [
        pytest.param("", (), "", ["channels[0].groups[0]", "groups[0]"], id="nobody has it"),
        pytest.param('group = "acme"', (), "", [], id="a connection of the file has it"),
        pytest.param('group = "Acme"', (), "", ["channels[0].groups[0]", "groups[0]"], id="case"),
        pytest.param("", ("acme",), "", [], id="a connection outside the file has it"),
        pytest.param("", (), SOURCE + 'defaults = { group = "acme" }', [], id="a source gives it"),
        pytest.param("", (), SOURCE, [], id="rows of a source may have it"),
        pytest.param(
            "",
            (),
            SOURCE + 'defaults = { group = "x" }',
            ["channels[0].groups[0]", "groups[0]"],
            id="a source gives another",
        ),
    ],
)
def test_a_group_that_nothing_has_is_told(load, connection, group, others, more, places):
    text = f'{connection(group)}{CHANNEL}groups = ["acme"]\n[[groups]]\nname = "acme"\n{more}'
    found = list(unused_groups(load(text), others))
    assert sorted(one.place for one in found) == places
    assert {one.message for one in found} <= {'no connection has group = "acme"'}


WHO_COMES_IN = {
    "nobody by name": (
        'password = "x"\nproxy_auth = { header = "Remote-User", trusted = ["10.0.0.1"] }',
        "web.proxy_auth.header",
    ),
    "nobody": ('proxy_auth = { trusted = ["10.0.0.1"] }', "web.proxy_auth"),
    "an admin": ('password = "x"\nproxy_auth = { trusted = ["10.0.0.1"] }', None),
    "a user": (
        """
        proxy_auth = { header = "Remote-User", trusted = ["10.0.0.1"] }
        users = [{ name = "ana", role = "viewer" }]
        """,
        None,
    ),
}


@pytest.mark.parametrize(("lines", "place"), WHO_COMES_IN.values(), ids=WHO_COMES_IN)
def test_a_dashboard_that_lets_nobody_in_is_noted(load, lines, place):
    found = [one.place for one in notices(load(f"[web]\n{lines}\n"))]
    assert found == ([] if place is None else [place])


def test_a_group_of_a_user_that_no_connection_has_is_noted(load, connection):
    config = load(
        connection('group = "acme"')
        + '[[web.users]]\nname = "ana"\nrole = "viewer"\npassword = "x"\n'
        + 'groups = ["acme", "acmee"]\n'
    )
    [notice] = unused_groups(config)
    assert notice.place == "web.users[0].groups[1]"


def test_the_password_of_a_user_is_read_like_any_secret(load):
    config = load(
        '[[web.users]]\nname = "ana"\nrole = "viewer"\npassword = { file = "/nowhere" }\n'
    )
    [problem] = check_secrets(config).problems
    assert problem.place == "web.users[0].password"
