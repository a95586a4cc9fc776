"""Every failure below the routes as an HTTP answer, in one table."""

from collections.abc import Iterator
from contextlib import contextmanager

from coderag_rag.answer.answerer import NothingRelevant
from coderag_rag.answer.llm import PromptTooLong
from coderag_rag.api.disconnect import ClientGone
from coderag_rag.http.errors import ApiError
from coderag_rag.query.guard import DependencyDown
from coderag_rag.query.manifest import NothingIndexed, UnknownRef, UnknownRepository

FAULTS = (ClientGone, DependencyDown, NothingIndexed, NothingRelevant, PromptTooLong, UnknownRef, UnknownRepository)


def fault_answer(error: Exception) -> ApiError:
    """Return the HTTP answer for one of FAULTS."""
    if isinstance(error, DependencyDown):
        return dependency_down(error)
    if isinstance(error, ClientGone):  # nobody reads this answer; the metrics count it
        return ApiError(499, str(error), code="client_closed_request", hint="keep the connection open")
    if isinstance(error, UnknownRepository):
        hint = f"served now: {', '.join(error.known)[:500]}"
        return ApiError(404, str(error), code="repository_not_found", hint=hint, param="repositories")
    if isinstance(error, UnknownRef):
        hint = f"served in view of the request: {', '.join(error.known)[:500]}"
        return ApiError(404, str(error), code="ref_not_found", hint=hint, param="refs")
    if isinstance(error, NothingIndexed):
        hint = "wait for the first sync to end; the ingestion service's /v1/status shows it"
        return ApiError(409, "no repository is indexed yet", code="no_repository_indexed", hint=hint)
    if isinstance(error, NothingRelevant):
        hint = "ask in other words, or about other repositories"
        return ApiError(409, "nothing in the index matches the question", code="nothing_relevant", hint=hint)
    hint = "ask a shorter question, or give the model a larger context"
    return ApiError(400, "the prompt does not fit the model's context", code="context_length_exceeded", hint=hint)


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
def answering_faults() -> Iterator[None]:
    """Turn failures of the block into their HTTP answers."""
    try:
        yield
    except FAULTS as error:
        raise fault_answer(error) from error
