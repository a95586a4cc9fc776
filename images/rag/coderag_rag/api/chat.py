"""The model `coderag` over OpenAI's chat protocol, whole or streamed."""

import json
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from coderag_rag.answer.answerer import Answer, NothingRelevant, Question
from coderag_rag.answer.citations import sources_list
from coderag_rag.answer.generation import Generation
from coderag_rag.answer.prompt import nothing_found
from coderag_rag.answer.toolcalls import CallCollector
from coderag_rag.api.access import Permitted
from coderag_rag.api.completions import NO_USAGE, Envelope, extras, refused_extras, usage
from coderag_rag.api.disconnect import while_connected
from coderag_rag.api.faults import FAULTS, answering_faults, fault_answer
from coderag_rag.api.openai_models import MODEL, ChatBody
from coderag_rag.api.routes import ERRORS
from coderag_rag.api.services import Services
from coderag_rag.http.errors import INTERNAL, ApiError, error_body
from coderag_rag.query.access import Permit

logger = logging.getLogger(__name__)

_BREAKS_OFF = """With `stream: true` the answer comes as server-sent events and ends with `data: [DONE]`.

Until the first words of the model every failure has its own status code. After them an answer can only break off: the
stream then ends with one event that holds the error object, `data: {"error": {"message", "type", "param", "code",
"hint"}}`, and without `[DONE]`. OpenAI's clients raise it as an API error. What was received before is incomplete and
its citations were not checked to the end: ask again. Closing the connection stops the model."""
_BROKEN = error_body(
    503,
    "gateway is not available: ended the answer before it was complete",
    "gateway_unavailable",
    "try again later; /health shows every dependency",
)
_STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The answer, whole or as a stream",
        "content": {
            "application/json": {"schema": {"type": "object", "title": "OpenAI's chat.completion"}},
            "text/event-stream": {
                "schema": {"type": "string"},
                "examples": {"a stream that breaks off": {"value": f"data: {json.dumps(_BROKEN)}\n\n"}},
            },
        },
    }
}


def chat_routes(services: Services) -> APIRouter:
    """Return the routes that OpenAI clients call."""
    router = APIRouter(tags=["openai"], prefix="/v1", responses=ERRORS)

    @router.get("/models")
    async def models() -> dict[str, Any]:
        """List the one model."""
        return {"object": "list", "data": [{"id": MODEL, "object": "model", "created": 0, "owned_by": "coderag"}]}

    @router.post("/chat/completions", response_model=None, responses=_STREAM, description=_BREAKS_OFF)
    async def complete(body: ChatBody, request: Request, permit: Permitted) -> dict[str, Any] | StreamingResponse:
        """Answer the last user turn from the indexed code."""
        question = _question(body, permit)
        with answering_faults():
            if body.offers_tools:
                return await while_connected(request, _relay(services, body, question.model))
            return await while_connected(request, _answer(services, question, body))

    return router


def _question(body: ChatBody, permit: Permit) -> Question:
    if not body.question:
        hint = "send a message with role user and some text"
        raise ApiError(400, "there is no user turn with text", code="invalid_value", hint=hint, param="messages")
    return Question(
        body.question,
        max_tokens=body.longest,
        options=body.options,
        permit=permit,
        history=body.history,
        instructions=body.instructions,
    )


async def _answer(services: Services, question: Question, body: ChatBody) -> dict[str, Any] | StreamingResponse:
    try:
        return await (_open_stream if body.stream else _whole)(services, question, body)
    except NothingRelevant as error:
        text = nothing_found(question.text, question.history)
        more = refused_extras(error.found)
    if not body.stream:
        return Envelope().completion({"content": text}, "stop", NO_USAGE, more)
    return _AnswerStream(_events(services, _said(text, more, body)), AsyncExitStack())


async def _whole(services: Services, question: Question, _body: ChatBody) -> dict[str, Any]:
    async with services.answerer.open(question) as answer:
        text = "".join([piece async for piece in answer.pieces()])
        services.metrics.answered(len(answer.citations), answer.dropped_markers)
        content = text + sources_list(answer.citations)
        return Envelope().completion(
            {"content": content}, answer.generation.finish_reason, usage(answer, text), extras(answer)
        )


async def _open_stream(services: Services, question: Question, body: ChatBody) -> StreamingResponse:
    """Start the model before the answer's first byte, so that failures up to here have their own status code."""
    stack = AsyncExitStack()
    answer = await stack.enter_async_context(services.answerer.open(question))
    return _AnswerStream(_events(services, _chunks(services, answer, body)), stack)


async def _relay(services: Services, body: ChatBody, model: str) -> dict[str, Any] | StreamingResponse:
    """Pass a request with tools to the model as it is: it has seen no retrieved text that could have called them."""
    stack = AsyncExitStack()
    generation = await stack.enter_async_context(services.answerer.relay(body.relayed(model)))
    if body.stream:
        return _AnswerStream(_events(services, _relayed(generation, body)), stack)
    async with stack:
        collected = CallCollector()
        async for delta in generation.deltas():
            collected.add(delta)
        counted = generation.usage or NO_USAGE
        return Envelope().completion(collected.message, generation.finish_reason, counted, {})


class _AnswerStream(StreamingResponse):
    """A stream that ends the generation however it ends itself: complete, failed, or left by the client."""

    def __init__(self, events: AsyncIterator[str], stack: AsyncExitStack) -> None:
        super().__init__(events, media_type="text/event-stream", headers={"cache-control": "no-cache"})
        self._stack = stack

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async with self._stack:
            await super().__call__(scope, receive, send)


async def _events(services: Services, chunks: AsyncIterator[dict[str, Any]]) -> AsyncIterator[str]:
    """Yield the events of an answer. Whatever breaks it off is told: a stream that just ends looks like an answer."""
    try:
        async for chunk in chunks:
            yield _event(chunk)
    except Exception as error:
        services.metrics.cut()
        yield _event(_last_words(error))
        return
    yield "data: [DONE]\n\n"


async def _chunks(services: Services, answer: Answer, body: ChatBody) -> AsyncIterator[dict[str, Any]]:
    envelope, shown = Envelope(), []
    yield envelope.chunk({"role": "assistant", "content": ""})
    async for piece in answer.pieces():
        shown.append(piece)
        yield envelope.chunk({"content": piece})
    services.metrics.answered(len(answer.citations), answer.dropped_markers)
    more = extras(answer)
    if sources := sources_list(answer.citations):
        # LiteLLM makes the last chunk anew and keeps of the others what stands here only.
        yield envelope.chunk({"content": sources, "provider_specific_fields": more})
    yield envelope.chunk({}, answer.generation.finish_reason, **more)
    if body.wants_usage:
        yield envelope.usage_chunk(usage(answer, "".join(shown)))


async def _said(text: str, more: dict[str, Any], body: ChatBody) -> AsyncIterator[dict[str, Any]]:
    envelope = Envelope()
    yield envelope.chunk({"role": "assistant", "content": text})
    yield envelope.chunk({}, "stop", **more)
    if body.wants_usage:
        yield envelope.usage_chunk(NO_USAGE)


async def _relayed(generation: Generation, body: ChatBody) -> AsyncIterator[dict[str, Any]]:
    envelope = Envelope()
    yield envelope.chunk({"role": "assistant", "content": ""})
    async for delta in generation.deltas():
        yield envelope.chunk(delta)
    yield envelope.chunk({}, generation.finish_reason)
    if body.wants_usage:
        yield envelope.usage_chunk(generation.usage or NO_USAGE)


def _last_words(error: Exception) -> dict[str, Any]:
    """Return the error object that ends a stream; what was not foreseen is told by the log only."""
    if isinstance(error, FAULTS):
        fault = fault_answer(error)
    else:
        logger.error("an answer broke off", exc_info=error)
        fault = INTERNAL
    return error_body(fault.status, fault.message, fault.code, fault.hint)


def _event(data: dict[str, Any]) -> str:
    return f"data: {json.dumps(data, ensure_ascii=False)}\n\n"
