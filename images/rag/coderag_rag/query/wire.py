"""The reads of a search, as plain JSON through the client's own REST connection.

The client turns each request and each of a hundred points of an answer into a checked object, which took a third of
a search's processor time. What is sent here is built by this package and what comes back is read field by field, so the
checks are worth little. Its connection, keys and errors are used as they are.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from pydantic_core import to_json
from qdrant_client import AsyncQdrantClient, models

_JSON = {"content-type": "application/json"}
Vector = Sequence[float] | models.SparseVector


class Near(NamedTuple):
    """One leg's question: points nearest to a vector, under which name the vectors are stored, and how many."""

    vector: Vector
    using: str
    where: models.Filter
    limit: int


class Point(NamedTuple):
    """A point of an answer; `score` is how near it is, higher is nearer, and 0 where nothing was compared."""

    id: str
    payload: Mapping[str, Any]
    score: float = 0.0


class Wire(Protocol):
    """Both reads; they raise what the client raises."""

    async def nearest(self, legs: Sequence[Near], payload: Sequence[str]) -> list[list[Point]]: ...

    async def retrieve(self, ids: Sequence[str], payload: Sequence[str]) -> list[Point]: ...


def wire_of(client: AsyncQdrantClient, collection: str) -> Wire:
    """Return the short way where the client speaks to a server, and its own way where it holds the points itself."""
    try:
        return RestWire(client.http.client, collection)
    except NotImplementedError:
        return LocalWire(client, collection)


class RestWire:
    """Plain JSON to a server. All legs go in one request, and Qdrant runs them side by side."""

    def __init__(self, api: Any, collection: str) -> None:
        self._api, self._parameters = api, {"collection_name": collection}

    async def nearest(self, legs: Sequence[Near], payload: Sequence[str]) -> list[list[Point]]:
        """Return the points of each leg, in the order of the legs."""
        found = await self._post("/points/query/batch", {"searches": [_asked(leg, payload) for leg in legs]})
        return [_points(leg["points"]) for leg in found]

    async def retrieve(self, ids: Sequence[str], payload: Sequence[str]) -> list[Point]:
        """Return those of the points that exist, in no order."""
        body = {"ids": list(ids), "with_payload": list(payload), "with_vector": False}
        return _points(await self._post("/points", body))

    async def _post(self, path: str, body: dict[str, Any]) -> Any:
        url = "/collections/{collection_name}" + path
        answer = await self._api.request(
            type_=Any, method="POST", url=url, path_params=self._parameters, headers=_JSON, content=to_json(body)
        )
        return answer["result"]


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
                with_payload=list(payload),
            )  # fmt: skip
            found.append([Point(str(point.id), point.payload or {}, point.score) for point in answer.points])
        return found

    async def retrieve(self, ids: Sequence[str], payload: Sequence[str]) -> list[Point]:
        """Return those of the points that exist, in no order."""
        points = await self._client.retrieve(self._collection, list(ids), with_payload=list(payload))
        return [Point(str(point.id), point.payload or {}) for point in points]


def _asked(leg: Near, payload: Sequence[str]) -> dict[str, Any]:
    vector = leg.vector
    sparse = isinstance(vector, models.SparseVector)
    query = {"indices": vector.indices, "values": vector.values} if sparse else list(vector)
    where = leg.where.model_dump(exclude_none=True)
    return {"query": query, "using": leg.using, "filter": where, "limit": leg.limit, "with_payload": list(payload)}


def _points(rows: Sequence[Mapping[str, Any]]) -> list[Point]:
    return [Point(str(row["id"]), row.get("payload") or {}, row.get("score", 0.0)) for row in rows]
