"""The Qdrant client as both services use it."""

from qdrant_client import AsyncQdrantClient

from coderag_rag.clients.transport import WholeAnswers


def connect(url: str, api_key: str | None, timeout_seconds: float = 30) -> AsyncQdrantClient:
    """Return a REST client. Nothing is contacted here.

    Compressed answers stall kept-alive connections for about 40 ms on any host but localhost, hence `identity`; the
    version check is off because it blocks the event loop from inside the constructor. The key travels as a header,
    since the client's own parameter warns about plain http, which is what a cluster's network speaks.
    """
    return AsyncQdrantClient(
        url=url,
        port=None,
        timeout=max(1, round(timeout_seconds)),
        headers={"accept-encoding": "identity"} | ({"api-key": api_key} if api_key else {}),
        check_compatibility=False,
        transport=WholeAnswers(),
    )
