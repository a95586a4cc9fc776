"""Gateways for the service tests: one healthy for the session, fresh ones for tests that break things."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from images.gateway.tests.running import Changes, Gateway, run_gateway


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway whose models are all well, with the settings of production."""
    with run_gateway(Path(tmp_path_factory.mktemp("gateway"))) as running:
        yield running


@pytest.fixture(scope="session")
def unguarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """LiteLLM without the door in front of it."""
    script = Path(__file__).with_name("unguarded.py")
    with run_gateway(Path(tmp_path_factory.mktemp("unguarded")), script=script) as running:
        yield running


@pytest.fixture
def start_gateway(tmp_path: Path) -> Iterator[Callable[..., Gateway]]:
    """Starts a gateway that this test alone may break."""
    with ExitStack() as stack:

        def start(**changes: Any) -> Gateway:
            return stack.enter_context(run_gateway(tmp_path, Changes(**changes)))

        yield start
