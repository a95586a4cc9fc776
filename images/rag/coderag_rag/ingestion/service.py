"""Puts the worker together from its settings and runs it behind its HTTP API."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path

from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from coderag_rag.clients.embedding import EmbeddingClient
from coderag_rag.clients.qdrant import connect
from coderag_rag.git.command import Git, base_environment
from coderag_rag.git.credentials import credential_environment, write_askpass
from coderag_rag.git.repository import Repository
from coderag_rag.http.app import create_app
from coderag_rag.http.health import Health
from coderag_rag.identity import model_identity
from coderag_rag.ingestion.api import build_router
from coderag_rag.ingestion.cache import EmbeddingCache
from coderag_rag.ingestion.dry_run import DryRun
from coderag_rag.ingestion.embedder import Embedder
from coderag_rag.ingestion.index import Index, IndexOpener
from coderag_rag.ingestion.metrics import SyncMetrics
from coderag_rag.ingestion.preparer import Preparer
from coderag_rag.ingestion.promotion import Promotion
from coderag_rag.ingestion.repositories import RepositoryConfig
from coderag_rag.ingestion.settings import Settings
from coderag_rag.ingestion.source import Key, Source
from coderag_rag.ingestion.synchroniser import Sources, Synchroniser
from coderag_rag.ingestion.tools import Tools
from coderag_rag.ingestion.trial import Trial
from coderag_rag.ingestion.webhooks import PREFIX, Beside, build_webhooks
from coderag_rag.ingestion.worker import Worker
from coderag_rag.store.calls import Calls
from coderag_rag.store.lease import Leases


def build_repository(settings: Settings, private: Path, config: RepositoryConfig) -> Repository:
    """Return a remote with its local copy in the work folder; `private` holds the askpass script and keys."""
    credentials = partial(credential_environment, config.credentials, private)
    git = Git(base_environment(settings.allow_file), settings.git_timeout, credentials)
    return Repository(git, config.url, settings.work_dir / f"{config.name}.git")


def build_sources(settings: Settings, private: Path) -> Sources:
    """Return every repository at every ref."""
    write_askpass(private)
    found: dict[Key, tuple[RepositoryConfig, Source]] = {}
    for config in settings.config.repositories:
        repository = build_repository(settings, private, config)
        for ref in config.all_refs:
            source = Source(config.name, ref, repository, config.wanted, config.all_refs)
            found[source.key] = (config, source)
    return found


def embedding_clients(settings: Settings) -> list[EmbeddingClient]:
    """Return the client of the wanted model, and that of the former one where it still runs."""
    embedding = settings.embedding
    urls = (embedding.url, embedding.previous_url)
    return [EmbeddingClient(url, embedding.api_key, embedding.timeout) for url in urls if url]


def build_app(settings: Settings, private: Path) -> FastAPI:
    """Return the application; its lifespan runs the worker and closes what it opened."""
    policy = settings.qdrant.schedule
    qdrant = connect(settings.qdrant.url, settings.qdrant.api_key, settings.qdrant.timeout)
    clients = embedding_clients(settings)
    preparer, looking = Preparer(settings.file_deadline), Preparer(settings.file_deadline)
    cache = EmbeddingCache(settings.work_dir / "embeddings.sqlite", settings.cache_megabytes * 1024 * 1024)
    health, registry = Health(), CollectorRegistry()
    health.add_check("qdrant", qdrant.get_collections)
    health.add_check("embedding", clients[0].alive)

    def make_tools(index: Index) -> Tools:
        name, identity = index.model.model, model_identity(index.model)
        return Tools(preparer, Embedder(index.client, policy, name, settings.embedding_batch, cache, identity))

    opener = IndexOpener(Calls(qdrant, policy), clients, policy)
    sources, metrics = build_sources(settings, private), SyncMetrics(registry)
    synchroniser = Synchroniser(sources, opener, make_tools, metrics, Leases(settings.owner, uuid.uuid4().hex))
    trial = Trial(opener, preparer, {key: source for key, (_, source) in sources.items()})
    promotion = Promotion(
        settings.work_dir / "promotion.json", trial, settings.config.promotion,
        timedelta(hours=settings.keep_replaced_hours),
    )  # fmt: skip
    worker = Worker(
        sources, synchroniser, promotion, metrics, health, reconcile_schedule=settings.config.reconcile_schedule
    )

    dry_run = DryRun(looking, settings.work_dir)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        dry_run.clear()
        running = asyncio.create_task(worker.run())
        try:
            yield
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await preparer.aclose()
            await looking.aclose()
            for client in clients:
                await client.aclose()
            await qdrant.close()
            cache.close()

    app = create_app("CodeRAG ingestion", keys=[settings.api_key], health=health, registry=registry, lifespan=lifespan)
    app.include_router(build_router(worker, dry_run))
    secrets = {one.name: one.webhook_secret for one in settings.config.repositories if one.webhook_secret}
    app.add_middleware(Beside, prefix=PREFIX, other=build_webhooks(worker, secrets))
    app.state.worker = worker
    return app
