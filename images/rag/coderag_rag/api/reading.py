"""Reading what is served: lines of a file, and the map of a repository."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from coderag_rag.api.access import Permitted
from coderag_rag.api.faults import answering_faults
from coderag_rag.api.services import Services
from coderag_rag.http.errors import ApiError
from coderag_rag.query.spans import Span, SpanRequest
from coderag_rag.query.view import Commit

_MOST_LINES = 500
_ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"description": "a field is wrong, or the repository is served at several refs and none is named"},
    401: {"description": "a key is needed"},
    404: {"description": "the repository, ref or path is not served"},
    409: {"description": "nothing is indexed yet"},
    503: {"description": "a dependency is down; Retry-After says when to try again"},
}
_FIELDS = {"repositories": "repository", "refs": "ref"}
_MAP_FIELDS = {"repositories": "name", "refs": "ref", "path": "folder"}

Name = Annotated[str, Query(min_length=1, max_length=500)]
Ref = Annotated[str | None, Query(min_length=1, max_length=500, description="needed where several refs are served")]
Line = Annotated[int, Query(ge=1, le=10_000_000)]


class _Served(BaseModel):
    """The commit that an answer is true for."""

    model_config = ConfigDict(from_attributes=True)

    repository: str
    ref: str
    commit: str
    indexed_at: str
    degraded: list[str] = Field(description="what could not be read")


class SpanAnswer(_Served):
    """Lines of a file; 1-based and inclusive."""

    path: str
    start_line: int
    end_line: int
    total_lines: int = Field(description="up to the last line that is not empty")
    text: str
    link: str | None


class FolderEntry(BaseModel):
    """A folder and how many files are in it and below."""

    model_config = ConfigDict(from_attributes=True)

    path: str
    files: int


class FileEntry(BaseModel):
    """A file and the names that define most in it."""

    model_config = ConfigDict(from_attributes=True)

    path: str
    language: str
    symbols: list[str]


class SymbolEntry(BaseModel):
    """A name at the top of a file; `line` is where the chunk begins that defines it."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    path: str
    line: int
    members: int


class MapAnswer(_Served):
    """Folders, files and names of a repository, the plainest and largest first."""

    folder: str
    total_files: int
    folders: list[FolderEntry]
    files: list[FileEntry]
    symbols: list[SymbolEntry]
    complete: bool = Field(description="false where a list was cut: ask for a folder, or a higher limit")


def reading_routes(services: Services) -> APIRouter:
    """Return the routes that read files and maps."""
    router = APIRouter(tags=["reading"], prefix="/v1", responses=_ERRORS)

    @router.get("/spans", responses={416: {"description": "the span begins after the last line"}})
    async def span(
        permit: Permitted, repository: Name, path: Annotated[str, Query(min_length=1, max_length=4096)],
        start: Line = 1, end: Line | None = None, ref: Ref = None,
    ) -> SpanAnswer:  # fmt: skip
        """Read lines of a served file, 500 at most; without an end, as many as one answer holds."""
        last = _last_line(start, end)
        with answering_faults(_FIELDS):
            request = SpanRequest(Commit(repository, ref, permit), path, start, last)
            found = await services.spans.read(request, services.settings.search.begin())
        return _span_answer(found, services)

    @router.get("/repositories/{name}/map")
    async def outline(
        name: str, permit: Permitted, ref: Ref = None,
        folder: Annotated[str, Query(max_length=4096)] = "", limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> MapAnswer:  # fmt: skip
        """Show the folders, files and main names of a repository, or of a folder of it."""
        with answering_faults(_MAP_FIELDS):
            effort = services.settings.search.begin()
            found = await services.cartographer.draw(Commit(name, ref, permit), folder, limit, effort)
        lists = {"folders": found.folders, "files": found.files, "symbols": found.symbols}
        about = {"folder": found.folder, "total_files": found.total_files, "complete": found.complete, "degraded": []}
        return MapAnswer.model_validate(_served(found.head) | about | lists)

    return router


def _last_line(start: int, end: int | None) -> int:
    if end is None:
        return start + _MOST_LINES - 1
    if end < start:
        raise ApiError(400, "end: is before start", code="invalid_value", hint="give start <= end", param="end")
    if end - start >= _MOST_LINES:
        hint = f"ask for at most {_MOST_LINES} lines at a time"
        raise ApiError(400, "end: the span is too long", code="invalid_value", hint=hint, param="end")
    return end


def _served(head: Any) -> dict[str, Any]:
    return {name: getattr(head, name) for name in ("repository", "ref", "commit", "indexed_at")}


def _span_answer(found: Span, services: Services) -> SpanAnswer:
    head = found.head
    link = services.links.line(head.repository, head.commit, found.path, found.start_line, found.end_line)
    names = ("path", "start_line", "end_line", "total_lines", "text", "degraded")
    return SpanAnswer(link=link, **_served(head), **{name: getattr(found, name) for name in names})
