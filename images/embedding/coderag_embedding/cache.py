"""Vectors of recent queries, each computed once however many ask for it at the same time.

Searches repeat: people page through results, tools ask again, a fan-out asks the same thing of every repository. A
vector depends on the text and the model alone and on nobody's permissions, so one cache serves all callers. Keys are
digests: no search text stays in memory longer than its request.
"""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

T = TypeVar("T")


@dataclass
class _Flight(Generic[T]):
    """One computation and how many wait for it."""

    task: asyncio.Task[T]
    waiters: int = 0


class QueryCache(Generic[T]):
    """Keeps the last `size` results. Lives on the event loop; 0 keeps none and still shares what runs."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept: OrderedDict[bytes, T] = OrderedDict()
        self._flights: dict[bytes, _Flight[T]] = {}
        self.hits = 0  # answered from what is kept
        self.shared = 0  # joined a computation that ran already
        self.misses = 0

    def __len__(self) -> int:
        return len(self._kept)

    async def get(self, key: bytes, compute: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Return the kept result, or that of one shared computation; it stops when the last who waits has gone."""
        if key in self._kept:
            self.hits += 1
            self._kept.move_to_end(key)
            return self._kept[key]
        flight = self._join(key, compute)
        flight.waiters += 1
        try:
            return await asyncio.shield(flight.task)
        finally:
            flight.waiters -= 1
            if not flight.waiters:
                self._forget(key, flight)
                flight.task.cancel()

    def _join(self, key: bytes, compute: Callable[[], Coroutine[Any, Any, T]]) -> _Flight[T]:
        if key in self._flights:
            self.shared += 1
            return self._flights[key]
        self.misses += 1
        flight = self._flights[key] = _Flight(asyncio.create_task(compute()))
        flight.task.add_done_callback(lambda task: self._land(key, flight))
        return flight

    def _land(self, key: bytes, flight: _Flight[T]) -> None:
        """Keep a result. A failure is nobody's to keep: the next who asks tries again."""
        self._forget(key, flight)
        if flight.task.cancelled() or flight.task.exception() or not self._size:
            return
        self._kept[key] = flight.task.result()
        if len(self._kept) > self._size:
            self._kept.popitem(last=False)

    def _forget(self, key: bytes, flight: _Flight[T]) -> None:
        """Nobody may join a computation that has ended; a newer one under the same key stays."""
        if self._flights.get(key) is flight:
            del self._flights[key]


def digest(*parts: str) -> bytes:
    """Return a key; lengths go in too, so that moving a boundary between parts makes another key."""
    joined = b"".join(len(part).to_bytes(8) + part.encode("utf-8", "surrogatepass") for part in parts)
    return hashlib.sha256(joined).digest()


async def gather_all(works: list[Awaitable[T]]) -> list[T]:
    """Return every result, or stop the others when one fails or the caller goes."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
