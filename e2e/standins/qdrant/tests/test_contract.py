"""What this project needs of Qdrant's points and collections; judges the stand-in and a real server alike."""

import json
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from qdrant_client import AsyncQdrantClient, QdrantClient, models
from qdrant_client.http.exceptions import UnexpectedResponse

from e2e.standins.qdrant.tests.conftest import SPARSE, VECTORS, Server

pytestmark = pytest.mark.services


def field(key: str, value: Any) -> models.FieldCondition:
    return models.FieldCondition(key=key, match=models.MatchValue(value=value))


def point(number: int | str, payload: dict[str, Any] | None = None, **vectors: Any) -> models.PointStruct:
    return models.PointStruct(id=number, vector=vectors, payload=payload or {})


def read_payload(client: QdrantClient, collection: str, number: int | str) -> dict[str, Any] | None:
    found = client.retrieve(collection, [number])
    return found[0].payload if found else None


def status_of(call: Callable[[], Any]) -> tuple[int, str]:
    with pytest.raises(UnexpectedResponse) as caught:
        call()
    return caught.value.status_code or 0, caught.value.content.decode()


# Collections and aliases


def test_a_collection_reports_what_it_was_made_with(client: QdrantClient) -> None:
    name = f"contract-{uuid.uuid4().hex[:12]}"
    client.create_collection(name, vectors_config=VECTORS, sparse_vectors_config=SPARSE, metadata={"identity": "abc"})
    info = client.get_collection(name)
    assert info.config.params.vectors == VECTORS
    assert info.config.params.sparse_vectors == SPARSE
    assert info.config.metadata == {"identity": "abc"}
    assert info.points_count == 0
    assert name in {found.name for found in client.get_collections().collections}
    client.update_collection(name, metadata={"more": 1})
    assert client.get_collection(name).config.metadata == {"identity": "abc", "more": 1}
    assert client.delete_collection(name)
    assert not client.collection_exists(name)
    assert not client.delete_collection(name)


def test_a_collection_is_not_made_twice(client: QdrantClient, collection: str) -> None:
    status, text = status_of(lambda: client.create_collection(collection, vectors_config=VECTORS))
    assert status == 409
    assert "already exists" in text


@pytest.mark.parametrize(
    "call",
    [
        lambda c: c.get_collection("absent"),
        lambda c: c.count("absent"),
        lambda c: c.upsert("absent", [point(1)]),
        lambda c: c.query_points("absent", query=[1.0] * 4, using="dense"),
    ],
)
def test_an_unknown_collection_is_a_404_that_names_it(client: QdrantClient, call: Callable[[Any], Any]) -> None:
    status, text = status_of(lambda: call(client))
    assert status == 404
    assert "`absent` doesn't exist" in text


def test_an_alias_is_a_second_name_and_moves_in_one_step(
    client: QdrantClient, make_collection: Callable[[], str]
) -> None:
    old, new, alias = make_collection(), make_collection(), f"alias-{uuid.uuid4().hex[:8]}"
    client.upsert(new, [point(1)])
    client.update_collection_aliases([create_alias(old, alias)])
    assert client.count(alias).count == 0
    client.update_collection_aliases([create_alias(new, alias)])
    assert client.count(alias).count == 1
    client.update_collection_aliases([delete_alias(alias), create_alias(old, alias)])
    assert client.count(alias).count == 0
    client.update_collection_aliases([create_alias(new, alias)])
    assert client.collection_exists(alias)
    assert [found.alias_name for found in client.get_collection_aliases(new).aliases] == [alias]
    assert (alias, new) in {(a.alias_name, a.collection_name) for a in client.get_aliases().aliases}
    renamed = models.RenameAlias(old_alias_name=alias, new_alias_name=alias + "-b")
    client.update_collection_aliases([models.RenameAliasOperation(rename_alias=renamed)])
    assert client.count(alias + "-b").count == 1
    client.delete_collection(new)
    assert not client.collection_exists(alias + "-b")


def create_alias(collection: str, alias: str) -> models.CreateAliasOperation:
    return models.CreateAliasOperation(create_alias=models.CreateAlias(collection_name=collection, alias_name=alias))


def delete_alias(alias: str) -> models.DeleteAliasOperation:
    return models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=alias))


def test_an_alias_action_that_cannot_be_is_refused_and_those_before_it_stay_done(
    client: QdrantClient, make_collection: Callable[[], str]
) -> None:
    collection, alias = make_collection(), f"alias-{uuid.uuid4().hex[:8]}"
    actions = [create_alias(collection, alias), create_alias("absent", "whole"), delete_alias(alias)]
    assert status_of(lambda: client.update_collection_aliases(actions))[0] == 404
    assert [found.alias_name for found in client.get_collection_aliases(collection).aliases] == [alias]
    assert not client.collection_exists("whole")


def test_an_alias_that_is_not_there_can_be_deleted_but_not_renamed(client: QdrantClient) -> None:
    assert client.update_collection_aliases([delete_alias("absent")])
    rename = models.RenameAlias(old_alias_name="absent", new_alias_name="present")
    action = models.RenameAliasOperation(rename_alias=rename)
    assert status_of(lambda: client.update_collection_aliases([action]))[0] == 404


def test_a_payload_index_shows_in_the_collection_until_it_is_dropped(client: QdrantClient, collection: str) -> None:
    client.create_payload_index(collection, "kind", models.PayloadSchemaType.KEYWORD)
    client.create_payload_index(collection, "n", models.IntegerIndexParams(type="integer", lookup=True, range=True))
    schema = client.get_collection(collection).payload_schema
    assert {name: index.data_type.value for name, index in schema.items()} == {"kind": "keyword", "n": "integer"}
    client.delete_payload_index(collection, "kind")
    assert set(client.get_collection(collection).payload_schema) == {"n"}


# Points


def test_points_come_back_as_they_were_written(client: QdrantClient, collection: str) -> None:
    name, payload = str(uuid.uuid4()), {"a": None, "text": "한국어", "list": [1, "x", {"deep": [1.5, True]}], "é": {}}
    sparse = models.SparseVector(indices=[3, 70000], values=[1.0, 2.5])
    client.upsert(collection, [point(name, payload, dense=[0.0, 3.0, 4.0, 0.0], keyword=sparse)])
    (found,) = client.retrieve(collection, [name, 999_999], with_vectors=True)
    assert (found.id, json.dumps(found.payload)) == (
        name,
        json.dumps(payload),
    )  # True and 1 are equal, but not the same
    assert found.vector["dense"] == pytest.approx([0.0, 0.6, 0.8, 0.0])
    assert found.vector["keyword"] == sparse


def test_a_point_needs_no_vector(client: QdrantClient, collection: str) -> None:
    name = str(uuid.uuid4())
    client.upsert(collection, [models.PointStruct(id=name, vector={}, payload={"kind": "head"})])
    (found,) = client.retrieve(collection, [name], with_vectors=True)
    assert found.payload == {"kind": "head"}
    assert found.vector == {}


def test_a_batch_by_columns_is_the_same_as_points(client: QdrantClient, collection: str) -> None:
    batch = models.Batch(ids=[50, 51], vectors={"dense": [[1, 0, 0, 0], [0, 1, 0, 0]]}, payloads=[{"n": 50}, {"n": 51}])
    client.upsert(collection, batch)
    assert [found.payload for found in client.retrieve(collection, [50, 51])] == [{"n": 50}, {"n": 51}]


def test_payload_is_read_by_key_where_asked(client: QdrantClient, collection: str) -> None:
    client.upsert(collection, [point(60, {"a": 1, "b": {"c": 2, "d": 3}, "e": 4})])

    def read(selector: Any) -> Any:
        return client.retrieve(collection, [60], with_payload=selector)[0].payload

    assert read(["a", "b.c"]) == {"a": 1, "b": {"c": 2}}
    assert read(models.PayloadSelectorInclude(include=["e"])) == {"e": 4}
    assert read(models.PayloadSelectorExclude(exclude=["b"])) == {"a": 1, "e": 4}
    assert not read(False)


def test_payload_keys_are_set_replaced_and_removed(client: QdrantClient, collection: str) -> None:
    client.upsert(collection, [point(70, {"a": 1, "b": 2}), point(71, {"mark": "seventy-one"})])
    client.set_payload(collection, {"b": 3, "c": {"x": 1}}, points=[70])
    client.set_payload(collection, {"y": 2}, points=[70], key="c")
    assert read_payload(client, collection, 70) == {"a": 1, "b": 3, "c": {"x": 1, "y": 2}}
    client.delete_payload(collection, ["a", "c"], points=[70])
    assert read_payload(client, collection, 70) == {"b": 3}
    client.overwrite_payload(collection, {"only": True}, points=[70])
    assert read_payload(client, collection, 70) == {"only": True}
    client.set_payload(collection, {"by": "filter"}, points=models.Filter(must=[field("mark", "seventy-one")]))
    assert read_payload(client, collection, 71) == {"mark": "seventy-one", "by": "filter"}
    client.clear_payload(collection, points_selector=[71])
    assert read_payload(client, collection, 71) == {}


def test_vectors_are_replaced_and_removed_without_the_payload(client: QdrantClient, collection: str) -> None:
    client.upsert(collection, [point(80, {"a": 1}, dense=[1.0, 0.0, 0.0, 0.0])])
    client.update_vectors(collection, [models.PointVectors(id=80, vector={"dense": [0.0, 1.0, 0.0, 0.0]})])
    (found,) = client.retrieve(collection, [80], with_vectors=True)
    assert (found.vector["dense"], found.payload) == ([0.0, 1.0, 0.0, 0.0], {"a": 1})
    client.delete_vectors(collection, ["dense"], points=[80])
    assert client.retrieve(collection, [80], with_vectors=True)[0].vector == {}


def test_points_are_deleted_by_id_and_by_filter(client: QdrantClient, collection: str) -> None:
    client.upsert(collection, [point(number, {"group": "doomed"}) for number in range(90, 95)])
    assert client.delete(collection, [90, 91]).status is models.UpdateStatus.COMPLETED
    chosen = models.Filter(must=[field("group", "doomed")])
    assert client.count(collection, chosen, exact=True).count == 3
    client.delete(collection, models.FilterSelector(filter=chosen))
    assert client.count(collection, chosen, exact=True).count == 0


def test_several_changes_travel_in_one_request(client: QdrantClient, collection: str) -> None:
    operations = [
        models.UpsertOperation(upsert=models.PointsList(points=[point(100, {"a": 1}), point(101)])),
        models.SetPayloadOperation(set_payload=models.SetPayload(payload={"b": 2}, points=[100])),
        models.DeleteOperation(delete=models.PointIdsList(points=[101])),
    ]
    assert len(client.batch_update_points(collection, operations)) == 3
    assert read_payload(client, collection, 100) == {"a": 1, "b": 2}
    assert read_payload(client, collection, 101) is None


@pytest.mark.parametrize(
    ("vectors", "word"),
    [({"dense": [1.0, 2.0]}, "expected dim: 4, got 2"), ({"nope": [1.0]}, "Not existing vector name error: nope")],
)
def test_a_vector_that_does_not_fit_is_refused_by_name(
    client: QdrantClient, collection: str, vectors: Any, word: str
) -> None:
    status, text = status_of(lambda: client.upsert(collection, [point(110, **vectors)]))
    assert status == 400
    assert word in text
    assert client.retrieve(collection, [110]) == []


def test_a_malformed_body_is_a_400_in_the_error_shape(server: Server, collection: str) -> None:
    with server.http(**{"api-key": server.full}) as http:
        for body in ({"points": [{"id": "no uuid", "vector": {}}]}, {"pints": []}, {"points": [{"id": -1}]}):
            answer = http.put(f"/collections/{collection}/points", json=body)
            assert answer.status_code == 400, body
            assert answer.json()["status"]["error"]


@pytest.mark.parametrize(
    ("route", "body"),
    [
        ("points/query/batch", b"{"),
        ("points/query/batch", b"[]"),
        ("points/query/batch", b'{"searches": 1}'),
        ("points/query/batch", b'{"searches": [{"query": [1, 0, 0, 0], "using": "dense", "limit": "many"}]}'),
        ("points/query/batch", b'{"searches": [{"query": [1, 0, 0, 0], "using": "dense", "filter": {"must": 3}}]}'),
        ("points", b'{"ids": 7}'),
        ("points", b"{}"),
    ],
)
def test_a_malformed_read_is_a_400_in_the_error_shape(server: Server, collection: str, route: str, body: bytes) -> None:
    with server.http(**{"api-key": server.full, "content-type": "application/json"}) as http:
        answer = http.post(f"/collections/{collection}/{route}", content=body)
    assert answer.status_code == 400
    assert answer.json()["status"]["error"]


def test_a_read_of_a_collection_that_does_not_exist_is_a_404(server: Server) -> None:
    with server.http(**{"api-key": server.full}) as http:
        for route, body in (("points/query/batch", {"searches": []}), ("points", {"ids": [1]})):
            answer = http.post(f"/collections/nowhere/{route}", json=body)
            assert answer.status_code == 404
            assert "nowhere" in answer.json()["status"]["error"]


# Scroll


def test_scroll_walks_every_point_once(client: QdrantClient, make_collection: Callable[[], str]) -> None:
    name = make_collection()
    ids = [*range(1, 21), *(str(uuid.uuid5(uuid.NAMESPACE_OID, str(n))) for n in range(13))]
    client.upsert(name, [point(number, {"n": position}) for position, number in enumerate(ids)])
    seen, offset = [], None
    while True:
        page, offset = client.scroll(name, limit=7, offset=offset, with_payload=["n"])
        seen += [found.id for found in page]
        if offset is None:
            break
    assert len(seen) == len(ids)
    assert set(seen) == set(ids)


def test_scroll_orders_by_an_indexed_field(client: QdrantClient, make_collection: Callable[[], str]) -> None:
    name = make_collection()
    client.upsert(name, [point(number, {"n": number * 7 % 10}) for number in range(10)])
    client.create_payload_index(name, "n", models.PayloadSchemaType.INTEGER)
    order = models.OrderBy(key="n", direction=models.Direction.DESC, start_from=8)
    page, _ = client.scroll(name, limit=3, order_by=order)
    assert [found.payload["n"] for found in page] == [8, 7, 6]


# Compare and set


def test_a_conditional_upsert_changes_only_what_it_expects(client: QdrantClient, collection: str) -> None:
    name = str(uuid.uuid4())
    expected = models.Filter(must=[field("generation", 1)])
    client.upsert(collection, [point(name, {"generation": 1})], update_filter=expected)  # absent: it is inserted
    client.upsert(collection, [point(name, {"generation": 2})], update_filter=expected)
    client.upsert(collection, [point(name, {"generation": 9})], update_filter=expected)
    assert read_payload(client, collection, name) == {"generation": 2}


def test_insert_only_and_update_only_keep_their_word(client: QdrantClient, collection: str) -> None:
    client.upsert(collection, [point(120, {"first": 1})], update_mode=models.UpdateMode.INSERT_ONLY)
    client.upsert(collection, [point(120, {"second": 1})], update_mode=models.UpdateMode.INSERT_ONLY)
    client.upsert(collection, [point(121)], update_mode=models.UpdateMode.UPDATE_ONLY)
    assert read_payload(client, collection, 120) == {"first": 1}
    assert client.retrieve(collection, [121]) == []


def test_of_eight_writers_with_one_expectation_each_round_has_one_winner(server: Server, collection: str) -> None:
    name, clients = str(uuid.uuid4()), [server.client() for _ in range(8)]
    clients[0].upsert(collection, [point(name, {"generation": 0, "won": []})])

    def bump(writer: int) -> int:
        wins = 0
        for generation in range(6):
            expected = models.Filter(must=[field("generation", generation)])
            head = point(name, {"generation": generation + 1, "writer": writer})
            clients[writer].upsert(collection, [head], update_filter=expected)
            stored = read_payload(clients[writer], collection, name) or {}
            wins += stored == head.payload
        return wins

    with ThreadPoolExecutor(8) as pool:
        total = sum(pool.map(bump, range(8)))
    assert read_payload(clients[0], collection, name)["generation"] == 6
    assert 1 <= total <= 6
    for client in clients:
        client.close()


# The asynchronous client


async def test_the_asynchronous_client_speaks_the_same(server: Server, collection: str) -> None:
    client = AsyncQdrantClient(url=server.url, headers={"api-key": server.full}, prefer_grpc=False)
    await client.upsert(collection, [point(130, {"kind": "async"}, dense=[0.0, 0.0, 0.0, 1.0])])
    answer = await client.query_points(
        collection,
        query=[0.0, 0.0, 0.0, 1.0],
        using="dense",
        limit=1,
        query_filter=models.Filter(must=[field("kind", "async")]),
        with_payload=True,
    )
    assert [(hit.id, hit.payload) for hit in answer.points] == [(130, {"kind": "async"})]
    await client.close()
