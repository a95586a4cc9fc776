"""A server that speaks OpenAI's chat completions, the gateway above all, always asked to stream.

Streaming even when the caller wants one piece: the gateway can then cool down a silent model, the deadline can fall
between pieces, and closing the connection stops the generation. No retries here: the gateway falls back per request.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any

import httpx

from coderag_rag.answer.generation import Generation, unreachable
from coderag_rag.deadline import Deadline
from coderag_rag.query.guard import DependencyDown

GATEWAY = "gateway"


class PromptTooLong(Exception):  # noqa: N818 - reads as the state it names
    """The model's context cannot hold the prompt."""


class LlmClient:
    """Async client of one server; close it with `aclose`. `name` is what its errors are about."""

    def __init__(
        self,
        url: str,
        api_key: str,
        *,
        name: str = GATEWAY,
        connect_timeout: float = 10,
        request_timeout: float = 60,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        headers = {"accept-encoding": "identity", "authorization": f"Bearer {api_key}"}
        self.name, self._connect_timeout, self._request_timeout = name, connect_timeout, request_timeout
        self._http = httpx.AsyncClient(base_url=url, headers=headers, transport=transport, trust_env=False)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def alive(self) -> None:
        """Raise DependencyDown unless the server answers; any answer but a 5xx, for not every gateway is LiteLLM."""
        try:
            response = await self._http.get("/health/liveliness")
        except httpx.HTTPError as error:
            raise unreachable(self.name, error) from error
        if response.status_code >= 500:
            raise DependencyDown(self.name, f"its liveness route answered {response.status_code}")

    async def context_tokens(self, deadline: Deadline) -> int | None:
        """Return the context of one request as llama.cpp's server tells it, None where it does not.

        Raises DependencyDown when nothing is told in time.
        """
        try:
            async with deadline.cut():
                answer = await self._http.get("/props")
            told = answer.json() if answer.status_code == 200 else {}
        except TimeoutError:
            raise DependencyDown(self.name, "did not tell its context in time") from None
        except httpx.HTTPError as error:
            raise unreachable(self.name, error) from error
        except ValueError:
            return None
        return _context_tokens(told)

    @asynccontextmanager
    async def generate(self, body: Mapping[str, Any], deadline: Deadline) -> AsyncIterator[Generation]:
        """Start a generation and wait for its first words; raises DependencyDown or PromptTooLong.

        All of it, the last word included, has what is left of the deadline and never more than the request timeout.
        Leaving the block ends it.
        """
        limit = deadline.within(self._request_timeout)
        response = await self._send(body, limit)
        try:
            if response.status_code >= 400:
                raise _refusal(self.name, response, await self._refusal_text(response, limit))
            async with aclosing(Generation(self.name, response, limit, calls="tools" in body)) as generation:
                await generation.begin()
                yield generation
        finally:
            await response.aclose()

    async def _send(self, body: Mapping[str, Any], limit: Deadline) -> httpx.Response:
        left = limit.left()
        if not left:
            raise DependencyDown(self.name, "there was no time left to ask a model")
        request = {**body, "stream": True, "stream_options": {"include_usage": True}}
        timeout = httpx.Timeout(left, connect=min(self._connect_timeout, left))
        sending = self._http.build_request("POST", "/v1/chat/completions", json=request, timeout=timeout)
        try:
            async with limit.cut():
                return await self._http.send(sending, stream=True)
        except TimeoutError:
            raise DependencyDown(self.name, "no model began to answer in time") from None
        except httpx.HTTPError as error:
            raise unreachable(self.name, error) from error

    async def _refusal_text(self, response: httpx.Response, limit: Deadline) -> str:
        try:
            async with limit.cut():
                return (await response.aread())[:2000].decode(errors="replace")
        except (TimeoutError, httpx.HTTPError):
            return ""


def _context_tokens(told: Any) -> int | None:
    generation = told.get("default_generation_settings") if isinstance(told, dict) else None
    tokens = generation.get("n_ctx") if isinstance(generation, dict) else None
    return tokens if isinstance(tokens, int) and tokens > 0 else None


def _refusal(name: str, response: httpx.Response, text: str) -> Exception:
    status = response.status_code
    if status in (400, 413) and "context" in text.lower():
        return PromptTooLong(text[:200])
    if status in (401, 403):
        return DependencyDown(name, f"refuses the key of this service ({status}); compare GATEWAY_API_KEY")
    waits = response.headers.get("retry-after", "")
    return DependencyDown(name, f"no model answered ({status})", float(waits) if waits.isdigit() else 5.0)
