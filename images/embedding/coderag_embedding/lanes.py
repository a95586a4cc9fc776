"""Share the processors between search and indexing.

Two queues, queries first; at most `threads` texts are computed at once. While anyone searches, bulk work leaves one
thread free (with bulk on every thread a search waits tens of seconds); when nobody does, bulk work takes them all. The
operating system too puts bulk threads after search threads and the event loop. All state belongs to that loop.
"""

import asyncio
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from coderag_embedding.schema import Lane

T = TypeVar("T")
QUIET_SECONDS = 5.0  # how long after the last query bulk work may take every thread again
BULK_NICENESS = 15
FIRST_GUESS = 0.05  # seconds for one text, until some have been measured


class QueueFullError(Exception):
    """No room for these texts now."""

    def __init__(self, retry_after: float) -> None:
        super().__init__(f"the queue is full; try again in about {retry_after:.0f} s")
        self.retry_after = retry_after


@dataclass
class _Line(Generic[T]):
    """One lane: what waits, what runs, and the threads that run it."""

    pool: ThreadPoolExecutor
    waiting: deque[tuple[asyncio.Future[T], Callable[[], T]]] = field(default_factory=deque)
    running: int = 0


class Lanes:
    """Runs jobs of one text each."""

    def __init__(self, threads: int, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.threads = threads
        self.limit = limit
        self._clock = clock
        self._last_query = float("-inf")
        self._seconds = FIRST_GUESS
        self._lines: dict[Lane, _Line] = {
            "query": _Line(ThreadPoolExecutor(threads, "query")),
            "passage": _Line(ThreadPoolExecutor(threads, "passage", initializer=_step_back)),
        }

    def depth(self, lane: Lane) -> int:
        """Return how many texts wait."""
        return len(self._lines[lane].waiting)

    def running(self, lane: Lane) -> int:
        """Return how many texts are being computed."""
        return self._lines[lane].running

    async def run(self, lane: Lane, jobs: Sequence[Callable[[], T]]) -> list[T]:
        """Return the jobs' results in order. Raises QueueFullError at once rather than let anyone wait without end."""
        line = self._lines[lane]
        if len(line.waiting) + len(jobs) > self.limit:
            raise QueueFullError(retry_after=len(line.waiting) * self._seconds / self.threads)
        if lane == "query":
            self._last_query = self._clock()
        loop = asyncio.get_running_loop()
        entries = [(loop.create_future(), job) for job in jobs]
        line.waiting.extend(entries)
        self._pump()
        try:
            return await asyncio.gather(*(future for future, _ in entries))
        finally:
            self._forget(line, [future for future, _ in entries])

    def close(self) -> None:
        """Stop the threads once what they compute is done."""
        for line in self._lines.values():
            line.pool.shutdown(cancel_futures=True)

    def _forget(self, line: _Line, futures: list[asyncio.Future]) -> None:
        """Whoever asked has gone or one text failed: what still waits is not computed for nobody."""
        for future in futures:
            future.cancel()
        if any(future.cancelled() for future in futures):
            line.waiting = deque(entry for entry in line.waiting if not entry[0].cancelled())

    def _pump(self) -> None:
        while lane := self._next_lane():
            self._start(self._lines[lane], *self._lines[lane].waiting.popleft())

    def _next_lane(self) -> Lane | None:
        queries, bulk = self._lines["query"], self._lines["passage"]
        if queries.running + bulk.running >= self.threads:
            return None
        if queries.waiting:
            return "query"
        return "passage" if bulk.waiting and bulk.running < self._bulk_threads() else None

    def _bulk_threads(self) -> int:
        searching = self._clock() - self._last_query < QUIET_SECONDS
        return max(1, self.threads - 1) if searching else self.threads

    def _start(self, line: _Line, waiter: asyncio.Future, job: Callable[[], T]) -> None:
        line.running += 1
        started = self._clock()
        work = asyncio.get_running_loop().run_in_executor(line.pool, job)
        work.add_done_callback(lambda done: self._finish(line, waiter, done, started))

    def _finish(self, line: _Line, waiter: asyncio.Future, done: asyncio.Future, started: float) -> None:
        line.running -= 1
        self._seconds += 0.1 * (self._clock() - started - self._seconds)
        if done.cancelled():
            waiter.cancel()
        elif error := done.exception():
            _settle(waiter, lambda: waiter.set_exception(error))
        else:
            _settle(waiter, lambda: waiter.set_result(done.result()))
        self._pump()


def _settle(waiter: asyncio.Future, settle: Callable[[], None]) -> None:
    if not waiter.done():
        settle()


def _step_back() -> None:
    """On Linux niceness belongs to a thread."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), BULK_NICENESS)
