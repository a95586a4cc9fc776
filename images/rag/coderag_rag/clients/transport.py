"""aiohttp's connections below httpx, for requests and answers of JSON, two of them for every search.

httpx's own connections write head and body of a request one after the other and parse answers in Python. aiohttp makes
one write of both and parses in C, which takes a third of the processor time off. What is above stays httpx: clients,
errors, and the transports that tests bring. Answers are read whole, so this is not for streams.
"""

from typing import Any

import aiohttp
import httpx
from yarl import URL

# Qdrant and uvicorn close a connection that is idle for 5 s: a request that is written at that moment is lost.
_IDLE_SECONDS = 4.0


class WholeAnswers(httpx.AsyncBaseTransport):
    """Sends through one aiohttp session, which is opened by the first request: it belongs to the running loop.

    A connection is kept for as long as it is used within `idle_seconds`; with 0 each request has one of its own.
    """

    def __init__(self, idle_seconds: float = _IDLE_SECONDS) -> None:
        self._idle_seconds = idle_seconds
        self._session: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request and read its answer; raises what httpx's own transport raises."""
        session = self._session = self._session or _open(self._idle_seconds)
        try:
            async with session.request(
                request.method,
                URL(str(request.url), encoded=True),
                headers=request.headers.multi_items(),
                data=request.content or None,
                allow_redirects=False,
                timeout=_timeout(request),
            ) as answer:
                return httpx.Response(answer.status, headers=answer.raw_headers, content=await answer.read())
        except (aiohttp.ClientError, TimeoutError) as error:
            raise _as_httpx(error)(str(error) or type(error).__name__, request=request) from error

    async def aclose(self) -> None:
        """Close the connections."""
        if self._session:
            await self._session.close()


def _open(idle_seconds: float) -> aiohttp.ClientSession:
    # The name of a Service may mean another pod a second later, and is looked up for a new connection only.
    kept: dict[str, Any] = {"keepalive_timeout": idle_seconds} if idle_seconds else {"force_close": True}
    connector = aiohttp.TCPConnector(ssl=httpx.create_ssl_context(), use_dns_cache=False, **kept)
    return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False)


def _timeout(request: httpx.Request) -> aiohttp.ClientTimeout:
    given = request.extensions.get("timeout", {})
    return aiohttp.ClientTimeout(
        total=None, connect=given.get("pool"), sock_connect=given.get("connect"), sock_read=given.get("read")
    )


def _as_httpx(error: Exception) -> type[httpx.TransportError]:
    """Return the error of httpx that means the same. Callers tell a timeout from a connection that failed."""
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return httpx.ConnectTimeout
    if isinstance(error, TimeoutError):
        return httpx.ReadTimeout
    if isinstance(error, aiohttp.ClientConnectorError):
        return httpx.ConnectError
    return httpx.RemoteProtocolError if isinstance(error, aiohttp.ServerDisconnectedError) else httpx.ReadError
