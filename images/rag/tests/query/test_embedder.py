"""Query vectors: only of the model that built the index, and never waited for longer than a search can."""

import asyncio
import json
from dataclasses import asdict

import httpx
import pytest
from coderag_rag.clients.embedding import EmbeddingClient
from coderag_rag.query.analysis import analyse
from coderag_rag.query.effort import Patience
from coderag_rag.query.embedder import IndexEmbedder
from coderag_rag.query.guard import Breaker, DependencyDown
from coderag_rag.query.lexicon import Lexicon
from coderag_rag.query.manifest import Manifest, Snapshot
from coderag_rag.store.schema import HeadPayload

LEXICON = Lexicon({"토큰": "token"})


class Embedder(IndexEmbedder):
    """Asked for the index that is live in the moment of the query."""

    async def embed(self, text="retry", optional=5.0):
        return await self.embed_query(analyse(text, LEXICON), self._snapshot(), Patience(10.0, optional).begin())


def embedder(embedding):
    return Embedder(client(embedding), Breaker("embedding"), Snapshot)


async def test_a_query_is_embedded_as_a_query_by_the_running_model(embedding):
    made = embedder(embedding)
    await made.look()
    assert len(await made.embed()) == 8
    assert embedding.queries == [{"model": "tiny", "input": ["retry"], "input_type": "query"}]


@pytest.mark.parametrize(("multilingual", "asked"), [(False, "token ?"), (True, "토큰은?"), (None, "토큰은?")])
async def test_a_model_that_knows_english_only_is_asked_in_english(embedding, multilingual, asked):
    embedding.multilingual = multilingual
    made = embedder(embedding)
    await made.look()
    await made.embed("토큰은?")
    assert embedding.queries[0]["input"] == [asked]


async def test_which_languages_a_model_knows_changes_no_identity(embedding):
    before, embedding.multilingual = await client(embedding).model(), False
    assert await client(embedding).model() == before


async def test_before_the_model_is_known_there_is_no_vector(embedding):
    made = embedder(embedding)
    assert (made.identity, made.compatible) == (None, None)
    with pytest.raises(DependencyDown, match="not contacted yet"):
        await made.embed()


async def test_a_service_that_is_down_is_named(embedding):
    made = embedder(embedding)
    await made.look()
    embedding.down = True
    with pytest.raises(DependencyDown, match=r"embedding: .*not reachable"):
        await made.embed()
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
        await made.embed(optional=0.01)


async def test_an_overloaded_service_says_when_to_come_back():
    made = embedder(lambda _request: httpx.Response(429, headers={"retry-after": "9"}))
    with pytest.raises(DependencyDown) as caught:
        await made.look()
    assert caught.value.retry_after == 9


def server(model):
    row = {"id": model, "revision": "r", "dimensions": 8, "max_tokens": 9, "pooling": "mean", "precision": "fp32"}

    def answer(request):
        if request.url.path == "/v1/embeddings":
            return httpx.Response(200, json={"data": [{"index": 0, "embedding": [len(model)] * 8}]})
        return httpx.Response(200, json={"data": [row | {"query_prompt": None, "passage_prompt": None}]})

    return answer


def client(answer):
    return EmbeddingClient("http://embedding", "k", transport=httpx.MockTransport(answer))


async def built_by(model, **changes):
    described = asdict(await client(server(model)).model())
    head = HeadPayload(
        "app", "main", "c", 1, 1, 1, 1, 1, "t", f"another chunker, {model}", [], model=described | changes
    )
    return lambda: Snapshot.of([Manifest.build(head, [])])


@pytest.mark.parametrize(("built", "vector"), [("old", [3] * 8), ("wanted", [6] * 8)])
async def test_of_two_services_the_one_that_built_the_live_index_is_asked(built, vector):
    snapshot = await built_by(built)
    made = Embedder(client(server("wanted")), Breaker("embedding"), snapshot, client(server("old")))
    await made.look()
    assert made.compatible is True
    assert await made.embed() == vector


async def test_the_former_service_is_asked_while_the_wanted_one_is_down():
    down = client(lambda _request: httpx.Response(503))
    made = Embedder(down, Breaker("embedding"), await built_by("old"), client(server("old")))
    await made.look()
    assert await made.embed() == [3] * 8
    lost = Embedder(down, Breaker("embedding"), await built_by("old"), client(server("third")))
    with pytest.raises(DependencyDown):
        await lost.look()


async def test_an_index_that_neither_has_built_is_searched_without_vectors():
    made = Embedder(
        client(server("wanted")), Breaker("embedding"), await built_by("old", revision="r0"), client(server("old"))
    )
    await made.look()
    assert made.compatible is False
    with pytest.raises(DependencyDown, match="built by another model"):
        await made.embed()


class Replaced:
    """A service whose pods are replaced by ones with another model; it refuses requests for any but its own."""

    def __init__(self, model):
        self.model = model

    async def __call__(self, request):
        if request.url.path != "/v1/embeddings":
            return server(self.model)(request)
        asked = json.loads(request.content)["model"]
        return server(self.model)(request) if asked == self.model else httpx.Response(404, json={})


async def test_a_query_that_meets_the_replacement_of_a_service_asks_the_one_beside_it():
    wanted = Replaced("old")
    made = Embedder(client(wanted), Breaker("embedding"), await built_by("old"), client(Replaced("old")))
    await made.look()
    wanted.model = "wanted"
    assert await made.embed() == [3] * 8


async def test_a_query_that_meets_the_replacement_of_the_index_asks_for_its_model():
    live = await built_by("old")
    made = Embedder(client(Replaced("wanted")), Breaker("embedding"), lambda: live(), client(Replaced("old")))
    await made.look()
    live = await built_by("wanted", revision="r")
    assert await made.embed() == [6] * 8


async def test_a_service_that_refuses_for_good_is_asked_once():
    asked = []

    def refuses(request):
        asked.append(request.url.path)
        return httpx.Response(401) if request.url.path == "/v1/embeddings" else server("old")(request)

    made = Embedder(client(refuses), Breaker("embedding"), await built_by("old"))
    await made.look()
    with pytest.raises(DependencyDown, match="401"):
        await made.embed()
    assert asked.count("/v1/embeddings") == 1


async def test_a_lost_model_of_the_index_is_said_when_no_service_is_left_with_it():
    only = Replaced("old")
    made = Embedder(client(only), Breaker("embedding"), await built_by("old"))
    await made.look()
    only.model = "wanted"
    with pytest.raises(DependencyDown, match="404"):
        await made.embed()
    with pytest.raises(DependencyDown, match="built by another model"):
        await made.embed()


class Overlapping(Replaced):
    """A service in the seconds in which it has pods of both models: one tells its model, the other one answers."""

    async def __call__(self, request):
        return await (super().__call__(request) if "embeddings" in request.url.path else Replaced("old")(request))


async def test_while_pods_of_both_models_answer_for_the_wanted_one_the_one_before_is_asked():
    former = client(Replaced("old"))
    made = Embedder(client(Overlapping("wanted")), Breaker("embedding"), await built_by("old"), former)
    await made.look()
    assert await made.embed() == [3] * 8


async def test_a_service_that_was_not_seen_yet_is_found_where_the_other_one_refuses():
    former = Down()
    made = Embedder(client(Overlapping("wanted")), Breaker("embedding"), await built_by("old"), client(former))
    await made.look()
    former.answer = Replaced("old")
    assert await made.embed() == [3] * 8


class Down:
    """A service that cannot be reached, until it is given an answer."""

    answer = None

    async def __call__(self, request):
        if self.answer is None:
            raise httpx.ConnectError("refused")
        return await self.answer(request)


async def test_a_former_service_that_has_gone_costs_no_vector_where_the_wanted_one_has_the_model():
    former = Down()
    former.answer = Replaced("old")
    made = Embedder(client(Replaced("old")), Breaker("embedding"), await built_by("old"), client(former))
    await made.look()
    former.answer = None
    assert await made.embed() == [3] * 8
    await made.look()


async def test_a_silent_service_does_not_hide_the_other_one(monkeypatch):
    async def silent(_request):
        await asyncio.Event().wait()

    monkeypatch.setattr("coderag_rag.query.embedder._LOOK_SECONDS", 0.01)
    made = Embedder(client(Replaced("old")), Breaker("embedding"), await built_by("old"), client(silent))
    await made.look()
    assert await made.embed() == [3] * 8
    alone = Embedder(client(silent), Breaker("embedding"), await built_by("old"))
    with pytest.raises(DependencyDown, match="no answer in time"):
        await alone.look()


async def test_a_query_over_an_index_that_was_replaced_meanwhile_asks_for_the_model_of_that_one():
    old, live = await built_by("old"), await built_by("wanted")
    made = Embedder(client(Replaced("wanted")), Breaker("embedding"), live, client(Replaced("old")))
    await made.look()
    effort = Patience(10.0, 5.0).begin()
    assert await made.embed_query(analyse("retry"), old(), effort) == [3] * 8
    assert await made.embed_query(analyse("retry"), live(), effort) == [6] * 8
