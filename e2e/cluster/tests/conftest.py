"""Every test gets a cache folder of its own, so that nothing here touches a real cluster."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty cache. Its path is short, as pytest's own are not: a cluster's folder holds sockets."""
    with tempfile.TemporaryDirectory(prefix="cr") as folder:
        monkeypatch.setenv("CODERAG_CACHE", folder)
        yield Path(folder)
