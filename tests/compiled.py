"""
Compile each statement once for all databases of a run, as a daemon does for all days of its life.

An engine keeps what it has compiled. A test has a database of its own, and with it an engine that
would compile everything again, which takes longer than most tests. What is asked is the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import NullPool, create_engine

if TYPE_CHECKING:
    from sqlalchemy import Engine

_FIRST = create_engine("sqlite://", poolclass=NullPool)  # leaves no connection open in any thread
_COMPILED: dict[Any, Any] = {}


def create_sharing_engine(url: str, **options: Any) -> Engine:
    """
    Make an engine that knows the statements of all that were made here before.
    """
    with _FIRST.connect():
        pass  # the first to connect learns which SQLite this is
    engine = create_engine(url, execution_options={"compiled_cache": _COMPILED}, **options)
    # What is compiled is kept for the dialect that it was compiled by.
    engine.dialect = _FIRST.dialect
    return engine
