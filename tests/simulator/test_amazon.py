"""
Amazon's books and the bucket, without a server.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from monitor.simulator.amazon import (
    MARKETPLACES,
    Amazon,
    AmazonRegion,
    Bucket,
    StoreState,
    find_marketplace,
)
from monitor.simulator.base import SimulatorError, UnknownNameError

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def amazon() -> Amazon:
    amazon = Amazon()
    issued = amazon.add_application("Our app", NOW)
    amazon.add_grant(issued.application.id, "na", "Acme Ltd", NOW, marketplaces=("US", "CA"))
    return amazon


def test_at_first_there_is_nothing():
    amazon = Amazon()

    assert (list(amazon.applications), list(amazon.grants), list(amazon.queue)) == ([], [], [])


def test_where_there_is_no_application_none_is_offered():
    with pytest.raises(UnknownNameError, match="no application 'app_1'; there are: none"):
        Amazon().application("app_1")


def test_values_look_like_amazons(amazon):
    issued = amazon.add_application("Other", NOW)
    application = issued.application

    prefix, _, digits = application.client_id.rpartition(".")
    assert (prefix, len(digits)) == ("amzn1.application-oa2-client", 32)
    prefix, _, digits = application.application_id.rpartition(".")
    assert prefix == "amzn1.sp.solution"
    assert uuid.UUID(digits)
    prefix, _, digits = issued.client_secret.rpartition(".")
    assert (prefix, len(digits)) == ("amzn1.oa2-cs.v1", 64)


@pytest.mark.parametrize(
    ("age", "state"),
    [
        (timedelta(), StoreState.LIVE),
        (365 * DAY - timedelta(seconds=1), StoreState.LIVE),
        (365 * DAY, StoreState.LAPSED),
        (4_000 * DAY, StoreState.LAPSED),
    ],
)
def test_an_authorization_lapses_at_365_days_to_the_second(amazon, age, state):
    assert state == amazon.state_of(amazon.grant("store_1"), NOW + age)


def test_a_revocation_is_told_from_a_lapse(amazon):
    amazon.revoke("store_1", NOW)

    assert amazon.state_of(amazon.grant("store_1"), NOW + 400 * DAY) is StoreState.REVOKED


def test_revoking_again_keeps_the_first_instant(amazon):
    amazon.revoke("store_1", NOW)
    amazon.revoke("store_1", NOW + DAY)

    assert amazon.grant("store_1").revoked_at == NOW


@pytest.mark.parametrize(
    "spoil",
    [lambda a: a.revoke("store_1", NOW), lambda a: a.grant("store_1").age(400 * DAY)],
    ids=["revoked", "lapsed"],
)
def test_authorizing_again_starts_the_year_anew_whatever_was(amazon, spoil):
    spoil(amazon)

    grant = amazon.reauthorize("store_1", NOW + DAY).grant

    assert (grant.consented_at, grant.revoked_at) == (NOW + DAY, None)
    assert grant.ends_at == NOW + 366 * DAY


def test_no_secret_is_kept_or_shown(amazon):
    issued = amazon.add_application("Other", NOW)
    store = amazon.add_grant(issued.application.id, "eu", "Shop", NOW)

    shown = repr((issued, store, issued.application, store.grant))
    kept = repr(vars(amazon))

    for secret in (issued.client_secret, store.refresh_token):
        assert secret not in shown
        assert secret not in kept


@pytest.mark.parametrize("days", [0, -1, 3_651])
def test_nothing_ages_by_nothing_backwards_or_for_ever(amazon, days):
    with pytest.raises(SimulatorError, match="days: from 1 to 3650"):
        amazon.grant("store_1").age(timedelta(days=days))
    with pytest.raises(SimulatorError, match="days: from 1 to 3650"):
        amazon.application("app_1").age_secret(timedelta(days=days))


@pytest.mark.parametrize(
    ("wish", "reason"),
    [
        (lambda a: a.application("app_9"), "no application 'app_9'; there are: app_1"),
        (lambda a: a.grant("store_9"), "no store with the id 'store_9'"),
        (lambda a: a.revoke("store_9", NOW), "no store"),
        (lambda a: a.add_grant("app_1", "mars", "x", NOW), "no region 'mars'"),
        (
            lambda a: a.add_grant("app_1", "na", "x", NOW, marketplaces=("XX",)),
            "no marketplace 'XX'",
        ),
        (lambda a: a.grant("store_1").remove_role("Pricing"), "store_1 has no role 'Pricing'"),
        (lambda a: a.grant("store_1").remove_marketplace("XX"), "no marketplace 'XX'"),
    ],
)
def test_unknown_names_are_refused(amazon, wish, reason):
    with pytest.raises(UnknownNameError) as caught:
        wish(amazon)

    assert reason in str(caught.value)
    assert len(list(amazon.grants)) == 1


@pytest.mark.parametrize(
    ("wish", "reason"),
    [
        (lambda a: a.add_application(" ", NOW), "name: 1 to 100"),
        (lambda a: a.add_grant("app_1", "na", "a\nb", NOW), "store_name: 1 to 100"),
        (
            lambda a: a.add_grant("app_1", "na", "x", NOW, marketplaces=("DE",)),
            "DE is not in the region na",
        ),
        (lambda a: a.grant("store_1").set_participation("JP"), "JP is not in the region na"),
    ],
)
def test_wishes_that_make_no_sense_are_refused(amazon, wish, reason):
    with pytest.raises(SimulatorError) as caught:
        wish(amazon)

    assert str(caught.value).startswith(reason)
    assert len(list(amazon.grants)) == 1


def test_all_23_marketplaces_are_there_once_and_the_united_kingdom_has_two_names():
    places = MARKETPLACES.values()

    assert (len(places), len({place.id for place in places})) == (23, 23)
    assert {region: sum(place.region is region for place in places) for region in AmazonRegion} == {
        "na": 4,
        "eu": 16,
        "fe": 3,
    }
    assert find_marketplace("uk") is find_marketplace("GB")


def test_the_sample_stores_all_work_and_differ(amazon):
    samples = amazon.add_sample_stores(NOW)

    grants = [store.grant for store in samples.stores]
    assert [(g.region, g.ends_at and (g.ends_at - NOW).days) for g in grants] == [
        ("na", 265),
        ("eu", 20),
        ("fe", 355),
        ("eu", None),
    ]
    for store in samples.stores:
        assert amazon.accepts(store.refresh_token, samples.issued.application, NOW)
    assert grants[2].participations["AU"].has_suspended_listings
    assert not samples.issued.application.secret.is_expired(NOW)


def test_sample_stores_can_be_added_again(amazon):
    first, second = amazon.add_sample_stores(NOW), amazon.add_sample_stores(NOW)

    assert first.issued.application.client_id != second.issued.application.client_id
    assert len(list(amazon.grants)) == 9


def test_a_bucket_never_refills_when_the_clock_is_set_back():
    bucket = Bucket(2, 0.5, NOW)
    assert [bucket.take(NOW + DAY) for _ in range(3)] == [True, True, False]

    assert not bucket.take(NOW)
    assert not bucket.take(NOW + timedelta(seconds=1))
    assert bucket.take(NOW + timedelta(seconds=2))


def test_looking_into_a_bucket_takes_nothing_and_keeps_fractions():
    bucket = Bucket(1, 0.1, NOW)
    assert bucket.take(NOW)

    looks = [bucket.left(NOW + timedelta(seconds=second)) for second in range(1, 11)]

    assert looks == [0] * 9 + [1]
