"""Loads the chunks of what is served into memory, and follows the manifests from then on.

A search asks Qdrant for ids alone only once all are here: to fetch a few missing chunks for every search costs more
than it saves. Until then, and for an index that does not fit, Qdrant sends them with its answer.
"""

import asyncio
import gc
import logging
import math
from collections.abc import AsyncIterator, Collection, Iterator, Sequence

from qdrant_client import models

from coderag_rag.query.chunk import Found
from coderag_rag.query.guard import DependencyDown
from coderag_rag.query.known import KnownChunks
from coderag_rag.query.manifest import NothingIndexed, Snapshot
from coderag_rag.query.poller import ManifestPoller
from coderag_rag.query.reader import IndexReader, IndexRefused
from coderag_rag.store.filters import any_of, batches, both, field
from coderag_rag.store.schema import CHUNK

logger = logging.getLogger(__name__)

_BLOBS_AT_ONCE = 200
_FEW = 5 * _BLOBS_AT_ONCE  # beyond it, to look through the whole collection is cheaper than to name blobs
_MIB = 1024 * 1024
_IS_CHUNK = field("kind", CHUNK)
# Of a repository that is being indexed for the first time nothing may be found yet. While there is more of it than
# this, Qdrant leaves it out: otherwise it would take places that served chunks should have.
_FEW_OTHERS = 1.05


class WarmUp:
    """Keeps the known chunks those of the served manifests."""

    def __init__(self, reader: IndexReader, manifests: ManifestPoller, known: KnownChunks) -> None:
        self._reader, self._manifests, self._known = reader, manifests, known
        self._seen = Snapshot()
        self._blobs: frozenset[str] = frozenset()
        self._too_many = math.inf  # so many chunks did not fit

    async def run(self, interval: float) -> None:
        """Look for ever."""
        while True:
            try:
                await self.look()
            except (DependencyDown, NothingIndexed, IndexRefused) as error:
                logger.debug("the chunks in memory do not follow: %s", error)  # what is down is told by its watch
            except Exception:  # searches read what they need; the next look may do better
                logger.exception("the chunks in memory do not follow")
            await asyncio.sleep(interval)

    async def look(self) -> None:
        """Follow the manifests to where they are now; raises what reading the index raises, to be called again."""
        snapshot = self._manifests.snapshot
        if not snapshot.manifests:
            return
        if snapshot is not self._seen:
            await self._advance(snapshot)
        if self._known.complete:
            stored = await self._reader.at(self._known.collection).count(both(_IS_CHUNK))
            self._known.alone = stored <= len(self._known) * _FEW_OTHERS

    async def _advance(self, snapshot: Snapshot) -> None:
        chunks = sum(manifest.head.chunks for manifest in snapshot.manifests)
        if chunks < self._too_many and not await self._follow(snapshot):
            logger.warning("the chunks do not fit into CHUNK_MEMORY_MIB: searches read those that they need")
            self._too_many = chunks
            self._known.give_up()
        self._seen = snapshot

    async def _follow(self, snapshot: Snapshot) -> bool:
        """Forget what is not served any more and load what is new; False when it does not fit."""
        known, blobs = self._known, frozenset(blob for _, blob in snapshot.paths())
        missing = blobs - self._blobs if known.of(snapshot.collection) is not None else blobs
        known.keep(snapshot.collection, blobs)
        async for page in self._pages(snapshot.collection, missing):
            if not known.add(snapshot.collection, {one.id: one.chunk for one in page if one.chunk.blob in missing}):
                return False
        self._blobs = blobs
        if not known.complete:
            known.complete = True
            logger.info("%d chunks in memory, %d MiB", len(known), known.bytes // _MIB)
            gc.freeze()  # to look through all of them for garbage again and again would stop every search
        return True

    async def _pages(self, collection: str, blobs: Collection[str]) -> AsyncIterator[Sequence[Found]]:
        reader = self._reader.at(collection)
        for where in _filters(blobs):
            async for page in reader.chunks(where):
                yield page


def _filters(blobs: Collection[str]) -> Iterator[models.Filter]:
    if len(blobs) > _FEW:
        yield both(_IS_CHUNK)
        return
    for part in batches(sorted(blobs), _BLOBS_AT_ONCE):
        yield both(_IS_CHUNK, any_of("blob", part))
