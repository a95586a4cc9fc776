"""The legs of a search, run at the same time: meaning, words, exact names, and files that are named.

A leg that cannot run is left out and named in `degraded`; only Qdrant itself is needed by all of them.
"""

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from qdrant_client import models

from coderag_rag.keyword import query_vector
from coderag_rag.query.analysis import Query, symbol_spellings
from coderag_rag.query.effort import Effort
from coderag_rag.query.guard import DependencyDown
from coderag_rag.query.mentions import Named, resolve
from coderag_rag.query.reader import QDRANT, IndexReader, IndexRefused
from coderag_rag.query.scope import Scope
from coderag_rag.query.weights import OVERFETCH, Leg
from coderag_rag.store.schema import DENSE, KEYWORD

logger = logging.getLogger(__name__)

Points = Sequence[models.ScoredPoint | models.Record]


class QueryEmbedder(Protocol):
    """Turns a query into a vector of the live index's model; raises DependencyDown."""

    async def embed_query(self, text: str, effort: Effort) -> list[float]: ...


@dataclass
class LegResults:
    """What each leg found, and which of them did not run."""

    points: dict[Leg, Points] = field(default_factory=dict)
    degraded: list[str] = field(default_factory=list)


class Legs:
    """Runs the legs against one index."""

    def __init__(self, reader: IndexReader, embedder: QueryEmbedder) -> None:
        self._reader, self._embedder = reader, embedder

    async def run(self, query: Query, scope: Scope, effort: Effort) -> LegResults:
        """Run every leg; raises DependencyDown when Qdrant is down."""
        dense, *others = await _side_by_side(
            self._dense(query, scope, effort),
            self._keyword(query, scope),
            self._symbol(query, scope),
            self._path(query, scope),
        )
        always = (Leg.KEYWORD, Leg.SYMBOL, Leg.PATH)
        results = LegResults({leg: points or [] for leg, points in zip(always, others, strict=True)})
        if dense is None:
            results.degraded.append(Leg.DENSE.value)
        else:
            results.points[Leg.DENSE] = dense
        return results

    async def _dense(self, query: Query, scope: Scope, effort: Effort) -> Points | None:
        try:
            vector = await self._embedder.embed_query(query.text, effort)
            return await self._nearest(vector, DENSE, scope.where, Leg.DENSE)
        except DependencyDown as error:
            if error.name == QDRANT:
                raise
            logger.info("dense leg left out: %s", error)
        except IndexRefused as error:
            logger.warning("dense leg left out: %s", error)
        return None

    async def _keyword(self, query: Query, scope: Scope) -> Points:
        vector = query_vector(query.text)
        return await self._nearest(vector, KEYWORD, scope.where, Leg.KEYWORD) if vector.indices else []

    async def _symbol(self, query: Query, scope: Scope) -> Points:
        names, vector = symbol_spellings(query.identifiers), query_vector(query.text)
        if not names or not vector.indices:
            return []
        return await self._nearest(vector, KEYWORD, scope.with_symbols(names), Leg.SYMBOL)

    async def _path(self, query: Query, scope: Scope) -> Points:
        """Return chunks of the files that the query names, the ones nearest to a named line first."""
        named = resolve(query.files, scope.snapshot) if query.files else []
        if not named:
            return []
        points = await self._reader.of_blobs([one.blob for one in named], scope.where)
        return _by_place(points, named)[: OVERFETCH[Leg.PATH]]

    async def _nearest(
        self, vector: Sequence[float] | models.SparseVector, using: str, where: models.Filter, leg: Leg
    ) -> Points:
        return await self._reader.nearest(vector, using, where, OVERFETCH[leg])


def _by_place(points: Sequence[models.Record], named: Sequence[Named]) -> list[models.Record]:
    order = {one.blob: (place, one.line) for place, one in enumerate(named)}

    def key(point: models.Record) -> tuple[int, int, int]:
        payload = point.payload or {}
        place, line = order[payload["blob"]]
        away = max(payload["start_line"] - line, line - payload["end_line"], 0) if line else 0
        return (place, away, payload["start_line"])

    return sorted(points, key=key)


async def _side_by_side(*legs: Coroutine[Any, Any, Points | None]) -> list[Points | None]:
    """Run the legs side by side. The first failure ends the others, and surfaces as itself and not as a group.

    Not a task group: in Python 3.11 one whose task fails in the moment of a timeout lets the cancellation escape.
    """
    tasks = [asyncio.create_task(leg) for leg in legs]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
