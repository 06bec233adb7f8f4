from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.judge.outcome import LONGEST_WINDOW, Outcome, QuotaReading, Reason
from monitor.judge.text import LONGEST, tidy

TEXTS = {
    "plain": ("Acme Ltd", "Acme Ltd"),
    "NUL": ("a\0b", "a b"),
    "lone surrogates": ("a\ud800b\udfff", "a b"),
    "control characters": ("\x1b[31mred\x07\x7f", "[31mred"),
    "overrides": ("\u202egnp.exe\u2069", "gnp.exe"),
    "line breaks": ("one\r\ntwo\u2028three", "one two three"),
    "a character that is not seen": ("to\u200bken\ufeff", "to ken"),
    "other scripts": ("株式会社 Ümlaut 🙂", "株式会社 Ümlaut 🙂"),
    "long": ("x" * 1000, "x" * 499 + "…"),
}


@pytest.mark.parametrize(("text", "expected"), TEXTS.values(), ids=TEXTS)
def test_text_is_made_fit_to_be_kept(text, expected):
    assert tidy(text) == expected


@given(st.text(st.characters(codec=None)), st.integers(1, 40))
def test_what_is_kept_is_printable_and_short_and_stays_as_it_is(text, limit):
    once = tidy(text, limit)

    assert once.isprintable()
    assert len(once) <= limit
    once.encode()
    assert tidy(once, limit) == once


def test_an_outcome_is_tidied_as_a_whole():
    window = QuotaReading(10, 3, name="day\0" * 100)
    hostile = Outcome(
        Reason.OK,
        "detail\ud800",
        float("inf"),
        account="\u202eAcme",
        failed_host="host\0",
        request_id="x" * 600,
        quota=window,
        windows=(window,),
    )

    tidied = hostile.tidied()

    assert (tidied.detail, tidied.account, tidied.failed_host) == ("detail", "Acme", "host")
    assert len(tidied.request_id or "") == LONGEST
    assert tidied.latency_ms is None
    assert tidied.quota is not None
    assert len(tidied.quota.name) <= LONGEST_WINDOW
    assert tidied.windows == (tidied.quota,)


def test_a_tidy_outcome_is_the_same_object():
    outcome = Outcome(
        Reason.OK, "fine", 41.2, account="Acme", quota=QuotaReading(1, 1), windows=(QuotaReading(),)
    )

    assert outcome.tidied() is outcome
