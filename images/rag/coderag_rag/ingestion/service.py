"""Puts the worker together from its settings and runs it behind its HTTP API."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
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
from coderag_rag.ingestion.api import build_router
from coderag_rag.ingestion.embedder import Embedder
from coderag_rag.ingestion.index import Index, IndexOpener
from coderag_rag.ingestion.metrics import SyncMetrics
from coderag_rag.ingestion.preparer import Preparer
from coderag_rag.ingestion.settings import RepositoryConfig, Settings
from coderag_rag.ingestion.sync import Source, Tools
from coderag_rag.ingestion.worker import Worker
from coderag_rag.store.calls import Calls


def build_sources(settings: Settings, private: Path) -> Mapping[str, tuple[RepositoryConfig, Source]]:
    """Return each repository with its local copy in the work folder; `private` holds the askpass script and keys."""
    write_askpass(private)
    environment = base_environment(settings.allow_file)

    def source(config: RepositoryConfig) -> Source:
        credentials = partial(credential_environment, config.credentials, private)
        git = Git(environment, settings.git_timeout, credentials)
        return Source(config.name, config.ref, Repository(git, config.url, settings.work_dir / f"{config.name}.git"))

    return {config.name: (config, source(config)) for config in settings.repositories}


def build_app(settings: Settings, private: Path) -> FastAPI:
    """Return the application; its lifespan runs the worker and closes what it opened."""
    policy = settings.qdrant.schedule
    qdrant = connect(settings.qdrant.url, settings.qdrant.api_key, settings.qdrant.timeout)
    embedding = EmbeddingClient(settings.embedding.url, settings.embedding.api_key, settings.embedding.timeout)
    preparer = Preparer(settings.file_deadline)
    health, registry = Health(), CollectorRegistry()
    health.add_check("qdrant", qdrant.get_collections)
    health.add_check("embedding", embedding.alive)

    def make_tools(index: Index) -> Tools:
        return Tools(preparer, Embedder(embedding, policy, index.model.model, settings.embedding_batch))

    opener = IndexOpener(Calls(qdrant, policy), embedding, policy)
    sources = build_sources(settings, private)
    worker = Worker(sources, opener, make_tools, SyncMetrics(registry), health)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        running = asyncio.create_task(worker.run())
        try:
            yield
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await preparer.aclose()
            await embedding.aclose()
            await qdrant.close()

    app = create_app("CodeRAG ingestion", keys=[settings.api_key], health=health, registry=registry, lifespan=lifespan)
    app.include_router(build_router(worker))
    app.state.worker = worker
    return app
