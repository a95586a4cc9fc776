"""The search service as an application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from coderag_rag.api.chat import chat_routes
from coderag_rag.api.exact import exact_routes
from coderag_rag.api.reading import reading_routes
from coderag_rag.api.routes import query_routes, status_routes
from coderag_rag.api.services import Clients, Services
from coderag_rag.api.settings import ApiSettings
from coderag_rag.http.app import create_app


def build_app(settings: ApiSettings, clients: Clients | None = None) -> FastAPI:
    """Return the application; the dependencies are watched from its start to its end."""
    services = Services(settings, clients or Clients.connect(settings))

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with services.running():
            yield

    app = create_app(
        "CodeRAG", keys=settings.keys, health=services.health, registry=services.registry, lifespan=lifespan
    )
    app.state.services = services
    for router in (
        query_routes(services),
        exact_routes(services),
        reading_routes(services),
        chat_routes(services),
        status_routes(services),
    ):
        app.include_router(router)
    return app
