"""The answers of the model `coderag` in OpenAI's form, whole or in pieces, and what this service adds to them."""

import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from coderag_rag.answer.answerer import Answer
from coderag_rag.answer.context import estimate_tokens
from coderag_rag.api.openai_models import MODEL
from coderag_rag.api.served import served_repositories
from coderag_rag.query.hits import Hit, SearchResult
from coderag_rag.query.weights import VERSION

NO_USAGE = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}


class Envelope:
    """Identity and time that all chunks of one completion share."""

    def __init__(self) -> None:
        self._fields = {"id": f"chatcmpl-{uuid.uuid4().hex}", "created": int(time.time()), "model": MODEL}

    def completion(
        self, message: Mapping[str, Any], reason: str, usage: Mapping[str, int], more: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return an answer in one piece."""
        choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": reason, "logprobs": None}
        return {**self._fields, "object": "chat.completion", "choices": [choice], "usage": usage, **more}

    def chunk(self, delta: Mapping[str, Any], finish_reason: str | None = None, **more: Any) -> dict[str, Any]:
        """Return one piece of a stream."""
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason, "logprobs": None}
        return {**self._fields, "object": "chat.completion.chunk", "choices": [choice], **more}

    def usage_chunk(self, usage: Mapping[str, int]) -> dict[str, Any]:
        """Return the piece that tells the usage; it has no choices."""
        return {**self._fields, "object": "chat.completion.chunk", "choices": [], "usage": usage}


def extras(answer: Answer) -> dict[str, Any]:
    """Return what this service adds to OpenAI's fields: what was cited, and apart from it what was found."""
    found = {"task": answer.task.value, "citations": [asdict(item) for item in answer.citations]}
    return {**found, **_searched(answer.sources, answer.degraded, answer)}


def refused_extras(found: SearchResult) -> dict[str, Any]:
    """Return what is added to an answer that says that nothing was found."""
    return {"refused": "nothing_relevant", "citations": [], **_searched([], found.degraded, found)}


def _searched(sources: Sequence[Hit], degraded: Sequence[str], seen: Answer | SearchResult) -> dict[str, Any]:
    repositories = [item.model_dump() for item in served_repositories(seen.snapshot)]
    places = [_place(hit) for hit in sources]
    return {"sources": places, "degraded": degraded, "repositories": repositories, "ranking": VERSION}


def _place(hit: Hit) -> dict[str, Any]:
    names = ("repository", "ref", "commit", "path", "start_line", "end_line", "score")
    return {name: getattr(hit, name) for name in names}


def usage(answer: Answer, text: str) -> dict[str, int]:
    """Return the tokens that the gateway counted, or an estimate where it counted none."""
    if answer.generation.usage:
        return answer.generation.usage
    prompt, completion = answer.prompt_tokens, estimate_tokens(text)
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
