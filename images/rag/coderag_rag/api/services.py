"""The parts of the running service, wired once."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import httpx
from prometheus_client import CollectorRegistry
from qdrant_client import AsyncQdrantClient

from coderag_rag.answer.answerer import Answerer
from coderag_rag.answer.llm import GATEWAY, LlmClient
from coderag_rag.answer.route import ModelRoute
from coderag_rag.api.metrics import QueryMetrics
from coderag_rag.api.probes import WatchedHealth, server_probe
from coderag_rag.api.settings import ApiSettings
from coderag_rag.clients.embedding import EmbeddingClient
from coderag_rag.clients.qdrant import connect
from coderag_rag.query.embedder import EMBEDDING, IndexEmbedder
from coderag_rag.query.guard import Breaker
from coderag_rag.query.known import KnownChunks
from coderag_rag.query.links import Links
from coderag_rag.query.outline import Cartographer
from coderag_rag.query.poller import ManifestPoller
from coderag_rag.query.reader import QDRANT, IndexReader
from coderag_rag.query.scan import Scanner
from coderag_rag.query.search import Searcher
from coderag_rag.query.spans import SpanReader
from coderag_rag.query.warmup import WarmUp
from coderag_rag.query.watch import Watch

_PROBE_DEADLINE = 3.0
_MIB = 1024 * 1024
_LOAD_DEADLINE = 60.0  # the look at Qdrant may have to load manifests, each call of it within the probe's deadline


@dataclass(frozen=True)
class Clients:
    """The connections to other services; tests bring their own."""

    qdrant: AsyncQdrantClient
    embedding: EmbeddingClient
    llm: LlmClient
    plain: httpx.AsyncClient
    direct: Mapping[str, LlmClient] = field(default_factory=dict)
    previous: EmbeddingClient | None = None

    @classmethod
    def connect(
        cls,
        settings: ApiSettings,
        qdrant: AsyncQdrantClient | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> "Clients":
        """Return clients for the configured addresses; nothing is contacted here."""
        store, embedding, gateway = settings.qdrant, settings.embedding, settings.gateway
        servers = gateway.servers if gateway.server_key else {}
        model_server = partial(
            LlmClient,
            connect_timeout=gateway.connect_timeout,
            request_timeout=gateway.request_timeout,
            transport=transport,
        )
        vectors = partial(
            EmbeddingClient, api_key=embedding.api_key, timeout_seconds=embedding.timeout, transport=transport
        )
        return cls(
            qdrant or connect(store.url, store.api_key, store.timeout),
            vectors(embedding.url),
            model_server(gateway.url, gateway.api_key),
            httpx.AsyncClient(timeout=_PROBE_DEADLINE, trust_env=False, transport=transport),
            {name: model_server(url, gateway.server_key, name=name) for name, url in servers.items()},
            vectors(embedding.previous_url) if embedding.previous_url else None,
        )

    async def aclose(self) -> None:
        """Close every connection."""
        models = (client.aclose() for client in (self.llm, *self.direct.values()))
        vectors = (client.aclose() for client in (self.embedding, self.previous) if client)
        await asyncio.gather(self.qdrant.close(), self.plain.aclose(), *vectors, *models)


class Services:
    """What the routes use."""

    def __init__(self, settings: ApiSettings, clients: Clients) -> None:
        self.settings, self.clients = settings, clients
        self.registry = CollectorRegistry()
        self.metrics = QueryMetrics(self.registry)
        self.breakers = {name: Breaker(name, settings.poll_interval) for name in (QDRANT, EMBEDDING, GATEWAY)}
        self.metrics.show(self.breakers.values())
        qdrant = self.breakers[QDRANT]
        watcher = IndexReader(clients.qdrant, min(_PROBE_DEADLINE, settings.qdrant.timeout))
        self.manifests = ManifestPoller(watcher, qdrant)
        self.embedder = IndexEmbedder(
            clients.embedding, self.breakers[EMBEDDING], lambda: self.manifests.snapshot, clients.previous
        )
        known = KnownChunks(settings.chunk_memory_mib * _MIB)
        reader = IndexReader(clients.qdrant, settings.qdrant.timeout, known=known)
        self.warm_up = WarmUp(reader, self.manifests, known)
        self.searcher = Searcher(reader, self.embedder, self.manifests, qdrant, settings.lexicon)
        self.metrics.show_running(self.searcher.admission)
        self.metrics.show_known(known)
        self.scanner = Scanner(reader, self.manifests, qdrant)
        self.spans = SpanReader(reader, self.manifests, qdrant)
        self.cartographer = Cartographer(reader, self.manifests, qdrant)
        route = ModelRoute(clients.llm, self.breakers[GATEWAY], clients.direct)
        self.answerer = Answerer(self.searcher, route, settings.limits, settings.ask)
        self.links = Links(settings.remotes)
        self.health = WatchedHealth()
        self._watch_everything()

    def down(self, *names: str) -> list[str]:
        """Return which of these dependencies, or of all, are known to be down."""
        return [name for name in names or self.breakers if self.breakers[name].is_open]

    def _watch_everything(self) -> None:
        self.health.require(QDRANT, "qdrant was not reached yet")
        self._watch(
            QDRANT,
            self.manifests.look,
            deadline=_LOAD_DEADLINE,
            on_success=partial(self.health.fulfil, QDRANT),
            on_failure=lambda detail: self.health.require(QDRANT, f"qdrant: {detail}"),
        )
        # A search can do without vectors, but not because this pod is too young to know of the service: one look, then.
        self.health.require(EMBEDDING, "embedding was not looked at yet")
        looked = partial(self.health.fulfil, EMBEDDING)
        self._watch(EMBEDDING, self.embedder.look, on_success=looked, on_failure=lambda _detail: looked())
        self._watch(GATEWAY, self.clients.llm.alive)
        for name, url in self.settings.gateway.servers.items():
            self._watch(name, server_probe(self.clients.plain, name, url))

    def _watch(self, name: str, check: Callable[[], Awaitable[object]], **more: Any) -> None:
        options = {"interval": self.settings.poll_interval, "deadline": _PROBE_DEADLINE} | more
        self.health.watch(Watch(name, check, breaker=self.breakers.get(name), **options))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Watch the dependencies in the background while the block runs, then close the connections."""
        tasks = [asyncio.create_task(watch.run(), name=f"watch-{watch.name}") for watch in self.health.watches]
        if self.settings.chunk_memory_mib:
            tasks.append(asyncio.create_task(self.warm_up.run(self.settings.poll_interval), name="warm-up"))
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.clients.aclose()
