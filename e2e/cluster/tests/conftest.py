"""Every test gets a cache folder of its own, so that nothing here touches a real cluster."""

from pathlib import Path

import pytest


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    monkeypatch.setenv("CODERAG_CACHE", str(tmp_path))
    return tmp_path
