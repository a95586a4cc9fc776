"""The three legs of a search, run at the same time: meaning, words, and exact names.

A leg that cannot run is left out and named in `degraded`; only Qdrant itself is needed by all of them.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from qdrant_client import models

from coderag_rag.keyword import query_vector
from coderag_rag.query.analysis import Query, symbol_spellings
from coderag_rag.query.guard import Breaker, DependencyDown
from coderag_rag.query.reader import IndexReader, IndexRefused
from coderag_rag.query.scope import Scope
from coderag_rag.query.weights import OVERFETCH, Leg
from coderag_rag.retry import RetryPolicy
from coderag_rag.store.schema import DENSE, KEYWORD

logger = logging.getLogger(__name__)

Points = Sequence[models.ScoredPoint]


class QueryEmbedder(Protocol):
    """Turns a query into a vector of the live index's model; raises DependencyDown."""

    async def embed_query(self, text: str) -> list[float]: ...


@dataclass
class LegResults:
    """What each leg found, and which of them did not run."""

    points: dict[Leg, Points] = field(default_factory=dict)
    degraded: list[str] = field(default_factory=list)


class Legs:
    """Runs the legs against one index."""

    def __init__(self, reader: IndexReader, embedder: QueryEmbedder, qdrant: Breaker) -> None:
        self._reader, self._embedder, self._qdrant = reader, embedder, qdrant

    async def run(self, query: Query, scope: Scope, policy: RetryPolicy) -> LegResults:
        """Run every leg; raises DependencyDown when Qdrant is down."""
        # gather, not a task group: the first error must surface as itself and not as a group
        dense, keyword, symbol = await asyncio.gather(
            self._dense(query, scope, policy),
            self._keyword(query, scope, policy),
            self._symbol(query, scope, policy),
        )
        results = LegResults({Leg.KEYWORD: keyword, Leg.SYMBOL: symbol})
        if dense is None:
            results.degraded.append(Leg.DENSE.value)
        else:
            results.points[Leg.DENSE] = dense
        return results

    async def _dense(self, query: Query, scope: Scope, policy: RetryPolicy) -> Points | None:
        try:
            vector = await self._embedder.embed_query(query.text)
            return await self._read(policy, lambda: self._nearest(vector, DENSE, scope.where, Leg.DENSE))
        except DependencyDown as error:
            if error.name == self._qdrant.name:
                raise
            logger.info("dense leg left out: %s", error)
        except IndexRefused as error:
            logger.warning("dense leg left out: %s", error)
        return None

    async def _keyword(self, query: Query, scope: Scope, policy: RetryPolicy) -> Points:
        vector = query_vector(query.text)
        if not vector.indices:
            return []
        return await self._read(policy, lambda: self._nearest(vector, KEYWORD, scope.where, Leg.KEYWORD))

    async def _symbol(self, query: Query, scope: Scope, policy: RetryPolicy) -> Points:
        names, vector = symbol_spellings(query.identifiers), query_vector(query.text)
        if not names or not vector.indices:
            return []
        where = scope.with_symbols(names)
        return await self._read(policy, lambda: self._nearest(vector, KEYWORD, where, Leg.SYMBOL))

    async def _nearest(
        self, vector: Sequence[float] | models.SparseVector, using: str, where: models.Filter, leg: Leg
    ) -> Points:
        return await self._reader.nearest(vector, using, where, OVERFETCH[leg])

    async def _read(self, policy: RetryPolicy, call: Callable[[], Awaitable[Points]]) -> Points:
        return await policy.retrying(DependencyDown)(self._qdrant.call, call)
