"""Embeds chunk texts in batches, with the retry schedule around each request."""

from collections.abc import Sequence
from dataclasses import dataclass

from coderag_rag.clients.embedding import EmbeddingClient, EmbeddingUnavailable
from coderag_rag.retry import RetryPolicy
from coderag_rag.store.filters import batches


@dataclass
class Embedder:
    """The model of one index identity, as a function from texts to vectors. Counts what it did."""

    client: EmbeddingClient
    policy: RetryPolicy
    model: str
    batch: int
    embedded: int = 0
    truncated: int = 0

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Return one vector for each text."""
        vectors: list[list[float]] = []
        for part in batches(texts, self.batch):
            vectors.extend(await self._request(part))
        return vectors

    async def _request(self, texts: Sequence[str]) -> list[list[float]]:
        async for attempt in self.policy.retrying(EmbeddingUnavailable):
            with attempt:
                answer = await self.client.embed(texts, self.model, "passage")
        self.embedded += len(texts)
        self.truncated += len(answer.truncated)
        return answer.vectors
