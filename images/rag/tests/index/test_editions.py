"""Points of the worker's course that only faults reach: a full queue while tidying, chunks that cannot be mended."""

import pytest
from coderag_rag.ingestion.garbage import Reconciled
from coderag_rag.ingestion.queue import SyncQueue
from coderag_rag.ingestion.source import Key

pytestmark = pytest.mark.slow


@pytest.fixture
def desk(desk, bench):
    remote = bench.remote("app")
    remote.commit({"a.py": "def retry():\n    pass\n"})
    desk.add("app", remote)
    desk.remote = remote
    desk.build()
    return desk


async def test_a_full_queue_delays_what_has_to_be_synced_again(desk, monkeypatch, caplog):
    await desk.worker.sync(Key("app", "main"))

    async def damaged(_index):
        return Reconciled(0, 0, frozenset({Key("app", "main"), Key("unknown", "main")}))

    monkeypatch.setattr("coderag_rag.ingestion.synchroniser.reconcile", damaged)
    desk.worker.queue = SyncQueue(0)
    await desk.worker.tidy()
    assert "not reconciled" in caplog.text
    desk.worker.queue = SyncQueue(4)
    desk.now = desk.now.replace(minute=10)
    await desk.worker.tidy()
    assert await desk.worker.queue.get() == Key("app", "main")


async def test_chunks_that_cannot_be_made_whole_stop_the_sync_and_what_was_served_stays(desk, bench, monkeypatch):
    await desk.sync()
    served = desk.state().head.commit
    desk.remote.commit({"b.py": "def more():\n    pass\n"})

    async def always(_store, expected):
        return sorted(expected)

    monkeypatch.setattr("coderag_rag.store.chunks.ChunkStore.unequal", always)
    await desk.worker.sync(Key("app", "main"))
    assert desk.state().message == "2 files are not whole in Qdrant: trying again"
    assert desk.state().head.commit == served


async def test_an_index_that_lacks_chunks_is_not_searched(desk, bench):
    await desk.sync()
    bench.second, bench.embedding.model = None, "better"
    desk.build()
    await desk.worker.sync(Key("app", "main"))
    index = await bench.index()
    await index.chunks.delete([chunk["blob"] for chunk in await bench.chunks()])
    await desk.worker.promote()
    course = (await desk.status())["promotion"]
    assert (course["state"], course["reason"]) == ("Building", "1 files are not whole yet")
