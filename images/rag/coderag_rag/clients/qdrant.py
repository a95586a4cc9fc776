"""The Qdrant client as both services use it."""

import httpx
from qdrant_client import AsyncQdrantClient

from coderag_rag.clients.server import JsonServer
from coderag_rag.clients.transport import WholeAnswers


class QdrantClient(AsyncQdrantClient):
    """The client, and beside it `server`: the same server over the same connections, for plain JSON."""

    def __init__(
        self, url: str, headers: dict[str, str], timeout_seconds: float, transport: httpx.AsyncBaseTransport
    ) -> None:
        super().__init__(
            url=url,
            port=None,
            timeout=max(1, round(timeout_seconds)),
            headers=headers,
            check_compatibility=False,
            transport=transport,
        )
        self.server = JsonServer(url, headers, httpx.Timeout(timeout_seconds), transport)


def connect(
    url: str, api_key: str | None, timeout_seconds: float = 30, transport: httpx.AsyncBaseTransport | None = None
) -> QdrantClient:
    """Return a REST client. Nothing is contacted here.

    Compressed answers stall kept-alive connections for about 40 ms on any host but localhost, hence `identity`; the
    version check is off because it blocks the event loop from inside the constructor. The key travels as a header,
    since the client's own parameter warns about plain http, which is what a cluster's network speaks.
    """
    headers = {"accept-encoding": "identity"} | ({"api-key": api_key} if api_key else {})
    return QdrantClient(url, headers, timeout_seconds, transport or WholeAnswers())
