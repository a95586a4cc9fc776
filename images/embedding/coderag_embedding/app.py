"""Put the parts together."""

import contextlib
from collections.abc import AsyncIterator, Callable
from functools import partial

from fastapi import FastAPI

from coderag_embedding import errors
from coderag_embedding.bulk import Bulk
from coderag_embedding.jobs import GPU_BATCH_TOKENS, run_together
from coderag_embedding.lanes import Lanes
from coderag_embedding.manager import ModelManager
from coderag_embedding.model import Model, load_model
from coderag_embedding.observe import Observe
from coderag_embedding.pace import Pace
from coderag_embedding.routes import keyed_routes, open_routes
from coderag_embedding.service import Service
from coderag_embedding.settings import Settings

Loader = Callable[[], Model]


def create_app(settings: Settings, loader: Loader | None = None, fallback: Loader | None = None) -> FastAPI:
    """Return the application; it loads its model in the background from the moment it starts, or when first asked."""
    if settings.fallback_name:
        fallback = fallback or _loader(settings, settings.fallback_name)
    bulk = Bulk(settings.threads)
    manager = ModelManager(
        settings.model_name, settings.device, loader or _loader(settings, settings.model_name),
        fallback=fallback, lazy=settings.model_load == "lazy", helpers=lambda: bulk.pids,
    )  # fmt: skip
    service = Service(manager, _lanes(settings, bulk), settings.query_cache)
    app = FastAPI(title="CodeRAG embedding", openapi_url=None, lifespan=partial(_lifespan, service, bulk))
    app.state.service = service
    app.include_router(open_routes(service))
    app.include_router(keyed_routes(service, settings.api_key))
    app.add_middleware(Observe, metrics=service.metrics)
    errors.install(app)
    return app


@contextlib.asynccontextmanager
async def _lifespan(service: Service, bulk: Bulk, app: FastAPI) -> AsyncIterator[None]:
    service.manager.start()
    try:
        yield
    finally:
        await service.manager.stop()
        service.lanes.close()
        bulk.close()


def _loader(settings: Settings, name: str) -> Loader:
    return partial(load_model, settings.model_cache_dir / name, settings.precision, settings.device)


def _lanes(settings: Settings, bulk: Bulk) -> Lanes:
    """On a GPU one thread feeds bulk batches and one queries: more would only cut the batches smaller."""
    if settings.device == "cuda":
        return Lanes(
            2, settings.queue_limit, pace=Pace(GPU_BATCH_TOKENS), run_query=run_together, run_bulk=run_together
        )
    return Lanes(settings.threads, settings.queue_limit, run_bulk=bulk.run)
