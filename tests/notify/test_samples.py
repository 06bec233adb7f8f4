from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from monitor.config.model import Channel
from monitor.judge.alerts import KINDS, ONLY_IF_NAMED, AlertKind, SubjectKind
from monitor.notify.drafts import WRITERS
from monitor.notify.samples import kinds_of, sample_facts, sample_message, try_template
from monitor.notify.texts import SAMPLES

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def channel_of(**settings) -> Channel:
    return Channel.model_validate({"name": "ops", "url": "json://x", **settings})


def test_each_kind_has_its_text_and_its_sample():
    assert (set(WRITERS), set(SAMPLES)) == (set(AlertKind), set(AlertKind))


@pytest.mark.parametrize("kind", AlertKind)
def test_each_sample_names_what_its_kind_is_about(kind):
    subject, sample = KINDS[kind].subject, SAMPLES[kind]
    if subject in {SubjectKind.APPLICATION, SubjectKind.HOST, SubjectKind.CHANNEL}:
        assert sample.facts[subject.value]
    if subject is not SubjectKind.CONNECTION:
        return
    assert sample.connections


@pytest.mark.parametrize("kind", AlertKind)
def test_each_kind_has_a_sample_that_could_be_stored(kind):
    facts = sample_facts(kind, NOW)
    assert json.loads(json.dumps(facts)) == facts
    assert set(facts) == set(SAMPLES[kind].facts)


@pytest.mark.parametrize("kind", AlertKind)
def test_no_sample_could_be_taken_for_an_alert(kind):
    message = sample_message(kind, NOW)
    assert "[TEST]" in message.title
    assert "[TEST]" in message.body.splitlines()[0]
    assert "[TEST]" in message.short
    assert message.is_test
    assert message.severity is KINDS[kind].severity


def test_a_channel_receives_what_it_names_or_all_that_is_not_for_naming():
    assert kinds_of(channel_of(kinds=["digest", "error"])) == [AlertKind.ERROR, AlertKind.DIGEST]
    assert set(kinds_of(channel_of())) == set(AlertKind) - ONLY_IF_NAMED


def test_a_template_is_tried_with_the_kinds_of_its_channel_only(tmp_path):
    path = tmp_path / "ops.j2"
    path.write_text("{{ facts.reason }}")
    assert try_template(channel_of(template=path, kinds=["error"]), NOW) is None
    assert try_template(channel_of(template=path, kinds=["error", "digest"]), NOW) == (
        "ops.j2, line 1: 'dict object' has no attribute 'reason' (tried with a sample of `digest`)"
    )


def test_a_channel_without_a_template_has_none_that_fails():
    assert try_template(channel_of(), NOW) is None
