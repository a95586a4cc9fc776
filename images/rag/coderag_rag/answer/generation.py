"""An answer in progress: the stream of a model's server, read piece by piece until its deadline.

An answer that breaks off is an error, whatever it says so far: half an answer must never look like a whole one.
"""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Any

import httpx

from coderag_rag.deadline import Deadline
from coderag_rag.query.guard import DependencyDown


class Generation:
    """The text of an answer as it comes; usage and finish reason are complete when the pieces have ended."""

    def __init__(self, name: str, response: httpx.Response, limit: Deadline) -> None:
        self.name, self._limit = name, limit
        self._source = self._read(response)
        self._first: str | None = None
        self.served_by = response.headers.get("x-litellm-model-id", "") or name
        self.usage: dict[str, int] | None = None
        self.finish_reason = ""

    async def begin(self) -> None:
        """Wait for the first words: until then a failure can still be told by a status code."""
        self._first = await self._next("no model began to answer in time")

    async def pieces(self) -> AsyncIterator[str]:
        """Yield the text of the answer; raises DependencyDown when it breaks off."""
        piece, self._first = self._first, None
        while piece is not None:
            yield piece
            piece = await self._next("the answer was not complete in time")

    async def aclose(self) -> None:
        """Stop reading."""
        await self._source.aclose()

    async def _next(self, too_late: str) -> str | None:
        # One cut for each piece: around a yield it would cancel whatever the reader of this answer is doing.
        try:
            async with self._limit.cut():
                return await anext(self._source, None)
        except TimeoutError:
            raise DependencyDown(self.name, too_late) from None

    async def _read(self, response: httpx.Response) -> AsyncGenerator[str, None]:
        try:
            async for data in _events(response):
                if piece := self._take(json.loads(data)):
                    yield piece
        except httpx.HTTPError as error:
            raise unreachable(self.name, error) from error
        except (ValueError, TypeError, AttributeError) as error:
            raise DependencyDown(self.name, "sent a stream that is not OpenAI's") from error
        if not self.finish_reason:
            raise DependencyDown(self.name, "ended the answer before it was complete")

    def _take(self, chunk: Mapping[str, Any]) -> str:
        if "error" in chunk:
            raise DependencyDown(self.name, "the model failed in the middle of the answer")
        if chunk.get("usage"):
            self.usage = {key: value for key, value in chunk["usage"].items() if isinstance(value, int)}
        choice = (chunk.get("choices") or [{}])[0]
        self.finish_reason = choice.get("finish_reason") or self.finish_reason
        return (choice.get("delta") or {}).get("content") or ""


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
