"""
Receive what Apprise sends: a web hook, a mail server, and services under their own names.
"""

from __future__ import annotations

import asyncio
import email
import json
import socket
import warnings
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from email import policy
from typing import TYPE_CHECKING, Any

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

from tests.loopback import Handler, serve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from email.message import EmailMessage
    from ssl import SSLContext


class WebHook:
    """
    A web hook that keeps what is posted and answers as told.

    Args:
        answers: The status by path; 200 for all others.
    """

    def __init__(self) -> None:
        self.answers: dict[str, int] = {}
        self.posts: list[tuple[str, dict[str, Any]]] = []
        self.port = 0

    def url(self, path: str = "/hook", query: str = "") -> str:
        return f"json://127.0.0.1:{self.port}{path}?{query}".rstrip("?")

    def paths(self) -> list[str]:
        return [path for path, _ in self.posts]


@contextmanager
def run_web_hook() -> Iterator[WebHook]:
    hook = WebHook()

    class HookHandler(Handler):
        def do_POST(self) -> None:  # noqa: N802 - its name there
            path = self.path.partition("?")[0]
            hook.posts.append((path, json.loads(self.read_body())))
            self.answer(hook.answers.get(path, 200), headers={"Location": "/elsewhere"})

        def do_GET(self) -> None:  # noqa: N802 - its name there
            hook.posts.append((self.path, {}))
            self.answer()

    with serve(HookHandler) as hook.port:
        yield hook


@dataclass
class Stage:
    """
    What a service that is played here answers, and what it was sent.

    Args:
        posts: The host asked for, the path and the JSON of each request.
    """

    status: int = 200
    body: bytes = b"ok"
    headers: dict[str, str] = field(default_factory=dict)
    posts: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    port: int = 0


@contextmanager
def run_stage(tls: SSLContext) -> Iterator[Stage]:
    """
    Play services over HTTPS.
    """
    stage = Stage()

    class StageHandler(Handler):
        def do_POST(self) -> None:  # noqa: N802 - its name there
            stage.posts.append((self.headers["Host"], self.path, json.loads(self.read_body())))
            self.answer(stage.status, stage.body, stage.headers)

    with serve(StageHandler, tls) as stage.port:
        yield stage


@contextmanager
def run_silent_server() -> Iterator[int]:
    """
    Yield the port of a server that takes connections and never says a word.
    """
    with socket.create_server(("127.0.0.1", 0), backlog=50) as server:
        yield server.getsockname()[1]


class MailBox:
    """
    A mail server that keeps what it is sent.

    Args:
        password: The only one it lets in.
        refused: Recipients that it does not take.
    """

    def __init__(self) -> None:
        self.password = b"hunter2"
        self.refused: set[str] = set()
        self.mails: list[EmailMessage] = []
        self.port = 0

    def url(self, password: str = "hunter2", mode: str = "insecure", query: str = "") -> str:
        scheme, host = ("mailto", "127.0.0.1") if mode == "insecure" else ("mailtos", "localhost")
        return (
            f"{scheme}://anna:{password}@{host}:{self.port}"
            f"?mode={mode}&from=connwatch@example.com&to=boss@example.com&cto=2{query}"
        )

    # aiosmtpd calls these three by their names and with more than they need.

    async def handle_RCPT(self, *call: Any) -> str:  # noqa: N802
        _, _, envelope, address, _ = call
        if address in self.refused:
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, *call: Any) -> str:  # noqa: N802
        _, _, envelope = call
        self.mails.append(email.message_from_bytes(envelope.content, policy=policy.default))
        return "250 OK"

    def let_in(self, *call: Any) -> AuthResult:
        *_, login = call
        is_known = isinstance(login, LoginPassword) and login.password == self.password
        return AuthResult(success=is_known, handled=False)


@asynccontextmanager
async def run_mail_server(
    tls: SSLContext | None = None, *, is_implicit: bool = False
) -> AsyncIterator[MailBox]:
    """
    Args:
        tls: Take no login before TLS has begun.
        is_implicit: TLS begins with the first byte, without STARTTLS.
    """
    box = MailBox()
    upgrade = None if is_implicit else tls

    def serve() -> SMTP:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns of passwords without TLS: loopback
            return SMTP(
                box,
                hostname="localhost",
                authenticator=box.let_in,
                auth_required=True,
                auth_require_tls=upgrade is not None,
                tls_context=upgrade,
                require_starttls=upgrade is not None,
            )

    loop = asyncio.get_running_loop()
    implicit = tls if is_implicit else None
    server = await loop.create_server(serve, "127.0.0.1", 0, ssl=implicit)
    box.port = server.sockets[0].getsockname()[1]
    async with server:
        yield box
