"""The course of the worker that faults and changes bring: full queues, chunks that cannot be mended, other models."""

import pytest
from coderag_rag.clients.embedding import EmbeddingUnavailable
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


async def test_another_model_is_noticed_before_the_schedule_says_so(desk, bench):
    await desk.sync()
    before = (await desk.status())["identity"]
    await desk.worker.look_at_the_model()
    assert len(desk.worker.queue) == 0
    bench.embedding.model = "better"
    await desk.worker.look_at_the_model()
    assert (await desk.status())["identity"] != before
    assert await desk.worker.queue.get() == Key("app", "main")


async def test_with_a_full_queue_another_model_is_built_for_as_soon_as_there_is_room(desk, bench):
    await desk.sync()
    bench.embedding.model, desk.worker.queue = "better", SyncQueue(0)
    await desk.worker.look_at_the_model()
    assert desk.state().next_sync == desk.now


async def test_a_silent_embedding_service_changes_nothing(desk, bench, monkeypatch, caplog):
    await desk.sync()
    identity = desk.worker.synchroniser.identity

    async def silent():
        raise EmbeddingUnavailable("no answer")

    monkeypatch.setattr(desk.worker.synchroniser, "open", silent)
    with caplog.at_level("INFO"):
        await desk.worker.look_at_the_model()
    assert "cannot be told now" in caplog.text
    assert desk.worker.synchroniser.identity == identity
    assert len(desk.worker.queue) == 0
