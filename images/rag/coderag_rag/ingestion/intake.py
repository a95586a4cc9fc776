"""Takes prepared documents into the index: embeds only what is not stored yet, and writes in batches.

Two batches are under way at once, so that the embedding service has the next one while the last one is stored. Memory
stays flat however large a repository is: at most one more batch waits here, and no more than these is lost when the
process ends.
"""

import asyncio
from collections import deque
from typing import Self

from coderag_rag.chunking.document import Document
from coderag_rag.ingestion.embedder import Embedder
from coderag_rag.ingestion.index import Index
from coderag_rag.store.chunks import NewChunk

_UNDER_WAY = 2


class Intake:
    """Collects chunks and stores them; every id it has stored is appended to `ids`, to be verified at the end.

    What is under way is given up where the block is left before `flush`.
    """

    def __init__(self, index: Index, embedder: Embedder, ids: list[str]) -> None:
        self._index, self._embedder, self._ids = index, embedder, ids
        self._waiting: list[NewChunk] = []
        self._under_way: deque[tuple[asyncio.Task[None], int]] = deque()
        self._taken = 0
        self.stored = 0  # documents that are in the index whole

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        tasks = [task for task, _ in self._under_way]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def take(self, blob: str, document: Document, repositories: tuple[str, ...]) -> None:
        """Add the pieces of one document."""
        for piece in document.pieces:
            self._waiting.append(NewChunk.of(self._index.identity, blob, document.language, repositories, piece))
            if len(self._waiting) >= self._embedder.batch:
                await self._begin()
        self._taken += 1

    async def flush(self) -> None:
        """Store what waits and return when everything is stored; raises what storing any of it raised."""
        await self._begin()
        await self._end(0)
        self.stored = self._taken

    async def _begin(self) -> None:
        await self._end(_UNDER_WAY - 1)
        chunks, self._waiting = self._waiting, []
        if chunks:
            self._under_way.append((asyncio.create_task(self._take_in(chunks)), self._taken))

    async def _end(self, left: int) -> None:
        """Wait until only so many batches are under way."""
        while len(self._under_way) > left:
            task, whole = self._under_way[0]
            await task
            self._under_way.popleft()
            self.stored = whole  # the document that filled the batch may go on in the next one

    async def _take_in(self, chunks: list[NewChunk]) -> None:
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
