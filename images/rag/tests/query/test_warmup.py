"""The served chunks come into memory and follow the manifests; what a search finds is the same with and without."""

import asyncio

import pytest
from coderag_rag.query.guard import DependencyDown
from coderag_rag.query.reader import IndexReader
from coderag_rag.query.wire import LocalWire


@pytest.fixture
def known(service):
    return service.searcher._reader._known


class Asked:
    """What each request for the legs of a search asked for."""

    def __init__(self):
        self.payloads, self.filters = [], []


@pytest.fixture
def asked(monkeypatch):
    original, asked = LocalWire.nearest, Asked()

    async def nearest(wire, legs, payload):
        asked.payloads.append(list(payload))
        asked.filters.append([leg.where for leg in legs])
        return await original(wire, legs, payload)

    monkeypatch.setattr(LocalWire, "nearest", nearest)
    return asked


async def search(service, query="retry the work queue"):
    answer = await service.http.post("/v1/search", json={"query": query})
    assert answer.status_code == 200, answer.text
    return answer.json()["hits"]


async def watch(service):
    for one in service.health.watches:
        await one.look()


async def test_a_search_finds_the_same_before_and_after_the_chunks_are_in_memory(index, service, corpus, asked, known):
    await index.serve("app", *corpus.values())
    await watch(service)
    before = await search(service)
    await service.warm_up.look()
    assert (known.complete, len(known)) == (True, len(corpus))
    assert await search(service) == before != []
    assert [bool(fields) for fields in asked.payloads] == [True, False]


async def test_a_push_brings_its_chunks_and_takes_those_of_before(served, service, corpus, look, make_file, known):
    fresh = make_file("operator/fresh.py", "def fresh_delay():\n    return 3\n", ("fresh_delay",))
    await served.serve("app", corpus["queue"], fresh)
    await look()
    assert {one.blob for one in known.of(served.name).values()} == {corpus["queue"].blob, fresh.blob}
    assert (await search(service, "fresh_delay"))[0]["path"] == "operator/fresh.py"


async def test_a_push_is_found_before_its_chunks_are_in_memory(served, service, corpus, make_file):
    fresh = make_file("operator/fresh.py", "def fresh_delay():\n    return 3\n", ("fresh_delay",))
    await served.serve("app", *corpus.values(), fresh)
    await watch(service)
    assert (await search(service, "fresh_delay"))[0]["path"] == "operator/fresh.py"


async def test_while_another_index_goes_live_searches_read_from_qdrant(
    served, service, corpus, asked, known, make_index
):
    other = make_index(served.client, "other-identity" * 4)
    await other.create()
    await other.serve("app", *corpus.values())
    await other.go_live()
    await watch(service)
    assert await search(service)
    assert asked.payloads[-1]
    await service.warm_up.look()
    assert (known.collection, known.complete) == (other.name, True)
    assert await search(service)
    assert asked.payloads[-1] == []


@pytest.mark.parametrize("environment", [{"CHUNK_MEMORY_MIB": "0"}], indirect=True)
async def test_an_index_that_does_not_fit_is_searched_in_qdrant_and_not_loaded_again(
    served, service, look, caplog, asked, known, monkeypatch, corpus, make_file
):
    assert "do not fit into CHUNK_MEMORY_MIB" in " ".join(record.message for record in caplog.get_records("setup"))
    assert (len(known), known.complete) == (0, False)
    assert await search(service)
    assert asked.payloads[-1]
    read = []
    monkeypatch.setattr(IndexReader, "chunks", lambda *_: read.append(1))
    await served.serve("app", *corpus.values(), make_file("more.py", "more = 1\n"))
    await look()
    assert read == []


async def test_a_large_index_is_read_whole_and_a_push_by_its_blobs(index, service, look, make_file, monkeypatch, known):
    monkeypatch.setattr("coderag_rag.query.warmup._FEW", 4)
    monkeypatch.setattr("coderag_rag.query.warmup._BLOBS_AT_ONCE", 2)
    monkeypatch.setattr("coderag_rag.query.reader._CHUNKS_AT_ONCE", 2)
    files = [make_file(f"f{n}.py", f"value_{n} = {n}\n") for n in range(6)]
    await index.add_chunks("unserved", [make_file("u.py", "unserved = 1\n")])
    await index.serve("app", *files)
    await look()
    assert len(known) == 6
    more = [make_file(f"g{n}.py", f"more_{n} = {n}\n") for n in range(3)]
    await index.serve("app", *files, *more)
    await look()
    assert {one.blob for one in known.of(index.name).values()} == {file.blob for file in [*files, *more]}


@pytest.mark.parametrize("error", [DependencyDown("qdrant", "not reachable"), KeyError("start_line")])
async def test_what_goes_wrong_while_loading_is_told_and_tried_again(
    served, service, monkeypatch, corpus, caplog, known, error
):
    known.give_up()
    service.warm_up._seen = None
    original, tries, loaded = IndexReader.chunks, [], asyncio.Event()
    look = service.warm_up.look

    def chunks(reader, where):
        tries.append(1)
        if len(tries) == 1:
            raise error
        return original(reader, where)

    monkeypatch.setattr(IndexReader, "chunks", chunks)

    async def look_and_say() -> None:
        await look()
        loaded.set()

    monkeypatch.setattr(service.warm_up, "look", look_and_say)
    caplog.set_level("DEBUG")
    task = asyncio.create_task(service.warm_up.run(0.001))
    async with asyncio.timeout(10):
        await loaded.wait()
    task.cancel()
    assert (known.complete, len(known)) == (True, len(corpus))
    assert "the chunks in memory do not follow" in caplog.text
    assert str(error) in caplog.text


async def test_nothing_indexed_is_nothing_to_load(service, index, look, known):
    await look()
    assert (known.collection, known.complete) == ("", False)


async def test_where_all_that_is_stored_is_served_a_search_that_narrows_nothing_has_no_filter(served, service, asked):
    assert await search(service, "the work queue")
    assert asked.filters[-1] == [None, None]
    await service.http.post("/v1/search", json={"query": "the work queue", "languages": ["python"]})
    assert all({one.key for one in where.must} == {"kind", "repositories", "language"} for where in asked.filters[-1])


async def test_a_name_is_still_looked_up_among_what_is_defined(served, service, asked):
    assert await search(service, "WorkQueue.retry")
    assert [where and [one.key for one in where.must] for where in asked.filters[-1]] == [None, ["symbols"], None]


async def test_chunks_that_are_not_served_take_no_places(served, service, asked, make_file, look, corpus):
    copies = [make_file(f"{n}.py", corpus["queue"].text + f"# {n}\n", corpus["queue"].symbols) for n in range(80)]
    before = await search(service)
    await served.add_chunks("next", copies)
    await look()
    assert [hit["path"] for hit in await search(service)] == [hit["path"] for hit in before]
    assert all(where is not None for where in asked.filters[-1])
    await served.serve("next", *copies)
    await look()
    assert {hit["repository"] for hit in await search(service)} == {"app", "next"}
    assert asked.filters[-1] == [None, None]


async def test_metrics_say_how_many_chunks_are_in_memory(served, service, corpus):
    text = (await service.http.get("/metrics")).text
    assert f"coderag_chunks_in_memory {float(len(corpus))}" in text
