"""A sync makes the index equal to a commit, and embeds nothing twice."""

import pytest
from coderag_rag.ingestion.garbage import reconcile
from coderag_rag.store.calls import StoreError, StoreUnavailable
from coderag_rag.store.schema import CHUNK, KEYWORD

pytestmark = pytest.mark.slow

CODE = 'def retry_policy(tries):\n    """How often to try."""\n    return tries\n'


async def test_what_is_served_is_what_was_committed(bench):
    remote = bench.remote("app")
    commit = remote.commit({"src/retry.py": CODE, "README.md": "# Title\n\nWords.\n", "empty.txt": ""})
    head = await bench.sync(bench.source("app", remote))
    assert (head.commit, head.files, head.chunks) == (commit, 3, 2)
    texts = await bench.served_texts("app")
    assert texts == {"src/retry.py": CODE, "README.md": "# Title\n\nWords.\n", "empty.txt": ""}


async def test_a_chunk_carries_lines_symbols_and_language(bench):
    remote = bench.remote("app")
    remote.commit({"src/retry.py": CODE})
    await bench.sync(bench.source("app", remote))
    [chunk] = await bench.chunks()
    assert (chunk["start_line"], chunk["end_line"], chunk["language"]) == (1, 3, "python")
    assert chunk["symbols"] == ["retry_policy"]
    assert chunk["repositories"] == ["app"]


async def test_a_moved_file_costs_no_embedding(bench):
    remote, source = bench.remote("app"), None
    remote.commit({"src/retry.py": CODE})
    source = bench.source("app", remote)
    await bench.sync(source)
    before = (await bench.chunks())[0]
    bench.embedding.texts.clear()
    remote.commit({"src/retry.py": None, "lib/backoff.py": CODE})
    await bench.sync(source)
    [after] = await bench.chunks()
    assert bench.embedding.texts == []
    assert after["id"] == before["id"]
    assert after["vector"][KEYWORD] != before["vector"][KEYWORD]
    assert list(await bench.served_texts("app")) == ["lib/backoff.py"]


async def test_an_interrupted_index_is_finished_without_embedding_twice(bench):
    remote = bench.remote("app")
    remote.commit({"a.py": CODE, "b.py": "def other():\n    return 2\n"})
    source = bench.source("app", remote)
    await bench.index()
    bench.qdrant.kill_at = len(bench.qdrant.writes) + 3  # lease and chunks are written, the page is not
    assert await bench.attempt(source) == "killed"
    assert len(bench.embedding.texts) == 2
    bench.qdrant.kill_at = None
    await bench.sync(source)
    assert len(bench.embedding.texts) == 2
    assert set(await bench.served_texts("app")) == {"a.py", "b.py"}


async def test_a_new_commit_with_the_same_files_embeds_nothing_and_is_served(bench):
    remote = bench.remote("app")
    remote.commit({"a.py": CODE})
    source = bench.source("app", remote)
    await bench.sync(source)
    bench.embedding.texts.clear()
    commit = remote.commit({})
    head = await bench.sync(source)
    assert (head.commit, head.fence, bench.embedding.texts) == (commit, 2, [])


async def test_a_deleted_file_and_its_chunks_go(bench):
    remote = bench.remote("app")
    remote.commit({"a.py": CODE, "b.py": "def other():\n    return 2\n"})
    source = bench.source("app", remote)
    await bench.sync(source)
    remote.commit({"b.py": None})
    head = await bench.sync(source)
    assert head.chunks == 1
    assert [chunk["symbols"] for chunk in await bench.chunks()] == [["retry_policy"]]


async def test_a_rewritten_history_is_followed(bench):
    remote = bench.remote("app")
    remote.commit({"a.py": CODE})
    source = bench.source("app", remote)
    await bench.sync(source)
    remote.git("checkout", "--quiet", "--orphan", "fresh")
    remote.commit({"a.py": "def fresh():\n    pass\n"})
    remote.git("branch", "--force", "main", "fresh")
    await bench.sync(source)
    assert await bench.served_texts("app") == {"a.py": "def fresh():\n    pass\n"}


async def test_content_of_another_repository_is_shared_and_survives_its_removal(bench):
    first, second = bench.remote("one"), bench.remote("two")
    first.commit({"a.py": CODE})
    second.commit({"other/name.py": CODE})
    source = bench.source("two", second)
    await bench.sync(bench.source("one", first))
    await bench.sync(source)
    [chunk] = await bench.chunks()
    assert chunk["repositories"] == ["one", "two"]
    assert len(bench.embedding.texts) == 1
    second.commit({"other/name.py": None, "b.txt": "words\n"})
    await bench.sync(source)
    shared = next(chunk for chunk in await bench.chunks() if chunk["language"] == "python")
    assert shared["repositories"] == ["one"]


async def test_files_that_are_not_searchable_are_listed_with_the_reason_and_counted(bench):
    remote = bench.remote("app")
    remote.commit({"a.py": CODE, "logo.png": b"\x89PNG\0", "data.dat": b"\0\1", "gen.py": f"# @generated\n{CODE}"})
    (remote.path / "link.py").symlink_to("a.py")
    head = await bench.sync(bench.source("app", remote))
    assert head.skipped_counts == {"binary or drawn file": 1, "binary": 1, "generated": 1}
    assert {row["path"]: row["reason"] for row in head.skipped} == {
        "logo.png": "binary or drawn file",
        "data.dat": "binary content",
        "gen.py": "generated: found by keyword only",
    }
    remote.commit({"c.txt": "words\n"})
    again = await bench.sync(bench.source("app", remote))
    assert (again.skipped, again.skipped_counts) == (head.skipped, head.skipped_counts)


async def test_generated_code_has_no_dense_vector(bench):
    remote = bench.remote("app")
    remote.commit({"a.go": "// Code generated by x. DO NOT EDIT.\npackage p\n"})
    await bench.sync(bench.source("app", remote))
    [chunk] = await bench.chunks()
    assert list(chunk["vector"]) == [KEYWORD]
    assert bench.embedding.texts == []


async def test_secrets_are_neither_stored_nor_embedded(bench):
    remote = bench.remote("app")
    remote.commit({"a.py": 'password = "hunter2hunter2"\n'})
    await bench.sync(bench.source("app", remote))
    assert "hunter2" not in repr([await bench.chunks(), bench.embedding.texts])


async def test_another_ref_replaces_the_first_once_it_is_served(bench):
    remote = bench.remote("app")
    remote.commit({"a.py": CODE})
    remote.git("branch", "release")
    await bench.sync(bench.source("app", remote))
    bench.embedding.texts.clear()
    await bench.sync(bench.source("app", remote, "release"))
    assert await bench.served_texts("app") == {}
    assert await bench.served_texts("app", "release") == {"a.py": CODE}
    assert bench.embedding.texts == []


async def test_a_large_repository_has_several_pages(bench, monkeypatch):
    monkeypatch.setattr("coderag_rag.store.manifest._PAGE_ENTRIES", 3)
    remote = bench.remote("app")
    remote.commit({f"f{n}.txt": f"words {n}\n" for n in range(10)})
    head = await bench.sync(bench.source("app", remote))
    assert (head.pages, head.files) == (4, 10)
    assert len(await bench.served_texts("app")) == 10


async def test_embedding_in_batches_keeps_vectors_with_their_texts(bench):
    remote = bench.remote("app")
    remote.commit({"many.md": "".join(f"# Part {n}\n{'word ' * 110}{n}\n" for n in range(300))})
    await bench.sync(bench.source("app", remote))
    chunks = await bench.chunks()
    assert len(chunks) == 300
    for chunk in chunks[::40]:
        text = next(text for text in bench.embedding.texts if text.endswith(chunk["text"]))
        norm = sum(x * x for x in bench.embedding.vector(text)) ** 0.5
        assert chunk["vector"]["dense"] == pytest.approx([x / norm for x in bench.embedding.vector(text)], abs=1e-5)


async def test_chunks_that_did_not_arrive_stop_the_sync(bench):
    remote = bench.remote("app")
    remote.commit({"a.py": CODE})
    index = await bench.index()

    upsert = bench.qdrant.upsert

    async def forget(collection, points, **options):
        return None if points[0].payload["kind"] == CHUNK else await upsert(collection, points, **options)

    bench.qdrant.upsert = forget
    with pytest.raises(StoreError, match="1 of 1 written chunks"):
        await bench.sync(bench.source("app", remote), index)


async def test_garbage_that_cannot_be_removed_is_left_and_the_commit_is_served(bench, monkeypatch):
    remote = bench.remote("app")
    source = bench.source("app", remote)
    remote.commit({"a.py": CODE})
    await bench.sync(source)
    remote.commit({"a.py": None, "b.txt": "words\n"})

    async def fail(*_arguments, **_options):
        raise StoreUnavailable("gone")

    monkeypatch.setattr("coderag_rag.ingestion.sync.collect_after", fail)
    head = await bench.sync(source)
    assert head.files == 1
    assert (await reconcile(await bench.index())).removed == 1
    assert len(await bench.chunks()) == 1
