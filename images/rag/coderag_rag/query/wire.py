"""The reads of a search, as plain JSON over the connections of the Qdrant client.

The client turns each request and each of a hundred points of an answer into a checked object, which took a third of
a search's processor time. What is sent here is built by this package and what comes back is read field by field, so the
checks are worth little. Errors are the client's.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import httpx
from pydantic_core import from_json
from qdrant_client import AsyncQdrantClient, models
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from coderag_rag.clients.qdrant import QdrantClient
from coderag_rag.clients.server import JsonServer

Vector = Sequence[float] | models.SparseVector


class Near(NamedTuple):
    """One leg's question: points nearest to a vector, under which name the vectors are stored, and how many."""

    vector: Vector
    using: str
    where: models.Filter | None
    limit: int


class Point(NamedTuple):
    """A point of an answer, with as much of its payload as was asked for; `score` as in `Found`."""

    id: str
    payload: Mapping[str, Any]
    score: float = 0.0


class Wire(Protocol):
    """The reads; they raise what the client raises. `payload` names the fields to bring along, none for ids alone."""

    async def nearest(self, legs: Sequence[Near], payload: Sequence[str]) -> list[list[Point]]: ...

    async def page(
        self, where: models.Filter, payload: Sequence[str], size: int, offset: Any
    ) -> tuple[list[Point], Any]: ...

    async def retrieve(self, ids: Sequence[str], payload: Sequence[str]) -> list[Point]: ...


def wire_of(client: AsyncQdrantClient, collection: str) -> Wire:
    """Return the short way where the client speaks to a server, and its own way where it holds the points itself."""
    if isinstance(client, QdrantClient):
        return RestWire(client.server, collection)
    return LocalWire(client, collection)


class RestWire:
    """Plain JSON to a server. All legs go in one request, and Qdrant runs them side by side."""

    def __init__(self, server: JsonServer, collection: str) -> None:
        self._server, self._collection = server, f"/collections/{collection}"

    async def nearest(self, legs: Sequence[Near], payload: Sequence[str]) -> list[list[Point]]:
        """Return the points of each leg, in the order of the legs."""
        found = await self._post("/points/query/batch", {"searches": [_asked(leg, payload) for leg in legs]})
        return [_points(leg["points"]) for leg in found]

    async def page(
        self, where: models.Filter, payload: Sequence[str], size: int, offset: Any
    ) -> tuple[list[Point], Any]:
        """Return points in the order of their ids, and where the next page begins, None after the last one."""
        body = {"filter": _filter(where), "with_payload": list(payload), "limit": size, "offset": offset}
        found = await self._post("/points/scroll", body)
        return _points(found["points"]), found["next_page_offset"]

    async def retrieve(self, ids: Sequence[str], payload: Sequence[str]) -> list[Point]:
        """Return those of the points that exist, in no order."""
        body = {"ids": list(ids), "with_payload": list(payload), "with_vector": False}
        return _points(await self._post("/points", body))

    async def _post(self, path: str, body: Mapping[str, Any]) -> Any:
        try:
            answer = await self._server.ask("POST", self._collection + path, body)
        except httpx.TransportError as error:
            raise ResponseHandlingException(error) from error
        if answer.status_code != 200:
            raise UnexpectedResponse.for_response(answer)
        try:
            return from_json(answer.content)["result"]
        except ValueError as error:
            raise ResponseHandlingException(error) from error


class LocalWire:
    """The client's local mode, which has no server to send JSON to."""

    def __init__(self, client: AsyncQdrantClient, collection: str) -> None:
        self._client, self._collection = client, collection

    async def nearest(self, legs: Sequence[Near], payload: Sequence[str]) -> list[list[Point]]:
        """Return the points of each leg, in the order of the legs."""
        found = []
        for leg in legs:
            query = leg.vector if isinstance(leg.vector, models.SparseVector) else list(leg.vector)
            answer = await self._client.query_points(
                self._collection, query=query, using=leg.using, query_filter=leg.where, limit=leg.limit,
                with_payload=list(payload) or False,
            )  # fmt: skip
            found.append([Point(str(point.id), point.payload or {}, point.score) for point in answer.points])
        return found

    async def page(
        self, where: models.Filter, payload: Sequence[str], size: int, offset: Any
    ) -> tuple[list[Point], Any]:
        """Return points in the order of their ids, and where the next page begins, None after the last one."""
        points, following = await self._client.scroll(
            self._collection, scroll_filter=where, with_payload=list(payload), limit=size, offset=offset
        )
        return [Point(str(point.id), point.payload or {}) for point in points], following

    async def retrieve(self, ids: Sequence[str], payload: Sequence[str]) -> list[Point]:
        """Return those of the points that exist, in no order."""
        points = await self._client.retrieve(self._collection, list(ids), with_payload=list(payload))
        return [Point(str(point.id), point.payload or {}) for point in points]


def _asked(leg: Near, payload: Sequence[str]) -> dict[str, Any]:
    vector = leg.vector
    sparse = isinstance(vector, models.SparseVector)
    query = {"indices": vector.indices, "values": vector.values} if sparse else list(vector)
    asked = {"query": query, "using": leg.using, "filter": _filter(leg.where), "limit": leg.limit}
    return {**asked, "with_payload": list(payload) or False}


def _filter(where: models.Filter | None) -> dict[str, Any] | None:
    return where.model_dump(exclude_none=True) if where else None


def _points(rows: Sequence[Mapping[str, Any]]) -> list[Point]:
    return [Point(str(row["id"]), row.get("payload") or {}, row.get("score", 0.0)) for row in rows]
