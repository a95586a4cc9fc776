"""The routes. Four are open and say nothing but states; the others need the key."""

from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from coderag_embedding import exchange
from coderag_embedding.answer import render_answer
from coderag_embedding.auth import key_check
from coderag_embedding.catalogue import CATALOGUE
from coderag_embedding.errors import ApiError
from coderag_embedding.manager import LoadFailedError, Status
from coderag_embedding.model import Model
from coderag_embedding.schema import MAX_BODY_BYTES, parse_request
from coderag_embedding.service import Service

CLIENT_CLOSED_REQUEST = 499


def open_routes(service: Service) -> APIRouter:
    """Probes and metrics."""
    router = APIRouter()

    @router.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @router.get("/readyz")
    async def readyz() -> dict[str, str]:
        service.check_ready()
        return {"status": "ready"}

    @router.get("/health")
    async def health() -> dict[str, Any]:
        status = service.manager.status()
        state = "loaded" if status.is_loaded else "waits for the first request" if service.manager.idle else "loading"
        healthy = (status.is_loaded and not service.manager.fell_back) or service.manager.idle
        model = {"ok": healthy, "latency_ms": None, "detail": status.error_message or state}
        return {"status": "ok" if model["ok"] else "degraded", "dependencies": {"model": model}}

    @router.get("/metrics")
    async def metrics() -> Response:
        return Response(service.metrics.render(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return router


def keyed_routes(service: Service, api_key: str | None) -> APIRouter:
    """Everything that returns content or spends compute."""
    router = APIRouter(dependencies=[Depends(key_check(api_key))])

    @router.post("/v1/embeddings")
    async def embeddings(request: Request) -> Response:
        asked = parse_request(await exchange.read_body(request, MAX_BODY_BYTES))
        try:
            results = await exchange.unless_gone(request, service.embed(asked))
        except exchange.CallerGoneError:
            return Response(status_code=CLIENT_CLOSED_REQUEST)
        return Response(render_answer(asked.model, results, asked.encoding_format), media_type="application/json")

    @router.get("/v1/models")
    async def models() -> dict[str, Any]:
        return {"object": "list", "data": [_describe(await service.model())]}

    @router.get("/model/status")
    async def status() -> Status:
        return service.manager.status()

    @router.post("/model/reload")
    async def reload() -> Status:
        try:
            await service.manager.load()
        except LoadFailedError as error:
            serving = _what_serves(service)
            hint = f"{serving}Repair the model folder and reload again."
            raise ApiError(503, "model_load_failed", str(error), hint, retry_after=5) from None
        return service.manager.status()

    return router


def _what_serves(service: Service) -> str:
    if service.manager.fell_back:
        return "The fallback serves. "
    return "The earlier load still serves. " if service.manager.model else ""


def _describe(model: Model) -> dict[str, Any]:
    """Everything that decides what a vector means: an index is only searched with the values it was built under.

    And beside it which languages the model knows: null where that is not known.
    """
    manifest = model.manifest
    fields = manifest.model_dump(
        include={"revision", "dimensions", "max_tokens", "pooling", "query_prompt", "passage_prompt"}
    )
    known = CATALOGUE.get(manifest.name)
    return {
        "id": manifest.name, "object": "model", "owned_by": "coderag", "precision": model.precision, **fields,
        "multilingual": known.multilingual if known else None,
    }  # fmt: skip
