from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta

import pytest

from monitor.config.connections import AmazonConnection, Application, Probe
from monitor.config.errors import ConfigError
from monitor.config.marketplaces import Region
from monitor.config.plan import make_plan
from monitor.config.remarks import check_secrets
from tests.builders import entries_of


def only_store(config) -> AmazonConnection:
    (one,) = config.connections
    assert isinstance(one, AmazonConnection)
    return one


def test_store_says_all_it_can(load, application, store):
    one = only_store(
        load(
            application()
            + store(
                'marketplaces = ["US", "CA", "MX", "BR"]',
                'probe = "token"',
                'every = "65s"',
                'endpoint = "https://sandbox.sellingpartnerapi-na.amazon.com/"',
                "authorized_on = 2026-01-15",
                "valid_days = 0",
            )
        )
    )
    assert (one.application, one.region, one.probe) == ("our-app", Region.NA, Probe.TOKEN)
    assert one.marketplaces == ("US", "CA", "MX", "BR")
    assert one.every == timedelta(seconds=65)
    assert one.called_url == "https://sandbox.sellingpartnerapi-na.amazon.com"
    assert one.host == "sandbox.sellingpartnerapi-na.amazon.com"
    assert (one.authorized_on, one.valid_days) == (date(2026, 1, 15), 0)


def test_defaults_of_a_store(load, application, store):
    one = only_store(load(application() + store(undated=True)))
    assert (one.marketplaces, one.probe, one.endpoint) == (None, Probe.SELLERS, None)
    assert (one.authorized_on, one.valid_days, one.every) == (None, 365, None)


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("na", "sellingpartnerapi-na.amazon.com"),
        ("eu", "sellingpartnerapi-eu.amazon.com"),
        ("fe", "sellingpartnerapi-fe.amazon.com"),
    ],
)
def test_store_is_checked_on_the_host_of_its_region(load, application, store, region, host):
    one = only_store(load(application() + store(f'region = "{region}"')))
    assert (one.called_url, one.host) == (f"https://{host}", host)


@pytest.mark.parametrize(
    ("shared", "own", "called"),
    [
        pytest.param(None, None, "https://sellingpartnerapi-na.amazon.com", id="Amazon's"),
        pytest.param("http://127.0.0.1:8000/na/", None, "http://127.0.0.1:8000/na", id="shared"),
        pytest.param("https://a.example", "https://b.example/", "https://b.example", id="its own"),
        pytest.param(None, "https://b.example", "https://b.example", id="its own alone"),
    ],
)
def test_stores_use_the_endpoint_of_their_application(
    load, application, store, shared, own, called
):
    of_all = [f'endpoint = "{shared}"'] if shared else []
    of_one = [f'endpoint = "{own}"'] if own else []
    config = load(application(*of_all) + store(*of_one))
    one = only_store(config)
    assert (one.called_url, one.host) == (called, called.partition("//")[2].partition("/")[0])
    assert one.is_at_amazon is (shared is None and own is None)
    assert entries_of(make_plan(config))[0].host == one.host


@pytest.mark.parametrize(
    "address", ["http://10.0.0.1/na", "ftp://x.example", "sellingpartnerapi.example", 7]
)
def test_an_endpoint_of_an_application_that_cannot_be_called_is_refused(
    load, application, store, address
):
    with pytest.raises(ConfigError, match=r"applications\[0\]\.endpoint: "):
        load(application(f"endpoint = {json.dumps(address)}") + store())


def test_endpoint_of_a_simulator_is_named_with_its_port(load, application, store):
    one = only_store(load(application() + store('endpoint = "http://LOCALHOST:8000"')))
    assert (one.called_url, one.host) == ("http://localhost:8000", "localhost:8000")


@pytest.mark.parametrize(
    ("checks", "own", "every"),
    [('every = "1h"', [], 15 * 60), ('every = "10s"', [], 15 * 60), ("", ['every = "2m"'], 120)],
    ids=["not the common one", "not a shorter one either", "its own"],
)
def test_store_has_a_rhythm_of_its_own(load, application, store, checks, own, every):
    config = load(f"[checks]\ntimeout = '5s'\n{checks}\n{application()}{store(*own)}")
    assert config.every_of(only_store(config)) == timedelta(seconds=every)


@pytest.mark.parametrize("code", ["UK", "GB"])
def test_united_kingdom_is_kept_as_it_is_written(load, application, store, code):
    config = load(application() + store('region = "eu"', f'marketplaces = ["DE", "{code}"]'))
    assert only_store(config).marketplaces == ("DE", code)


def test_application_says_all_it_can(load, application):
    (one,) = load(
        application(
            "client_secret_created_on = 2026-06-01T10:00:00Z",
            'application_id = "amzn1.sp.solution.0123"',
            'redirect_url = "https://connwatch.example.com/oauth/amazon/callback"',
            'token_url = "http://127.0.0.1:8000/auth/o2/token"',
        )
    ).applications
    assert one.client_id == "amzn1.application-oa2-client.0123"
    assert one.client_secret_created_on == datetime(2026, 6, 1, 10, tzinfo=UTC)
    assert one.application_id == "amzn1.sp.solution.0123"
    assert one.redirect_url == "https://connwatch.example.com/oauth/amazon/callback"
    assert one.token_address == "http://127.0.0.1:8000/auth/o2/token"
    assert one.token_host == "127.0.0.1:8000"


def test_defaults_of_an_application(load, application):
    (one,) = load(application()).applications
    assert (one.client_secret_created_on, one.application_id, one.redirect_url) == (None,) * 3
    assert one.token_address == "https://api.amazon.com/auth/o2/token"
    assert one.token_host == "api.amazon.com"


@pytest.mark.parametrize("value", ["amzn1.sp.solution.0-1", "amzn1.sellerapps.app.0-1", "x"])
def test_application_id_is_accepted(load, application, value):
    (one,) = load(application(f'application_id = "{value}"')).applications
    assert one.application_id == value


@pytest.mark.parametrize(
    "url", ["http://localhost:8080/callback", "https://a.example/cb?x=1", "https://a.example/"]
)
def test_redirect_url_is_kept_as_it_is_registered(load, application, url):
    (one,) = load(application(f'redirect_url = "{url}"')).applications
    assert one.redirect_url == url


def test_application_is_found_by_its_name(load, application):
    config = load(application() + application('name = "b"'))
    assert config.application("b") is config.applications[1]
    assert config.application("c") is None


def test_stores_share_an_application_that_stands_after_them(load, application, store):
    config = load(store() + store('name = "b"') + application())
    assert [one.application for one in config.connections] == ["our-app", "our-app"]
    assert isinstance(config.application("our-app"), Application)


def test_every_is_refused_with_its_place(load, application, connection, store):
    text = application() + connection() + connection('name = "b"') + store('every = "30s"')
    with pytest.raises(ConfigError) as caught:
        load(text)
    assert str(caught.value) == "connections[2].every: at least 65s, got 30s"


def test_all_mistakes_with_amazon_are_told_at_once(load, application, store):
    text = "".join(
        [
            application('client_id = "amzn1.sp.solution.0"'),
            application('redirect_url = "x"'),
            store('application = "ours"', 'region = "us"', 'marketplaces = ["XX", "US", "US"]'),
            store('name = "b"', 'marketplaces = ["US", "JP", "DE"]', 'probe = "no"', 'evry = "1h"'),
        ]
    )
    with pytest.raises(ConfigError) as caught:
        load(text)
    assert sorted(problem.place for problem in caught.value.problems) == [
        "applications[0].client_id",
        "applications[1].name",
        "applications[1].redirect_url",
        "connections[0].application",
        "connections[0].marketplaces[0]",
        "connections[0].marketplaces[2]",
        "connections[0].region",
        "connections[1].evry",
        "connections[1].marketplaces[1]",
        "connections[1].marketplaces[2]",
        "connections[1].probe",
    ]


def test_another_provider_has_no_application(load, connection):
    with pytest.raises(ConfigError) as caught:
        load(connection('application = "our-app"'))
    assert str(caught.value) == "connections[0].application: unknown key"


MISPLACED = {
    "a space in it": ("refresh_token", "Atzr|hunter2 x", "contains a space"),
    "a space behind it": ("refresh_token", "Atzr|hunter2 ", "ends with a space"),
    "a byte order mark": ("refresh_token", "\ufeffAtzr|hunter2", "byte order mark"),
    "no ASCII": ("refresh_token", "Atzr|hunter2ü", "outside ASCII"),
    "a client secret": ("refresh_token", "amzn1.oa2-cs.v1.hunter2", "write it as client_secret"),
    "an access token": ("refresh_token", "Atza|hunter2", "this is an access token"),
    "a client id": ("refresh_token", "amzn1.application-oa2-client.hunter2", "as client_id"),
    "a secret with a space": ("client_secret", "hunter2 x", "contains a space"),
    "a secret that is a token": ("client_secret", "Atzr|hunter2", "write it as refresh_token"),
    "a secret that is an access token": ("client_secret", "Atc|hunter2", "an access token"),
    "a secret that is a client id": (
        "client_secret",
        "amzn1.application-oa2-client.hunter2",
        "write it as client_id",
    ),
}


@pytest.mark.parametrize("misplaced", MISPLACED.values(), ids=MISPLACED)
def test_another_secret_in_a_secrets_place_is_refused_without_showing_it(
    load, application, store, tmp_path, misplaced
):
    key, text, why = misplaced
    place = {"refresh_token": "connections[0].", "client_secret": "applications[0]."}[key] + key
    literal = f"{key} = {json.dumps(text, ensure_ascii=False)}"
    file = tmp_path / "secret"
    file.write_text(text, encoding="utf-8")
    for written in (literal, f'{key} = {{ file = "{file}" }}'):
        settings = {"refresh_token": ([], [written]), "client_secret": ([written], [])}[key]
        problems = []
        try:
            config = load(application(*settings[0]) + store(*settings[1]))
            problems = [str(problem) for problem in check_secrets(config).problems]
        except ConfigError as error:
            problems = [str(problem) for problem in error.problems]
        [said] = [problem for problem in problems if problem.startswith(place)]
        assert why in said
        assert "hunter2" not in said


@pytest.mark.parametrize("text", ["amzn1.oa2-cs.v1.0a", "0123456789abcdef", "an/old+secret=="])
def test_a_client_secret_of_any_age_is_taken(load, application, store, text):
    [one] = load(application(f'client_secret = "{text}"') + store()).applications
    assert one.client_secret.reveal() == text
