"""Another index goes live: what is asked over the manifests of the one before is read from the one before."""

import pytest

PLAN = "operator/plan.py"


@pytest.fixture
async def successor(served, make_index):
    """An index of another model in the moment after it went live: nothing in it has the ids of the one before."""
    made = make_index(served.client, "f" * 64)
    await made.create()
    await made.go_live()
    return made


@pytest.mark.parametrize("query", ["apply or prune what is observed", PLAN], ids=["words", "a named file"])
async def test_a_search_is_answered_from_the_index_that_it_began_with(service, successor, query):
    body = (await service.http.post("/v1/search", json={"query": query})).json()
    assert (body["hits"][0]["path"], body["degraded"]) == (PLAN, [])


async def test_so_is_an_exact_search(service, successor):
    body = (await service.http.post("/v1/search/exact", json={"pattern": "apply_or_prune"})).json()
    assert ([match["path"] for match in body["matches"]], body["complete"]) == ([PLAN], True)


async def test_so_are_lines_and_maps(service, successor):
    lines = await service.http.get("/v1/spans", params={"repository": "app", "path": PLAN})
    assert lines.json()["total_lines"] == 2
    drawn = await service.http.get("/v1/repositories/app/map", params={"folder": "operator"})
    assert PLAN in [symbol["path"] for symbol in drawn.json()["symbols"]]


async def test_a_look_loads_the_pages_of_the_index_whose_heads_it_saw(service, served, successor, make_file):
    await successor.serve("app", make_file("new.py", "x = 1\n"))
    reader = service.manifests._reader
    heads = await reader.heads()
    assert [head.identity for head in heads] == [successor.identity]
    await served.go_live()
    assert [entry.path for entry in await reader.entries(heads[0])] == ["new.py"]


async def test_heads_of_two_indexes_leave_the_last_snapshot(service, served, successor, look, make_file, monkeypatch):
    await successor.serve("web", make_file("new.py", "x = 1\n"))
    reader = service.manifests._reader
    after = await reader.heads()
    await served.go_live()
    before = await reader.heads()

    async def heads():
        return [*before, *after]

    monkeypatch.setattr(reader, "heads", heads)
    await look()
    assert service.manifests.snapshot.collection == served.name
