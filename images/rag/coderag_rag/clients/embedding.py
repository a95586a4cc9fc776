"""The client of the embedding service.

It does not retry: how long to try is the caller's decision (a search has 5 seconds, a sync has minutes), so errors say
whether trying again can help.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import httpx
from pydantic_core import from_json

from coderag_rag.clients.server import JsonServer
from coderag_rag.clients.transport import WholeAnswers
from coderag_rag.identity import EmbeddingModel

InputType = Literal["query", "passage"]


class EmbeddingError(Exception):
    """The embedding service gave no vectors."""


class EmbeddingUnavailable(EmbeddingError):  # noqa: N818 - reads as the state it names
    """Not reachable, overloaded or still loading: trying again can help."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class EmbeddingRefused(EmbeddingError):  # noqa: N818 - reads as the state it names
    """The request itself was refused, for example for a wrong key: trying again cannot help."""


class ServedModel(NamedTuple):
    """The model that a service runs. What it knows of languages is no part of an index's identity."""

    model: EmbeddingModel
    english_only: bool


@dataclass(frozen=True)
class Embeddings:
    """Vectors in the order of the inputs, and the positions of the inputs that were cut to the model's length."""

    vectors: list[list[float]]
    truncated: frozenset[int]


class EmbeddingClient:
    """Async client of one embedding service; close it with `aclose`."""

    def __init__(
        self,
        url: str,
        api_key: str | None,
        timeout_seconds: float = 30,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        headers = {"accept-encoding": "identity"} | ({"authorization": f"Bearer {api_key}"} if api_key else {})
        timeout = httpx.Timeout(timeout_seconds, connect=min(5.0, timeout_seconds))
        self._kept = transport or WholeAnswers()
        # A connection that is kept leads to a pod that is being replaced until its end; a new one never does.
        self._new = transport or WholeAnswers(idle_seconds=0)
        self._server = JsonServer(url, headers, timeout, self._kept)
        self._anew = JsonServer(url, headers, timeout, self._new)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._kept.aclose()
        await self._new.aclose()

    async def model(self) -> EmbeddingModel:
        """Return the model that a new connection finds; its `model` is the name to send with requests."""
        return (await self.served()).model

    async def served(self) -> ServedModel:
        """Return the model that a new connection finds, and whether it knows no language but English."""
        body = from_json((await self._request(self._anew, "GET", "/v1/models")).content)
        try:
            row = body["data"][0]
            return ServedModel(_model_of(row), row.get("multilingual") is False)
        except (AttributeError, KeyError, IndexError, TypeError, ValueError) as error:
            raise EmbeddingRefused(f"the embedding service's /v1/models lacks {error}") from error

    async def embed(self, texts: Sequence[str], model: str, input_type: InputType) -> Embeddings:
        """Return the L2-normalised vectors of the texts."""
        request = {"model": model, "input": list(texts), "input_type": input_type}
        body = from_json((await self._request(self._server, "POST", "/v1/embeddings", request)).content)
        vectors = [row["embedding"] for row in sorted(body["data"], key=lambda row: row["index"])]
        if len(vectors) != len(texts):
            raise EmbeddingRefused(f"the embedding service gave {len(vectors)} vectors for {len(texts)} texts")
        return Embeddings(vectors, frozenset(body.get("truncated") or ()))

    async def alive(self) -> None:
        """Raise unless the service answers its own liveness route."""
        await self._request(self._server, "GET", "/healthz")

    async def _request(
        self, server: JsonServer, method: str, path: str, body: dict[str, Any] | None = None
    ) -> httpx.Response:
        try:
            response = await server.ask(method, path, body)
        except httpx.HTTPError as error:
            raise EmbeddingUnavailable(f"the embedding service is not reachable: {type(error).__name__}") from error
        if response.status_code == 429 or response.status_code >= 500:
            raise EmbeddingUnavailable(_refusal(response), _retry_after(response))
        if response.status_code >= 400:
            raise EmbeddingRefused(_refusal(response))
        return response


def _model_of(row: dict[str, Any]) -> EmbeddingModel:
    return EmbeddingModel(
        model=str(row["id"]),
        revision=str(row["revision"]),
        dimensions=int(row["dimensions"]),
        max_tokens=int(row["max_tokens"]),
        pooling=str(row["pooling"]),
        precision=str(row["precision"]),
        query_prompt=str(row["query_prompt"] or ""),
        passage_prompt=str(row["passage_prompt"] or ""),
    )


def _retry_after(response: httpx.Response) -> float | None:
    value = response.headers.get("retry-after", "")
    return float(value) if value.isdigit() else None


def _refusal(response: httpx.Response) -> str:
    return f"the embedding service answered {response.status_code}: {response.text[:200]}"
