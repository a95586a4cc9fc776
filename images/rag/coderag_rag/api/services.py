"""The parts of the running service, wired once."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from prometheus_client import CollectorRegistry
from qdrant_client import AsyncQdrantClient

from coderag_rag.answer.answerer import Answerer
from coderag_rag.answer.llm import GATEWAY, LlmClient
from coderag_rag.api.metrics import QueryMetrics
from coderag_rag.api.probes import WatchedHealth, server_probe
from coderag_rag.api.settings import ApiSettings
from coderag_rag.clients.embedding import EmbeddingClient
from coderag_rag.clients.qdrant import connect
from coderag_rag.query.embedder import EMBEDDING, IndexEmbedder
from coderag_rag.query.guard import Breaker
from coderag_rag.query.poller import ManifestPoller
from coderag_rag.query.reader import QDRANT, IndexReader
from coderag_rag.query.search import Searcher
from coderag_rag.query.watch import Watch
from coderag_rag.retry import RetryPolicy

_PROBE_DEADLINE = 3.0
_LOAD_DEADLINE = 60.0  # the look at Qdrant may have to load manifests


@dataclass(frozen=True)
class Clients:
    """The connections to other services; tests bring their own."""

    qdrant: AsyncQdrantClient
    embedding: EmbeddingClient
    llm: LlmClient
    plain: httpx.AsyncClient

    @classmethod
    def connect(cls, settings: ApiSettings) -> "Clients":
        """Return clients for the configured addresses; nothing is contacted here."""
        qdrant, embedding, gateway = settings.qdrant, settings.embedding, settings.gateway
        return cls(
            connect(qdrant.url, qdrant.api_key, qdrant.timeout),
            EmbeddingClient(embedding.url, embedding.api_key, embedding.timeout),
            LlmClient(
                gateway.url,
                gateway.api_key,
                connect_timeout=gateway.connect_timeout,
                request_timeout=gateway.request_timeout,
            ),
            httpx.AsyncClient(timeout=_PROBE_DEADLINE, trust_env=False),
        )

    async def aclose(self) -> None:
        """Close every connection."""
        await asyncio.gather(self.qdrant.close(), self.embedding.aclose(), self.llm.aclose(), self.plain.aclose())


class Services:
    """What the routes use."""

    def __init__(self, settings: ApiSettings, clients: Clients) -> None:
        self.settings, self.clients = settings, clients
        self.registry = CollectorRegistry()
        self.metrics = QueryMetrics(self.registry)
        self.breakers = {name: Breaker(name, settings.poll_interval) for name in (QDRANT, EMBEDDING, GATEWAY)}
        reader = IndexReader(clients.qdrant)
        self.manifests = ManifestPoller(reader, self.breakers[QDRANT])
        self.embedder = IndexEmbedder(
            clients.embedding,
            self.breakers[EMBEDDING],
            lambda: self.manifests.snapshot,
            settings.query_embedding_timeout,
        )
        self.searcher = Searcher(reader, self.embedder, self.manifests, self.breakers[QDRANT])
        self.answerer = self._build_answerer()
        self.health = WatchedHealth()
        self._watch_everything()

    def _build_answerer(self) -> Answerer:
        qdrant = self.settings.qdrant
        policy = RetryPolicy(qdrant.max_retries, qdrant.retry_min_wait, qdrant.retry_max_wait)
        return Answerer(self.searcher, self.clients.llm, self.breakers[GATEWAY], self.settings.limits, policy)

    def _watch_everything(self) -> None:
        self.health.waiting_for("qdrant was not reached yet")
        self._watch(
            QDRANT,
            self.manifests.look,
            deadline=_LOAD_DEADLINE,
            on_success=self.health.mark_ready,
            on_failure=lambda detail: self.health.waiting_for(f"qdrant: {detail}"),
        )
        self._watch(EMBEDDING, self.embedder.look)
        self._watch(GATEWAY, self.clients.llm.alive)
        gateway = self.settings.gateway
        for name, url in (("chat", gateway.chat_url), ("code", gateway.code_url)):
            if url:
                self._watch(name, server_probe(self.clients.plain, name, url))

    def _watch(self, name: str, check: Callable[[], Awaitable[object]], **more: Any) -> None:
        options = {"interval": self.settings.poll_interval, "deadline": _PROBE_DEADLINE} | more
        self.health.watch(Watch(name, check, breaker=self.breakers.get(name), **options))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Watch the dependencies in the background while the block runs, then close the connections."""
        tasks = [asyncio.create_task(watch.run(), name=f"watch-{watch.name}") for watch in self.health.watches]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.clients.aclose()
