"""Keeps the served manifests in memory: looks at the heads every few seconds and loads what changed.

A new generation is loaded whole and then swapped in with one assignment, so no request sees half of it. While Qdrant is
not reachable the last snapshot stays: unreachable is unknown, never empty. The reader given here has a short timeout: a
look that waits for a dead connection is a look that does not see Qdrant come back.
"""

import logging

from coderag_rag.query.guard import Breaker
from coderag_rag.query.manifest import Manifest, Snapshot, version_of
from coderag_rag.query.reader import IndexReader
from coderag_rag.store.schema import HeadPayload

logger = logging.getLogger(__name__)


class ManifestPoller:
    """Owns the snapshot; everybody else reads it. `look` is also Qdrant's probe."""

    def __init__(self, reader: IndexReader, qdrant: Breaker) -> None:
        self._reader, self._qdrant = reader, qdrant
        self._snapshot: Snapshot | None = None

    @property
    def snapshot(self) -> Snapshot:
        """What is served now; empty before the first look."""
        return self._snapshot or Snapshot()

    def served(self) -> Snapshot:
        """Return what is served now; raises DependencyDown before Qdrant was reached for the first time."""
        if self._snapshot is None:
            raise self._qdrant.down()
        return self._snapshot

    async def look(self) -> None:
        """Look once; raises when Qdrant is down, and the last snapshot stays."""
        heads = await self._reader.heads()
        self._qdrant.succeeded()
        if len({head.collection for head in heads}) > 1:
            logger.info("another index went live while heads were read; the next look sees one of the two")
            return
        snapshot = await self._load(heads)
        if snapshot == self._snapshot:
            return  # the same one stays, with what it has worked out about its blobs
        commits = {item.head.repository: item.head.commit for item in snapshot.manifests}
        logger.info("serving %d repositories", len(commits), extra={"commits": commits})
        self._snapshot = snapshot

    async def _load(self, heads: list[HeadPayload]) -> Snapshot:
        current = {(item.head.repository, item.head.ref): item for item in self.snapshot.manifests}
        manifests = [await self._manifest(head, current.get((head.repository, head.ref))) for head in heads]
        return Snapshot.of(item for item in manifests if item is not None)

    async def _manifest(self, head: HeadPayload, current: Manifest | None) -> Manifest | None:
        """Return the manifest of a head. Pages that vanish while read mean a newer generation: keep the current one."""
        if current and current.version == version_of(head):
            return current
        entries = await self._reader.entries(head)
        return current if entries is None else Manifest.build(head, entries)
