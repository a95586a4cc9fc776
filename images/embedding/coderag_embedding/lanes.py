"""Share the processors between search and indexing.

Two queues, each with at most `threads` batches under way: a query never waits for bulk work, which the operating system
puts behind it (`bulk`). A query goes alone; bulk texts go in batches of about 50 ms, because a batch cannot be taken
back. While anyone searches, bulk work leaves one thread free; when nobody does, it takes them all. All state belongs to
the event loop.
"""

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from coderag_embedding.jobs import run_each
from coderag_embedding.pace import Pace
from coderag_embedding.schema import Lane

T = TypeVar("T")
RunBatch = Callable[[Sequence[Any]], list[Any]]
QUIET_SECONDS = 5.0  # how long after the last query bulk work may take every thread again


class QueueFullError(Exception):
    """No room for these texts now."""

    def __init__(self, retry_after: float) -> None:
        super().__init__(f"the queue is full; try again in about {retry_after:.0f} s")
        self.retry_after = retry_after


@dataclass
class _Entry:
    """One text that waits: who wants it, what to compute, and about how many tokens that is (None: a batch alone)."""

    waiter: asyncio.Future
    job: Callable[[], Any]
    cost: int | None


@dataclass
class _Line:
    """One lane: what waits, what runs, and what runs it."""

    pool: ThreadPoolExecutor
    run: RunBatch
    waiting: deque[_Entry] = field(default_factory=deque)
    batches: int = 0
    texts: int = 0


class Lanes:
    """Runs jobs of one text each. `run_query` and `run_bulk` give a result or an exception for every job of a batch."""

    def __init__(
        self,
        threads: int,
        limit: int,
        clock: Callable[[], float] = time.monotonic,
        pace: Pace | None = None,
        run_query: RunBatch = run_each,
        run_bulk: RunBatch = run_each,
    ) -> None:
        self.threads = threads
        self.limit = limit
        self.pace = pace or Pace()
        self._clock = clock
        self._last_query = float("-inf")
        self._lines: dict[Lane, _Line] = {
            "query": _Line(ThreadPoolExecutor(threads, "query"), run_query),
            "passage": _Line(ThreadPoolExecutor(threads, "passage"), run_bulk),
        }

    def depth(self, lane: Lane) -> int:
        """Return how many texts wait."""
        return len(self._lines[lane].waiting)

    def running(self, lane: Lane) -> int:
        """Return how many texts are being computed."""
        return self._lines[lane].texts

    def note_query(self) -> None:
        """Somebody searches, even if the answer is known: bulk work leaves a thread free for a while."""
        self._last_query = self._clock()

    async def run(
        self, lane: Lane, jobs: Sequence[Callable[[], T]], costs: Sequence[int | None] | None = None
    ) -> list[T]:
        """Return the jobs' results in order; `costs` are their tokens.

        Raises QueueFullError at once rather than let anyone wait without end.
        """
        line = self._lines[lane]
        if len(line.waiting) + len(jobs) > self.limit:
            raise QueueFullError(retry_after=self._backlog(line))
        if lane == "query":
            self.note_query()
        loop = asyncio.get_running_loop()
        entries = [
            _Entry(loop.create_future(), job, cost) for job, cost in zip(jobs, costs or [None] * len(jobs), strict=True)
        ]
        line.waiting.extend(entries)
        self._pump()
        try:
            return await asyncio.gather(*(entry.waiter for entry in entries))
        finally:
            self._forget(line, [entry.waiter for entry in entries])

    def close(self) -> None:
        """Stop the threads once what they compute is done."""
        for line in self._lines.values():
            line.pool.shutdown(cancel_futures=True)

    def _forget(self, line: _Line, futures: list[asyncio.Future]) -> None:
        """Whoever asked has gone or one text failed: what still waits is not computed for nobody."""
        for future in futures:
            future.cancel()
        if any(future.cancelled() for future in futures):
            line.waiting = deque(entry for entry in line.waiting if not entry.waiter.cancelled())

    def _backlog(self, line: _Line) -> float:
        """Return in how many seconds what waits will be done."""
        tokens = sum(self.pace.batch_tokens if entry.cost is None else entry.cost for entry in line.waiting)
        return self.pace.seconds(tokens) / self.threads

    def _pump(self) -> None:
        for lane, line in self._lines.items():
            while line.waiting and line.batches < self._threads_of(lane):
                self._start(line, self._take(lane))

    def _take(self, lane: Lane) -> list[_Entry]:
        """Take the next batch off the queue: as many texts as fit, but none that another free thread could begin."""
        waiting = self._lines[lane].waiting
        batch = [waiting.popleft()]
        if lane == "query" or batch[0].cost is None:
            return batch
        room = self.pace.batch_tokens - batch[0].cost
        most = math.ceil((len(waiting) + 1) / (self._threads_of(lane) - self._lines[lane].batches))
        while len(batch) < most and waiting and waiting[0].cost is not None and waiting[0].cost <= room:
            batch.append(waiting.popleft())
            room -= batch[-1].cost or 0
        return batch

    def _threads_of(self, lane: Lane) -> int:
        searching = self._clock() - self._last_query < QUIET_SECONDS
        return max(1, self.threads - 1) if lane == "passage" and searching else self.threads

    def _start(self, line: _Line, batch: list[_Entry]) -> None:
        line.batches += 1
        line.texts += len(batch)
        started = self._clock()
        work = asyncio.get_running_loop().run_in_executor(line.pool, line.run, [entry.job for entry in batch])
        work.add_done_callback(lambda done: self._finish(line, batch, done, started))

    def _finish(self, line: _Line, batch: list[_Entry], done: asyncio.Future, started: float) -> None:
        line.batches -= 1
        line.texts -= len(batch)
        if tokens := sum(entry.cost or 0 for entry in batch):
            self.pace.learn(tokens, self._clock() - started)
        for entry, outcome in zip(batch, _outcomes(done, len(batch)), strict=True):
            _settle(entry.waiter, outcome)
        self._pump()


def _outcomes(done: asyncio.Future, count: int) -> list[Any]:
    """Return one outcome per text; a batch that ended as a whole ended so for each of them."""
    if done.cancelled():
        return [asyncio.CancelledError()] * count
    return [error] * count if (error := done.exception()) else done.result()


def _settle(waiter: asyncio.Future, outcome: Any) -> None:
    if waiter.done():
        return
    if isinstance(outcome, asyncio.CancelledError):
        waiter.cancel()
    elif isinstance(outcome, BaseException):
        waiter.set_exception(outcome)
    else:
        waiter.set_result(outcome)
