"""A site that serves one model, and a fetch that never really waits."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # importlib mode: the helpers beside the tests

from coderag_model.logs import LOGGER
from faulty_site import Site, serving
from fetcher import Fetcher
from gguf_bytes import model


@pytest.fixture
def site() -> Iterator[Site]:
    with serving(Site(model())) as running:
        yield running


@pytest.fixture
def other() -> Iterator[Site]:
    with serving(Site(model())) as running:
        yield running


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """No handler outlives the test whose standard error it writes to."""
    yield
    LOGGER.handlers.clear()


@pytest.fixture
def waits() -> list[float]:
    """The seconds that the code under test wanted to wait."""
    return []


@pytest.fixture
def fetcher(site: Site, tmp_path: Path, waits: list[float]) -> Fetcher:
    return Fetcher(site, tmp_path, waits)
