"""Tries a rebuilt index against the one that is searched, with queries mined from the repositories that both serve."""

import logging
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from qdrant_client import models

from coderag_rag.clients.embedding import EmbeddingClient
from coderag_rag.git.errors import GitError
from coderag_rag.identity import EmbeddingModel
from coderag_rag.ingestion.gate import DEPTH, ENOUGH, Verdict, judge, judge_alone, ndcg
from coderag_rag.ingestion.index import Editions, Index, IndexOpener
from coderag_rag.ingestion.mining import Mined, from_commits, from_document
from coderag_rag.ingestion.preparer import Preparer
from coderag_rag.ingestion.source import Key, Source
from coderag_rag.keyword import query_vector
from coderag_rag.query.fusion import Worth, fuse, scaled
from coderag_rag.query.weights import LEG_WEIGHTS, Leg, QueryClass
from coderag_rag.store.calls import Calls
from coderag_rag.store.filters import batches, both
from coderag_rag.store.filters import field as equals
from coderag_rag.store.manifest import Served, read_heads, read_served
from coderag_rag.store.schema import CHUNK, DENSE, KEYWORD

logger = logging.getLogger(__name__)
_MOST_QUERIES = 600
_MOST_FILES = 400  # per source that are read for their documentation
_COMMITS = 2_000
_LEG = 30
_SELF = 50
_SHORTEST = 80  # characters of a chunk that should find itself
_BATCH = 8
_SEED = 20_240_229
Item = TypeVar("Item")


@dataclass(frozen=True)
class Contender:
    """An index as it is searched: its collection, the service and model for its queries, and the blobs it serves."""

    call: Calls
    collection: str
    client: EmbeddingClient
    model: str
    blobs: frozenset[str] = field(default_factory=frozenset)

    async def scores(self, queries: Sequence[Mined]) -> list[float]:
        """Return nDCG@10 of each query."""
        vectors = await self.vectors([query.text for query in queries], "query")
        return [await self._score(query, vector) for query, vector in zip(queries, vectors, strict=True)]

    async def vectors(self, texts: Sequence[str], kind: str) -> list[list[float]]:
        """Return the vectors of texts, asked for in small lots because people search meanwhile."""
        found: list[list[float]] = []
        for part in batches(texts, _BATCH):
            found += (await self.client.embed(part, self.model, kind)).vectors  # type: ignore[arg-type]
        return found

    async def nearest(self, vector: object, using: str, payload: Sequence[str]) -> list[models.ScoredPoint]:
        """Return the first points of a leg."""
        answer = await self.call(
            "query_points", self.collection, query=vector, using=using, limit=_LEG, with_payload=list(payload),
            query_filter=both(equals("kind", CHUNK)),
        )  # fmt: skip
        return list(answer.points)

    async def _score(self, query: Mined, vector: list[float]) -> float:
        points: dict[str, models.ScoredPoint] = {}
        legs: dict[Leg, list[Worth]] = {}
        for leg, wanted, using in ((Leg.DENSE, vector, DENSE), (Leg.KEYWORD, query_vector(query.text), KEYWORD)):
            found = await self.nearest(wanted, using, ("blob", "start_line", "end_line"))
            worth = scaled(leg, [point.score for point in found], _LEG)
            served = [(point, one) for point, one in zip(found, worth, strict=True) if self._serves(point)]
            points |= {str(point.id): point for point, _ in served}
            legs[leg] = [(str(point.id), one) for point, one in served]
        best = fuse(legs, LEG_WEIGHTS[QueryClass.PROSE])
        return ndcg(*_hits(query, [points[point].payload or {} for point, _ in best]))

    def _serves(self, point: models.ScoredPoint) -> bool:
        return (point.payload or {})["blob"] in self.blobs


def _hits(query: Mined, ranked: Sequence[Mapping[str, int | str]]) -> tuple[list[bool], int]:
    """Whether each document is an answer, and how many answers there are: files by blob, functions by their line."""
    if query.line:
        inside = [
            row["blob"] in query.blobs and int(row["start_line"]) <= query.line <= int(row["end_line"])
            for row in ranked
        ]
        return inside, 1
    files = list(dict.fromkeys(row["blob"] for row in ranked))
    return [blob in query.blobs for blob in files], len(query.blobs)


class Trial:
    """Everything that the gate needs to come to a verdict."""

    def __init__(self, opener: IndexOpener, preparer: Preparer, sources: Mapping[Key, Source]) -> None:
        self._opener, self._preparer, self._sources = opener, preparer, sources

    async def verdict(self, editions: Editions) -> Verdict:
        """Judge the wanted index of these editions against the live one."""
        new = await self._contender(editions.wanted)
        queries = await self._queries(await editions.wanted.served())
        old = await self._former(editions)
        if old is None:
            return judge_alone(await self._self_found(new), 0, "the model of the searched index runs no more")
        shared = [query for query in queries if query.blobs <= old.blobs & new.blobs]
        if len(shared) < ENOUGH:
            why = f"{len(shared)} mined queries are fewer than {ENOUGH}"
            return judge_alone(await self._self_found(new), len(shared), why)
        chosen = _sample(shared, _MOST_QUERIES)
        return judge(await old.scores(chosen), await new.scores(chosen))

    async def _contender(self, index: Index) -> Contender:
        served = await index.served()
        return Contender(index.call, index.collection, index.client, index.model.model, _blobs(served))

    async def _former(self, editions: Editions) -> Contender | None:
        call, live = self._opener.call, editions.live or ""
        heads = await read_heads(call, live)
        described = next((head.model for head in heads if head.model), None)
        model = EmbeddingModel(**described) if described else None
        client = await self._opener.asking(model) if model else None
        if model is None or client is None:
            return None
        served = [await read_served(call, live, head) for head in heads]
        return Contender(call, live, client, model.model, _blobs(served))

    async def _queries(self, served: Sequence[Served]) -> list[Mined]:
        found: dict[str, Mined] = {}
        for one in served:
            source = self._sources.get(Key(one.head.repository, one.head.ref))
            if source and source.default and len(found) < 2 * _MOST_QUERIES:
                for query in [*await self._commits(source, one), *await self._documented(source, one)]:
                    found.setdefault(query.text, query)
        return [found[text] for text in sorted(found)]

    async def _commits(self, source: Source, served: Served) -> list[Mined]:
        try:
            changes = await source.repository.history(source.ref, _COMMITS)
        except GitError as error:
            logger.info("no history to mine", extra={"repository": source.name, "reason": str(error)})
            return []
        return from_commits(changes, {entry.path: entry.blob for entry in served.entries})

    async def _documented(self, source: Source, served: Served) -> list[Mined]:
        paths = {entry.blob: entry.path for entry in served.entries if served.counts.get(entry.blob)}
        chosen = _sample(sorted(paths), _MOST_FILES)
        found: list[Mined] = []
        try:
            async with source.repository.blobs(chosen) as contents:
                async for blob, data in contents:
                    found += from_document(blob, await self._preparer.prepare(data, [paths[blob]]))
        except GitError as error:
            logger.info("no files to mine", extra={"repository": source.name, "reason": str(error)})
        return found

    async def _self_found(self, new: Contender) -> list[bool]:
        """Whether chunks are among the first results for their own text."""
        texts = _sample(await self._texts(new), _SELF)
        found = []
        for text, vector in zip(texts, await new.vectors(texts, "passage"), strict=True):
            points = await new.nearest(vector, DENSE, ("text",))
            found.append(any((point.payload or {})["text"] == text for point in points[:DEPTH]))
        return found

    async def _texts(self, new: Contender) -> list[str]:
        points, _ = await new.call(
            "scroll", new.collection, scroll_filter=both(equals("kind", CHUNK)), limit=20 * _SELF,
            with_payload=["text", "blob"], with_vectors=[DENSE],
        )  # fmt: skip
        rows = [
            point.payload
            for point in points
            if (point.vector or {}).get(DENSE) and len(point.payload["text"]) >= _SHORTEST
        ]
        return sorted({row["text"] for row in rows if row["blob"] in new.blobs})


def _sample(items: Sequence[Item], most: int) -> list[Item]:
    """Return some of the items, the same ones every time."""
    return random.Random(_SEED).sample(items, min(len(items), most))  # noqa: S311 - a choice and no secret


def _blobs(served: Sequence[Served]) -> frozenset[str]:
    return frozenset(entry.blob for one in served for entry in one.entries)
