"""Takes prepared documents into the index: embeds only what is not stored yet, and writes in batches.

Memory stays flat however large a repository is: at most one batch of chunks waits here, and no more than that
is lost when the process ends.
"""

from coderag_rag.chunking.document import Document
from coderag_rag.ingestion.embedder import Embedder
from coderag_rag.ingestion.index import Index
from coderag_rag.store.chunks import NewChunk


class Intake:
    """Collects chunks and stores them; every id it has seen is appended to `ids`, to be verified at the end."""

    def __init__(self, index: Index, embedder: Embedder, ids: list[str]) -> None:
        self._index, self._embedder, self._ids = index, embedder, ids
        self._waiting: list[NewChunk] = []

    async def take(self, blob: str, document: Document, repositories: tuple[str, ...]) -> None:
        """Add the pieces of one document."""
        for piece in document.pieces:
            self._waiting.append(NewChunk.of(self._index.identity, blob, document.language, repositories, piece))
            if len(self._waiting) >= self._embedder.batch:
                await self.flush()

    async def flush(self) -> None:
        """Store what waits."""
        chunks, self._waiting = self._waiting, []
        ids = [chunk.id for chunk in chunks]
        stored = await self._index.chunks.existing(ids)
        await self._index.chunks.adopt([chunk for chunk in chunks if chunk.id in stored])
        await self._store([chunk for chunk in chunks if chunk.id not in stored])
        self._ids.extend(ids)

    async def _store(self, chunks: list[NewChunk]) -> None:
        texts = [chunk.piece.embedded for chunk in chunks if chunk.piece.embedded is not None]
        vectors = iter(await self._embedder.embed(texts))
        points = [chunk.point(None if chunk.piece.embedded is None else next(vectors)) for chunk in chunks]
        await self._index.chunks.add(points)
