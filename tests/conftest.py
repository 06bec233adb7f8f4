"""
Fixtures that every test may use, among them a real database file, migrated to head.
"""

from __future__ import annotations

import shutil
import signal
from typing import TYPE_CHECKING, Any

import certifi
import pytest
import structlog
from hypothesis import settings
from structlog.dev import ConsoleRenderer, plain_traceback

from monitor.store import engine
from monitor.store.engine import Database, StoreWorker
from monitor.store.migrate import upgrade
from tests.built_once import share_commands
from tests.compiled import create_sharing_engine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import trustme

    from tests.builders import Story
    from tests.sinks import WebHook

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell that starts us in the background has it ignored, and what we start
    # would inherit that: Ctrl-C could not be tried.
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Hypothesis's deadline is in time on the wall: how busy the machine is would decide.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def _free_loggers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """
    Keep one test's configuration of logging from the loggers of the next.
    """
    configure = structlog.configure

    def configure_uncached(*args: Any, **settings: Any) -> None:
        configure(*args, **settings | {"cache_logger_on_first_use": False})

    monkeypatch.setattr(structlog, "configure", configure_uncached)
    # With all variables in a frame, as is usual, one traceback takes ten seconds to print.
    *others, _ = structlog.get_config()["processors"]
    configure(processors=[*others, ConsoleRenderer(exception_formatter=plain_traceback)])
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session", autouse=True)
def _made_once() -> Iterator[None]:
    """
    Compile statements once for all databases, and build commands once: most of what they cost.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "create_engine", create_sharing_engine)
        share_commands(patch)
        yield


@pytest.fixture(scope="session", autouse=True)
def _few_authorities(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], str]]:
    """
    Trust one of the usual authorities: to read them all is most of what a client of HTTP costs.

    No test calls a host that has a certificate of theirs.
    """
    usual, end = certifi.where, "-----END CERTIFICATE-----\n"
    folder = tmp_path_factory.mktemp("authorities")
    path = folder / "one.pem"
    path.write_text(certifi.contents().partition(end)[0] + end, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(certifi, "where", lambda: str(path))
        patch.setenv("SSL_CERT_FILE", str(path))
        patch.setenv("SSL_CERT_DIR", str(folder))
        yield usual


@pytest.fixture
def usual_authorities(_few_authorities: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Trust what is trusted where connwatch runs."""
    monkeypatch.setattr(certifi, "where", _few_authorities)
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """
    A database without rows, migrated once and copied for each test.
    """
    path = tmp_path_factory.mktemp("store") / "empty.db"
    database = Database(f"sqlite:///{path}")
    upgrade(database)
    database.close()
    return path


@pytest.fixture
def database_path(empty_database: Path, tmp_path: Path) -> Path:
    path = tmp_path / "connwatch.db"
    shutil.copy(empty_database, path)
    return path


@pytest.fixture
def open_database(database_path: Path) -> Iterator[Callable[[], Database]]:
    """
    Open the test's database once more, as another process would.
    """
    opened: list[Database] = []

    def open_it() -> Database:
        opened.append(Database(f"sqlite:///{database_path}"))
        return opened[-1]

    yield open_it
    for database in opened:
        database.close()


@pytest.fixture
def store(database: Database) -> Iterator[StoreWorker]:
    """
    The one that writes to the test's database, as a daemon has it.
    """
    store = StoreWorker(database)
    yield store
    store.close()


@pytest.fixture
def database(open_database: Callable[[], Database]) -> Database:
    return open_database()


@pytest.fixture
def hook() -> Iterator[WebHook]:
    """A web hook that takes everything, and keeps it."""
    from tests.sinks import run_web_hook

    with run_web_hook() as hook:
        yield hook


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """A certification authority that nobody trusts unasked."""
    import trustme

    return trustme.CA()


@pytest.fixture
def story(database: Database) -> Story:
    """Two connections, "one" and "two", first due at noon."""
    from tests.builders import Story, entry, plan_of

    return Story.begin(database, plan_of(entry("one"), entry("two")))
