"""The worker: when it syncs, what it says about it, and what it does when something is wrong."""

import asyncio
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from coderag_rag.ingestion.queue import QueueFull, SyncQueue
from coderag_rag.ingestion.schedule import next_sync
from coderag_rag.ingestion.source import Key
from coderag_rag.store.calls import StoreUnavailable
from coderag_rag.store.collection import live_collection

pytestmark = pytest.mark.slow

NOW = datetime(2026, 11, 21, 12, 1, tzinfo=UTC)
CODE = "def retry():\n    pass\n"
APP = Key("app", "main")


@pytest.fixture
def remote(bench):
    made = bench.remote("app")
    made.commit({"a.py": CODE})
    return made


@pytest.fixture
def desk(desk, remote):
    desk.add("app", remote)
    return desk


async def test_every_repository_is_synced_at_the_start_and_shown(desk, remote):
    async with desk.running():
        await desk.until(lambda: desk.state().state == "Served" and not desk.state().running)
        [row] = (await desk.http.get("/v1/status")).json()["repositories"]
    assert row == {
        "name": "app",
        "ref": "main",
        "state": "Served",
        "commit": remote.git("rev-parse", "HEAD"),
        "indexed_at": row["indexed_at"],
        "files": 1,
        "chunks": 1,
        "skipped": [],
        "skipped_counts": {},
        "stopped": [],
        "message": "",
        "next_sync": "2026-11-21T12:15:00+00:00",
        "refs": [],
    }
    assert desk.registry.get_sample_value("coderag_embeddings_total") == 1
    assert await live_collection(desk.bench.call) == (await desk.bench.index()).collection


async def test_a_sync_without_a_change_embeds_and_writes_nothing(desk):
    desk.build()
    await desk.sync("app")
    await desk.sync("app")
    writes, texts = len(desk.bench.qdrant.writes), len(desk.bench.embedding.texts)
    await desk.sync("app")
    assert len(desk.bench.qdrant.writes) == writes
    assert len(desk.bench.embedding.texts) == texts


async def test_a_sync_on_request_picks_up_a_push(desk, remote):
    async with desk.running():
        await desk.until(lambda: desk.state().head is not None and not desk.state().running)
        commit = remote.commit({"b.py": "def more():\n    pass\n"})
        answer = await desk.http.post("/v1/repositories/app/sync")
        assert (answer.status_code, answer.json()["queued"]) == (202, True)
        await desk.until(lambda: desk.state().head.commit == commit)


async def test_a_sync_comes_when_it_is_due(desk, remote):
    async with desk.running():
        await desk.until(lambda: desk.state().head is not None and not desk.state().running)
        commit = remote.commit({"b.py": "def more():\n    pass\n"})
        desk.now += timedelta(minutes=14)
        desk.tick.set()
        await desk.until(lambda: desk.state().head.commit == commit)


async def test_an_unknown_repository_is_named(desk):
    desk.build()
    answer = await desk.http.post("/v1/repositories/other/sync")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "repository_not_found")
    assert answer.json()["error"]["hint"] == "configured: app"


async def test_asking_twice_waits_once_and_a_full_queue_says_so(desk):
    desk.build().queue = SyncQueue(1)
    assert (await desk.http.post("/v1/repositories/app/sync")).json()["message"] == "queued"
    assert (await desk.http.post("/v1/repositories/app/sync")).json()["message"] == "was waiting already"
    desk.worker.queue._waiting = {Key("someone", "else"): None}
    answer = await desk.http.post("/v1/repositories/app/sync")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")


async def test_a_full_queue_leaves_the_rest_for_the_next_look(desk):
    worker = desk.build()
    worker.queue = SyncQueue(1)
    worker.queue.put(Key("someone", "else"))
    desk.state().next_sync = NOW
    worker._queue_due()
    assert desk.state().next_sync == NOW
    with pytest.raises(QueueFull):
        worker.request(APP)


async def test_a_repository_that_was_never_served_is_failed_with_the_reason(desk, bench):
    desk.add("empty", bench.remote("empty"))
    desk.build()
    assert desk.state("empty").state == "Pending"
    await desk.sync("empty")
    assert desk.state("empty").state == "Failed"
    assert desk.state("empty").message == "the repository is empty: push a commit"
    assert desk.state("empty").next_sync == NOW + timedelta(seconds=5)


async def test_a_served_repository_stays_served_when_a_refresh_fails(desk, remote, bench):
    desk.build()
    await bench.index()
    await desk.sync("app")
    remote.commit({"b.py": "def more():\n    pass\n"})
    bench.embedding.refuse = httpx.Response(503, text="loading")
    await desk.sync("app")
    assert desk.state().state == "Served"
    assert "the embedding service answered 503" in desk.state().message
    assert await bench.served_texts("app") == {"a.py": CODE}
    bench.embedding.refuse = None
    await desk.sync("app")
    assert (desk.state().message, desk.state().failures) == ("", 0)
    assert set(await bench.served_texts("app")) == {"a.py", "b.py"}


async def test_an_unforeseen_error_is_recorded_and_the_worker_lives(desk, monkeypatch, caplog):
    desk.build()

    async def crash(*_arguments):
        raise KeyError("blob")

    monkeypatch.setattr("coderag_rag.ingestion.synchroniser.apply_commit", crash)
    await desk.sync("app")
    assert desk.state().message == "unexpected KeyError: see the log"
    assert "sync crashed" in caplog.text


async def test_a_copy_that_cannot_be_read_is_thrown_away(desk, bench, monkeypatch):
    desk.build()
    await desk.sync("app")
    index = await bench.index()
    await bench.qdrant.delete_collection(index.collection)
    for pack in (bench.folder / "work" / "app.git" / "objects").glob("??/*"):
        pack.unlink()
    for pack in (bench.folder / "work" / "app.git" / "objects" / "pack").glob("*"):
        pack.unlink()
    await desk.sync("app")
    await desk.sync("app")
    assert desk.state().message == ""
    assert await bench.served_texts("app") == {"a.py": CODE}


async def test_it_is_not_ready_before_the_index_is_open(desk, bench):
    bench.embedding.refuse = httpx.Response(503, text="loading")
    async with desk.running():
        await desk.until(lambda: desk.health._waiting_for != "the service is starting")
        answer = await desk.http.get("/readyz")
        assert answer.status_code == 503
        assert "the embedding service answered 503" in answer.json()["error"]["message"]
        bench.embedding.refuse = None
        desk.tick.set()
        await desk.until(lambda: desk.health.ready)
    assert (await desk.http.get("/readyz")).status_code == 200


async def test_after_a_restart_the_served_commit_is_shown_before_any_sync(desk):
    desk.build()
    await desk.sync("app")
    served = desk.state().head
    worker = desk.build()
    await worker.synchroniser.open()
    assert (desk.state().head.commit, desk.state().head.generation) == (served.commit, served.generation)
    assert desk.state().state == "Served"


async def test_a_repository_that_left_the_configuration_is_no_longer_served(desk, bench):
    other = bench.remote("other")
    other.commit({"b.py": "def more():\n    pass\n"})
    await bench.sync(bench.source("other", other))
    desk.build()
    await desk.sync("app")
    assert await bench.served_texts("other") == {}
    assert set(await bench.served_texts("app")) == {"a.py"}


async def test_leftovers_are_removed_once_all_is_quiet(desk, bench):
    other = bench.remote("other")
    other.commit({"b.py": "def more():\n    pass\n"})
    desk.add("other", other)
    stray = bench.remote("stray")
    stray.commit({"c.py": "def stray():\n    pass\n"})
    await bench.index()
    bench.qdrant.kill_at = len(bench.qdrant.writes) + 3
    assert await bench.attempt(bench.source("stray", stray)) == "killed"
    bench.qdrant.kill_at = None
    desk.build()
    await desk.sync("app")
    assert len(await bench.chunks()) == 2
    await desk.sync("other")
    assert sorted(chunk["symbols"][0] for chunk in await bench.chunks()) == ["more", "retry"]


async def test_half_the_work_of_a_failed_sync_costs_no_second_embedding(desk, bench, monkeypatch):
    other = bench.remote("other")
    other.commit({"b.py": "def more():\n    pass\n"})
    desk.add("other", other)
    desk.build()

    async def fail(*_arguments):
        raise StoreUnavailable("gone")

    with monkeypatch.context() as patched:
        patched.setattr("coderag_rag.ingestion.sync.write_pages", fail)
        await desk.sync("other")
    await desk.sync("app")
    embedded = len(bench.embedding.texts)
    await desk.sync("other")
    assert len(bench.embedding.texts) == embedded


async def test_one_sync_of_a_repository_runs_at_a_time_and_others_overtake_it():
    queue = SyncQueue(8)
    for key in (Key("app", "main"), Key("app", "release"), Key("other", "main")):
        queue.put(key)
    assert await queue.get() == ("app", "main")
    assert await queue.get() == ("other", "main")
    assert len(queue) == 1
    waiting = asyncio.create_task(queue.get())
    queue.done(Key("other", "main"))
    await asyncio.sleep(0)
    assert not waiting.done()
    queue.done(Key("app", "main"))
    assert await waiting == ("app", "release")


@pytest.mark.parametrize(("failures", "seconds"), [(1, 5), (2, 10), (3, 20), (20, 300)])
def test_after_failures_the_next_try_comes_sooner_and_then_slower(failures, seconds):
    assert next_sync("0 0 * * *", NOW, failures) == NOW + timedelta(seconds=seconds)


def test_a_retry_never_comes_later_than_planned():
    assert next_sync("*/2 * * * *", NOW, 9) == NOW + timedelta(minutes=1)
    assert next_sync("*/15 * * * *", NOW, 0) == NOW + timedelta(minutes=14)
