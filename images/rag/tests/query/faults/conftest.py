"""Dependencies that fail on command, and an event loop whose time passes only when nothing is left to do.

Deadlines, waits and probes are told in seconds; on this loop they pass in milliseconds and always exactly, so a test
may say "within 15 s" and mean it on any machine.
"""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse
from qdrant_client.local.async_qdrant_local import AsyncQdrantLocal


class _Jumping(selectors.DefaultSelector):
    """Instead of sleeping until the next timer, moves the loop's time there."""

    loop: "VirtualLoop"

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0 if timeout is not None else None)
        if not ready and timeout:
            self.loop.moment += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop with a time of its own."""

    def __init__(self) -> None:
        selector = _Jumping()
        super().__init__(selector)
        selector.loop = self
        self.moment = 0.0

    def time(self) -> float:
        return self.moment


def pytest_asyncio_loop_factories(config: Any, item: Any) -> dict[str, Any]:
    """Every async test of this folder runs in virtual time."""
    return {"virtual": VirtualLoop}


@pytest.fixture(scope="session")
def virtually() -> Callable[[Coroutine[Any, Any, Any]], Any]:
    """Run a coroutine in virtual time, for tests whose examples each need a fresh loop."""

    def run(work: Coroutine[Any, Any, Any]) -> Any:
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            return runner.run(work)

    return run


@dataclass
class Faults:
    """What happens to the next calls, one entry each, and then to all others: `fine` or the name of a fault."""

    always: str = "fine"
    script: list[tuple[str, float]] = field(default_factory=list)
    calls: list[tuple[float, str]] = field(default_factory=list)
    timeouts: list[dict[str, float]] = field(default_factory=list)

    def take(self, what: str) -> tuple[str, float]:
        """Note a call and return its fate: the fault and the seconds before it."""
        self.calls.append((asyncio.get_running_loop().time(), what))
        return self.script.pop(0) if self.script else (self.always, 0.0)

    async def http(self, request: httpx.Request) -> httpx.Response | None:
        """Do to an HTTP request what is scripted, within its timeouts; None means answer it."""
        fault, delay = self.take(request.url.path)
        limits = request.extensions["timeout"]
        self.timeouts.append(limits)
        if fault == "refused":
            await _wait(delay, limits["connect"], httpx.ConnectTimeout("connect"))
            raise httpx.ConnectError("refused")
        if fault == "hangs":
            await _wait(float("inf"), limits["read"], httpx.ReadTimeout("read"))
        await _wait(delay, limits["read"], httpx.ReadTimeout("read"))
        if fault == "reset":
            raise httpx.ReadError("reset")
        return None if fault == "fine" else httpx.Response(int(fault), text="scripted")


async def _wait(seconds: float, limit: float | None, error: Exception) -> None:
    if limit is None or seconds <= limit:
        await (asyncio.sleep(seconds) if seconds < float("inf") else asyncio.Event().wait())
        return
    await asyncio.sleep(limit)
    raise error


class FaultyQdrant:
    """Qdrant's local mode behind faults; `only` limits them to some methods."""

    READS = ("query_points", "retrieve", "scroll")

    def __init__(self, client: AsyncQdrantLocal) -> None:
        self.client, self.faults, self.only = client, Faults(), self.READS

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.client, name)
        if name not in self.only:
            return method

        async def read(*arguments: Any, **options: Any) -> Any:
            fault, delay = self.faults.take(options.get("using") or name)
            await (asyncio.Event().wait() if fault == "hangs" else asyncio.sleep(delay))
            if fault in ("refused", "reset"):
                kind = httpx.ConnectError if fault == "refused" else httpx.ReadError
                raise ResponseHandlingException(kind(fault))
            if fault != "fine":
                raise UnexpectedResponse(int(fault), "", b"scripted", httpx.Headers())
            return await method(*arguments, **options)

        return read


@pytest.fixture
def qdrant(qdrant: AsyncQdrantLocal) -> FaultyQdrant:
    return FaultyQdrant(qdrant)


@dataclass
class Network:
    """Every HTTP server of the stack by host name, each behind its own faults."""

    servers: dict[str, Callable[[httpx.Request], httpx.Response]]
    faults: dict[str, Faults] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.faults = {name: Faults() for name in self.servers}

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        name = request.url.host
        return await self.faults[name].http(request) or self.servers[name](request)


@pytest.fixture
def network(servers: dict[str, Callable[[httpx.Request], httpx.Response]]) -> Network:
    return Network(servers)


@pytest.fixture
def usual() -> dict[str, str]:
    """Nothing: the documented defaults."""
    return {}


@pytest.fixture
def index_of_one_file(virtually: Any, make_index: Any, make_qdrant: Any, corpus: Any) -> Any:
    """An index that serves one file; it belongs to no loop."""
    client = FaultyQdrant(make_qdrant())

    async def fill() -> None:
        index = make_index(client)
        await index.create()
        await index.go_live()
        await index.serve("app", corpus["queue"])

    virtually(fill())
    yield client
    virtually(client.close())
