"""Vectors for queries, only while the running model is the one that built the live index.

Distances between vectors of different models mean nothing, so with another model the dense leg is left out rather than
answered wrongly. While an index for another model is being built, the one that built the live index runs beside it.
Which of the two to ask changes in the moment in which a service or the index is replaced, so a query that meets such a
moment looks anew at once.
"""

from collections.abc import Callable, Coroutine
from dataclasses import asdict
from functools import partial
from typing import Any, TypeVar

import httpx

from coderag_rag.clients.embedding import EmbeddingClient, EmbeddingError, EmbeddingRefused, EmbeddingUnavailable
from coderag_rag.deadline import Deadline
from coderag_rag.identity import EmbeddingModel, index_identity
from coderag_rag.query.effort import Effort, surprise
from coderag_rag.query.guard import Breaker, DependencyDown, KnownDown
from coderag_rag.query.manifest import Snapshot

EMBEDDING = "embedding"
T = TypeVar("T")


class IndexEmbedder:
    """The embedding services as the search sees them. `look` is its probe and learns which of them to ask."""

    def __init__(
        self,
        wanted: EmbeddingClient,
        breaker: Breaker,
        snapshot: Callable[[], Snapshot],
        previous: EmbeddingClient | None = None,
    ) -> None:
        self._services = (wanted, previous) if previous else (wanted,)
        self._client, self._breaker, self._snapshot = wanted, breaker, snapshot
        self._model: EmbeddingModel | None = None
        self._looked_for: frozenset[str] = frozenset()

    @property
    def identity(self) -> str | None:
        """The identity that an index built now would have; None before the first contact."""
        return index_identity(self._model) if self._model else None

    @property
    def compatible(self) -> bool | None:
        """Whether the live index was built by the model that is asked; None while either is unknown."""
        return self._fits(self._model) if self._model else None

    def _fits(self, model: EmbeddingModel) -> bool | None:
        heads = [manifest.head for manifest in self._snapshot().manifests]
        described, identity = asdict(model), index_identity(model)
        # Chunks cut by another version of the chunker are still vectors of the same model.
        same = (head.model == described if head.model else head.identity == identity for head in heads)
        return all(same) if heads else None

    def _live(self) -> frozenset[str]:
        return frozenset(manifest.head.identity for manifest in self._snapshot().manifests)

    async def look(self) -> None:
        """Ask which model runs, and choose the one that built the live index; raises DependencyDown."""
        failure: EmbeddingError | None = None
        self._looked_for = self._live()
        for service in self._services:
            try:
                model = await service.model()
            except EmbeddingError as error:
                failure = failure or error
                continue
            if self._fits(model) is not False:
                self._client, self._model = service, model
                return
            if service is self._services[0]:
                self._client, self._model = service, model
        if failure is not None:
            raise _down(failure) from failure

    async def embed_query(self, text: str, effort: Effort) -> list[float]:
        """Return the vector of a query; raises DependencyDown when there is none to be had in time."""
        if self._model is None:
            raise self._breaker.down()
        limit = effort.deadline.within(effort.optional)
        if self.compatible is False:
            await self._in_time(self._look_for_the_index(), limit)
        return await self._breaker.call(partial(self._embed, text, limit), effort.retrying(surprise, limit))

    async def _look_for_the_index(self) -> None:
        """Look anew where the index changed since the last look; raises KnownDown when no service has its model."""
        if self._looked_for != self._live():
            await self.look()
            if self.compatible is not False:
                return
        raise KnownDown(EMBEDDING, "the live index was built by another model; it is being rebuilt")

    async def _embed(self, text: str, limit: Deadline) -> list[float]:
        return await self._in_time(self._vector(text), limit)

    async def _in_time(self, work: Coroutine[Any, Any, T], limit: Deadline) -> T:
        try:
            async with limit.cut():
                return await work
        except EmbeddingError as error:
            raise _down(error) from error
        except TimeoutError:
            raise DependencyDown(EMBEDDING, "no answer in time") from None

    async def _vector(self, text: str) -> list[float]:
        asked = self._client, self._model
        try:
            return await self._ask(text)
        except EmbeddingRefused:  # as where this service was replaced by one with another model
            await self.look()
            if (self._client, self._model) == asked or self.compatible is False:
                raise
        return await self._ask(text)

    async def _ask(self, text: str) -> list[float]:
        model = self._model.model if self._model else ""
        return (await self._client.embed([text], model, "query")).vectors[0]


def _down(error: EmbeddingError) -> DependencyDown:
    retry_after = error.retry_after if isinstance(error, EmbeddingUnavailable) else None
    cause = error.__cause__
    unreachable = isinstance(cause, httpx.TransportError) and not isinstance(cause, httpx.TimeoutException)
    return DependencyDown(EMBEDDING, str(error), retry_after or 2.0, unreachable=unreachable)
