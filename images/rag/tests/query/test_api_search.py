"""POST /v1/search over HTTP."""


async def search(service, query, **more):
    return await service.http.post("/v1/search", json={"query": query, **more})


async def test_a_bare_symbol_finds_its_definition_first(service, served):
    answer = await search(service, "WorkQueue.retry")
    assert answer.status_code == 200
    body = answer.json()
    assert body["hits"][0]["path"] == "operator/engine/workqueue.py"
    assert (body["hits"][0]["start_line"], body["hits"][0]["end_line"]) == (1, 5)
    assert body["degraded"] == []
    assert body["repositories"] == [
        {"name": "app", "ref": "main", "commit": f"{1:040x}", "indexed_at": "2026-01-01T00:00:00Z"}
    ]


async def test_a_question_in_words_finds_the_code_before_its_test(service, served):
    hits = (await search(service, "retry with exponential backoff in the work queue")).json()["hits"]
    paths = [hit["path"] for hit in hits]
    assert paths.index("operator/engine/workqueue.py") < paths.index("operator/tests/test_workqueue.py")
    assert "operator/engine/workqueue.py" in paths[:3]
