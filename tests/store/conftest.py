"""
Give tests of the store a disk that is too small.
"""

from __future__ import annotations

import resource
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from monitor.store.engine import StoreWorker


@pytest.fixture
def limit_file_size() -> Iterator[Callable[[int], None]]:
    """
    Let no file grow beyond a size until the test ends: as good as a full disk.
    """
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def worker(store: StoreWorker) -> StoreWorker:
    """What elsewhere is called the store, is here one part of it."""
    return store
