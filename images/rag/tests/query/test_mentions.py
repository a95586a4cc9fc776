"""Files that a query names, and the path leg that finds them."""

import pytest
from coderag_rag.query.analysis import analyse
from coderag_rag.query.manifest import Manifest, Snapshot
from coderag_rag.query.mentions import Mention, resolve
from coderag_rag.store.schema import Entry, HeadPayload

TRACE = """Traceback (most recent call last):
  File "/srv/app/operator/plan.py", line 2, in plan
KeyError: 'a'
"""


@pytest.mark.parametrize(
    ("text", "files"),
    [
        ("operator/plan.py", [("operator/plan.py", 0)]),
        ("plan.py:12", [("plan.py", 12)]),
        ("plan.py#L12-L14", [("plan.py", 12)]),
        (TRACE, [("/srv/app/operator/plan.py", 2)]),
        ("at com.app.Main.run (Main.java:42)", [("Main.java", 42)]),
        ("panic: x\n\t/go/src/app/queue.go:7 +0x1d", [("/go/src/app/queue.go", 7)]),
        ("what does operator/plan.py do, and e.g. plan.py", [("operator/plan.py", 0)]),
        ("작업 계획은 operator/plan.py 에 있나요", [("operator/plan.py", 0)]),
        ("WorkQueue.retry", []),
        ("for (a/b.c; c; d) {", []),
    ],
)
def test_files_and_lines_are_read_from_a_query(text, files):
    assert list(analyse(text).files) == [Mention(*one) for one in files]


def snapshot(*paths):
    head = HeadPayload("app", "main", "c", 1, 1, 1, len(paths), 1, "t", "identity", [])
    return Snapshot.of([Manifest.build(head, [Entry(path, f"blob of {path}", "python") for path in paths])])


def found(mention, *paths):
    return [named.blob.removeprefix("blob of ") for named in resolve([Mention(mention, 0)], snapshot(*paths))]


def test_a_bare_name_means_every_file_of_that_name():
    assert found("plan.py", "b/plan.py", "a/plan.py", "a/plans.py") == ["a/plan.py", "b/plan.py"]


def test_folders_of_the_query_narrow_and_an_absolute_path_means_its_end():
    assert found("a/plan.py", "b/plan.py", "x/a/plan.py") == ["x/a/plan.py"]
    assert found("/srv/b/plan.py", "b/plan.py", "a/plan.py") == ["b/plan.py"]
    assert found("../b/plan.py", "b/plan.py", "plan.py") == ["b/plan.py", "plan.py"]


def test_a_name_that_is_everywhere_is_cut():
    assert len(found("__init__.py", *(f"p{n}/__init__.py" for n in range(50)))) == 10


async def search(service, query, **more):
    answer = await service.http.post("/v1/search", json={"query": query, **more})
    return answer.json()["hits"]


async def test_a_path_finds_its_file_first(service, served):
    for query in ("operator/plan.py", "plan.py", "operator/tests/test_workqueue.py"):
        assert (await search(service, query))[0]["path"].endswith(query)


async def test_a_path_with_a_line_finds_the_chunk_around_it_first(service, served, make_file, look, monkeypatch):
    first = make_file("src/long.py", "alpha = 1\nbeta = 2\n")
    second = make_file("src/long.py", "alpha = 1\nbeta = 2", start_line=3)
    monkeypatch.setattr(make_file, "blob", property(lambda _self: "b" * 40))
    await served.serve("app", first)
    await served.add_chunks("app", [second])
    await look()
    assert [hit["start_line"] for hit in await search(service, "src/long.py:4")] == [3, 1]
    assert [hit["start_line"] for hit in await search(service, "src/long.py:1")] == [1, 3]


async def test_a_trace_finds_the_file_of_its_frame(service, served, embedding):
    assert (await search(service, TRACE))[0]["path"] == "operator/plan.py"


async def test_the_path_leg_keeps_to_the_filters(service, served):
    assert await search(service, "operator/plan.py", languages=["go"]) == []
    assert {hit["path"] for hit in await search(service, "operator/plan.py", paths=["docs"])} == {"docs/queue.md"}
