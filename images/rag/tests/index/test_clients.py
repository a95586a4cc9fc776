"""Clients and calls: what is worth trying again, what is not, and what the error says."""

import httpx
import pytest
from coderag_rag.clients.embedding import EmbeddingClient, EmbeddingRefused, EmbeddingUnavailable
from coderag_rag.clients.qdrant import connect
from coderag_rag.identity import index_identity
from coderag_rag.ingestion.embedder import Embedder
from coderag_rag.retry import RetryPolicy
from coderag_rag.store.calls import Calls, StoreError, StoreRefused, StoreUnavailable
from coderag_rag.store.collection import ensure_collection
from coderag_rag.store.schema import INDEXED_FIELDS
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse


async def test_vectors_come_back_in_the_order_of_the_texts(bench):
    client = bench.embedding.client()
    answer = await client.embed(["a", "b"], "fake", "passage")
    assert answer.vectors == [bench.embedding.vector("a"), bench.embedding.vector("b")]
    await client.alive()
    await client.aclose()


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_an_overloaded_service_is_worth_another_try(bench, status):
    bench.embedding.refuse = httpx.Response(status, headers={"retry-after": "7"}, text="busy")
    with pytest.raises(EmbeddingUnavailable, match=f"answered {status}: busy") as caught:
        await bench.embedding.client().embed(["a"], "fake", "query")
    assert caught.value.retry_after == 7


async def test_a_service_that_is_not_there_is_worth_another_try():
    client = EmbeddingClient("http://127.0.0.1:1", None, 1)
    with pytest.raises(EmbeddingUnavailable, match="not reachable: ConnectError"):
        await client.alive()
    await client.aclose()


async def test_a_refused_key_is_final(bench):
    bench.embedding.refuse = httpx.Response(401, text="no")
    with pytest.raises(EmbeddingRefused, match="answered 401"):
        await bench.embedding.client().model()


@pytest.mark.parametrize("body", [{}, {"data": []}, {"data": [{"id": "x"}]}])
async def test_an_incomplete_model_description_is_refused(bench, body):
    bench.embedding.refuse = httpx.Response(200, json=body)
    with pytest.raises(EmbeddingRefused, match="/v1/models lacks"):
        await bench.embedding.client().model()


async def test_too_few_vectors_are_refused(bench):
    bench.embedding.refuse = httpx.Response(200, json={"data": []})
    with pytest.raises(EmbeddingRefused, match="0 vectors for 1 texts"):
        await bench.embedding.client().embed(["a"], "fake", "query")


async def test_embedding_is_tried_again_in_batches(bench):
    tries = []

    def flaky(request):
        tries.append(request)
        return httpx.Response(503) if len(tries) % 2 else bench.embedding.handle(request)

    client = EmbeddingClient("http://embedding", None, transport=httpx.MockTransport(flaky))
    embedder = Embedder(client, RetryPolicy(3, 0, 0), "fake", 2)
    assert len(await embedder.embed(["a", "b", "c"])) == 3
    assert (len(tries), embedder.embedded) == (4, 3)


async def test_the_identity_follows_the_model(bench):
    client = bench.embedding.client()
    first = index_identity(await client.model())
    assert first == index_identity(await client.model())
    assert len(first) == 64
    bench.embedding.dimensions = 8
    assert index_identity(await client.model()) != first


async def test_qdrant_is_asked_without_compression_and_with_the_key():
    client = connect("http://127.0.0.1:1", "key", 0.2)
    headers = client._client.openapi_client.client._async_client.headers
    assert (headers["accept-encoding"], headers["api-key"]) == ("identity", "key")
    with pytest.raises(StoreUnavailable, match="Qdrant is not reachable: ConnectError"):
        await Calls(client, RetryPolicy(2, 0, 0))("get_collections")
    await client.close()


class Scripted:
    """A client whose calls end as listed."""

    def __init__(self, *outcomes):
        self.outcomes = list(outcomes)

    async def count(self):
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


def answered(status):
    return UnexpectedResponse(status, "", b"detail", httpx.Headers())


async def test_a_call_is_repeated_while_that_can_help():
    client = Scripted(answered(503), ResponseHandlingException(TimeoutError()), 5)
    assert await Calls(client, RetryPolicy(3, 0, 0))("count") == 5


async def test_the_last_failure_is_told():
    with pytest.raises(StoreUnavailable, match="Qdrant answered 500 to count: detail"):
        await Calls(Scripted(answered(500), answered(500)), RetryPolicy(2, 0, 0))("count")


async def test_a_refusal_is_not_repeated():
    client = Scripted(answered(403), 5)
    with pytest.raises(StoreRefused, match="Qdrant answered 403"):
        await Calls(client, RetryPolicy(3, 0, 0))("count")
    assert client.outcomes == [5]


async def test_every_filtered_field_has_an_index_and_dimensions_are_checked(bench):
    index = await bench.index()
    assert bench.qdrant.payload_indexes == list(INDEXED_FIELDS)
    with pytest.raises(StoreError, match="holds 32 dimensions and the model gives 5"):
        await ensure_collection(bench.call, index.collection, 5)


async def test_a_collection_that_vanished_is_made_again(bench):
    opener = bench.opener()
    index = await opener.current()
    writes = len(bench.qdrant.writes)
    assert await opener.current() is index
    assert len(bench.qdrant.writes) == writes
    await bench.qdrant.delete_collection(index.collection)
    again = await opener.current()
    assert await bench.qdrant.collection_exists(again.collection)
