"""Embeds chunk texts in batches, with the retry schedule around each request; known ones are not asked for again."""

from collections.abc import Sequence
from dataclasses import dataclass

from coderag_rag.clients.embedding import EmbeddingClient, EmbeddingUnavailable
from coderag_rag.ingestion.cache import EmbeddingCache
from coderag_rag.retry import RetryPolicy
from coderag_rag.store.filters import batches


@dataclass
class Embedder:
    """The model of one index identity, as a function from texts to vectors. Counts what it did.

    `cached` and `identity` (of the model) belong together: without a cache everything is embedded.
    """

    client: EmbeddingClient
    policy: RetryPolicy
    model: str
    batch: int
    cache: EmbeddingCache | None = None
    identity: str = ""
    embedded: int = 0
    truncated: int = 0
    reused: int = 0

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Return one vector for each text. Equal texts are embedded once."""
        distinct = list(dict.fromkeys(texts))
        known = await self.cache.find(self.identity, distinct) if self.cache else {}
        self.reused += len(known)
        for part in batches([text for text in distinct if text not in known], self.batch):
            known |= await self._request(part)
        return [known[text] for text in texts]

    async def _request(self, texts: Sequence[str]) -> dict[str, list[float]]:
        async for attempt in self.policy.retrying(EmbeddingUnavailable):
            with attempt:
                answer = await self.client.embed(texts, self.model, "passage")
        self.embedded += len(texts)
        self.truncated += len(answer.truncated)
        vectors = dict(zip(texts, answer.vectors, strict=True))
        if self.cache:
            await self.cache.keep(self.identity, vectors)
        return vectors
