"""Chunk points in Qdrant: which exist, adding them, keeping their repositories and path words right, deleting them."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as attribute

from qdrant_client import models

from coderag_rag.chunking.document import Piece
from coderag_rag.keyword import document_vector
from coderag_rag.store.calls import Calls, StoreError
from coderag_rag.store.filters import any_of, batches, both, field
from coderag_rag.store.manifest import scroll
from coderag_rag.store.schema import CHUNK, DENSE, KEYWORD, ChunkPayload, chunk_id, text_sha256

_BATCH = 500


@dataclass(frozen=True)
class NewChunk:
    """A piece of a blob on its way into the index."""

    id: str
    blob: str
    language: str
    repositories: tuple[str, ...]
    piece: Piece

    @classmethod
    def of(cls, identity: str, blob: str, language: str, repositories: tuple[str, ...], piece: Piece) -> "NewChunk":
        """Return the chunk with its id."""
        return cls(chunk_id(identity, blob, piece.start_line, piece.end_line), blob, language, repositories, piece)

    @property
    def keyword(self) -> models.SparseVector:
        """The keyword vector as Qdrant takes it."""
        return models.SparseVector(indices=self.piece.indices, values=self.piece.values)

    def point(self, dense: list[float] | None) -> models.PointStruct:
        """Return the point, without a dense vector for text that only keywords should find."""
        piece = self.piece
        payload = ChunkPayload(
            self.blob,
            piece.start_line,
            piece.end_line,
            piece.text,
            text_sha256(piece.text),
            piece.symbols,
            self.language,
            list(self.repositories),
            piece.within,
        )
        vectors = {KEYWORD: self.keyword} | ({} if dense is None else {DENSE: dense})
        return models.PointStruct(id=self.id, vector=vectors, payload=payload.to_payload())


@dataclass
class Stored:
    """The points of a blob, and the repository lists that they carry: one, if all is well."""

    ids: list[str] = attribute(default_factory=list)
    holders: set[tuple[str, ...]] = attribute(default_factory=set)

    @property
    def chunks(self) -> int:
        """How many chunks are stored."""
        return len(self.ids)


class ChunkStore:
    """The chunk points of one collection."""

    def __init__(self, call: Calls, collection: str) -> None:
        self._call, self._collection = call, collection

    async def existing(self, ids: Sequence[str]) -> set[str]:
        """Return which of the points exist."""
        found: set[str] = set()
        for part in batches(ids, _BATCH):
            records = await self._call(
                "retrieve", self._collection, ids=list(part), with_payload=False, with_vectors=False
            )
            found.update(str(record.id) for record in records)
        return found

    async def add(self, points: Sequence[models.PointStruct]) -> None:
        """Write points and wait until they are stored."""
        if points:
            await self._call("upsert", self._collection, points=list(points), wait=True)

    async def adopt(self, chunks: Sequence[NewChunk]) -> None:
        """Take over what an interrupted sync left: the content is right, repositories and path words may not be."""
        await self._update_keywords([(chunk.id, chunk.keyword) for chunk in chunks])
        by_names: dict[tuple[str, ...], list[str]] = {}
        for chunk in chunks:
            by_names.setdefault(chunk.repositories, []).append(chunk.id)
        for names, ids in by_names.items():
            await self._call(
                "set_payload", self._collection, payload={"repositories": list(names)}, points=ids, wait=True
            )

    async def set_repositories(self, names_of: Mapping[str, tuple[str, ...]]) -> None:
        """Set which repositories hold each blob."""
        by_names: dict[tuple[str, ...], list[str]] = {}
        for blob, names in names_of.items():
            by_names.setdefault(names, []).append(blob)
        for names, blobs in by_names.items():
            for part in batches(blobs, _BATCH):
                chosen = both(field("kind", CHUNK), any_of("blob", part))
                payload = {"repositories": list(names)}
                await self._call("set_payload", self._collection, payload=payload, points=chosen, wait=True)

    async def set_paths(self, paths_of: Mapping[str, Collection[str]]) -> None:
        """Renew the path words of blobs that moved. The dense vectors stay: they know no path."""
        for part in batches(list(paths_of), 100):
            chosen = both(field("kind", CHUNK), any_of("blob", part))
            renewed = []
            for record in await scroll(self._call, self._collection, chosen):
                chunk = ChunkPayload.from_payload(record.payload)
                vector = document_vector(chunk.text, chunk.symbols, sorted(paths_of[chunk.blob]), chunk.within)
                renewed.append((str(record.id), vector))
            await self._update_keywords(renewed)

    async def _update_keywords(self, vectors: Sequence[tuple[str, models.SparseVector]]) -> None:
        for part in batches(vectors, _BATCH):
            points = [models.PointVectors(id=point, vector={KEYWORD: vector}) for point, vector in part]
            await self._call("update_vectors", self._collection, points=points, wait=True)

    async def verify(self, ids: Sequence[str]) -> None:
        """Fail unless every point is really there."""
        missing = set(ids) - await self.existing(ids)
        if missing:
            raise StoreError(f"{len(missing)} of {len(ids)} written chunks are not in Qdrant")

    async def count(self, blobs: Iterable[str]) -> int:
        """Return how many chunks the blobs have."""
        total = 0
        for part in batches(sorted(blobs), _BATCH):
            chosen = both(field("kind", CHUNK), any_of("blob", part))
            total += (await self._call("count", self._collection, count_filter=chosen, exact=True)).count
        return total

    async def delete(self, blobs: Iterable[str]) -> None:
        """Delete the chunks of blobs."""
        for part in batches(sorted(blobs), _BATCH):
            chosen = models.FilterSelector(filter=both(field("kind", CHUNK), any_of("blob", part)))
            await self._call("delete", self._collection, points_selector=chosen, wait=True)

    async def census(self, where: Sequence[str] | None = None) -> dict[str, "Stored"]:
        """Return every stored blob, or those of the given ones that are stored, with what is known of its chunks."""
        found: dict[str, Stored] = {}
        for conditions in [[]] if where is None else [[any_of("blob", part)] for part in batches(where, _BATCH)]:
            chosen = both(field("kind", CHUNK), *conditions)
            options = {"with_payload": ["blob", "repositories"], "with_vectors": False}
            for record in await scroll(self._call, self._collection, chosen, **options):
                payload = record.payload or {}
                one = found.setdefault(payload["blob"], Stored())
                one.ids.append(str(record.id))
                one.holders.add(tuple(payload["repositories"]))
        return found

    async def unequal(self, expected: Mapping[str, int]) -> list[str]:
        """Return the blobs that do not have as many chunks as expected. Cheap when all is well."""
        if await self.count(expected) == sum(expected.values()):
            return []
        stored = await self.census(sorted(expected))
        return [blob for blob, count in expected.items() if (stored[blob].chunks if blob in stored else 0) != count]

    async def prune(self, blobs: Sequence[str], ids: Collection[str]) -> None:
        """Delete the chunks of blobs that are not among the given points."""
        keep = set(ids)
        for part in batches(blobs, _BATCH):
            stored = [point for one in (await self.census(part)).values() for point in one.ids]
            surplus = [point for point in stored if point not in keep]
            if surplus:
                await self._call("delete", self._collection, points_selector=surplus, wait=True)
