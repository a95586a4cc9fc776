"""The legs of a search, run at the same time: meaning, words, exact names, and files that are named.

Once the query has a vector, the first three go to Qdrant in one request: it runs them side by side, and each request
that is spared is a millisecond of processor time. A leg that cannot run is left out and named in `degraded`; only
Qdrant itself is needed by all of them.
"""

import asyncio
import logging
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from qdrant_client import models

from coderag_rag.keyword import query_vector
from coderag_rag.query.analysis import Query, symbol_spellings
from coderag_rag.query.chunk import Found
from coderag_rag.query.effort import Effort
from coderag_rag.query.guard import DependencyDown
from coderag_rag.query.manifest import Snapshot
from coderag_rag.query.mentions import Named, resolve
from coderag_rag.query.reader import IndexReader, IndexRefused
from coderag_rag.query.scope import Scope
from coderag_rag.query.weights import OVERFETCH, Leg
from coderag_rag.query.wire import Near, Vector
from coderag_rag.store.filters import any_of, both
from coderag_rag.store.schema import DENSE, KEYWORD

logger = logging.getLogger(__name__)

Points = Sequence[Found]


class QueryEmbedder(Protocol):
    """Turns a query into a vector of the model that a snapshot's index was built by; raises DependencyDown."""

    async def embed_query(self, query: Query, snapshot: Snapshot, effort: Effort) -> list[float]: ...


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
        reader = self._reader.at(scope.snapshot.collection)
        vector, named = await _side_by_side(self._vector(query, scope, effort), self._path(query, scope, reader))
        # Only chunks have vectors, and where all of them may be found, to test each is a quarter of Qdrant's time.
        conditions = () if scope.whole and reader.holds_only_served else scope.conditions
        legs = _worded(query, conditions)
        if vector is not None:
            legs[Leg.DENSE] = _near(Leg.DENSE, vector, DENSE, *conditions)
        found = await self._found(legs, reader)
        empty: dict[Leg, Points] = {leg: [] for leg in (Leg.KEYWORD, Leg.SYMBOL)}
        degraded = [] if Leg.DENSE in found else [Leg.DENSE.value]
        return LegResults({**empty, Leg.PATH: named or [], **found}, degraded)

    async def _vector(self, query: Query, scope: Scope, effort: Effort) -> list[float] | None:
        try:
            return await self._embedder.embed_query(query, scope.snapshot, effort)
        except DependencyDown as error:
            logger.info("dense leg left out: %s", error)
        return None

    async def _found(self, legs: Mapping[Leg, Near], reader: IndexReader) -> dict[Leg, Points]:
        """Ask for all legs at once, and for the others again where the vector is what was refused."""
        try:
            return dict(zip(legs, await reader.all_nearest(list(legs.values())), strict=True))
        except IndexRefused as error:
            if Leg.DENSE not in legs:
                raise
            logger.warning("dense leg left out: %s", error)
        return await self._found({leg: near for leg, near in legs.items() if leg is not Leg.DENSE}, reader)

    async def _path(self, query: Query, scope: Scope, reader: IndexReader) -> Points:
        """Return chunks of the files that the query names, the ones nearest to a named line first."""
        named = resolve(query.files, scope.snapshot) if query.files else []
        if not named:
            return []
        points = await reader.of_blobs([one.blob for one in named], scope.where)
        return _by_place(points, named)[: OVERFETCH[Leg.PATH]]


def _worded(query: Query, conditions: Sequence[models.Condition]) -> dict[Leg, Near]:
    """Return the legs that need no model: words, and exact names where the query holds any."""
    vector, names = query_vector(query.bilingual), symbol_spellings(query.identifiers)
    if not vector.indices:
        return {}
    legs = {Leg.KEYWORD: _near(Leg.KEYWORD, vector, KEYWORD, *conditions)}
    if names:
        legs[Leg.SYMBOL] = _near(Leg.SYMBOL, vector, KEYWORD, *conditions, any_of("symbols", names))
    return legs


def _near(leg: Leg, vector: Vector, using: str, *conditions: models.Condition) -> Near:
    return Near(vector, using, both(*conditions) if conditions else None, OVERFETCH[leg])


def _by_place(points: Points, named: Sequence[Named]) -> list[Found]:
    order = {one.blob: (place, one.line) for place, one in enumerate(named)}

    def key(point: Found) -> tuple[int, int, int]:
        chunk = point.chunk
        place, line = order[chunk.blob]
        away = max(chunk.start_line - line, line - chunk.end_line, 0) if line else 0
        return (place, away, chunk.start_line)

    return sorted(points, key=key)


async def _side_by_side(*legs: Coroutine[Any, Any, Any]) -> list[Any]:
    """Run the legs side by side. The first failure ends the others, and surfaces as itself and not as a group.

    Not a task group: in Python 3.11 one whose task fails in the moment of a timeout lets the cancellation escape.
    """
    tasks = [asyncio.create_task(leg) for leg in legs]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
