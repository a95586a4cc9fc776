"""POST /v1/search/exact, and the patterns behind it."""

import re

import pytest
from coderag_rag.api.access import permitted
from coderag_rag.query.access import Permit
from coderag_rag.query.guard import DependencyDown
from coderag_rag.query.patterns import InvalidPattern, compile_pattern
from coderag_rag.query.reader import IndexReader
from coderag_rag.query.weights import VERSION
from hypothesis import given
from hypothesis import strategies as st


async def exact(service, pattern, **more):
    return await service.http.post("/v1/search/exact", json={"pattern": pattern, **more})


def where(answer):
    return [(match["path"], match["line"], match["column"]) for match in answer.json()["matches"]]


async def test_a_text_is_found_with_line_and_column(service, served):
    answer = await exact(service, "self.add_after(")
    assert where(answer) == [("operator/engine/workqueue.py", 4, 9)]
    body = answer.json()
    assert body["matches"][0]["text"] == "        self.add_after(key, delay)"
    assert (body["complete"], body["degraded"], body["ranking"]) == (True, [], VERSION)
    assert body["repositories"][0]["indexed_at"] == "2026-01-01T00:00:00Z"
    assert (body["matches"][0]["commit"], body["matches"][0]["link"]) == (f"{1:040x}", None)


async def test_a_part_of_a_word_is_found_too(service, served):
    assert where(await exact(service, "dd_aft")) == [("operator/engine/workqueue.py", 4, 15)]


async def test_characters_of_expressions_are_text_unless_asked_for(service, served):
    assert where(await exact(service, "retry(.*")) == []
    assert len(where(await exact(service, r"retry\(.*", regex=True))) == 2


async def test_an_expression_matches_line_by_line(service, served):
    assert where(await exact(service, r"^def \w+\(", regex=True)) == [
        ("operator/plan.py", 1, 1),
        ("operator/tests/test_workqueue.py", 1, 1),
    ]
    assert where(await exact(service, r"retry[\s\S]*delay", regex=True)) == []


async def test_case_counts_unless_told(service, served):
    assert where(await exact(service, "workqueue", paths=["operator"])) == []
    assert len(where(await exact(service, "WORKQUEUE", case_sensitive=False))) == 1


async def test_filters_hold_for_exact_searches(service, served):
    assert {path for path, *_ in where(await exact(service, "retr", languages=["markdown"]))} == {"docs/queue.md"}
    assert {path for path, *_ in where(await exact(service, "retr", paths=["operator/engine"]))} == {
        "operator/engine/workqueue.py"
    }
    assert (await exact(service, "retr", repositories=["nope"])).status_code == 404
    assert (await exact(service, "retr", refs=["nope"])).json()["error"]["code"] == "ref_not_found"


async def test_what_is_not_permitted_is_not_found(service, served, make_file, look):
    await served.serve("web", make_file("w.py", "retry = 1\n"))
    await look()
    service.app.dependency_overrides[permitted] = lambda: Permit.only(["web"])
    answer = await exact(service, "retry")
    assert where(answer) == [("w.py", 1, 1)]
    assert answer.json()["scanned"] == 1


async def test_what_no_manifest_names_is_not_found(service, served, make_file):
    await served.add_chunks("app", [make_file("stale.py", "retry_stale = 1\n")])
    assert where(await exact(service, "retry_stale")) == []


async def test_an_answer_is_bounded_and_says_so(service, served, make_file, look, monkeypatch):
    await served.serve("app", make_file("table.py", "value = 1\n" * 30), make_file("b.py", "value = 2\n"))
    await look()
    body = (await exact(service, "value")).json()
    assert [match["path"] for match in body["matches"]] == ["b.py", *["table.py"] * 20]
    assert body["complete"] is False
    assert len((await exact(service, "value", limit=3)).json()["matches"]) == 3
    monkeypatch.setattr("coderag_rag.query.scan._MOST_CHUNKS", 1)
    monkeypatch.setattr("coderag_rag.query.scan._PAGE", 1)
    body = (await exact(service, "...", regex=True)).json()
    assert (body["scanned"], body["complete"]) == (1, False)


async def test_one_too_many_at_once_is_refused_and_not_queued(service, served, monkeypatch):
    monkeypatch.setattr("coderag_rag.query.scan._MOST_AT_ONCE", 0)
    answer = await exact(service, "retry")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
    assert answer.json()["error"]["code"] == "too_many_exact_searches"
    monkeypatch.setattr("coderag_rag.query.scan._MOST_AT_ONCE", 1)
    assert [(await exact(service, "retry")).status_code for _ in range(3)] == [200] * 3


async def test_a_place_is_free_again_after_a_failure(service, served, monkeypatch):
    def pages(*_arguments):
        raise DependencyDown("qdrant", "no answer in time")

    monkeypatch.setattr("coderag_rag.query.scan._MOST_AT_ONCE", 1)
    monkeypatch.setattr(IndexReader, "pages", pages)
    assert [(await exact(service, "retry")).status_code for _ in range(2)] == [503] * 2


@pytest.mark.parametrize(
    ("body", "param", "tells"),
    [
        ({"pattern": " "}, "pattern", "blank"),
        ({"pattern": "a\nb"}, "pattern", "spans lines"),
        ({"pattern": "x" * 501}, "pattern", "longer than 500"),
        ({"pattern": "(", "regex": True}, "pattern", "missing"),
        ({"pattern": r"(a)\1", "regex": True}, "pattern", "invalid escape"),
        ({"pattern": "(?=a)b", "regex": True}, "pattern", "invalid perl operator"),
        ({"pattern": "((a{100}){100}){100}", "regex": True}, "pattern", "repetition"),
        ({"pattern": "a*", "regex": True}, "pattern", "empty line"),
        ({"pattern": "a", "limit": 201}, "limit", ""),
        ({}, "pattern", ""),
    ],
)
async def test_a_pattern_that_cannot_be_searched_for_is_refused(service, served, body, param, tells):
    answer = await service.http.post("/v1/search/exact", json=body)
    error = answer.json()["error"]
    assert (answer.status_code, error["param"]) == (400, param)
    assert tells in error["message"]
    assert error["hint"]


def test_an_expression_that_explodes_elsewhere_ends_here():
    pattern = compile_pattern("(a+)+(a*)*(a|a)*$", regex=True, case_sensitive=True)
    assert list(pattern.lines("a" * 20_000 + "b\n" + "aa")) == [(1, 1, "aa")]


@given(st.text("ab_(. \t가", min_size=1, max_size=8), st.text("ab_(. \t가\r\n", max_size=60))
def test_a_text_is_found_where_python_finds_it(wanted, text):
    try:
        pattern = compile_pattern(wanted, regex=False, case_sensitive=True)
    except InvalidPattern:
        assert not wanted.strip()
        return
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    expected = [(n, line.index(wanted) + 1, line) for n, line in enumerate(lines) if wanted in line]
    assert list(pattern.lines(text)) == expected
    tokens = [re.findall(r"[^\W_]+", line) for _, _, line in expected]
    assert all(word in found for word in pattern.words for found in tokens)
