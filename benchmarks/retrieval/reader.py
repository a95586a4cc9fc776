"""The index in memory, read as the rag reads Qdrant: exact nearest neighbours, and Qdrant's formula for sparse vectors.

It stands in for `coderag_rag.query.reader.IndexReader`, so that everything above it is the code that serves. Qdrant
itself searches small collections exactly too; a test compares both.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from coderag_rag.query.chunk import Chunk, Found
from coderag_rag.query.wire import Near
from numpy.typing import NDArray
from qdrant_client import models

from benchmarks.retrieval.corpus import Stored
from benchmarks.retrieval.postings import Postings, qdrant_idf
from benchmarks.retrieval.vectors import Matrix

Mask = NDArray[np.bool_]


class MemoryReader:
    """The chunks of one corpus; `dense` has a row for each, zeros where a chunk has no dense vector."""

    def __init__(self, chunks: Sequence[Stored], dense: Matrix) -> None:
        self._chunks, self._dense = chunks, dense
        self._number = {chunk.id: number for number, chunk in enumerate(chunks)}
        self._keyword = Postings((chunk.piece.indices, chunk.piece.values) for chunk in chunks)
        self._idf = qdrant_idf(len(chunks))
        self._known: dict[tuple[str, frozenset[str]], Mask] = {}
        self._fields: dict[str, Callable[[Stored], Sequence[str]]] = {
            "kind": lambda _: ["chunk"],
            "repositories": lambda chunk: [chunk.repository],
            "blob": lambda chunk: [chunk.blob],
            "language": lambda chunk: [chunk.language],
            "symbols": lambda chunk: chunk.piece.symbols,
        }

    holds_only_served = False  # so that every condition is tested

    def at(self, _collection: str) -> "MemoryReader":
        """Return this reader: there is one index only."""
        return self

    async def nearest(
        self, vector: Sequence[float] | models.SparseVector, using: str, where: models.Filter, limit: int
    ) -> list[Found]:
        """Return the nearest chunks, best first."""
        if isinstance(vector, models.SparseVector):
            scores = self._keyword.scores(vector.indices, vector.values, self._idf)
            allowed = self._mask(where) & (scores > 0)
        else:
            scores = self._dense @ np.asarray(vector, np.float32)
            allowed = self._mask(where)
        return [self._point(number, float(scores[number])) for number in best(scores, allowed, limit)]

    async def all_nearest(self, legs: Sequence[Near]) -> list[list[Found]]:
        """Return the nearest chunks of several legs, in their order."""
        return [await self.nearest(*leg) for leg in legs]

    async def of_blobs(self, blobs: Sequence[str], where: models.Filter) -> list[Found]:
        """Return the chunks of blobs."""
        allowed = self._mask(where) & self._matching("blob", frozenset(blobs))
        return [self._point(int(number), 0.0) for number in np.flatnonzero(allowed)]

    async def texts(self, ids: Sequence[str]) -> dict[str, tuple[str, str]]:
        """Return the texts by id, without hashes."""
        return {one: (self._chunks[self._number[one]].piece.text, "") for one in ids}

    def unit(self, repository: str, path_blob: str, line: int) -> str:
        """Return what a hit counts as."""
        return self._chunks[self._number[f"{path_blob}:{line}"]].unit

    def _point(self, number: int, score: float) -> Found:
        stored = self._chunks[number]
        lines = {"start_line": stored.start_line, "end_line": stored.end_line}
        about = {"blob": stored.blob, "symbols": stored.piece.symbols, "within": stored.piece.within}
        return Found(stored.id, Chunk.of({**lines, **about, "language": stored.language}), score)

    def _mask(self, where: models.Filter) -> Mask:
        allowed = np.ones(len(self._chunks), bool)
        for condition in where.must or []:
            if not isinstance(condition, models.FieldCondition) or where.must_not or where.should:
                raise NotImplementedError(f"the benchmark knows no filter like {where}")
            allowed &= self._matching(condition.key, _wanted(condition))
        return allowed

    def _matching(self, key: str, wanted: frozenset[str]) -> Mask:
        if (key, wanted) not in self._known:
            values = self._fields[key]
            found = np.array([not wanted.isdisjoint(values(chunk)) for chunk in self._chunks], bool)
            if key == "symbols":  # as many as there are queries
                return found
            self._known[(key, wanted)] = found
        return self._known[(key, wanted)]


def _wanted(condition: models.FieldCondition) -> frozenset[str]:
    match = condition.match
    if isinstance(match, models.MatchAny):
        return frozenset(str(value) for value in match.any)
    if isinstance(match, models.MatchValue):
        return frozenset([str(match.value)])
    raise NotImplementedError(f"the benchmark knows no condition like {condition}")


def best(scores: NDArray[np.floating[Any]], allowed: Mask, limit: int) -> list[int]:
    """Return the positions of the highest allowed scores, best first, the earlier one where two are equal."""
    numbers = np.flatnonzero(allowed)
    if len(numbers) > limit:
        highest = np.argpartition(-scores[numbers], limit - 1)[:limit]
        numbers = np.sort(numbers[highest])
    return [int(number) for number in numbers[np.argsort(-scores[numbers], kind="stable")]]
