from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from monitor.judge.alerts import AlertKind
from monitor.notify.apprise import SERVICES, choose_form, fit, form_of_template
from monitor.notify.formats import Form
from monitor.notify.samples import sample_message

# Apprise asks for it while it imports, prepared to do without.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
MESSAGE = sample_message(AlertKind.ERROR, NOW)


@dataclass
class Service:
    """
    A service as Apprise would describe it.
    """

    form: str = "text"
    title_maxlen: int = 250
    body_maxlen: int = 32_768
    overflow_amalgamate_title: bool = False

    def resolve_format(self, _body_format=None):
        return self.form


FORMS = {
    "mailto://a:b@example.com": Form.MAIL,
    "mailto://a:b@example.com?format=text": Form.PLAIN,
    "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/": Form.MRKDWN,
    "https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ": Form.MRKDWN,
    "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/?format=text": Form.PLAIN,
    "tgram://123456789:abcdefg_hijklmnop/12315544/": Form.TELEGRAM,
    "tgram://123456789:abcdefg_hijklmnop/12315544/?format=markdown": Form.MARKDOWN,
    "discord://417421629812345678/JHMHI8qBe7bk2ZwO5U711o3dV_js/": Form.MARKDOWN,
    "mmost://127.0.0.1/3ccdd113474722377935511fc85d3dd4": Form.MARKDOWN,
    "zulip://bot@org/a5b6c7d8e9f0a1b2c3d4e5f6a7b8c9d0": Form.MARKDOWN,
    "json://127.0.0.1/": Form.PLAIN,
    "xml://127.0.0.1/": Form.PLAIN,
    "ntfy://127.0.0.1/topic": Form.PLAIN,
    "clickatell://abcdefghij/15551234567": Form.SHORT,
}


@pytest.mark.parametrize(("url", "form"), FORMS.items(), ids=[url[:28] for url in FORMS])
def test_each_service_gets_the_form_that_it_shows(url, form):
    import apprise

    service = apprise.Apprise.instantiate(url)
    assert service is not None
    assert choose_form(service)[0] is form


def test_services_that_are_loaded_by_name_are_among_them():
    assert {url.partition("://")[0] for url in FORMS} & set(SERVICES)


def test_a_text_message_is_one_line():
    fitted = fit(MESSAGE, Service(title_maxlen=0, body_maxlen=160))
    assert (fitted.title, fitted.body) == ("", MESSAGE.short)


def test_a_shorter_text_message_is_cut():
    fitted = fit(MESSAGE, Service(title_maxlen=0, body_maxlen=70))
    assert 60 < len(fitted.body) <= 70
    assert fitted.body.startswith(MESSAGE.title)


@pytest.mark.parametrize("form", ["text", "html", "markdown"])
def test_a_service_without_a_title_gets_it_in_the_text(form):
    fitted = fit(MESSAGE, Service(form, title_maxlen=0))
    assert fitted.title == ""
    assert "soldscope-production: token rejected" in fitted.body.splitlines()[0]


@pytest.mark.parametrize("form", ["text", "html", "markdown"])
@pytest.mark.parametrize("limit", [250, 500, 1000, 4000])
@pytest.mark.parametrize("is_shared", [True, False])
def test_no_service_gets_more_than_it_takes(form, limit, is_shared):
    service = Service(form, 80, limit, is_shared)
    fitted = fit(MESSAGE, service)
    assert len(fitted.title) + len(fitted.body) <= limit + (0 if is_shared else len(fitted.title))


def test_a_title_is_cut_to_what_the_service_takes():
    assert fit(MESSAGE, Service(title_maxlen=10)).title == "🔴 [TEST]…"


def test_a_template_words_a_text_message_too(tmp_path):
    path = tmp_path / "t.j2"
    path.write_text("{{ connections[0] }} is broken")
    fitted = fit(sample_message(AlertKind.ERROR, NOW), Service(body_maxlen=160), path)
    assert fitted.body.endswith("soldscope-production is broken")


def test_a_template_that_is_too_long_is_cut_at_a_line(tmp_path):
    path = tmp_path / "t.j2"
    path.write_text("{% for n in range(99) %}\nline {{ n }}\n{% endfor %}")
    body = fit(MESSAGE, Service(body_maxlen=300), path).body
    assert len(body) <= 300
    assert body.splitlines()[-1] == "... and more"


def test_a_template_in_html_breaks_its_lines(tmp_path):
    path = tmp_path / "t.j2"
    path.write_text("a\nb")
    assert "a<br>\nb" in fit(MESSAGE, Service("html"), path).body


def test_the_form_of_a_template_for_a_text_message_is_plain(tmp_path):
    form, _ = form_of_template(Service(body_maxlen=160), tmp_path / "t.j2")
    assert form is Form.PLAIN
