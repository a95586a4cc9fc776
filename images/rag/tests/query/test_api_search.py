"""POST /v1/search over HTTP."""

import httpx
import pytest
from coderag_rag.query.guard import DependencyDown
from coderag_rag.query.reader import IndexReader


async def search(service, query, **more):
    return await service.http.post("/v1/search", json={"query": query, **more})


def paths(answer):
    return [hit["path"] for hit in answer.json()["hits"]]


async def test_a_bare_symbol_finds_its_definition_first(service, served):
    answer = await search(service, "WorkQueue.retry")
    assert answer.status_code == 200
    body = answer.json()
    assert body["hits"][0]["path"] == "operator/engine/workqueue.py"
    assert (body["hits"][0]["start_line"], body["hits"][0]["end_line"]) == (1, 4)
    assert body["hits"][0]["text"].startswith("class WorkQueue")
    assert body["degraded"] == []
    assert body["repositories"] == [
        {"name": "app", "ref": "main", "commit": f"{1:040x}", "indexed_at": "2026-01-01T00:00:00Z"}
    ]


async def test_a_question_in_words_finds_the_code_before_its_test(service, served):
    found = paths(await search(service, "retry with exponential backoff in the work queue"))
    assert found.index("operator/engine/workqueue.py") < found.index("operator/tests/test_workqueue.py")
    assert "operator/engine/workqueue.py" in found[:3]


@pytest.fixture
def usual(usual, tmp_path):
    """A lexicon, as the image has one."""
    file = tmp_path / "korean.tsv"
    file.write_text("작업\twork\n대기\tqueue\n재시도\tretry\n", encoding="utf-8")
    return usual | {"KOREAN_LEXICON": str(file)}


async def test_a_korean_question_finds_code_in_english(service, served, embedding):
    answer = await search(service, "작업 대기열은 언제 재시도하나요")
    assert answer.json()["query_class"] == "korean"
    assert paths(answer)[0] == "operator/engine/workqueue.py"
    assert embedding.queries[-1]["input"] == ["작업 대기열은 언제 재시도하나요"]  # this model may know Korean


async def test_a_korean_question_finds_korean_comments_by_their_own_words(service, served, make_file, look):
    korean = make_file("app/pay.py", "def settle():\n    # 카드 결제를 취소한다\n    undo()\n", ("settle",))
    await served.serve("pay", korean)
    await look()
    assert paths(await search(service, "카드 결제 취소와 재시도"))[0] == "app/pay.py"


async def test_a_query_without_any_word_is_answered_by_meaning_alone(service, served):
    assert len((await search(service, "???")).json()["hits"]) == 4


async def test_a_chunk_that_no_manifest_names_is_never_returned(service, served, make_file, look):
    stale = make_file("stale.py", "class WorkQueue:\n    pass\n", ("WorkQueue",))
    await served.add_chunks("app", [stale])
    await look()
    assert "stale.py" not in paths(await search(service, "WorkQueue"))
    await served.serve("app", stale)
    await look()
    assert paths(await search(service, "WorkQueue")) == ["stale.py"]


async def test_a_blob_at_several_paths_is_one_hit_that_names_the_others(service, served, make_file, look, corpus):
    copy = make_file("copies/retry_queue.py", corpus["queue"].text, corpus["queue"].symbols)
    await served.serve("app", *corpus.values(), copy)
    await look()
    hit = (await search(service, "WorkQueue.retry copies")).json()["hits"][0]
    assert hit["path"] == "copies/retry_queue.py"
    assert [place["path"] for place in hit["also_at"]] == ["operator/engine/workqueue.py"]


async def test_a_part_of_a_long_definition_is_found_by_its_name_and_says_what_it_is_part_of(
    service, served, make_file, look
):
    rest = make_file("billing.py", "    total += tax\n    return total\n", start_line=40, within="Invoice.settle")
    await served.serve("app", rest)
    await look()
    [hit] = [hit for hit in (await search(service, "settle invoice")).json()["hits"] if hit["path"] == "billing.py"]
    assert (hit["symbols"], hit["within"]) == ([], "Invoice.settle")


async def test_filters_narrow_the_search(service, served, make_file, look):
    await served.serve(
        "web", make_file("web/queue.ts", "class WorkQueue { retry() {} }\n", ("WorkQueue",), "typescript")
    )
    await look()
    assert paths(await search(service, "work queue", repositories=["web"])) == ["web/queue.ts"]
    assert paths(await search(service, "work queue", languages=["TypeScript"])) == ["web/queue.ts"]
    assert paths(await search(service, "work queue", paths=["docs/**"])) == ["docs/queue.md"]
    assert paths(await search(service, "work queue", paths=["nowhere/**"])) == []
    assert (await search(service, "work queue", repositories=["web"])).json()["repositories"][0]["name"] == "web"


async def test_many_matching_paths_are_filtered_without_a_list_of_blobs(service, served, monkeypatch):
    monkeypatch.setattr("coderag_rag.query.scope._MOST_BLOBS", 0)
    assert paths(await search(service, "work queue", paths=["*.md"])) == ["docs/queue.md"]


async def test_the_limit_is_kept(service, served):
    assert len((await search(service, "queue", limit=2)).json()["hits"]) == 2


async def test_without_embedding_the_search_answers_and_says_so(service, served, embedding, look):
    embedding.down = True
    answer = await search(service, "WorkQueue.retry")
    assert answer.status_code == 200
    assert answer.json()["degraded"] == ["dense"]
    assert paths(answer)[0] == "operator/engine/workqueue.py"
    embedding.down = False
    await look()
    assert (await search(service, "WorkQueue.retry")).json()["degraded"] == []


async def test_vectors_of_another_model_are_not_compared(service, served, embedding, look):
    embedding.revision = "r2"
    await look()
    assert (await search(service, "retry")).json()["degraded"] == ["dense"]
    status = (await service.http.get("/v1/status")).json()
    assert status["index_compatible"] is False
    assert status["identity"] not in status["index_identities"]


async def test_a_vector_that_qdrant_refuses_costs_only_its_leg(service, served, monkeypatch):
    async def embed_query(_text, _snapshot, _effort):
        return [1.0]

    monkeypatch.setattr(service.embedder, "embed_query", embed_query)
    assert (await search(service, "retry")).json()["degraded"] == ["dense"]


async def test_a_qdrant_that_is_down_is_503_at_once(service, served):
    service.breakers["qdrant"].trip("not reachable (ConnectError)")
    answer = await search(service, "retry")
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1
    error = answer.json()["error"]
    assert (error["code"], error["type"]) == ("qdrant_unavailable", "server_error")
    assert "not reachable" in error["message"]


async def test_a_search_that_takes_too_long_is_503(service, served, monkeypatch):
    async def all_nearest(*_arguments):
        raise TimeoutError

    monkeypatch.setattr(IndexReader, "all_nearest", all_nearest)
    answer = await search(service, "retry")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "qdrant_unavailable")


async def test_one_lost_connection_is_not_noticed_by_the_caller(service, served, monkeypatch):
    original, failed = IndexReader.all_nearest, []

    async def all_nearest(reader, legs):
        if not failed:
            failed.append(True)
            raise DependencyDown("qdrant", "not reachable", unreachable=True)
        return await original(reader, legs)

    monkeypatch.setattr(IndexReader, "all_nearest", all_nearest)
    assert (await search(service, "retry")).status_code == 200
    assert failed


async def test_before_anything_is_indexed_the_answer_is_409(service, look):
    await look()
    answer = await search(service, "retry")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "no_repository_indexed")


async def test_before_qdrant_was_reached_the_answer_is_503(service):
    assert (await search(service, "retry")).status_code == 503


async def test_an_unknown_repository_is_404_and_names_the_known_ones(service, served):
    answer = await search(service, "retry", repositories=["nope"])
    assert answer.status_code == 404
    error = answer.json()["error"]
    assert (error["code"], error["param"]) == ("repository_not_found", "repositories")
    assert "app" in error["hint"]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"query": "   "}, "query"),
        ({}, "query"),
        ({"query": "x", "limit": 0}, "limit"),
        ({"query": "x", "limit": 51}, "limit"),
        ({"query": "x", "lmit": 5}, "lmit"),
        ({"query": "x" * 20_001}, "query"),
        ({"query": "x", "paths": "a"}, "paths"),
    ],
)
async def test_bad_input_names_the_field(service, served, body, param):
    answer = await service.http.post("/v1/search", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"].split(".")[0] == param


@pytest.mark.parametrize("route", ["/v1/search", "/v1/ask", "/query", "/v1/chat/completions"])
async def test_no_route_that_spends_compute_answers_without_a_key(service, served, route):
    transport = httpx.ASGITransport(service.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://rag") as http:
        assert (await http.post(route, json={})).status_code == 401
        assert (await http.post(route, json={}, headers={"authorization": "Bearer wrong"})).status_code == 401
        assert (await http.get("/v1/repositories")).status_code == 401
