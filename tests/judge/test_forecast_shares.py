"""
How far differences between days, hours or parts of a period are believed.
"""

from __future__ import annotations

import random

import pytest

from monitor.judge.forecast import learn_shares


def test_a_clear_difference_is_learned():
    values = [(day, 10.0 if day >= 5 else 100.0) for _ in range(4) for day in range(7)]
    shares = learn_shares(values, 7).of_group
    assert shares[6] / shares[0] == pytest.approx(0.1, abs=0.01)
    assert sum(shares) == pytest.approx(7)


def test_noise_is_hardly_taken_for_a_difference():
    chance = random.Random(7)
    values = [(day, chance.uniform(50, 150)) for _ in range(8) for day in range(7)]
    assert all(abs(share - 1) < 0.15 for share in learn_shares(values, 7).of_group)


@pytest.mark.parametrize(
    "values",
    [
        [],
        [(0, 5.0)] * 10,
        [(0, 5.0), (1, 500.0)],
        [(0, 0.0), (1, 0.0)] * 5,
        [(0, -1.0), (1, -9.0)] * 5,
    ],
    ids=["nothing", "one group", "each seen once", "nothing used", "only noise below zero"],
)
def test_too_little_leaves_all_equal(values):
    assert learn_shares(values, 3).of_group == (1.0, 1.0, 1.0)


def test_a_group_that_was_never_seen_gets_the_average():
    values = [(0, 10.0), (1, 100.0)] * 6
    assert learn_shares(values, 3).of_group[2] == 1.0


def test_no_share_is_negative():
    values = [(0, -50.0), (1, 100.0)] * 6
    assert min(learn_shares(values, 2).of_group) == 0.0
