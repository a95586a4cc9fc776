"""The bare application of a service: keys, error object, health routes and metrics in the right order."""

from collections.abc import Callable, Collection
from typing import Any

from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from coderag_rag.http.auth import OPEN_PATHS, BearerAuth
from coderag_rag.http.errors import install_error_handlers
from coderag_rag.http.health import Health
from coderag_rag.http.metrics import install_metrics


def create_app(
    title: str,
    *,
    keys: Collection[str],
    health: Health,
    registry: CollectorRegistry,
    lifespan: Callable[[FastAPI], Any] | None = None,
    open_paths: Collection[str] = OPEN_PATHS,
) -> FastAPI:
    """Return an application whose every route needs a key, the open ones aside."""
    app = FastAPI(title=title, lifespan=lifespan)
    install_error_handlers(app)
    app.include_router(health.router())
    app.add_middleware(BearerAuth, keys=keys, open_paths=open_paths)
    install_metrics(app, registry)  # last added is outermost: refused requests are counted too
    return app
