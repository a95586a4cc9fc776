"""Query vectors: only of the model that built the index, and never waited for longer than a search can."""

import asyncio

import httpx
import pytest
from coderag_rag.clients.embedding import EmbeddingClient
from coderag_rag.query.effort import Patience
from coderag_rag.query.embedder import IndexEmbedder
from coderag_rag.query.guard import Breaker, DependencyDown
from coderag_rag.query.manifest import Snapshot


def embedder(embedding):
    client = EmbeddingClient("http://embedding", "k", transport=httpx.MockTransport(embedding))
    return IndexEmbedder(client, Breaker("embedding"), Snapshot)


def effort(optional=5.0):
    return Patience(10.0, optional).begin()


async def test_a_query_is_embedded_as_a_query_by_the_running_model(embedding):
    made = embedder(embedding)
    await made.look()
    assert len(await made.embed_query("retry", effort())) == 8
    assert embedding.queries == [{"model": "tiny", "input": ["retry"], "input_type": "query"}]


async def test_before_the_model_is_known_there_is_no_vector(embedding):
    made = embedder(embedding)
    assert (made.identity, made.compatible) == (None, None)
    with pytest.raises(DependencyDown, match="not contacted yet"):
        await made.embed_query("retry", effort())


async def test_a_service_that_is_down_is_named(embedding):
    made = embedder(embedding)
    await made.look()
    embedding.down = True
    with pytest.raises(DependencyDown, match=r"embedding: .*not reachable"):
        await made.embed_query("retry", effort())
    with pytest.raises(DependencyDown):
        await made.look()


async def test_a_silent_service_costs_a_search_only_its_share():
    async def answer(request):
        if request.url.path == "/v1/embeddings":
            await asyncio.Event().wait()
        row = {"id": "m", "revision": "r", "dimensions": 8, "max_tokens": 9, "pooling": "mean", "precision": "fp32"}
        return httpx.Response(200, json={"data": [row | {"query_prompt": None, "passage_prompt": None}]})

    made = embedder(answer)
    await made.look()
    with pytest.raises(DependencyDown, match="no answer in time"):
        await made.embed_query("retry", effort(optional=0.01))


async def test_an_overloaded_service_says_when_to_come_back():
    made = embedder(lambda _request: httpx.Response(429, headers={"retry-after": "9"}))
    with pytest.raises(DependencyDown) as caught:
        await made.look()
    assert caught.value.retry_after == 9
