"""Calls to Qdrant with retries and with errors that say whether trying again later can help.

Every write of this package is idempotent (same ids, same content), so repeating one whose answer was lost is safe.
"""

from typing import Any

from qdrant_client import AsyncQdrantClient
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from coderag_rag.retry import RetryPolicy


class StoreError(Exception):
    """Qdrant did not do what was asked."""


class StoreUnavailable(StoreError):  # noqa: N818 - reads as the state it names
    """Qdrant is not reachable or overloaded. What it holds is unknown, which is never the same as empty."""


class StoreRefused(StoreError):  # noqa: N818 - reads as the state it names
    """Qdrant refused the request: a wrong key, a missing collection, a bad value."""


class Calls:
    """The client with the retry policy around each call."""

    def __init__(self, client: AsyncQdrantClient, policy: RetryPolicy) -> None:
        self._client, self._policy = client, policy

    async def __call__(self, method: str, *arguments: Any, **options: Any) -> Any:
        """Call a method of the client by name."""
        async for attempt in self._policy.retrying(StoreUnavailable):
            with attempt:
                return await self._once(method, *arguments, **options)
        raise AssertionError("the retry loop returns or raises")  # pragma: no cover

    async def _once(self, method: str, *arguments: Any, **options: Any) -> Any:
        try:
            return await getattr(self._client, method)(*arguments, **options)
        except ResponseHandlingException as error:
            raise StoreUnavailable(f"Qdrant is not reachable: {type(error.source).__name__}") from error
        except UnexpectedResponse as error:
            status = error.status_code or 0
            kind = StoreUnavailable if status == 429 or status >= 500 else StoreRefused
            detail = error.content[:200].decode(errors="replace")
            raise kind(f"Qdrant answered {status} to {method}: {detail}") from error
