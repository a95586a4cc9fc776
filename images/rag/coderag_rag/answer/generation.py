"""An answer in progress: the stream of a model's server, read piece by piece until its deadline.

An answer that breaks off is an error, whatever it says so far: half an answer must never look like a whole one. Calls
of tools are read only where the request offered tools: nothing else could have asked for them but retrieved text.
"""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Any

import httpx

from coderag_rag.deadline import Deadline
from coderag_rag.query.guard import DependencyDown

_WORDS, _WORDS_AND_CALLS = ("content",), ("content", "tool_calls")
_REASONS = frozenset({"stop", "length", "content_filter"})

Delta = dict[str, Any]


class Generation:
    """The text of an answer as it comes; usage and finish reason are complete when the pieces have ended."""

    def __init__(self, name: str, response: httpx.Response, limit: Deadline, *, calls: bool = False) -> None:
        self.name, self._limit, self._calls = name, limit, calls
        self._source = self._read(response)
        self._first: Delta | None = None
        self.served_by = response.headers.get("x-litellm-model-id", "") or name
        self.usage: dict[str, int] | None = None
        self.finish_reason = ""

    async def begin(self) -> None:
        """Wait for the first words: until then a failure can still be told by a status code."""
        self._first = await self._next("no model began to answer in time")

    @property
    def is_empty(self) -> bool:
        """Whether the answer ended before its first word; known once it has begun."""
        return self._first is None

    async def pieces(self) -> AsyncIterator[str]:
        """Yield the text of the answer; raises DependencyDown when it breaks off."""
        async for delta in self.deltas():
            yield delta["content"]

    async def deltas(self) -> AsyncIterator[Delta]:
        """Yield the answer piece by piece as `content` and, where tools were offered, `tool_calls`."""
        delta = self._first
        while delta is not None:
            yield delta
            delta = await self._next("the answer was not complete in time")

    async def aclose(self) -> None:
        """Stop reading."""
        await self._source.aclose()

    async def _next(self, too_late: str) -> Delta | None:
        # One cut for each piece: around a yield it would cancel whatever the reader of this answer is doing.
        try:
            async with self._limit.cut():
                return await anext(self._source, None)
        except TimeoutError:
            raise DependencyDown(self.name, too_late) from None

    async def _read(self, response: httpx.Response) -> AsyncGenerator[Delta, None]:
        try:
            async for data in _events(response):
                if delta := self._take(json.loads(data)):
                    yield delta
        except httpx.HTTPError as error:
            raise unreachable(self.name, error) from error
        except (ValueError, TypeError, AttributeError) as error:
            raise DependencyDown(self.name, "sent a stream that is not OpenAI's") from error
        if not self.finish_reason:
            raise DependencyDown(self.name, "ended the answer before it was complete")

    def _take(self, chunk: Mapping[str, Any]) -> Delta:
        if "error" in chunk:
            raise DependencyDown(self.name, "the model failed in the middle of the answer")
        if chunk.get("usage"):
            self.usage = {key: value for key, value in chunk["usage"].items() if isinstance(value, int)}
        choice = (chunk.get("choices") or [{}])[0]
        self.finish_reason = self._reason(choice.get("finish_reason")) or self.finish_reason
        delta = choice.get("delta") or {}
        if not isinstance(delta.get("content") or "", str):
            raise TypeError("the content of an answer is text")
        kept = _WORDS_AND_CALLS if self._calls else _WORDS
        return {key: delta[key] for key in kept if delta.get(key)}

    def _reason(self, said: str | None) -> str | None:
        """Return why the answer ended; who offered no tools is not told of calls."""
        return said if not said or self._calls or said in _REASONS else "stop"


async def _events(response: httpx.Response) -> AsyncIterator[str]:
    """Yield the data of each server-sent event up to the closing one."""
    async for line in response.aiter_lines():
        data = line.removeprefix("data:").strip()
        if data == "[DONE]":
            return
        if line.startswith("data:") and data:
            yield data


def unreachable(name: str, error: httpx.HTTPError) -> DependencyDown:
    """Return what a failed connection means; only a connection that was never made has certainly sent nothing."""
    if isinstance(error, httpx.TimeoutException):
        silent = isinstance(error, httpx.ReadTimeout)
        detail = "the model sent nothing in time" if silent else "no connection in time"
        return DependencyDown(name, detail, nothing_sent=isinstance(error, httpx.ConnectTimeout | httpx.PoolTimeout))
    refused = isinstance(error, httpx.ConnectError)
    return DependencyDown(name, f"not reachable ({type(error).__name__})", unreachable=True, nothing_sent=refused)
