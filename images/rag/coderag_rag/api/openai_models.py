"""The part of OpenAI's chat protocol that the model `coderag` speaks.

Fields it does not know are ignored, as clients of OpenAI expect.
"""

import time
import uuid
from dataclasses import asdict
from typing import Any, Literal

from pydantic import BaseModel, Field

from coderag_rag.answer.answerer import Answer
from coderag_rag.answer.context import estimate_tokens
from coderag_rag.api.served import served_repositories
from coderag_rag.query.weights import VERSION

MODEL = "coderag"


class TextPart(BaseModel):
    """A piece of a message; only text counts."""

    type: str
    text: str = ""


class Message(BaseModel):
    """One turn."""

    role: str
    content: str | list[TextPart] | None = None

    @property
    def text(self) -> str:
        """The text of the turn."""
        if isinstance(self.content, list):
            return "\n".join(part.text for part in self.content if part.type == "text").strip()
        return (self.content or "").strip()


class StreamOptions(BaseModel):
    """How to stream."""

    include_usage: bool = False


class ChatBody(BaseModel):
    """A chat completion request; the last user turn is the question."""

    model: Literal["coderag"]
    messages: list[Message] = Field(min_length=1, max_length=1000)
    stream: bool = False
    stream_options: StreamOptions | None = None
    max_tokens: int | None = Field(None, ge=1, le=32_768)
    max_completion_tokens: int | None = Field(None, ge=1, le=32_768)
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, gt=0, le=1)
    seed: int | None = None
    n: Literal[1] | None = None

    @property
    def question(self) -> str:
        """The text of the last user turn."""
        return next((message.text for message in reversed(self.messages) if message.role == "user"), "")

    @property
    def options(self) -> dict[str, Any]:
        """What goes to the model as it is."""
        return self.model_dump(include={"temperature", "top_p", "seed"}, exclude_none=True)

    @property
    def wants_usage(self) -> bool:
        """Whether the stream ends with a usage chunk."""
        return bool(self.stream_options and self.stream_options.include_usage)


class Envelope:
    """Identity and time that all chunks of one completion share."""

    def __init__(self) -> None:
        self._fields = {"id": f"chatcmpl-{uuid.uuid4().hex}", "created": int(time.time()), "model": MODEL}

    def completion(self, text: str, answer: Answer) -> dict[str, Any]:
        """Return the answer in one piece."""
        message = {"role": "assistant", "content": text}
        choice = {"index": 0, "message": message, "finish_reason": answer.generation.finish_reason, "logprobs": None}
        body = {**self._fields, "object": "chat.completion", "choices": [choice], "usage": usage(answer, text)}
        return body | extras(answer)

    def chunk(self, delta: dict[str, Any], finish_reason: str | None = None, **more: Any) -> dict[str, Any]:
        """Return one piece of a stream."""
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason, "logprobs": None}
        return {**self._fields, "object": "chat.completion.chunk", "choices": [choice], **more}

    def usage_chunk(self, answer: Answer, text: str) -> dict[str, Any]:
        """Return the piece that tells the usage; it has no choices."""
        return {**self._fields, "object": "chat.completion.chunk", "choices": [], "usage": usage(answer, text)}


def extras(answer: Answer) -> dict[str, Any]:
    """Return what this service adds to OpenAI's fields."""
    repositories = [item.model_dump() for item in served_repositories(answer.snapshot)]
    citations = [asdict(item) for item in answer.citations]
    return {"citations": citations, "degraded": answer.degraded, "repositories": repositories, "ranking": VERSION}


def usage(answer: Answer, text: str) -> dict[str, int]:
    """Return the tokens that the gateway counted, or an estimate where it counted none."""
    if answer.generation.usage:
        return answer.generation.usage
    prompt, completion = answer.prompt_tokens, estimate_tokens(text)
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
