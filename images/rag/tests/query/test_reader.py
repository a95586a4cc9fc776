"""Reads of the index over REST: what the answers of Qdrant turn into."""

import json

import httpx
import pytest
from coderag_rag.query.guard import DependencyDown
from coderag_rag.query.manifest import NothingIndexed
from coderag_rag.query.reader import IndexReader, IndexRefused
from coderag_rag.query.wire import Near, Point
from coderag_rag.store.filters import both, field
from qdrant_client import AsyncQdrantClient, models


async def over(answer, use):
    client = AsyncQdrantClient(
        url="http://qdrant:6333",
        check_compatibility=False,
        transport=httpx.MockTransport(answer),
        headers={"api-key": "key"},
    )
    try:
        return await use(IndexReader(client))
    finally:
        await client.close()


async def read(answer):
    return await over(answer, lambda reader: reader.nearest([1.0], "dense", both(field("kind", "chunk")), 3))


def answering(status, **more):
    return lambda _request: httpx.Response(status, **more)


def raising(error):
    def answer(_request):
        raise error

    return answer


@pytest.mark.parametrize(
    ("answer", "error", "text"),
    [
        (raising(httpx.ConnectError("refused")), DependencyDown, r"not reachable \(ConnectError\)"),
        (raising(httpx.RemoteProtocolError("cut")), DependencyDown, "not reachable"),
        (raising(httpx.ReadTimeout("slow")), DependencyDown, "no answer in time"),
        (answering(503, text="starting"), DependencyDown, "answered 503"),
        (answering(403, text="no"), DependencyDown, "QDRANT_API_KEY"),
        (answering(404, text="no collection"), NothingIndexed, "^$"),
        (answering(400, text="expected dim: 384, got 1"), IndexRefused, "expected dim"),
    ],
)
async def test_an_error_says_whether_trying_again_can_help(answer, error, text):
    with pytest.raises(error, match=text):
        await read(answer)


async def test_only_a_failed_connection_is_worth_an_immediate_retry():
    for error, expected in ((httpx.ConnectError("refused"), True), (httpx.ReadTimeout("slow"), False)):
        with pytest.raises(DependencyDown) as caught:
            await read(raising(error))
        assert caught.value.unreachable is expected


async def test_a_missing_vector_name_is_a_refusal(index):
    with pytest.raises((IndexRefused, NothingIndexed)):
        await IndexReader(index.client).nearest([1.0] * 8, "no-such-vector", both(field("kind", "chunk")), 3)


async def test_heads_are_read_through_as_many_pages_as_there_are(index, monkeypatch):
    monkeypatch.setattr("coderag_rag.query.reader._HEADS_AT_ONCE", 2)
    for n in range(5):
        await index.add_head(f"r{n}", 1, 0, 0)
    assert sorted(head.repository for head in await IndexReader(index.client).heads()) == [f"r{n}" for n in range(5)]


async def test_a_chunk_that_is_gone_has_no_text(index, corpus):
    assert await IndexReader(index.client).texts(["00000000-0000-0000-0000-000000000000"]) == {}


async def test_all_legs_go_in_one_request_with_their_filters_and_bring_texts():
    asked = []

    def answer(request):
        asked.append((request.url.path, json.loads(request.content)))
        rows = [
            {"id": 7, "version": 1, "score": 0.5, "payload": {"blob": "b"}},
            {"id": "u", "version": 1, "score": 0.4},
        ]
        return httpx.Response(200, json={"result": [{"points": rows}, {"points": []}], "status": "ok", "time": 0})

    words = models.SparseVector(indices=[3], values=[1.0])
    legs = [Near([0.5], "dense", both(field("kind", "chunk")), 9), Near(words, "keyword", both(), 4)]
    found = await over(answer, lambda reader: reader.all_nearest(legs))
    assert found == [[Point("7", {"blob": "b"}, 0.5), Point("u", {}, 0.4)], []]
    [(path, body)] = asked
    assert path == "/collections/code-live/points/query/batch"
    whole = ["blob", "start_line", "end_line", "symbols", "within", "language", "text", "text_sha256"]
    kind = {"key": "kind", "match": {"value": "chunk"}}
    first = {"query": [0.5], "using": "dense", "filter": {"must": [kind]}, "limit": 9, "with_payload": whole}
    second = {"query": {"indices": [3], "values": [1.0]}, "using": "keyword", "filter": {"must": []}, "limit": 4}
    assert body == {"searches": [first, {**second, "with_payload": whole}]}


async def test_texts_are_asked_for_by_id_and_come_without_vectors():
    asked = []

    def answer(request):
        asked.append((request.url.path, json.loads(request.content), request.headers["api-key"]))
        rows = [
            {"id": "u", "payload": {"text": "t", "text_sha256": "s"}, "vector": None},
            {"id": "gone", "payload": None},
        ]
        return httpx.Response(200, json={"result": rows, "status": "ok", "time": 0})

    assert await over(answer, lambda reader: reader.texts(["u", "gone"])) == {"u": ("t", "s")}
    body = {"ids": ["u", "gone"], "with_payload": ["text", "text_sha256"], "with_vector": False}
    assert asked == [("/collections/code-live/points", body, "key")]


async def test_no_legs_are_no_request():
    assert await over(raising(AssertionError("asked")), lambda reader: reader.all_nearest([])) == []
