"""The worker's HTTP side: what it did, and a way to ask for a sync now."""

from typing import Any

from fastapi import APIRouter

from coderag_rag.http.errors import ApiError
from coderag_rag.ingestion.queue import QueueFull
from coderag_rag.ingestion.worker import Worker


def build_router(worker: Worker) -> APIRouter:
    """Return the routes under /v1."""
    router = APIRouter(prefix="/v1", tags=["ingestion"])

    @router.get("/status")
    async def status() -> dict[str, Any]:
        """Show the identity of the index and every repository."""
        repositories = [repository.to_json() for repository in worker.repositories.values()]
        return {"identity": worker.identity, "repositories": repositories}

    @router.post("/repositories/{name}/sync", status_code=202)
    async def sync(name: str) -> dict[str, Any]:
        """Ask for a sync of one repository."""
        if name not in worker.repositories:
            hint = f"configured: {', '.join(sorted(worker.repositories)) or 'none'}"
            raise ApiError(404, f"repository {name!r} is not configured", code="repository_not_found", hint=hint)
        try:
            asked = worker.request(name)
        except QueueFull as error:
            raise ApiError(503, str(error), code="queue_full", hint="try again", retry_after=10) from None
        return {"repository": name, "queued": True, "message": "queued" if asked else "was waiting already"}

    return router
