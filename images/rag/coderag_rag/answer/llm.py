"""The gateway as this service uses it: chat completions, always streaming.

Streaming even when the caller wants one piece: the gateway can then cool down a silent model, the deadline can fall
between pieces, and closing the connection stops the generation. No retries here: the gateway falls back per request.
"""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx

from coderag_rag.query.guard import DependencyDown

GATEWAY = "gateway"


class PromptTooLong(Exception):  # noqa: N818 - reads as the state it names
    """The model's context cannot hold the prompt."""


class Generation:
    """An answer in progress; usage and finish reason are complete when the pieces have ended."""

    def __init__(self, response: httpx.Response) -> None:
        self._response = response
        self.served_by = response.headers.get("x-litellm-model-id", "")
        self.usage: dict[str, int] | None = None
        self.finish_reason = ""

    async def pieces(self) -> AsyncIterator[str]:
        """Yield the text of the answer; raises DependencyDown when it breaks off."""
        try:
            async for data in _events(self._response):
                if piece := self._read(json.loads(data)):
                    yield piece
        except httpx.HTTPError as error:
            raise _unreachable(error) from error
        except ValueError as error:
            raise DependencyDown(GATEWAY, "sent a stream that is not JSON") from error
        if not self.finish_reason:
            raise DependencyDown(GATEWAY, "ended the answer before it was complete")

    def _read(self, chunk: Mapping[str, Any]) -> str:
        if "error" in chunk:
            raise DependencyDown(GATEWAY, "the model failed in the middle of the answer")
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


class LlmClient:
    """Async client of the gateway; close it with `aclose`."""

    def __init__(
        self,
        url: str,
        api_key: str,
        *,
        connect_timeout: float = 10,
        request_timeout: float = 60,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        headers = {"accept-encoding": "identity", "authorization": f"Bearer {api_key}"}
        timeout = httpx.Timeout(request_timeout, connect=connect_timeout)
        self._http = httpx.AsyncClient(
            base_url=url, headers=headers, timeout=timeout, transport=transport, trust_env=False
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def alive(self) -> None:
        """Raise DependencyDown unless the gateway answers; any answer but a 5xx, for not every gateway is LiteLLM."""
        try:
            response = await self._http.get("/health/liveliness")
        except httpx.HTTPError as error:
            raise _unreachable(error) from error
        if response.status_code >= 500:
            raise DependencyDown(GATEWAY, f"its liveness route answered {response.status_code}")

    @asynccontextmanager
    async def generate(self, body: Mapping[str, Any]) -> AsyncIterator[Generation]:
        """Start a generation; raises DependencyDown or PromptTooLong. Leaving the block ends it."""
        request = {**body, "stream": True, "stream_options": {"include_usage": True}}
        sending = self._http.build_request("POST", "/v1/chat/completions", json=request)
        try:
            response = await self._http.send(sending, stream=True)
        except httpx.HTTPError as error:
            raise _unreachable(error) from error
        try:
            if response.status_code >= 400:
                raise _refusal(response, await response.aread())
            yield Generation(response)
        finally:
            await response.aclose()


def _unreachable(error: httpx.HTTPError) -> DependencyDown:
    if isinstance(error, httpx.TimeoutException):
        silent = isinstance(error, httpx.ReadTimeout)
        return DependencyDown(GATEWAY, "the model sent nothing in time" if silent else "no connection in time")
    return DependencyDown(GATEWAY, f"not reachable ({type(error).__name__})", unreachable=True)


def _refusal(response: httpx.Response, body: bytes) -> Exception:
    status, text = response.status_code, body[:2000].decode(errors="replace")
    if status in (400, 413) and "context" in text.lower():
        return PromptTooLong(text[:200])
    if status in (401, 403):
        return DependencyDown(GATEWAY, f"refuses the key of this service ({status}); compare GATEWAY_API_KEY")
    waits = response.headers.get("retry-after", "")
    return DependencyDown(GATEWAY, f"no model answered ({status})", float(waits) if waits.isdigit() else 5.0)
