"""Vectors for queries, only while the running model is the one that built the live index.

Distances between vectors of different models mean nothing, so with another model the dense leg is left out rather than
answered wrongly.
"""

from collections.abc import Callable
from functools import partial

import httpx

from coderag_rag.clients.embedding import EmbeddingClient, EmbeddingError, EmbeddingUnavailable
from coderag_rag.deadline import Deadline
from coderag_rag.identity import EmbeddingModel, index_identity
from coderag_rag.query.effort import Effort, surprise
from coderag_rag.query.guard import Breaker, DependencyDown, KnownDown
from coderag_rag.query.manifest import Snapshot

EMBEDDING = "embedding"


class IndexEmbedder:
    """The embedding service as the search sees it. `look` is its probe and learns which model runs."""

    def __init__(self, client: EmbeddingClient, breaker: Breaker, snapshot: Callable[[], Snapshot]) -> None:
        self._client, self._breaker, self._snapshot = client, breaker, snapshot
        self._model: EmbeddingModel | None = None

    @property
    def identity(self) -> str | None:
        """The identity that an index built now would have; None before the first contact."""
        return index_identity(self._model) if self._model else None

    @property
    def compatible(self) -> bool | None:
        """Whether the live index was built by the running model; None while either is unknown."""
        built = {manifest.head.identity for manifest in self._snapshot().manifests}
        return None if not built or self._model is None else built == {self.identity}

    async def look(self) -> None:
        """Ask which model runs; raises DependencyDown."""
        try:
            self._model = await self._client.model()
        except EmbeddingError as error:
            raise _down(error) from error

    async def embed_query(self, text: str, effort: Effort) -> list[float]:
        """Return the vector of a query; raises DependencyDown when there is none to be had in time."""
        if self._model is None:
            raise self._breaker.down()
        if self.compatible is False:
            raise KnownDown(EMBEDDING, "the live index was built by another model; it is being rebuilt")
        limit = effort.deadline.within(effort.optional)
        embed = partial(self._embed, text, self._model.model, limit)
        return await self._breaker.call(embed, effort.retrying(surprise, limit))

    async def _embed(self, text: str, model: str, limit: Deadline) -> list[float]:
        try:
            async with limit.cut():
                result = await self._client.embed([text], model, "query")
        except EmbeddingError as error:
            raise _down(error) from error
        except TimeoutError:
            raise DependencyDown(EMBEDDING, "no answer in time") from None
        return result.vectors[0]


def _down(error: EmbeddingError) -> DependencyDown:
    retry_after = error.retry_after if isinstance(error, EmbeddingUnavailable) else None
    cause = error.__cause__
    unreachable = isinstance(cause, httpx.TransportError) and not isinstance(cause, httpx.TimeoutException)
    return DependencyDown(EMBEDDING, str(error), retry_after or 2.0, unreachable=unreachable)
