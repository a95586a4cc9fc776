"""The search that one would write first, on the same index, model and machine: the baseline of the load tables.

One leg after the other, each as a query of its own with the client's defaults (compressed answers, so the pause that
`names.py` tells of), whole payloads with their text for all candidates, and the same reciprocal rank fusion. No ranker,
no manifest, no diversity: it does less and is still slower.
"""

import os
import sys
from typing import Any

import httpx
import uvicorn
from coderag_rag.keyword import query_vector
from coderag_rag.query.analysis import analyse, symbol_spellings
from coderag_rag.store.filters import any_of, both, field
from fastapi import FastAPI, Request
from qdrant_client import AsyncQdrantClient, models

_K, _LEG, _SYMBOL_LEG = 60, 100, 20


class NaiveSearch:
    """Embed, then dense, then keyword, then names."""

    def __init__(self, settings: Any) -> None:
        self._qdrant = AsyncQdrantClient(
            url=settings["QDRANT_URL"], port=None, headers={"api-key": settings["QDRANT_API_KEY"]},
            check_compatibility=False, timeout=30,
        )  # fmt: skip
        headers = {"authorization": f"Bearer {settings['EMBEDDING_API_KEY']}"}
        self._http = httpx.AsyncClient(base_url=settings["EMBEDDING_URL"], headers=headers, trust_env=False, timeout=30)

    async def search(self, text: str, limit: int) -> dict[str, Any]:
        """Return the best hits."""
        dense, keyword = await self._embed(text), query_vector(text)
        chunks = both(field("kind", "chunk"))
        legs = [await self._leg(dense, "dense", chunks, _LEG)]
        if keyword.indices:
            legs.append(await self._leg(keyword, "keyword", chunks, _LEG))
            if names := symbol_spellings(analyse(text).identifiers):
                where = both(field("kind", "chunk"), any_of("symbols", names))
                legs.append(await self._leg(keyword, "keyword", where, _SYMBOL_LEG))
        return {"hits": _fused(legs)[:limit], "degraded": []}

    async def _embed(self, text: str) -> list[float]:
        body = {"input": [text], "model": "all-MiniLM-L6-v2", "input_type": "query"}
        answer = (await self._http.post("/v1/embeddings", json=body)).raise_for_status()
        return list(answer.json()["data"][0]["embedding"])

    async def _leg(self, vector: Any, using: str, where: models.Filter, limit: int) -> list[models.ScoredPoint]:
        found = await self._qdrant.query_points(
            "code-live", query=vector, using=using, query_filter=where, limit=limit, with_payload=True
        )
        return list(found.points)


def _fused(legs: list[list[models.ScoredPoint]]) -> list[dict[str, Any]]:
    scores: dict[Any, float] = {}
    payloads: dict[Any, Any] = {}
    for leg in legs:
        for rank, point in enumerate(leg, start=1):
            scores[point.id] = scores.get(point.id, 0.0) + 1 / (_K + rank)
            payloads[point.id] = point.payload
    ordered = sorted(scores, key=lambda point: -scores[point])
    return [{"score": scores[point], **payloads[point]} for point in ordered]


def build_app(settings: Any) -> FastAPI:
    """Return the application."""
    app, naive = FastAPI(), NaiveSearch(settings)

    @app.get("/readyz")
    async def ready() -> bool:
        return True

    @app.post("/v1/search")
    async def search(request: Request) -> dict[str, Any]:
        body = await request.json()
        return await naive.search(body["query"], body.get("limit", 10))

    return app


if __name__ == "__main__":
    port = int(os.environ["LISTEN_PORT"])
    sys.exit(uvicorn.run(build_app(os.environ), host="0.0.0.0", port=port, log_level="warning", access_log=False))
