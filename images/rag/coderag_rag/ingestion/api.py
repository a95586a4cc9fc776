"""The worker's HTTP side: what it did, a way to ask for a sync now, and a look at what a sync would take in."""

import asyncio
from typing import Any

from fastapi import APIRouter

from coderag_rag.git.errors import GitError
from coderag_rag.http.errors import ApiError
from coderag_rag.ingestion.dry_run import DryRun
from coderag_rag.ingestion.queue import QueueFull
from coderag_rag.ingestion.source import Key
from coderag_rag.ingestion.worker import Worker


def build_router(worker: Worker, dry_run: DryRun) -> APIRouter:
    """Return the routes under /v1."""
    router = APIRouter(prefix="/v1", tags=["ingestion"])
    looking = asyncio.Lock()

    @router.get("/status")
    async def status() -> dict[str, Any]:
        """Show the identity of the index, every repository, and where a change of the index stands."""
        return show_status(worker)

    @router.post("/repositories/{name}/sync", status_code=202)
    async def sync(name: str) -> dict[str, Any]:
        """Ask for a sync of one repository at all its refs."""
        keys = _keys(worker, name)
        try:
            asked = [worker.request(key) for key in keys]
        except QueueFull as error:
            raise ApiError(503, str(error), code="queue_full", hint="try again", retry_after=10) from None
        return {"repository": name, "queued": True, "message": "queued" if any(asked) else "was waiting already"}

    @router.post("/repositories/{name}/dry-run")
    async def show(name: str) -> dict[str, Any]:
        """Show what would be indexed; nothing is written to the index."""
        key = _keys(worker, name)[0]
        if looking.locked():
            raise ApiError(429, "another dry run is under way", code="busy", hint="try again", retry_after=10)
        async with looking:
            try:
                report = await dry_run.of(worker.source(key))
            except (GitError, OSError) as error:
                hint = "compare url, ref and credentials"
                raise ApiError(502, str(error), code="remote_not_read", hint=hint) from None
        return {"repository": name, **report}

    return router


def _keys(worker: Worker, name: str) -> list[Key]:
    """Return the sources of a repository, the default one first."""
    refs = worker.synchroniser.refs_of.get(name)
    if refs is None:
        hint = f"configured: {', '.join(sorted(worker.synchroniser.refs_of)) or 'none'}"
        raise ApiError(404, f"repository {name!r} is not configured", code="repository_not_found", hint=hint)
    return [Key(name, ref) for ref in refs]


def show_status(worker: Worker) -> dict[str, Any]:
    """Return the whole status."""
    known, served = worker.synchroniser, worker.synchroniser.served
    rows = []
    for name, refs in known.refs_of.items():
        main, *others = (known.statuses[Key(name, ref)].to_json() for ref in refs)
        rows.append({"name": name, **main, "refs": others})
    return {
        "identity": known.identity,
        "served": {"identity": served.identity, "model": served.model.get("model")} if served else None,
        "promotion": worker.promotion.course.to_json(),
        "repositories": rows,
    }
