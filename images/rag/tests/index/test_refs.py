"""Several refs of one repository, a choice of files, and what changes of both cost."""

from datetime import timedelta

import pytest
from coderag_rag.chunking.document import Document
from coderag_rag.ingestion.wanted import Wanted
from coderag_rag.store.lease import Leases
from qdrant_client import models

pytestmark = pytest.mark.slow
CODE = "def retry():\n    pass\n"
OTHER = "def other():\n    return 2\n"


@pytest.fixture
def remote(bench):
    made = bench.remote("app")
    made.commit({"a.py": CODE, "docs/a.md": "# Words\n\nMore words.\n"})
    made.git("checkout", "--quiet", "-b", "release")
    made.commit({"b.py": OTHER})
    made.git("checkout", "--quiet", "main")
    return made


async def test_further_refs_are_served_beside_the_first_and_shown(desk, bench, remote):
    desk.add("app", remote, refs=("release",))
    desk.build()
    await desk.sync()
    await desk.sync(ref="release")
    [row] = (await desk.status())["repositories"]
    assert (row["ref"], row["files"]) == ("main", 2)
    assert [(one["ref"], one["state"], one["files"]) for one in row["refs"]] == [("release", "Served", 3)]
    assert [(head.ref, head.default) for head in sorted(await (await bench.index()).heads(), key=lambda h: h.ref)] == [
        ("main", True), ("release", False),
    ]  # fmt: skip
    assert len(bench.embedding.texts) == 3


async def test_syncing_a_repository_means_all_its_refs(desk, remote):
    desk.add("app", remote, refs=("release",))
    desk.build()
    await desk.http.post("/v1/repositories/app/sync")
    assert len(desk.worker.queue) == 2


async def test_a_file_that_only_one_ref_has_stays_when_the_other_loses_it(desk, bench, remote):
    desk.add("app", remote, refs=("release",))
    desk.build()
    await desk.sync()
    await desk.sync(ref="release")
    remote.commit({"a.py": None})
    await desk.sync()
    assert set(await bench.served_texts("app")) == {"docs/a.md"}
    assert (await bench.served_texts("app", "release"))["a.py"] == CODE


async def test_a_ref_that_left_the_configuration_goes_with_what_only_it_had(desk, bench, remote):
    desk.add("app", remote, refs=("release",))
    desk.build()
    await desk.sync()
    await desk.sync(ref="release")
    desk.configured.clear()
    desk.add("app", remote)
    desk.build()
    await desk.worker.synchroniser.open()
    assert await bench.served_texts("app", "release") == {}
    assert len(await bench.chunks()) == 2


async def test_another_default_ref_takes_over_once_it_is_served(desk, bench, remote):
    desk.add("app", remote)
    desk.build()
    await desk.sync()
    desk.configured.clear()
    desk.add("app", remote, ref="release")
    desk.build()
    await desk.worker.synchroniser.open()
    assert set(await bench.served_texts("app")) == {"a.py", "docs/a.md"}
    await desk.sync(ref="release")
    assert await bench.served_texts("app") == {}
    assert set(await bench.served_texts("app", "release")) == {"a.py", "b.py", "docs/a.md"}


async def test_switching_to_a_branch_and_back_embeds_nothing_twice(desk, bench, remote):
    for ref in ("main", "release"):
        desk.configured.clear()
        desk.add("app", remote, ref=ref)
        desk.build()
        await desk.sync(ref=ref)
    embedded = len(bench.embedding.texts)
    for ref in ("main", "release"):
        desk.configured.clear()
        desk.add("app", remote, ref=ref)
        desk.build()
        await desk.sync(ref=ref)
    assert len(bench.embedding.texts) == embedded
    assert set(await bench.served_texts("app", "release")) == {"a.py", "b.py", "docs/a.md"}


async def test_a_file_that_comes_back_and_the_rest_of_an_edited_one_are_free(bench, remote):
    source = bench.source("app", remote)
    functions = [f"def part_{n}(value):\n" + f"    value += {n}  # a line of some length\n" * 20 for n in range(4)]
    remote.commit({"long.py": "\n".join(functions)})
    await bench.sync(source)
    remote.commit({"a.py": None})
    await bench.sync(source)
    bench.embedding.texts.clear()
    functions[1] = functions[1].replace("value += 1", "value += 11")
    remote.commit({"a.py": CODE, "long.py": "\n".join(functions)})
    await bench.sync(source)
    assert len(bench.embedding.texts) == 1


async def test_only_wanted_files_are_indexed_and_a_changed_choice_needs_no_new_commit(desk, bench, remote):
    desk.add("app", remote, wanted=Wanted(paths=("docs",)))
    desk.build()
    await desk.sync()
    assert set(await bench.served_texts("app")) == {"docs/a.md"}
    desk.configured.clear()
    desk.add("app", remote, wanted=Wanted(exclude=("docs",)))
    desk.build()
    await desk.sync()
    assert set(await bench.served_texts("app")) == {"a.py"}
    assert len(await bench.chunks()) == 1


async def test_a_repository_without_a_schedule_is_synced_at_the_start_and_after_failures(desk, remote):
    desk.add("app", remote, schedule=None)
    desk.build()
    await desk.sync()
    assert desk.state().next_sync is None
    remote.path.rename(remote.path.with_name("away"))
    await desk.sync()
    assert desk.state().next_sync == desk.now + timedelta(seconds=5)


async def test_git_lfs_pointers_are_counted_and_read_once(desk, bench, remote):
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 1\n"
    remote.commit({f"big{n}.csv": pointer.format(str(n) * 64) for n in range(3)})
    desk.add("app", remote)
    desk.build()
    await desk.sync()
    row = (await desk.status())["repositories"][0]
    assert row["skipped_counts"] == {"lfs-pointer": 3}
    assert set(row["skipped"][0]) == {"path", "reason"}
    seen = []
    prepare = bench.preparer.prepare

    async def watched(data, paths):
        seen.extend(paths)
        return await prepare(data, paths)

    bench.preparer.prepare = watched
    remote.commit({"c.py": OTHER})
    await desk.sync()
    assert seen == ["c.py"]
    assert (await desk.status())["repositories"][0]["skipped_counts"] == {"lfs-pointer": 3}


async def test_a_file_that_stops_the_chunker_is_named_first_and_left_alone_after_three_tries(desk, bench, remote):
    tried = []
    prepare = bench.preparer.prepare

    async def choking(data, paths):
        if paths == ["evil.py"]:
            tried.append(paths)
            return Document("python", "stopped", "took longer than 20 s to chunk", causes=["stopped"])
        return await prepare(data, paths)

    bench.preparer.prepare = choking
    desk.add("app", remote)
    desk.build()
    remote.commit({"evil.py": "x = 1\n", "logo.png": "x"})
    for n in range(5):
        remote.commit({"n.txt": f"{n}\n"})
        await desk.sync()
    row = (await desk.status())["repositories"][0]
    assert row["stopped"] == [{"path": "evil.py", "reason": "took longer than 20 s to chunk"}]
    assert row["skipped"][0]["path"] == "evil.py"
    assert len(tried) == 3
    assert "evil.py" not in await bench.served_texts("app")


async def test_missing_chunks_are_noticed_and_made_again_without_embedding(desk, bench, remote):
    desk.add("app", remote)
    desk.build()
    await desk.sync()
    [lost, *_] = [chunk for chunk in await bench.chunks() if chunk["language"] == "python"]
    await (await bench.index()).chunks.delete([lost["blob"]])
    bench.embedding.texts.clear()
    desk.now += timedelta(days=1)
    await desk.worker.tidy()
    assert len(desk.worker.queue) == 1
    await desk.sync()
    assert (await bench.served_texts("app"))["a.py"] == CODE
    assert bench.embedding.texts == []
    desk.now += timedelta(days=1)
    await desk.worker.queue.get()
    await desk.worker.tidy()
    assert len(desk.worker.queue) == 0


async def test_surplus_chunks_of_served_files_are_removed(desk, bench, remote):
    desk.add("app", remote)
    desk.build()
    await desk.sync()
    index = await bench.index()
    [chunk, *_] = await bench.chunks()
    point = models.PointStruct(
        id="00000000-0000-4000-8000-000000000001",
        vector={},
        payload={k: chunk[k] for k in ("kind", "blob", "text", "repositories")},
    )
    await bench.qdrant.upsert(index.collection, points=[point])
    desk.now += timedelta(days=1)
    await desk.worker.tidy()
    await desk.sync()
    assert len(await bench.chunks()) == 2


async def test_reconciling_waits_for_its_hour_and_tries_again_after_a_failure(desk, bench, remote, caplog):
    desk.add("app", remote)
    desk.build()
    await desk.sync()
    reads = len(bench.qdrant.reads)
    await desk.worker.tidy()
    assert len(bench.qdrant.reads) == reads
    desk.now += timedelta(days=1)
    scroll, bench.qdrant.client.scroll = bench.qdrant.client.scroll, _failing
    await desk.worker.tidy()
    assert "not reconciled" in caplog.text
    bench.qdrant.client.scroll = scroll
    reads = len(bench.qdrant.reads)
    await desk.worker.tidy()
    assert len(bench.qdrant.reads) == reads
    desk.now += timedelta(minutes=5)
    await desk.worker.tidy()
    assert len(bench.qdrant.reads) > reads


async def _failing(*_arguments, **_options):
    raise OSError("gone")


async def test_another_worker_at_the_same_repository_is_waited_for(desk, bench, remote):
    desk.add("app", remote)
    desk.build()
    index = await bench.index()
    lease = await Leases("elsewhere", "x").acquire(index.call, index.collection, "app")
    await desk.sync()
    assert desk.state().message == "another worker (elsewhere) is writing app: trying again soon"
    await lease.release()
    await desk.sync()
    assert desk.state().state == "Served"


async def test_a_sync_without_a_change_makes_a_handful_of_requests(desk, bench, remote):
    desk.add("app", remote)
    desk.build()
    await desk.sync()
    reads, writes, texts = len(bench.qdrant.reads), len(bench.qdrant.writes), len(bench.embedding.texts)
    await desk.sync()
    assert len(bench.qdrant.writes) == writes
    assert len(bench.embedding.texts) == texts
    assert bench.qdrant.reads[reads:].count("scroll") == 0
    assert len(bench.qdrant.reads) - reads <= 8
