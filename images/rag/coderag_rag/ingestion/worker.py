"""The worker: runs syncs from the queue, puts them there when they are due, tidies up, and promotes a rebuilt index."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_exponential

from coderag_rag.clients.embedding import EmbeddingError
from coderag_rag.git.errors import GitError
from coderag_rag.http.health import Health
from coderag_rag.ingestion.metrics import SyncMetrics
from coderag_rag.ingestion.promotion import Promotion
from coderag_rag.ingestion.queue import QueueFull, SyncQueue
from coderag_rag.ingestion.schedule import next_sync, next_time
from coderag_rag.ingestion.source import Key, Source
from coderag_rag.ingestion.status import RepositoryStatus
from coderag_rag.ingestion.synchroniser import Sources, Synchroniser
from coderag_rag.store.calls import StoreError

logger = logging.getLogger(__name__)
EXPECTED = (GitError, StoreError, EmbeddingError, OSError)
_QUEUE_SIZE = 64
_CONSUMERS = 2
_TRY_AGAIN = timedelta(minutes=5)
_LOOK = 5.0  # seconds between two looks at the embedding model


class Worker:
    """Keeps every configured repository in the index."""

    def __init__(
        self,
        sources: Sources,
        synchroniser: Synchroniser,
        promotion: Promotion,
        metrics: SyncMetrics,
        health: Health,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        reconcile_schedule: str = "17 3 * * *",
    ) -> None:
        self._sources, self.synchroniser, self.promotion = sources, synchroniser, promotion
        self.metrics, self._health, self._clock, self._sleep = metrics, health, clock, sleep
        self._reconcile_schedule, self._reconcile_at = reconcile_schedule, clock()
        self._built = asyncio.Event()
        self.queue = SyncQueue(_QUEUE_SIZE)

    @property
    def statuses(self) -> dict[Key, RepositoryStatus]:
        """Every source with what is known of it."""
        return self.synchroniser.statuses

    def source(self, key: Key) -> Source:
        """Return a configured source."""
        return self._sources[key][1]

    async def run(self) -> None:
        """Work until cancelled."""
        await self._open_until_it_works()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._plan())
            tasks.create_task(self._keep_tidy())
            tasks.create_task(self._keep_promoting())
            tasks.create_task(self._keep_up_with_the_model())
            for _ in range(_CONSUMERS):
                tasks.create_task(self._consume())

    def request(self, key: Key) -> bool:
        """Ask for a sync now; False when one is waiting already, QueueFull when too many wait."""
        asked = self.queue.put(key)
        self.metrics.queued.set(len(self.queue))
        return asked

    async def _open_until_it_works(self) -> None:
        """Wait for Qdrant and the embedding service, for as long as it takes: there is nothing else to do."""
        opening = AsyncRetrying(
            wait=wait_exponential(multiplier=1, max=10),
            retry=retry_if_exception_type(EXPECTED),
            before_sleep=self._tell_what_is_missing,
            sleep=self._sleep,
        )
        await opening(self.synchroniser.open)
        self._health.mark_ready()

    def _tell_what_is_missing(self, state: RetryCallState) -> None:
        reason = str(state.outcome.exception()) if state.outcome else ""
        self._health.waiting_for(reason)
        logger.warning("the index cannot be opened yet", extra={"reason": reason})

    async def _plan(self) -> None:
        """Queue every source once, then whenever it is due."""
        for status in self.statuses.values():
            status.next_sync = self._clock()
        while True:
            self._queue_due()
            await self._sleep(1.0)

    def _queue_due(self) -> None:
        now = self._clock()
        for key, status in self.statuses.items():
            if status.next_sync and status.next_sync <= now and not status.running:
                try:
                    self.request(key)
                except QueueFull:
                    return
                status.next_sync = next_sync(self._sources[key][0].schedule, now, 0)

    async def _keep_up_with_the_model(self) -> None:
        while True:
            await self._sleep(_LOOK)
            await self.look_at_the_model()

    async def look_at_the_model(self) -> None:
        """Ask for a sync of every source when another embedding model runs than a moment ago: its index is to be built.

        Until then the status would call the index compatible with a model that is gone.
        """
        before = self.synchroniser.identity
        try:
            await self.synchroniser.open()
        except EXPECTED as error:
            logger.info("the embedding model cannot be told now", extra={"reason": str(error)})
            return
        if self.synchroniser.identity != before:
            for key, status in self.statuses.items():
                status.next_sync = self._clock()  # where the queue is full
                with suppress(QueueFull):
                    self.request(key)

    async def _consume(self) -> None:
        while True:
            key = await self.queue.get()
            self.metrics.queued.set(len(self.queue))
            try:
                await self.sync(key)
            finally:
                self.queue.done(key)

    async def sync(self, key: Key) -> None:
        """Run one sync and record how it went. Only a cancelled worker leaves here with an exception."""
        config, source = self._sources[key]
        status, begin = self.statuses[key], time.monotonic()
        status.began()
        try:
            await self.synchroniser.run(source)
            status.succeeded()
            outcome = "served"
            self._built.set()
        except EXPECTED as error:
            status.failed_with(str(error))
            outcome = "failed"
            logger.warning("sync failed", extra={"repository": key.name, "ref": key.ref, "reason": str(error)})
        except Exception as error:
            status.failed_with(f"unexpected {type(error).__name__}: see the log")
            outcome = "crashed"
            logger.exception("sync crashed", extra={"repository": key.name, "ref": key.ref})
        finally:
            status.running = False
        self.metrics.syncs.labels(key.name, outcome).inc()
        self.metrics.seconds.labels(key.name).observe(time.monotonic() - begin)
        status.next_sync = next_sync(config.schedule, self._clock(), status.failures)

    async def _keep_tidy(self) -> None:
        while True:
            await self.tidy()
            await self._sleep(5.0)

    async def tidy(self) -> None:
        """Once after the start and then as scheduled, when every source was tried and none is being synced."""
        now = self._clock()
        if now < self._reconcile_at or any(one.running or not one.attempted for one in self.statuses.values()):
            return
        try:
            for key in await self.synchroniser.reconcile():
                self.request(key)
            self._reconcile_at = next_time(self._reconcile_schedule, now)
            self._built.set()  # a replaced index may be old enough to go
        except (*EXPECTED, QueueFull) as error:
            logger.warning("not reconciled", extra={"reason": str(error)})
            self._reconcile_at = now + _TRY_AGAIN

    async def _keep_promoting(self) -> None:
        while True:
            await self._built.wait()
            self._built.clear()
            await self.promote()

    async def promote(self) -> None:
        """Look whether a rebuilt index can be searched instead of the present one."""
        try:
            editions = await self.synchroniser.open()
            if await self.promotion.consider(editions, self.synchroniser.refs_of):
                await self.synchroniser.show(await self.synchroniser.open())
        except EXPECTED as error:
            logger.warning("the rebuilt index cannot be judged yet", extra={"reason": str(error)})
