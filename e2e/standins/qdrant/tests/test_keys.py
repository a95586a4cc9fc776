"""Keys and the routes about the server itself."""

from collections.abc import Callable
from typing import Any

import pytest
from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import UnexpectedResponse

from e2e.standins.qdrant.tests.conftest import VECTORS, Server

pytestmark = pytest.mark.services


@pytest.mark.parametrize("path", ["/", "/healthz", "/readyz", "/livez"])
def test_health_needs_no_key(server: Server, path: str) -> None:
    with server.http() as http:
        assert http.get(path).status_code == 200


@pytest.mark.parametrize("path", ["/metrics", "/telemetry", "/collections", "/collections/x/points/1", "/aliases"])
def test_everything_else_needs_one(server: Server, path: str) -> None:
    with server.http() as http:
        assert http.get(path).status_code == 401
        assert http.get(path, headers={"api-key": "wrong"}).status_code == 401
        assert http.get(path, headers={"authorization": "Bearer wrong"}).status_code == 401


@pytest.mark.parametrize("kind", ["full", "read_only"])
def test_a_key_is_taken_from_either_header(server: Server, kind: str) -> None:
    key = getattr(server, kind)
    for header in ({"api-key": key}, {"authorization": f"Bearer {key}"}):
        with server.http(**header) as http:
            assert http.get("/collections").status_code == 200
            assert "app_info" in http.get("/metrics").text


WRITES: list[Callable[[QdrantClient, str], Any]] = [
    lambda c, n: c.create_collection(n + "-new", vectors_config=VECTORS),
    lambda c, n: c.delete_collection(n),
    lambda c, n: c.upsert(n, [models.PointStruct(id=2, vector={})]),
    lambda c, n: c.delete(n, [1]),
    lambda c, n: c.set_payload(n, {"a": 1}, points=[1]),
    lambda c, n: c.overwrite_payload(n, {"a": 1}, points=[1]),
    lambda c, n: c.delete_payload(n, ["kind"], points=[1]),
    lambda c, n: c.clear_payload(n, points_selector=[1]),
    lambda c, n: c.update_vectors(n, [models.PointVectors(id=1, vector={"dense": [1.0, 0.0, 0.0, 0.0]})]),
    lambda c, n: c.create_payload_index(n, "kind", models.PayloadSchemaType.KEYWORD),
    lambda c, n: c.delete_payload_index(n, "kind"),
    lambda c, n: c.update_collection_aliases([]),
]


@pytest.mark.parametrize("write", WRITES)
def test_the_read_only_key_writes_nothing(
    server: Server, client: QdrantClient, collection: str, write: Callable[[QdrantClient, str], Any]
) -> None:
    client.upsert(collection, [models.PointStruct(id=1, vector={}, payload={"kind": "kept"})])
    reader = server.client(server.read_only)
    with pytest.raises(UnexpectedResponse) as caught:
        write(reader, collection)
    assert caught.value.status_code == 403
    (found,), _ = client.scroll(collection)
    assert found.payload == {"kind": "kept"}
    reader.close()


def test_the_read_only_key_reads_everything(server: Server, client: QdrantClient, collection: str) -> None:
    client.upsert(collection, [models.PointStruct(id=1, vector={"dense": [1.0, 0.0, 0.0, 0.0]})])
    reader = server.client(server.read_only)
    assert reader.collection_exists(collection)
    assert reader.get_collection(collection).points_count == 1
    assert reader.count(collection).count == 1
    assert [found.id for found in reader.retrieve(collection, [1])] == [1]
    assert [found.id for found in reader.scroll(collection)[0]] == [1]
    query = models.QueryRequest(query=[1.0, 0.0, 0.0, 0.0], using="dense")
    assert [hit.id for hit in reader.query_points(collection, query=[1.0, 0.0, 0.0, 0.0], using="dense").points] == [1]
    assert len(reader.query_batch_points(collection, [query])) == 1
    reader.close()
