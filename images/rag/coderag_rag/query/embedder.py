"""Vectors for queries, only of the model that built the index which the query searches.

Distances between vectors of different models mean nothing, so with another model the dense leg is left out rather than
answered wrongly. While an index for another model is being built, the one that built the live index runs beside it.
Which of the two to ask is decided for each query, by the manifests that it searches: it may hold those of an index that
was replaced while it ran.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import asdict
from functools import partial
from typing import Any, NamedTuple, TypeVar

import httpx

from coderag_rag.clients.embedding import (
    EmbeddingClient,
    EmbeddingError,
    EmbeddingRefused,
    EmbeddingUnavailable,
    ServedModel,
)
from coderag_rag.deadline import Deadline
from coderag_rag.identity import index_identity
from coderag_rag.query.analysis import Query
from coderag_rag.query.effort import Effort, surprise
from coderag_rag.query.guard import Breaker, DependencyDown, KnownDown
from coderag_rag.query.manifest import Snapshot
from coderag_rag.store.schema import HeadPayload

EMBEDDING = "embedding"
_LOOK_SECONDS = 2.0  # less than the probe has for both: one that is silent must not hide the other
T = TypeVar("T")


class Running(NamedTuple):
    """The model that a service runs, as heads describe it, and the identity of an index that is built with it."""

    service: EmbeddingClient
    model: str
    described: dict[str, Any]
    identity: str
    english_only: bool

    @classmethod
    def of(cls, service: EmbeddingClient, served: ServedModel) -> "Running":
        """Return what heads are compared with."""
        model = served.model
        return cls(service, model.model, asdict(model), index_identity(model), served.english_only)

    def has_built(self, head: HeadPayload) -> bool:
        """Whether vectors of this model can be compared with those that the head's index holds."""
        # Chunks cut by another version of the chunker are still vectors of the same model.
        return head.model == self.described if head.model else head.identity == self.identity


class IndexEmbedder:
    """The embedding services as the search sees them. `look` is its probe and learns which model each of them runs."""

    def __init__(
        self,
        wanted: EmbeddingClient,
        breaker: Breaker,
        snapshot: Callable[[], Snapshot],
        previous: EmbeddingClient | None = None,
    ) -> None:
        self._wanted, self._breaker, self._snapshot = wanted, breaker, snapshot
        # The one before comes first: the other's pods are being replaced when both run the same model.
        self._services = (previous, wanted) if previous else (wanted,)
        self._running: dict[EmbeddingClient, Running] = {}
        self._missed = ""

    @property
    def identity(self) -> str | None:
        """The identity that an index built now would have; None before the first contact."""
        running = self._running.get(self._wanted)
        return running.identity if running else None

    @property
    def compatible(self) -> bool | None:
        """Whether a service runs the model that built the live index; None while either is unknown."""
        snapshot = self._snapshot()
        return any(self._fitting(snapshot)) if self._running and snapshot.manifests else None

    async def look(self) -> None:
        """Ask each service which model it runs; raises DependencyDown unless one that answers has the live index's."""
        failures = await asyncio.gather(*map(self._learn, self._services))
        failed = dict(zip(self._services, failures, strict=True))
        fits = any(failed[running.service] is None for running in self._fitting(self._snapshot()))
        if not fits and (failure := failed[self._wanted] or failures[0]):
            raise _down(failure) from failure

    async def _learn(self, service: EmbeddingClient) -> EmbeddingError | None:
        try:
            async with asyncio.timeout(_LOOK_SECONDS):
                self._running[service] = Running.of(service, await service.served())
        except EmbeddingError as error:
            return error
        except TimeoutError:
            return EmbeddingUnavailable("no answer in time")
        return None

    def _fitting(self, snapshot: Snapshot) -> Iterator[Running]:
        """Yield the services whose model built the index of these manifests; all of them where there is no index."""
        known = (self._running[service] for service in self._services if service in self._running)
        return (one for one in known if all(one.has_built(manifest.head) for manifest in snapshot.manifests))

    async def embed_query(self, query: Query, snapshot: Snapshot, effort: Effort) -> list[float]:
        """Return the vector of a query over these manifests; raises DependencyDown when there is none in time."""
        if not self._running:
            raise self._breaker.down()
        limit = effort.deadline.within(effort.optional)
        if not any(self._fitting(snapshot)):
            await self._in_time(self._look_for(snapshot), limit)
        embed, retrying = partial(self._embed, query, snapshot, limit), partial(effort.retrying, surprise, limit)
        return await self._breaker.call(embed, retrying)

    async def _look_for(self, snapshot: Snapshot) -> None:
        """Look anew, once for each index; raises KnownDown when no service has its model."""
        if self._missed != snapshot.collection:
            await self.look()
            if any(self._fitting(snapshot)):
                return
            self._missed = snapshot.collection
        raise KnownDown(EMBEDDING, "the index was built by another model; it is being rebuilt")

    async def _embed(self, query: Query, snapshot: Snapshot, limit: Deadline) -> list[float]:
        return await self._in_time(self._vector(query, snapshot), limit)

    async def _in_time(self, work: Coroutine[Any, Any, T], limit: Deadline) -> T:
        try:
            async with limit.cut():
                return await work
        except EmbeddingError as error:
            raise _down(error) from error
        except TimeoutError:
            raise DependencyDown(EMBEDDING, "no answer in time") from None

    async def _vector(self, query: Query, snapshot: Snapshot) -> list[float]:
        """Ask one service after the other; one that refuses may have been replaced by one with another model."""
        asked: list[Running] = []
        failure: EmbeddingError | None = None
        while one := next((one for one in self._fitting(snapshot) if one not in asked), None):
            asked.append(one)
            try:
                text = query.english if one.english_only else query.text
                return (await one.service.embed([text], one.model, "query")).vectors[0]
            except EmbeddingRefused as error:
                failure = error
                await self.look()
            except EmbeddingError as error:
                failure = failure or error
        raise failure or EmbeddingUnavailable("the model of the index runs no longer")


def _down(error: EmbeddingError) -> DependencyDown:
    retry_after = error.retry_after if isinstance(error, EmbeddingUnavailable) else None
    cause = error.__cause__
    unreachable = isinstance(cause, httpx.TransportError) and not isinstance(cause, httpx.TimeoutException)
    return DependencyDown(EMBEDDING, str(error), retry_after or 2.0, unreachable=unreachable)
