"""
Channels that are not in the file send to public addresses only: real servers, real resolvers.
"""

from __future__ import annotations

import gc
import socket
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from monitor.config.hosts import AllowedHosts, HostRefused
from monitor.config.secret import Secret
from monitor.notify.apprise import AppriseSender
from monitor.notify.confinement import confine, current_confinement
from monitor.notify.delivery import AlertError
from monitor.notify.message import Message
from tests.sinks import run_mail_server, run_silent_server

# Apprise asks for it while it imports, prepared to do without.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

MESSAGE = Message("token rejected", "It is rejected.")
NOTHING_MORE = AllowedHosts()


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


def sender_to(url: str, allowed: AllowedHosts = NOTHING_MORE) -> AppriseSender:
    return AppriseSender({"ops": Secret(url)}, allowed={"ops": allowed})


def failure_of(sender: AppriseSender) -> str:
    with pytest.raises(AlertError) as caught:
        sender.send("ops", MESSAGE)
    assert not caught.value.permanent
    return str(caught.value)


URLS = {
    "a web hook": "json://127.0.0.1:{port}/hook",
    "in one number": "json://2130706433:{port}/hook",
    "in hexadecimal": "json://0x7f000001:{port}/hook",
    "by a name": "json://localhost:{port}/hook",
    "XML": "xml://127.0.0.1:{port}/hook",
    "a form": "form://127.0.0.1:{port}/hook",
    "ntfy": "ntfy://127.0.0.1:{port}/topic",
    "Mattermost": "mmost://127.0.0.1:{port}/3ccdd113474722377935511fc85d3dd4",
    "e-mail": "mailto://a:b@127.0.0.1:{port}?mode=insecure&from=a@b.cd",
    "e-mail by a name": "mailto://a:b@example.com:{port}?smtp=localhost&mode=insecure&from=a@b.cd",
    "Gotify": "gotify://127.0.0.1:{port}/token",
    "Home Assistant": "hassio://127.0.0.1:{port}/accesstoken",
    "syslog over the network": "rsyslog://127.0.0.1:{port}/local7",
}


# Apprise leaves a socket of syslog to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("url", URLS.values(), ids=URLS)
def test_nothing_is_sent_inside(url):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        server.settimeout(0)
        try:
            said = failure_of(sender_to(url.format(port=port)))
        finally:
            with pytest.raises(BlockingIOError):
                server.accept()  # nobody came
    gc.collect()
    assert "may reach public addresses only" in said
    assert "web.allowed_hosts" in said


def test_channels_of_the_file_send_anywhere(hook):
    AppriseSender({"ops": Secret(hook.url())}).send("ops", MESSAGE)
    sender = AppriseSender(
        {"ops": Secret(hook.url()), "other": Secret(hook.url("/other"))},
        allowed={"other": NOTHING_MORE},
    )
    sender.send("ops", MESSAGE)
    assert hook.paths() == ["/hook", "/hook"]
    with pytest.raises(AlertError):
        sender.send("other", MESSAGE)
    sender.send("ops", MESSAGE)
    assert hook.paths() == ["/hook"] * 3


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.1", "127.0.0.0/8"),
        ("localhost", "localhost"),
        ("localhost", "127.0.0.0/8"),
    ],
)
def test_what_is_let_in_is_sent_to(hook, host, allowed):
    url = hook.url().replace("127.0.0.1", host)
    sender_to(url, AllowedHosts.of([allowed, "::1"])).send("ops", MESSAGE)
    assert hook.paths() == ["/hook"]


@pytest.mark.anyio
async def test_mail_is_sent_where_it_may_be():
    import asyncio

    async with run_mail_server() as box:
        url = box.url()
        refused = await asyncio.to_thread(failure_of, sender_to(url))
        assert "public addresses only" in refused
        assert not box.mails
        allowed = AllowedHosts.of(["127.0.0.1"])
        await asyncio.to_thread(sender_to(url, allowed).send, "ops", MESSAGE)
        assert len(box.mails) == 1


def test_a_proxy_does_not_help(hook, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{hook.port}")
    said = failure_of(sender_to("json://internal.example/hook", AllowedHosts.of(["127.0.0.1"])))
    assert "the proxy of $HTTPS_PROXY would look its address up" in said
    assert hook.posts == []
    allowed = AllowedHosts.of(["127.0.0.1", "internal.example"])
    sender_to("json://internal.example/hook", allowed).send("ops", MESSAGE)
    assert len(hook.posts) == 1


def test_no_file_of_this_machine_is_read(tmp_path, hook):
    secret = tmp_path / "secret"
    secret.write_text("hunter2")
    with confine(AllowedHosts.of(["127.0.0.1"])):
        with pytest.raises(PermissionError, match="no file"):
            secret.read_text()
        with pytest.raises(PermissionError, match="no file"):
            open("/etc/hostname", encoding="ascii")  # noqa: PTH123, SIM115 - what is tried
        with open(socket.__file__, encoding="utf-8") as file:  # noqa: PTH123 - likewise
            assert file.readline()
    assert secret.read_text() == "hunter2"


# --- whatever code does it


def connect(port: int) -> None:
    socket.create_connection(("127.0.0.1", port), timeout=5).close()


def connect_by_number(port: int) -> None:
    with socket.socket() as sock:
        assert sock.connect_ex(("127.0.0.1", port)) == 0


def connect_by_name(port: int) -> None:
    with socket.socket() as sock:
        sock.connect(("localhost", port))


def send_datagram(port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"x", ("127.0.0.1", port))


def send_datagram_by_name(port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"x", ("localhost", port))


def send_message(port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendmsg([b"x"], [], 0, ("127.0.0.1", port))


def connect_locally(_: int) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect("\0connwatch-test-nobody")


def connect_in_a_thread(port: int) -> None:
    failures: list[BaseException] = []

    def run() -> None:
        try:
            connect(port)
        except OSError as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]


def connect_in_a_thread_of_a_thread(port: int) -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(connect_in_a_thread, port).result()


def connect_in_a_loop(port: int) -> None:
    import asyncio

    async def run() -> None:
        _, writer = await asyncio.open_connection("localhost", port)
        writer.close()

    asyncio.run(run())


def start_a_program(_: int) -> None:
    import subprocess

    subprocess.run([sys.executable, "-c", ""], check=True)


WAYS = (
    connect,
    connect_by_number,
    connect_by_name,
    send_datagram,
    send_datagram_by_name,
    send_message,
    connect_locally,
    connect_in_a_thread,
    connect_in_a_thread_of_a_thread,
    connect_in_a_loop,
    start_a_program,
)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_no_code_gets_out(way):
    with run_silent_server() as port:
        with confine(NOTHING_MORE), pytest.raises(OSError) as caught:  # noqa: PT011 - told below
            way(port)
        assert isinstance(caught.value, HostRefused | PermissionError)
        assert current_confinement() is None
        if way is not connect_locally:
            way(port)  # and outside of that it does


def test_a_name_that_leads_elsewhere_the_second_time_gains_nothing(monkeypatch):
    """
    The resolver says something else each time; what counts is where the socket goes.
    """
    genuine, answers = socket.getaddrinfo, ["127.0.0.2", "127.0.0.1"]

    def fickle(host: str, port: int, *args: int, **kwargs: int) -> object:
        answers.append(answers.pop(0))
        return genuine(answers[-1] if host == "rebinding.example" else host, port, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", fickle)
    with socket.create_server(("127.0.0.2", 0)) as outside:
        port = outside.getsockname()[1]
        with socket.create_server(("127.0.0.1", port)) as inside:
            inside.settimeout(0)
            with confine(AllowedHosts.of(["127.0.0.2"])):
                for number in range(6):
                    if number % 2:
                        with pytest.raises(HostRefused):
                            socket.create_connection(("rebinding.example", port), timeout=5)
                    else:
                        socket.create_connection(("rebinding.example", port), timeout=5).close()
            with pytest.raises(BlockingIOError):
                inside.accept()
