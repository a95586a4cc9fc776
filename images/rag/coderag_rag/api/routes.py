"""Search, ask, and what is served."""

import time
from typing import Any

from fastapi import APIRouter, Request

from coderag_rag.api.access import Permitted
from coderag_rag.api.asking import AskAnswer, AskBody, ask_answer
from coderag_rag.api.disconnect import while_connected
from coderag_rag.api.faults import answering_faults
from coderag_rag.api.models import Repositories, SearchAnswer, SearchBody, Status
from coderag_rag.api.served import repository_details, served_repositories, shown_hit
from coderag_rag.api.services import Services
from coderag_rag.query.access import Permit
from coderag_rag.query.hits import SearchResult
from coderag_rag.query.reader import QDRANT
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
    async def search(body: SearchBody, permit: Permitted) -> SearchAnswer:
        """Find the lines of code that answer a query."""
        begin = time.monotonic()
        with answering_faults():
            result = await _search(services, body, permit)
        services.metrics.searched(result)
        return SearchAnswer(
            hits=[shown_hit(hit, services.links) for hit in result.hits],
            degraded=result.degraded,
            repositories=served_repositories(result.snapshot),
            took_ms=round((time.monotonic() - begin) * 1000, 1),
            ranking=VERSION,
            query_class=result.kind.value,
        )

    @router.post("/v1/ask")
    @router.post("/query", include_in_schema=False)
    async def ask(body: AskBody, request: Request, permit: Permitted) -> AskAnswer:
        """Answer a question about the code, with verified citations."""
        with answering_faults():
            return await while_connected(request, _ask(services, body, permit))

    return router


def status_routes(services: Services) -> APIRouter:
    """Return the routes that say what is served."""
    router = APIRouter(tags=["status"], prefix="/v1", responses={401: ERRORS[401]})

    @router.get("/repositories")
    async def repositories(permit: Permitted) -> Repositories:
        """List the served repositories and their commits."""
        found = repository_details(services.manifests.snapshot.permitted(permit))
        return Repositories(repositories=found, degraded=services.down(QDRANT))

    @router.get("/status")
    async def status(permit: Permitted) -> Status:
        """Tell which index is served and whether it fits the running embedding model."""
        snapshot = services.manifests.snapshot.permitted(permit)
        return Status(
            identity=services.embedder.identity,
            index_identities=sorted({manifest.head.identity for manifest in snapshot.manifests}),
            index_compatible=services.embedder.compatible,
            ranking=VERSION,
            breakers={name: breaker.state for name, breaker in services.breakers.items()},
            degraded=services.down(),
            repositories=repository_details(snapshot),
        )

    return router


async def _search(services: Services, body: SearchBody, permit: Permit) -> SearchResult:
    filters = (body.repositories or (), body.languages or (), body.paths or (), body.refs or ())
    request = SearchRequest(body.query, body.limit, *filters, permit)
    return await services.searcher.search(request, services.settings.search.begin())


async def _ask(services: Services, body: AskBody, permit: Permit) -> AskAnswer:
    async with services.answerer.open(body.to_question(permit)) as answer:
        text = "".join([piece async for piece in answer.pieces()])
        services.metrics.answered(len(answer.citations), answer.dropped_markers)
        return ask_answer(text, answer, body, services.links)
