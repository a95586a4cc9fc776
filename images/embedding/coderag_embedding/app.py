"""Put the parts together."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from functools import partial

from fastapi import FastAPI

from coderag_embedding import errors
from coderag_embedding.lanes import Lanes
from coderag_embedding.manager import ModelManager
from coderag_embedding.model import Model, load_model
from coderag_embedding.observe import Observe
from coderag_embedding.routes import keyed_routes, open_routes
from coderag_embedding.service import Service
from coderag_embedding.settings import Settings


def create_app(settings: Settings, loader: Callable[[], Model] | None = None) -> FastAPI:
    """Return the application; it loads its model in the background from the moment it starts."""
    loader = loader or partial(load_model, settings.model_cache_dir / settings.model_name, settings.precision)
    manager = ModelManager(settings.model_name, settings.device, loader)
    service = Service(manager, Lanes(settings.threads, settings.queue_limit))
    app = FastAPI(title="CodeRAG embedding", openapi_url=None, lifespan=partial(_lifespan, service))
    app.state.service = service
    app.include_router(open_routes(service))
    app.include_router(keyed_routes(service, settings.api_key))
    app.add_middleware(Observe, metrics=service.metrics)
    errors.install(app)
    return app


@contextlib.asynccontextmanager
async def _lifespan(service: Service, app: FastAPI) -> AsyncIterator[None]:
    loading = asyncio.create_task(service.manager.load_until_ready())
    try:
        yield
    finally:
        loading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await loading
        service.lanes.close()
