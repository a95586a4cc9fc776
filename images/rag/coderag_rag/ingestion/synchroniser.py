"""Carries out one sync from remote to served commit, for every index that is kept up.

Remotes are read side by side; writing the index is one at a time, because garbage collection must never meet the
half-written points of another sync. Between processes the lease of the repository does the same.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack

from coderag_rag.git.errors import GitError
from coderag_rag.ingestion.garbage import reconcile, retire
from coderag_rag.ingestion.index import Editions, Index, IndexOpener
from coderag_rag.ingestion.metrics import SyncMetrics
from coderag_rag.ingestion.repositories import RepositoryConfig
from coderag_rag.ingestion.source import Key, Source
from coderag_rag.ingestion.status import RepositoryStatus
from coderag_rag.ingestion.sync import apply_commit
from coderag_rag.ingestion.tools import Tools
from coderag_rag.store.collection import make_live
from coderag_rag.store.lease import Leases
from coderag_rag.store.manifest import read_head, read_heads
from coderag_rag.store.schema import HeadPayload

logger = logging.getLogger(__name__)
MakeTools = Callable[[Index], Tools]
Sources = Mapping[Key, tuple[RepositoryConfig, Source]]


class Synchroniser:
    """Makes the indexes equal to the remotes, and knows what is served."""

    def __init__(
        self, sources: Sources, opener: IndexOpener, make_tools: MakeTools, metrics: SyncMetrics, leases: Leases
    ) -> None:
        self._sources, self._opener, self._make_tools = sources, opener, make_tools
        self._metrics, self._leases = metrics, leases
        self._writing = asyncio.Lock()
        self._opened: tuple[str, str | None] | None = None
        self._damaged: set[tuple[str, Key]] = set()
        self.identity: str | None = None
        self.served: HeadPayload | None = None
        self.statuses = {key: RepositoryStatus(key.name, key.ref) for key in sources}
        self.refs_of = {config.name: config.all_refs for config, _ in sources.values()}

    async def open(self) -> Editions:
        """Open the indexes; the first time also show what is served, and stop serving what is not configured."""
        editions = await self._opener.editions()
        if not editions.settled:
            editions = await self._settled(editions)
        found = (editions.wanted.identity, editions.live)
        if self._opened != found:
            retired = [await retire(index, self.refs_of) for index in editions.kept_up]
            await self.show(editions)
            self.identity = editions.wanted.identity
            logger.info("index open", extra={"identity": self.identity, "live": editions.live, "retired": retired})
            self._opened = found
        return editions

    async def _settled(self, editions: Editions) -> Editions:
        """Search the wanted index at once where nothing that is searched would be lost by it."""
        call, live = editions.wanted.call, editions.live
        lost = [head for head in await read_heads(call, live) if self._configured(head)] if live else []
        if lost:
            return editions
        await make_live(call, editions.wanted.collection)
        return Editions(editions.wanted, editions.wanted.collection)

    def _configured(self, head: HeadPayload) -> bool:
        return Key(head.repository, head.ref) in self._sources

    async def show(self, editions: Editions) -> None:
        """Take what is served from the index that is searched."""
        heads = await read_heads(editions.wanted.call, editions.live or editions.wanted.collection)
        by_key = {Key(head.repository, head.ref): head for head in heads}
        for key, status in self.statuses.items():
            status.head = by_key.get(key)
            if status.head and not status.attempted:
                status.succeeded()
        self.served = heads[0] if heads else None

    async def run(self, source: Source) -> None:
        """Serve the commit that the ref is at now, in every index that is kept up."""
        editions = await self.open()
        target = await source.repository.resolve(source.ref)
        commit = ""
        for index in editions.kept_up:
            head = await read_head(index.call, index.collection, source.name, source.ref)
            if not self._done(source, index, head, target.commit):
                commit = commit or await source.repository.fetch(target)
                async with self._writing:
                    head = await self._write(source, commit, index)
            if head and index.collection == editions.live:
                self._serving(source.key, head)

    def _done(self, source: Source, index: Index, head: HeadPayload | None, commit: str) -> bool:
        return source.up_to_date(head, commit) and (index.collection, source.key) not in self._damaged

    def _serving(self, key: Key, head: HeadPayload) -> None:
        self.statuses[key].serving(head)
        self.served = head
        self._metrics.served.labels(*key).set(head.chunks)

    async def _write(self, source: Source, commit: str, index: Index) -> HeadPayload:
        tools, status = self._make_tools(index), self.statuses[source.key]
        try:
            async with self._leases.held(index.call, index.collection, source.name) as lease:
                before = await read_head(index.call, index.collection, source.name, source.ref)
                head, read = await apply_commit(source, commit, before, index, tools, status.advanced, lease)
        except GitError:
            source.repository.discard()  # what was fetched cannot be read: the next sync starts from nothing
            raise
        finally:
            self._metrics.embedded(tools.embedder)
        self._damaged.discard((index.collection, source.key))
        self._metrics.read(read)
        told = {"repository": source.name, "ref": source.ref, "commit": commit, "files": head.files}
        told |= {"chunks": head.chunks, "embedded": tools.embedder.embedded, "reused": tools.embedder.reused}
        logger.info("commit served", extra=told | {"read": sum(read.documents.values())})
        return head

    async def reconcile(self) -> frozenset[Key]:
        """Compare all points with the manifests; return what has to be synced again because chunks are missing."""
        damaged: set[Key] = set()
        async with self._writing:
            for index in (await self.open()).kept_up:
                async with AsyncExitStack() as held:
                    for name in sorted(self.refs_of):
                        await held.enter_async_context(self._leases.held(index.call, index.collection, name))
                    found = (await reconcile(index)).damaged & self._sources.keys()
                self._damaged |= {(index.collection, key) for key in found}
                damaged |= found
        return frozenset(damaged)
