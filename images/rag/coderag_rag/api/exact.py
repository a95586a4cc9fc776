"""Exact search over HTTP: a text or a regular expression, found line by line."""

import time

from fastapi import APIRouter
from pydantic import Field

from coderag_rag.api.access import Permitted
from coderag_rag.api.faults import answering_faults
from coderag_rag.api.models import AnswerBody, Names, Place, RequestBody, ServedRepository
from coderag_rag.api.routes import ERRORS
from coderag_rag.api.served import served_repositories
from coderag_rag.api.services import Services
from coderag_rag.query.access import Permit
from coderag_rag.query.patterns import compile_pattern
from coderag_rag.query.scan import Match, ScanRequest, ScanResult
from coderag_rag.query.scope import Filters
from coderag_rag.query.weights import VERSION


class ExactBody(RequestBody):
    """An exact search."""

    pattern: str = Field(description="a text within one line, or a regular expression in RE2's syntax; 500 characters")
    regex: bool = Field(False, description="whether the pattern is a regular expression")
    case_sensitive: bool = True
    limit: int = Field(50, ge=1, le=200, description="how many lines at most")
    repositories: Names | None = Field(None, description="only these repositories")
    languages: Names | None = Field(None, description="only these languages, like python")
    paths: Names | None = Field(None, description="only these paths: globs like src/**/*.py, or folders")
    refs: Names | None = Field(None, description="only what is served at these refs, like main")


class Line(AnswerBody):
    """A line that matches; line and column count from 1."""

    repository: str
    ref: str
    commit: str
    path: str
    line: int
    column: int
    text: str = Field(description="the line, at most 500 characters of it")
    language: str
    also_at: list[Place]
    link: str | None


class ExactAnswer(AnswerBody):
    """Lines, code before tests, then by path."""

    matches: list[Line]
    complete: bool = Field(description="false where there may be more: narrow the search, or raise the limit")
    scanned: int = Field(description="how many chunks were looked at")
    degraded: list[str]
    repositories: list[ServedRepository] = Field(description="what was searched")
    ranking: str
    took_ms: float


def exact_routes(services: Services) -> APIRouter:
    """Return the route of exact searches."""
    more = {429: {"description": "too many exact searches at once; Retry-After says when to try again"}}
    router = APIRouter(tags=["query"], responses=ERRORS | more)

    @router.post("/v1/search/exact")
    async def exact(body: ExactBody, permit: Permitted) -> ExactAnswer:
        """Find the lines that hold a text, or match a regular expression."""
        begin = time.monotonic()
        with answering_faults():
            found = await services.scanner.scan(_request(body, permit), services.settings.search.begin())
        return _answer(found, services, begin)

    return router


def _request(body: ExactBody, permit: Permit) -> ScanRequest:
    pattern = compile_pattern(body.pattern, regex=body.regex, case_sensitive=body.case_sensitive)
    filters = Filters(body.repositories or (), body.languages or (), body.paths or (), body.refs or ())
    return ScanRequest(pattern, body.limit, filters, permit)


def _answer(found: ScanResult, services: Services, begin: float) -> ExactAnswer:
    return ExactAnswer(
        matches=[_line(match, services) for match in found.matches],
        complete=found.complete,
        scanned=found.scanned,
        degraded=[],
        repositories=served_repositories(found.snapshot),
        ranking=VERSION,
        took_ms=round((time.monotonic() - begin) * 1000, 1),
    )


def _line(match: Match, services: Services) -> Line:
    place = match.place
    return Line(
        **place._asdict(),
        line=match.line,
        column=match.column,
        text=match.text,
        language=match.language,
        also_at=[Place.model_validate(other) for other in match.also_at],
        link=services.links.line(place.repository, place.commit, place.path, match.line, match.line),
    )
