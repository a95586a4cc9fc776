"""Every failure below the routes as an HTTP answer, in one table."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any

from coderag_rag.answer.answerer import NothingRelevant
from coderag_rag.answer.llm import PromptTooLong
from coderag_rag.api.disconnect import ClientGone
from coderag_rag.http.errors import ApiError
from coderag_rag.query.admission import TooManySearches
from coderag_rag.query.guard import DependencyDown
from coderag_rag.query.manifest import NothingIndexed, UnknownRef, UnknownRepository
from coderag_rag.query.patterns import InvalidPattern
from coderag_rag.query.scan import TooManyScans
from coderag_rag.query.spans import BeyondTheEnd, UnknownPath
from coderag_rag.query.view import AmbiguousRef

FAULTS = (
    AmbiguousRef,
    BeyondTheEnd,
    ClientGone,
    DependencyDown,
    NothingIndexed,
    InvalidPattern,
    NothingRelevant,
    PromptTooLong,
    TooManyScans,
    TooManySearches,
    UnknownPath,
    UnknownRef,
    UnknownRepository,
)


def fault_answer(error: Exception) -> ApiError:
    """Return the HTTP answer for one of FAULTS."""
    if isinstance(error, DependencyDown):
        return dependency_down(error)
    if isinstance(error, ClientGone):  # nobody reads this answer; the metrics count it
        return ApiError(499, str(error), code="client_closed_request", hint="keep the connection open")
    if isinstance(error, NothingIndexed):
        hint = "wait for the first sync to end; the ingestion service's /v1/status shows it"
        return ApiError(409, "no repository is indexed yet", code="no_repository_indexed", hint=hint)
    if isinstance(error, NothingRelevant):
        hint = "ask in other words, or about other repositories"
        return ApiError(409, "nothing in the index matches the question", code="nothing_relevant", hint=hint)
    if isinstance(error, PromptTooLong):
        hint = "ask a shorter question, or give the model a larger context"
        return ApiError(400, "the prompt does not fit the model's context", code="context_length_exceeded", hint=hint)
    if isinstance(error, TooManyScans):
        hint = "try again after Retry-After, or narrow the search by repository or path"
        return ApiError(429, str(error), code="too_many_exact_searches", hint=hint, retry_after=1.0)
    if isinstance(error, TooManySearches):
        hint = "try again after Retry-After; more replicas of rag answer more at once"
        return ApiError(429, str(error), code="too_many_searches", hint=hint, retry_after=error.retry_after)
    return _misnamed(error)


def _misnamed(error: Any) -> ApiError:
    """Return the answer for a request that asks for what there cannot be or is not."""
    if isinstance(error, InvalidPattern):
        return ApiError(400, str(error), code="invalid_value", hint=error.remedy, param="pattern")
    if isinstance(error, UnknownRepository):
        hint = f"served now: {_listed(error.known)}"
        return ApiError(404, str(error), code="repository_not_found", hint=hint, param="repositories")
    if isinstance(error, UnknownRef):
        hint = f"served in view of the request: {_listed(error.known)}"
        return ApiError(404, str(error), code="ref_not_found", hint=hint, param="refs")
    if isinstance(error, AmbiguousRef):
        return ApiError(400, str(error), code="ref_needed", hint=f"name one of {_listed(error.known)}", param="refs")
    if isinstance(error, UnknownPath):
        hint = f"files of this name: {_listed(error.near)}" if error.near else "the map of the repository lists paths"
        return ApiError(404, str(error), code="path_not_found", hint=hint, param="path")
    hint = f"ask for lines from 1 to {error.lines}" if error.lines else "the file is empty"
    return ApiError(416, str(error), code="range_not_satisfiable", hint=hint, param="start")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)[:500]


def dependency_down(error: DependencyDown) -> ApiError:
    """Return 503 naming the dependency."""
    return ApiError(
        503,
        f"{error.name} is not available: {error.detail}",
        code=f"{error.name}_unavailable",
        hint="try again later; /health shows every dependency",
        retry_after=error.retry_after,
    )


@contextmanager
def answering_faults(fields: Mapping[str, str] = MappingProxyType({})) -> Iterator[None]:
    """Turn failures of the block into their HTTP answers; `fields` renames the field they name as the route does."""
    try:
        yield
    except FAULTS as error:
        fault = fault_answer(error)
        fault.param = fields.get(fault.param, fault.param) if fault.param else None
        raise fault from error
