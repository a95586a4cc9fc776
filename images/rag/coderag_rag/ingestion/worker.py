"""The worker: opens the index, runs syncs from the queue, and puts them there when they are due.

Remotes are read side by side; writing the index is one at a time, because garbage collection must never meet the
half-written points of another sync.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_exponential

from coderag_rag.clients.embedding import EmbeddingError
from coderag_rag.git.errors import GitError
from coderag_rag.http.health import Health
from coderag_rag.ingestion.garbage import reconcile, retire_repositories
from coderag_rag.ingestion.index import Index, IndexOpener
from coderag_rag.ingestion.metrics import SyncMetrics
from coderag_rag.ingestion.queue import QueueFull, SyncQueue
from coderag_rag.ingestion.schedule import next_sync
from coderag_rag.ingestion.settings import RepositoryConfig
from coderag_rag.ingestion.status import RepositoryStatus
from coderag_rag.ingestion.sync import Source, Tools, apply_commit
from coderag_rag.store.calls import StoreError
from coderag_rag.store.manifest import read_head
from coderag_rag.store.schema import HeadPayload

logger = logging.getLogger(__name__)
EXPECTED = (GitError, StoreError, EmbeddingError, OSError)
_QUEUE_SIZE = 64
_CONSUMERS = 2
_RECONCILE_EVERY = 24 * 3600.0

MakeTools = Callable[[Index], Tools]


class Worker:
    """Keeps every configured repository in the index."""

    def __init__(
        self,
        sources: Mapping[str, tuple[RepositoryConfig, Source]],
        opener: IndexOpener,
        make_tools: MakeTools,
        metrics: SyncMetrics,
        health: Health,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._sources, self._opener, self._make_tools = sources, opener, make_tools
        self._metrics, self._health, self._clock, self._sleep = metrics, health, clock, sleep
        self._writing = asyncio.Lock()
        self._reconciled_at = float("-inf")
        self.queue = SyncQueue(_QUEUE_SIZE)
        self.identity: str | None = None
        self.repositories = {name: RepositoryStatus(name, config.ref) for name, (config, _) in sources.items()}

    async def run(self) -> None:
        """Work until cancelled."""
        await self._open_until_it_works()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._plan())
            for _ in range(_CONSUMERS):
                tasks.create_task(self._consume())

    def request(self, name: str) -> bool:
        """Ask for a sync now; False when one is waiting already, QueueFull when too many wait."""
        asked = self.queue.put(name)
        self._metrics.queued.set(len(self.queue))
        return asked

    async def open(self) -> Index:
        """Open the index, show what it serves, and stop serving what is not configured."""
        index = await self._opener.current()
        if self.identity != index.identity:
            for head in await index.heads():
                self._show(head)
            retired = await retire_repositories(index, set(self._sources))
            dropped = await self._opener.drop_replaced()
            logger.info("index open", extra={"identity": index.identity, "retired": retired, "dropped": dropped})
            self.identity = index.identity
        await index.settle_alias(set(self._sources))
        return index

    def _show(self, head: HeadPayload) -> None:
        status = self.repositories.get(head.repository)
        if status and status.ref == head.ref:
            status.succeeded(head)

    async def _open_until_it_works(self) -> None:
        """Wait for Qdrant and the embedding service, for as long as it takes: there is nothing else to do."""
        opening = AsyncRetrying(
            wait=wait_exponential(multiplier=1, max=10),
            retry=retry_if_exception_type(EXPECTED),
            before_sleep=self._tell_what_is_missing,
            sleep=self._sleep,
        )
        await opening(self.open)
        self._health.mark_ready()

    def _tell_what_is_missing(self, state: RetryCallState) -> None:
        reason = str(state.outcome.exception()) if state.outcome else ""
        self._health.waiting_for(reason)
        logger.warning("the index cannot be opened yet", extra={"reason": reason})

    async def _plan(self) -> None:
        """Queue every repository once, then whenever it is due."""
        for status in self.repositories.values():
            status.next_sync = self._clock()
        while True:
            self._queue_due()
            await self._sleep(1.0)

    def _queue_due(self) -> None:
        now = self._clock()
        for name, status in self.repositories.items():
            if status.next_sync and status.next_sync <= now and not status.running:
                try:
                    self.request(name)
                except QueueFull:
                    return
                status.next_sync = next_sync(self._sources[name][0].schedule, now, 0)

    async def _consume(self) -> None:
        while True:
            name = await self.queue.get()
            self._metrics.queued.set(len(self.queue))
            async with self.queue.turn(name):
                await self.sync(name)

    async def sync(self, name: str) -> None:
        """Run one sync and record how it went. Only a cancelled worker leaves here with an exception."""
        config, source = self._sources[name]
        status, begin = self.repositories[name], time.monotonic()
        status.began()
        try:
            status.succeeded(await self._synchronise(source, status))
            outcome = "served"
            await self._reconcile_when_quiet()
        except EXPECTED as error:
            status.failed_with(str(error))
            outcome = "failed"
            logger.warning("sync failed", extra={"repository": name, "reason": str(error)})
        except Exception as error:
            status.failed_with(f"unexpected {type(error).__name__}: see the log")
            outcome = "crashed"
            logger.exception("sync crashed", extra={"repository": name})
        finally:
            status.running = False
        self._metrics.syncs.labels(name, outcome).inc()
        self._metrics.seconds.labels(name).observe(time.monotonic() - begin)
        status.next_sync = next_sync(config.schedule, self._clock(), status.failures)

    async def _synchronise(self, source: Source, status: RepositoryStatus) -> HeadPayload:
        index = await self.open()
        before = await read_head(index.call, index.collection, source.name, source.ref)
        target = await source.repository.resolve(source.ref)
        if before and before.commit == target.commit:
            return before
        commit = await source.repository.fetch(target)
        async with self._writing:
            head = await self._write(source, commit, before, index, status)
        await index.settle_alias(set(self._sources))
        return head

    async def _write(
        self, source: Source, commit: str, before: HeadPayload | None, index: Index, status: RepositoryStatus
    ) -> HeadPayload:
        tools = self._make_tools(index)
        status.unfinished = True
        try:
            head, read = await apply_commit(source, commit, before, index, tools, status.advanced)
        except GitError:
            source.repository.discard()  # what was fetched cannot be read: the next sync starts from nothing
            raise
        finally:
            self._metrics.embeddings.inc(tools.embedder.embedded)
            self._metrics.truncated.inc(tools.embedder.truncated)
        status.unfinished = False
        self._metrics.read(read)
        self._metrics.served.labels(source.name).set(head.chunks)
        logger.info(
            "commit served",
            extra={
                "repository": source.name, "commit": commit, "files": head.files, "chunks": head.chunks,
                "read": sum(read.documents.values()), "embedded": tools.embedder.embedded,
            },
        )  # fmt: skip
        return head

    async def _reconcile_when_quiet(self) -> None:
        """Once after the start and then daily, when no sync is under way and none has left half its work."""
        due = time.monotonic() - self._reconciled_at >= _RECONCILE_EVERY
        if not due or any(not status.attempted or status.unfinished for status in self.repositories.values()):
            return
        async with self._writing:
            await reconcile(await self._opener.current())
        self._reconciled_at = time.monotonic()
