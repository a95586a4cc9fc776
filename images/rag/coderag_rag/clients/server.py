"""A server that takes and gives JSON, asked over one of httpx's transports without the client above it.

The client merges addresses, headers, cookies, authentication and redirects for every request; between services that
know each other none of that is needed, and it was half of the processor time of a request. What is raised is httpx's.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import httpx
from pydantic_core import to_json

_JSON = {"content-type": "application/json"}


@lru_cache(maxsize=256)
def _parsed(url: str) -> httpx.URL:
    return httpx.URL(url)


class JsonServer:
    """One server; the transport is the caller's to close."""

    def __init__(
        self, url: str, headers: Mapping[str, str], timeout: httpx.Timeout, transport: httpx.AsyncBaseTransport
    ) -> None:
        self._url, self._headers = url.rstrip("/"), httpx.Headers({**headers, **_JSON})
        self._extensions, self._transport = {"timeout": timeout.as_dict()}, transport

    async def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> httpx.Response:
        """Send one request and return the whole answer, whatever its status; raises httpx.TransportError."""
        content = to_json(body) if body is not None else None
        url, headers = _parsed(self._url + path), self._headers
        request = httpx.Request(method, url, headers=headers, content=content, extensions=self._extensions)
        response = await self._transport.handle_async_request(request)
        response.request = request
        await response.aread()
        return response
