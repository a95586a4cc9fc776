"""GET /v1/spans and GET /v1/repositories/{name}/map."""

import pytest
from coderag_rag.api.access import permitted
from coderag_rag.query.access import EVERYTHING, Permit
from coderag_rag.query.cache import PermitCache
from coderag_rag.query.reader import IndexReader
from coderag_rag.store.schema import head_id

QUEUE = "operator/engine/workqueue.py"


async def span(service, **query):
    return await service.http.get("/v1/spans", params={"repository": "app", "path": QUEUE} | query)


async def outline(service, name="app", **query):
    return await service.http.get(f"/v1/repositories/{name}/map", params=query)


async def test_lines_are_those_of_the_file(service, served, corpus):
    answer = await span(service, start=2, end=3)
    body = answer.json()
    assert body["text"] == "".join(corpus["queue"].text.splitlines(keepends=True)[1:3])
    assert (body["start_line"], body["end_line"], body["total_lines"]) == (2, 3, 4)
    assert (body["repository"], body["ref"], body["commit"]) == ("app", "main", f"{1:040x}")
    assert (body["indexed_at"], body["degraded"], body["link"]) == ("2026-01-01T00:00:00Z", [], None)


async def test_a_span_ends_where_the_file_ends(service, served, corpus):
    for query in ({}, {"start": 1, "end": 400}):
        body = (await span(service, **query)).json()
        assert (body["text"], body["end_line"]) == (corpus["queue"].text, 4)


async def test_lines_between_chunks_are_empty(service, served, make_file, look, monkeypatch):
    monkeypatch.setattr(make_file, "blob", property(lambda _self: "b" * 40))
    await served.serve("app", make_file("a.py", "one\n"))
    await served.add_chunks("app", [make_file("a.py", "four\nfive", start_line=4)])
    await look()
    assert (await span(service, path="./a.py")).json()["text"] == "one\n\n\nfour\nfive"


async def test_a_text_that_is_not_what_was_indexed_is_left_out_and_told(service, index, corpus, look):
    await index.serve("app", *corpus.values())
    await index.add_chunks("app", [corpus["queue"]], sha256="0" * 64)
    await look()
    body = (await span(service)).json()
    assert (body["text"], body["degraded"]) == ("\n" * 4, ["text"])


@pytest.mark.parametrize(
    ("query", "status", "code", "param"),
    [
        ({"repository": "nope"}, 404, "repository_not_found", "repository"),
        ({"ref": "nope"}, 404, "ref_not_found", "ref"),
        ({"path": "nope.py"}, 404, "path_not_found", "path"),
        ({"path": "../../etc/passwd"}, 404, "path_not_found", "path"),
        ({"start": 5}, 416, "range_not_satisfiable", "start"),
        ({"start": 0}, 400, "invalid_value", "start"),
        ({"start": "x"}, 400, "invalid_value", "start"),
        ({"start": 3, "end": 2}, 400, "invalid_value", "end"),
        ({"start": 1, "end": 501}, 400, "invalid_value", "end"),
        ({"path": ""}, 400, "invalid_value", "path"),
    ],
)
async def test_what_cannot_be_read_is_told_by_field(service, served, query, status, code, param):
    answer = await span(service, **query)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (status, code, param)
    assert error["hint"]


async def test_a_wrong_folder_is_answered_with_the_right_one(service, served):
    assert (await span(service, path="engine/workqueue.py")).json()["error"]["hint"] == f"files of this name: {QUEUE}"


async def test_a_file_that_is_not_searchable_says_why(service, served, look):
    skipped = [{"path": "logo.png", "reason": "binary content"}]

    await served.client.set_payload(served.name, {"skipped": skipped, "fence": 9}, points=[head_id("app", "main")])
    await look()
    assert "binary content" in (await span(service, path="logo.png")).json()["error"]["message"]


async def test_of_several_refs_one_must_be_named(service, served, corpus, look):
    pages = await served.add_pages("app", [corpus["plan"]], 7, ref="next")
    await served.add_head("app", 7, pages, 1, ref="next")
    await look()
    answer = await span(service, path="operator/plan.py")
    assert (answer.status_code, answer.json()["error"]["hint"]) == (400, "name one of main, next")
    assert (await span(service, path="operator/plan.py", ref="next")).json()["commit"] == f"{7:040x}"


async def test_reading_needs_qdrant(service, served):
    service.breakers["qdrant"].trip("not reachable")
    for answer in (await span(service), await outline(service)):
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "qdrant_unavailable")


async def test_a_read_that_takes_too_long_is_503(service, served, monkeypatch):
    async def ranges(_reader, _blob):
        raise TimeoutError

    monkeypatch.setattr(IndexReader, "ranges", ranges)
    assert (await span(service)).status_code == 503


async def test_the_map_shows_folders_files_and_names(service, served):
    body = (await outline(service)).json()
    assert body["folders"][0] == {"path": "operator", "files": 3}
    assert {"path": "operator/engine", "files": 1} in body["folders"]
    assert body["files"][0] == {"path": "docs/queue.md", "language": "markdown", "symbols": []}
    assert {"path": QUEUE, "language": "python", "symbols": ["WorkQueue"]} in body["files"]
    assert body["symbols"][0] == {"name": "WorkQueue", "path": QUEUE, "line": 1, "members": 1}
    assert body["symbols"][-1]["path"] == "operator/tests/test_workqueue.py"
    assert (body["total_files"], body["complete"], body["degraded"], body["commit"]) == (4, True, [], f"{1:040x}")


async def test_the_map_of_a_folder_holds_that_folder_only(service, served):
    body = (await outline(service, folder="./operator/engine/")).json()
    assert [file["path"] for file in body["files"]] == [QUEUE]
    assert [symbol["name"] for symbol in body["symbols"]] == ["WorkQueue"]
    answer = await outline(service, folder="nowhere")
    assert (answer.status_code, answer.json()["error"]["param"]) == (404, "folder")


async def test_a_map_is_bounded_and_says_so(service, served, monkeypatch):
    body = (await outline(service, limit=1)).json()
    assert [len(body[name]) for name in ("folders", "files", "symbols")] == [1, 1, 1]
    assert (body["total_files"], body["complete"]) == (4, False)
    monkeypatch.setattr("coderag_rag.query.outline._MOST_CHUNKS", 1)
    monkeypatch.setattr("coderag_rag.query.reader._CHUNKS_OF_FILES", 1)
    monkeypatch.setattr("coderag_rag.query.outline._MOST_BLOBS", 1)
    assert (await outline(service, folder="operator")).json()["complete"] is False


async def test_a_map_is_drawn_once_for_a_commit_and_again_for_the_next(service, served, corpus, look, monkeypatch):
    original, drawn = IndexReader.definitions, []

    async def definitions(*arguments):
        drawn.append(arguments)
        return await original(*arguments)

    monkeypatch.setattr(IndexReader, "definitions", definitions)
    for _ in range(3):
        await outline(service)
    assert len(drawn) == 1
    await served.serve("app", corpus["plan"])
    await look()
    assert (await outline(service)).json()["total_files"] == 1
    assert len(drawn) == 2


async def test_an_unknown_repository_has_no_map(service, served):
    error = (await outline(service, "nope")).json()["error"]
    assert (error["code"], error["param"]) == ("repository_not_found", "name")


async def test_what_is_not_permitted_can_be_neither_read_nor_mapped_even_when_cached(service, served):
    assert (await outline(service)).status_code == 200
    service.app.dependency_overrides[permitted] = lambda: Permit.only(["web"])
    for answer in (await span(service), await outline(service)):
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "no_repository_indexed")


def test_a_cache_keeps_permits_apart_and_drops_the_oldest():
    cache = PermitCache(2)
    cache.put(EVERYTHING, "map", "all")
    assert cache.get(Permit.only(["app"]), "map") is None
    cache.put(Permit.only(["app"]), "map", "part")
    assert cache.get(EVERYTHING, "map") == "all"
    cache.put(EVERYTHING, "other", "x")
    assert [cache.get(EVERYTHING, "map"), cache.get(Permit.only(["app"]), "map")] == ["all", None]
