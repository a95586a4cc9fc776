"""Reads of the index over REST: what the answers of Qdrant turn into."""

import httpx
import pytest
from coderag_rag.query.guard import DependencyDown
from coderag_rag.query.manifest import NothingIndexed
from coderag_rag.query.reader import IndexReader, IndexRefused
from coderag_rag.store.filters import both, field
from qdrant_client import AsyncQdrantClient


async def read(answer):
    client = AsyncQdrantClient(
        url="http://qdrant:6333", check_compatibility=False, transport=httpx.MockTransport(answer)
    )
    try:
        return await IndexReader(client).nearest([1.0], "dense", both(field("kind", "chunk")), 3)
    finally:
        await client.close()


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
