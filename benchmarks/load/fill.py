"""Put chunks into Qdrant exactly as the ingestion worker would, embedding aside, and note what that takes."""

import asyncio
import hashlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from coderag_rag.clients.embedding import EmbeddingClient
from coderag_rag.clients.qdrant import connect
from coderag_rag.identity import EmbeddingModel, index_identity
from coderag_rag.retry import RetryPolicy
from coderag_rag.store.calls import Calls
from coderag_rag.store.chunks import ChunkStore, NewChunk
from coderag_rag.store.collection import ensure_collection, make_live
from coderag_rag.store.manifest import page_count, write_head, write_pages
from coderag_rag.store.schema import Entry, HeadPayload, collection_name
from qdrant_client import models

from benchmarks.load.corpus import File
from benchmarks.load.vectors import Projection

REF = "main"
_BATCH = 250
_INDEXED_AT = "2026-01-01T00:00:00+00:00"


@dataclass
class Filled:
    """What was written: files by repository, and how many chunks each blob has."""

    entries: dict[str, list[Entry]] = field(default_factory=lambda: defaultdict(list))
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def chunks(self) -> int:
        """How many chunks all files have."""
        return sum(self.counts.values())

    def take(self, file: File) -> None:
        """Note a file."""
        self.entries[file.repository].append(Entry(file.path, file.blob, file.document.language))
        self.counts[file.blob] = len(file.document.pieces)


async def running_model(url: str, key: str) -> EmbeddingModel:
    """Return the model that the embedding service runs: it decides the identity of the index."""
    client = EmbeddingClient(url, key)
    try:
        return await client.model()
    finally:
        await client.aclose()


async def fill(url: str, key: str, model: EmbeddingModel, files: Iterable[File]) -> Filled:
    """Write all files and make them the served ones. Blocks the loop while a file is read: nothing else runs on it."""
    client = connect(url, key, 300)
    try:
        return await _fill(Calls(client, RetryPolicy()), model, files)
    finally:
        await client.close()


async def _fill(call: Calls, model: EmbeddingModel, files: Iterable[File]) -> Filled:
    identity = index_identity(model)
    collection = collection_name(identity)
    await ensure_collection(call, collection, model.dimensions)
    store, projection = ChunkStore(call, collection), Projection(model.dimensions)
    filled, waiting = Filled(), []
    for file in files:
        filled.take(file)
        waiting += _points(identity, file, projection)
        if len(waiting) >= _BATCH:
            await store.add(waiting)
            waiting = []
    await store.add(waiting)
    await asyncio.gather(*(_serve(call, collection, identity, name, filled) for name in filled.entries))
    await make_live(call, collection)
    return filled


def _points(identity: str, file: File, projection: Projection) -> list[models.PointStruct]:
    points = []
    for piece in file.document.pieces:
        chunk = NewChunk.of(identity, file.blob, file.document.language, (file.repository,), piece)
        dense = projection.vector(piece.indices, piece.values) if piece.embedded and piece.indices else None
        points.append(chunk.point(dense))
    return points


async def _serve(call: Calls, collection: str, identity: str, name: str, filled: Filled) -> None:
    """Write the manifest of one repository: pages, then the head."""
    entries = sorted(filled.entries[name])
    chunks = sum(filled.counts[entry.blob] for entry in entries)
    commit = hashlib.sha1(repr(entries).encode(), usedforsecurity=False).hexdigest()
    pages = page_count(len(entries))
    head = HeadPayload(name, REF, commit, 1, 1, pages, len(entries), chunks, _INDEXED_AT, identity, [])
    await write_pages(call, collection, head, entries, filled.counts)
    await write_head(call, collection, head, expected_fence=0)
