"""The search service's own search over an index in memory: its legs, its fusion, its ranker, its texts."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from coderag_rag.query.analysis import Query
from coderag_rag.query.effort import Effort, Patience
from coderag_rag.query.guard import Breaker
from coderag_rag.query.hits import Hit
from coderag_rag.query.lexicon import NO_LEXICON, Lexicon
from coderag_rag.query.manifest import Snapshot
from coderag_rag.query.search import Searcher, SearchRequest

from benchmarks.retrieval.corpus import Corpus, Stored
from benchmarks.retrieval.reader import MemoryReader
from benchmarks.retrieval.vectors import Matrix, Vectors

_PATIENCE = Patience(120, 120)


class _Manifests:
    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def served(self) -> Snapshot:
        return self._snapshot


class _KnownVectors:
    def __init__(self, vectors: Mapping[str, Sequence[float]]) -> None:
        self._vectors = vectors

    async def embed_query(self, query: Query, _snapshot: Snapshot, effort: Effort) -> list[float]:
        return list(self._vectors[query.english])  # the model knows English only


class Ours:
    """Search over a corpus; answers are units, each once, best first."""

    def __init__(
        self,
        corpus: Corpus,
        dense: Matrix,
        queries: Mapping[str, Sequence[float]],
        unit: Callable[[Hit], str] | None = None,
        lexicon: Lexicon = NO_LEXICON,
    ) -> None:
        reader = MemoryReader(corpus.chunks, dense)
        self._units = {(chunk.blob, chunk.start_line): chunk.unit for chunk in corpus.chunks}
        self._unit = unit or self._function_of
        self._searcher = Searcher(
            reader,
            _KnownVectors(queries),
            _Manifests(corpus.snapshot),
            Breaker("memory"),  # type: ignore[arg-type]
            lexicon,
        )

    def search_all(self, queries: Sequence[str], limit: int = 10) -> list[list[str]]:
        """Return the units found for each query among its first `limit` hits."""
        return asyncio.run(self._search_all(queries, limit))

    async def _search_all(self, queries: Sequence[str], limit: int) -> list[list[str]]:
        return [await self._search(query, limit) for query in queries]

    async def hits(self, query: str, limit: int) -> list[Hit]:
        """Return the hits for one query."""
        return (await self._searcher.search(SearchRequest(query, limit), _PATIENCE.begin())).hits

    async def _search(self, query: str, limit: int) -> list[str]:
        return list(dict.fromkeys(map(self._unit, await self.hits(query, limit))))

    def _function_of(self, hit: Hit) -> str:
        return self._units[(hit.blob, hit.start_line)]


def file_of(hit: Hit) -> str:
    """Return the file of a hit: what counts as one answer where files are asked for."""
    return hit.path


def dense_rows(chunks: Sequence[Stored], vectors: Vectors, label: str) -> Matrix:
    """Return a row for each chunk, zeros for those that only the keyword leg should find."""
    rows = vectors.of([chunk.piece.embedded or "" for chunk in chunks], label=label)
    for number, chunk in enumerate(chunks):
        if chunk.piece.embedded is None:
            rows[number] = 0
    return rows
