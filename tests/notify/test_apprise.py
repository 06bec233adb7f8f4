from __future__ import annotations

import asyncio
import io
import logging
import os
import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.config.secret import Secret
from monitor.judge.alerts import Severity
from monitor.notify.apprise import SERVICES, AppriseSender, validate_url
from monitor.notify.delivery import AlertError
from monitor.notify.message import Message
from tests.sinks import run_mail_server, run_silent_server

# Apprise asks for it while it imports, prepared to do without.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

MESSAGE = Message("🔴 soldscope-production: token rejected", "It is <refused> & *gone*.\n\nMore: x")


def sender_to(*urls: str) -> AppriseSender:
    return AppriseSender({"ops": Secret(" ".join(urls))})


def failure_of(sender: AppriseSender, key: str = "") -> AlertError:
    with pytest.raises(AlertError) as caught:
        sender.send("ops", MESSAGE, key)
    return caught.value


def test_a_message_arrives_as_it_was_written(hook):
    sender_to(hook.url()).send("ops", MESSAGE)
    [(path, post)] = hook.posts
    assert path == "/hook"
    assert (post["title"], post["message"]) == (MESSAGE.title, MESSAGE.body)


@pytest.mark.parametrize(
    ("severity", "kind"),
    [(Severity.CRITICAL, "failure"), (Severity.WARNING, "warning"), (Severity.INFO, "info")],
)
def test_the_severity_becomes_apprises_kind(hook, severity, kind):
    sender_to(hook.url()).send("ops", Message("t", "b", severity))
    assert hook.posts[0][1]["type"] == kind


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 429, 500, 502, 503])
def test_a_refusal_is_an_error_that_names_the_status_and_may_pass(hook, status):
    hook.answers["/hook/T0K3N"] = status
    error = failure_of(sender_to(hook.url("/hook/T0K3N")))
    assert f"error={status}" in str(error)
    assert not error.permanent


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(hook, status):
    hook.answers["/hook"] = status
    assert f"error={status}" in str(failure_of(sender_to(hook.url())))
    assert hook.paths() == ["/hook"]


def test_a_service_that_is_not_there_is_an_error_that_may_pass():
    with run_silent_server() as port:
        pass
    error = failure_of(sender_to(f"json://127.0.0.1:{port}/T0K3N"))
    assert "Connection refused" in str(error)
    assert "T0K3N" not in str(error)
    assert not error.permanent


def test_a_service_that_never_answers_is_given_up():
    began = time.monotonic()
    with run_silent_server() as port:
        error = failure_of(sender_to(f"json://127.0.0.1:{port}/T0K3N?rto=0.2"))
    assert not error.permanent
    assert time.monotonic() - began < 3


def test_a_message_too_long_for_the_service_arrives_once_and_cut(hook):
    sender_to(hook.url()).send("ops", Message("t", "x" * 100_000))
    [(_, post)] = hook.posts
    assert 1000 < len(post["message"]) < 100_000


def test_every_target_of_a_channel_gets_the_message(hook):
    sender_to(hook.url("/one"), hook.url("/two")).send("ops", MESSAGE)
    assert hook.paths() == ["/one", "/two"]


def test_only_the_target_that_failed_is_tried_again(hook):
    hook.answers["/two"] = 500
    sender = sender_to(hook.url("/one"), hook.url("/two"), hook.url("/three"))
    error = failure_of(sender, "7")
    assert str(error).startswith("1 of 3 targets failed: JSON: ")
    assert not error.permanent
    hook.answers.clear()
    sender.send("ops", MESSAGE, "7")
    assert hook.paths() == ["/one", "/two", "/three", "/two"]
    sender.send("ops", MESSAGE, "8")
    assert hook.paths()[4:] == ["/one", "/two", "/three"]


def test_without_a_key_every_target_is_tried_again(hook):
    hook.answers["/two"] = 500
    sender = sender_to(hook.url("/one"), hook.url("/two"))
    failure_of(sender)
    failure_of(sender)
    assert hook.paths() == ["/one", "/two"] * 2


def test_a_channel_that_left_the_configuration_is_a_permanent_error():
    with pytest.raises(AlertError, match="channel old is not in the configuration") as caught:
        AppriseSender({}).send("old", MESSAGE)
    assert caught.value.permanent


def test_a_url_that_cannot_be_read_at_the_moment_may_come_back(tmp_path, hook):
    path = tmp_path / "url"
    sender = AppriseSender({"ops": Secret({"file": str(path)})})
    error = failure_of(sender)
    assert "the URL of channel ops cannot be read" in str(error)
    assert not error.permanent
    path.write_text(hook.url())
    path.chmod(0o600)
    sender.send("ops", MESSAGE)
    assert hook.paths() == ["/hook"]


def test_a_url_that_changed_is_used_with_the_next_message(tmp_path, hook):
    path = tmp_path / "url"
    path.write_text(hook.url("/old"))
    path.chmod(0o600)
    secret = Secret({"file": str(path)})
    sender = AppriseSender({"ops": secret})
    sender.send("ops", MESSAGE)
    path.write_text(hook.url("/new"))
    secret.refresh()
    sender.send("ops", MESSAGE)
    assert hook.paths() == ["/old", "/new"]


UNUSABLE = {
    "no scheme": "hooks.example.com/S3CRET",
    "unknown service": "nosuchservice://S3CRET@example.com",
    "unknown service, native": "https://example.com/S3CRET",
    "token missing": "slack://S3CRET",
    "host missing": "json://",
    "mail without a domain": "mailto://S3CRET",
    "second of two unusable": "json://127.0.0.1/x nosuchservice://S3CRET",
}


@pytest.mark.parametrize("url", UNUSABLE.values(), ids=UNUSABLE)
def test_an_unusable_url_is_a_permanent_error_that_does_not_show_it(url):
    error = failure_of(sender_to(url))
    assert error.permanent
    assert "S3CRET" not in str(error)
    assert validate_url(Secret(url)) == str(error)


@pytest.mark.parametrize(
    "url",
    [
        "json://127.0.0.1:8080/x",
        "JSONS://example.com",
        "mailtos://anna:hunter2@example.com",
        "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#room",
        "tgram://123456789:abcdefg_hijklmnop/12315544/",
        "discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js",
        "https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ",
        "signal://127.0.0.1:8080/+15551234567/+15557654321",
        "json://127.0.0.1/a, json://127.0.0.1/b",
    ],
)
def test_a_usable_url_is_found_usable(url):
    assert validate_url(Secret(url)) is None


def test_a_url_that_cannot_be_read_is_not_usable(monkeypatch):
    monkeypatch.delenv("OPS_URL", raising=False)
    assert validate_url(Secret({"env": "OPS_URL"})) == (
        "env OPS_URL: this environment variable is not set"
    )


TEXT = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1)


@given(scheme=st.sampled_from(["", *SERVICES]), rest=TEXT)
def test_no_url_makes_validation_crash(scheme, rest):
    try:
        secret = Secret(f"{scheme}://{rest}")
    except ValueError:
        return
    why = validate_url(secret)
    assert why is None or rest.casefold() not in why.casefold() or len(rest) < 5


def test_the_usual_services_are_where_apprise_keeps_them():
    from apprise.manager_plugins import NotificationManager

    manager = NotificationManager()  # type: ignore[no-untyped-call]
    for scheme, (module, name) in SERVICES.items():
        plugin = manager[scheme]
        assert plugin.__name__ == name
        assert plugin.__module__.removesuffix(".base") == f"apprise.plugins.{module}"


def test_only_the_services_in_use_are_loaded(hook):
    script = (
        "import sys\n"
        "from monitor.notify.message import Message\n"
        "from monitor.notify.apprise import AppriseSender\n"
        "from monitor.config.secret import Secret\n"
        "assert 'apprise' not in sys.modules\n"
        f"AppriseSender({{'ops': Secret({hook.url()!r})}}).send('ops', Message('t', 'b'))\n"
        "print(len([m for m in sys.modules if m.startswith('apprise.plugins.')]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, env=os.environ
    )
    assert done.stderr == ""
    assert int(done.stdout) < 10
    assert hook.paths() == ["/hook"]


SECRET_PARTS = ["T0K3N", "hunter2", "k3yk3y", "anna"]


@pytest.fixture
def logged():
    """
    What the root logger would print with everything switched on.
    """
    logged, root, level = io.StringIO(), logging.getLogger(), logging.root.level
    handler = logging.StreamHandler(logged)
    root.addHandler(handler)
    root.setLevel(logging.NOTSET)
    yield logged
    root.setLevel(level)
    root.removeHandler(handler)


@pytest.mark.parametrize("status", [200, 302, 404, 500, None])
def test_no_secret_reaches_a_log_an_error_or_the_terminal(hook, status, logged, capfd):
    path = "/services/T0K3N"
    hook.answers[path] = status or 200
    with run_silent_server() as closed_port:
        pass
    port = hook.port if status else closed_port
    sender = sender_to(f"json://anna:hunter2@127.0.0.1:{port}{path}?+X-Key=k3yk3y")
    said = "" if status == 200 else str(failure_of(sender))
    if status == 200:
        sender.send("ops", MESSAGE)
    out, err = capfd.readouterr()
    logging.getLogger("someone.else").debug("the handler works")
    everything = said + logged.getvalue() + out + err
    assert "the handler works" in everything
    assert [part for part in SECRET_PARTS if part in everything] == []


@pytest.mark.anyio
async def test_mail_arrives_with_its_title_as_subject():
    async with run_mail_server() as box:
        await asyncio.to_thread(sender_to(box.url()).send, "ops", MESSAGE)
    [mail] = box.mails
    assert mail["Subject"] == MESSAGE.title
    assert mail["To"].addresses[0].addr_spec == "boss@example.com"
    plain = mail.get_body(("plain",))
    assert plain is not None
    assert "It is <refused> & *gone*." in plain.get_content()


@pytest.mark.anyio
async def test_mail_refused_for_its_password_is_an_error_without_the_password():
    async with run_mail_server() as box:
        sender = sender_to(box.url(password="n0t-1t"))
        error = await asyncio.to_thread(failure_of, sender)
    assert box.mails == []
    assert str(error).startswith("E-Mail: ")
    assert "535" in str(error)
    assert [part for part in ("n0t-1t", "anna", "boss") if part in str(error)] == []


@pytest.mark.anyio
async def test_mail_to_an_unknown_recipient_is_an_error():
    async with run_mail_server() as box:
        box.refused.add("boss@example.com")
        error = await asyncio.to_thread(failure_of, sender_to(box.url()))
    assert box.mails == []
    assert "boss" not in str(error)


def test_a_mail_server_that_never_answers_is_given_up():
    with run_silent_server() as port:
        error = failure_of(
            sender_to(f"mailto://a:b@127.0.0.1:{port}?mode=insecure&from=a@b.cd&cto=0.2")
        )
    assert not error.permanent
