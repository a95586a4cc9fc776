"""Reads of the index over REST: what the answers of Qdrant turn into."""

import json

import httpx
import pytest
from coderag_rag.clients.qdrant import connect
from coderag_rag.query.chunk import Chunk, Found
from coderag_rag.query.guard import DependencyDown
from coderag_rag.query.known import KnownChunks
from coderag_rag.query.manifest import NothingIndexed
from coderag_rag.query.reader import IndexReader, IndexRefused
from coderag_rag.query.wire import Near
from coderag_rag.store.filters import both, field
from qdrant_client import models


async def over(answer, use, known=None):
    client = connect("http://qdrant:6333", "key", transport=httpx.MockTransport(answer))
    try:
        return await use(IndexReader(client, known=known))
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


PAYLOAD = {"blob": "b", "start_line": 1, "end_line": 2, "symbols": ["x"], "language": "python", "text_sha256": "s"}
WHOLE = ["blob", "start_line", "end_line", "symbols", "within", "language", "text", "text_sha256"]
LEGS = [
    Near([0.5], "dense", both(field("kind", "chunk")), 9),
    Near(models.SparseVector(indices=[3], values=[1.0]), "keyword", both(), 4),
]
KIND = {"key": "kind", "match": {"value": "chunk"}}
ASKED = [
    {"query": [0.5], "using": "dense", "filter": {"must": [KIND]}, "limit": 9},
    {"query": {"indices": [3], "values": [1.0]}, "using": "keyword", "filter": {"must": []}, "limit": 4},
]


class Server:
    """A Qdrant of one collection: the first leg finds every point, the second none."""

    def __init__(self, **payloads):
        self.payloads, self.asked = payloads, []

    def __call__(self, request):
        body = json.loads(request.content)
        self.asked.append((request.url.path.removeprefix("/collections/code-live"), body))
        return httpx.Response(200, json={"result": self.result(body), "status": "ok", "time": 0})

    def result(self, body):
        if "ids" in body:
            return [{"id": one, "payload": self.payloads[one]} for one in body["ids"] if one in self.payloads]
        with_payload = body["searches"][0]["with_payload"]
        rows = [{"id": one, "version": 1, "score": 0.5} for one in self.payloads]
        return [{"points": [row | {"payload": self.payloads[row["id"]]} if with_payload else row for row in rows]},
                {"points": []}]  # fmt: skip


def all_known(**chunks):
    known = KnownChunks(10_000)
    known.keep("code-live", {"b"})
    assert known.add("code-live", chunks)
    known.complete = True
    return known


async def test_all_legs_go_in_one_request_with_their_filters_and_bring_texts():
    server = Server(u=PAYLOAD)
    found = await over(server, lambda reader: reader.all_nearest(LEGS))
    assert found == [[Found("u", Chunk.of(PAYLOAD), 0.5)], []]
    searches = [{**one, "with_payload": WHOLE} for one in ASKED]
    assert server.asked == [("/points/query/batch", {"searches": searches})]


async def test_of_chunks_that_are_known_only_the_ids_are_asked_for():
    server, known = Server(u=PAYLOAD), all_known(u=Chunk.of(PAYLOAD))
    found = await over(server, lambda reader: reader.all_nearest(LEGS), known)
    assert found == [[Found("u", Chunk.of(PAYLOAD), 0.5)], []]
    searches = [{**one, "with_payload": False} for one in ASKED]
    assert server.asked == [("/points/query/batch", {"searches": searches})]


async def test_a_chunk_that_was_written_since_is_read_once_and_then_known():
    server, known = Server(u=PAYLOAD, new=PAYLOAD), all_known(u=Chunk.of(PAYLOAD))
    for requests in (2, 3):
        [first, _] = await over(server, lambda reader: reader.all_nearest(LEGS), known)
        assert [one.id for one in first] == ["u", "new"]
        assert len(server.asked) == requests
    assert server.asked[1] == ("/points", {"ids": ["new"], "with_payload": WHOLE, "with_vector": False})


async def test_a_chunk_that_went_away_between_both_requests_is_left_out():
    server = Server(u=PAYLOAD, gone=None)
    [first, _] = await over(server, lambda reader: reader.all_nearest(LEGS), all_known(u=Chunk.of(PAYLOAD)))
    assert [one.id for one in first] == ["u"]


async def test_chunks_of_another_collection_are_not_used():
    server, known = Server(u=PAYLOAD), all_known(u=Chunk.of(PAYLOAD))
    known.collection = "code-other"
    await over(server, lambda reader: reader.all_nearest(LEGS), known)
    assert server.asked[0][1]["searches"][0]["with_payload"] == WHOLE


async def test_what_does_not_fit_into_memory_is_found_all_the_same():
    known = KnownChunks(0)
    known.complete, known.collection = True, "code-live"
    [first, _] = await over(Server(u=PAYLOAD), lambda reader: reader.all_nearest(LEGS), known)
    assert (first, len(known)) == ([Found("u", Chunk.of(PAYLOAD), 0.5)], 0)


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
