"""Search, ask, and what is served."""

import time
from typing import Any

from fastapi import APIRouter, Request

from coderag_rag.answer.answerer import Question
from coderag_rag.api.disconnect import while_connected
from coderag_rag.api.faults import answering_faults
from coderag_rag.api.models import AskAnswer, AskBody, Citation, Hit, Repositories, SearchAnswer, SearchBody, Status
from coderag_rag.api.served import repository_details, served_repositories
from coderag_rag.api.services import Services
from coderag_rag.query.hits import SearchResult
from coderag_rag.query.search import SearchRequest
from coderag_rag.query.weights import VERSION

ERRORS: dict[int | str, dict[str, Any]] = {
    401: {"description": "a key is needed"},
    404: {"description": "a named repository is not served"},
    409: {"description": "nothing is indexed yet, or nothing matches"},
    503: {"description": "a dependency is down; Retry-After says when to try again"},
}


def query_routes(services: Services) -> APIRouter:
    """Return the routes that search and ask."""
    router = APIRouter(tags=["query"], responses=ERRORS)

    @router.post("/v1/search")
    async def search(body: SearchBody) -> SearchAnswer:
        """Find the lines of code that answer a query."""
        begin = time.monotonic()
        with answering_faults():
            result = await _search(services, body)
        services.metrics.searched(result)
        return SearchAnswer(
            hits=[Hit.model_validate(hit) for hit in result.hits],
            degraded=result.degraded,
            repositories=served_repositories(result.snapshot),
            took_ms=round((time.monotonic() - begin) * 1000, 1),
        )

    @router.post("/v1/ask")
    @router.post("/query", include_in_schema=False)
    async def ask(body: AskBody, request: Request) -> AskAnswer:
        """Answer a question about the code, with verified citations."""
        with answering_faults():
            return await while_connected(request, _ask(services, body))

    return router


def status_routes(services: Services) -> APIRouter:
    """Return the routes that say what is served."""
    router = APIRouter(tags=["status"], prefix="/v1", responses={401: ERRORS[401]})

    @router.get("/repositories")
    async def repositories() -> Repositories:
        """List the served repositories and their commits."""
        return Repositories(repositories=repository_details(services.manifests.snapshot))

    @router.get("/status")
    async def status() -> Status:
        """Tell which index is served and whether it fits the running embedding model."""
        snapshot = services.manifests.snapshot
        return Status(
            identity=services.embedder.identity,
            index_identities=sorted({manifest.head.identity for manifest in snapshot.manifests}),
            index_compatible=services.embedder.compatible,
            ranking=VERSION,
            breakers={name: breaker.state for name, breaker in services.breakers.items()},
            repositories=repository_details(snapshot),
        )

    return router


async def _search(services: Services, body: SearchBody) -> SearchResult:
    request = SearchRequest(body.query, body.limit, body.repositories or (), body.languages or (), body.paths or ())
    return await services.searcher.search(request, services.settings.search.begin())


async def _ask(services: Services, body: AskBody) -> AskAnswer:
    question = Question(body.question, body.limit, body.repositories or (), body.model, body.max_tokens)
    async with services.answerer.open(question) as answer:
        text = "".join([piece async for piece in answer.pieces()])
        services.metrics.answered(len(answer.citations), answer.dropped_markers)
        return AskAnswer(
            answer=text.strip(),
            citations=[Citation.model_validate(item) for item in answer.citations],
            sources=[Hit.model_validate(hit) for hit in answer.sources],
            degraded=answer.degraded,
            dropped_markers=answer.dropped_markers,
            model=body.model,
            served_by=answer.generation.served_by,
        )
