"""The worker: when it syncs, what it says about it, and what it does when something is wrong."""

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from coderag_rag.http.app import create_app
from coderag_rag.http.health import Health
from coderag_rag.ingestion.api import build_router
from coderag_rag.ingestion.metrics import SyncMetrics
from coderag_rag.ingestion.queue import QueueFull, SyncQueue
from coderag_rag.ingestion.schedule import next_sync
from coderag_rag.ingestion.settings import RepositoryConfig
from coderag_rag.ingestion.worker import Worker
from coderag_rag.store.calls import StoreUnavailable
from coderag_rag.store.collection import live_collection
from prometheus_client import CollectorRegistry

pytestmark = pytest.mark.slow

NOW = datetime(2026, 11, 21, 12, 1, tzinfo=UTC)
CODE = "def retry():\n    pass\n"


class Desk:
    """A worker with a clock that tests move, and its HTTP side."""

    def __init__(self, bench):
        self.bench, self.now, self.configured = bench, NOW, {}
        self.tick = asyncio.Event()

    def add(self, name, remote, ref="main", schedule="*/15 * * * *"):
        config = RepositoryConfig(name, remote.url, ref, schedule, None)
        self.configured[name] = (config, self.bench.source(name, remote, ref))

    def build(self):
        self.registry = CollectorRegistry()
        self.health = Health()
        metrics = SyncMetrics(self.registry)
        self.worker = Worker(
            self.configured, self.bench.opener(), self.bench.tools, metrics, self.health, lambda: self.now, self.sleep
        )
        app = create_app("test", keys=["key"], health=self.health, registry=self.registry)
        app.include_router(build_router(self.worker))
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://test", headers={"authorization": "Bearer key"}
        )
        return self.worker

    async def sleep(self, _seconds):
        await self.tick.wait()
        self.tick.clear()

    @asynccontextmanager
    async def running(self):
        worker = self.build()
        task = asyncio.create_task(worker.run())
        try:
            yield worker
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def until(self, condition):
        async with asyncio.timeout(30):
            while not condition():  # noqa: ASYNC110 - the state is the worker's own; it tells nobody
                await asyncio.sleep(0.005)

    def state(self, name="app"):
        return self.worker.repositories[name]


@pytest.fixture
def remote(bench):
    made = bench.remote("app")
    made.commit({"a.py": CODE})
    return made


@pytest.fixture
def desk(bench, remote):
    made = Desk(bench)
    made.add("app", remote)
    return made


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
        "message": "",
        "next_sync": "2026-11-21T12:15:00+00:00",
    }
    assert desk.registry.get_sample_value("coderag_embeddings_total") == 1
    assert await live_collection(desk.bench.call) == (await desk.bench.index()).collection


async def test_a_sync_without_a_change_embeds_and_writes_nothing(desk):
    worker = desk.build()
    await worker.sync("app")
    await worker.sync("app")
    writes, texts = len(desk.bench.qdrant.writes), len(desk.bench.embedding.texts)
    await worker.sync("app")
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
    desk.worker.repositories["second"] = desk.state()
    answer = await desk.http.post("/v1/repositories/second/sync")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")


async def test_a_full_queue_leaves_the_rest_for_the_next_look(desk):
    worker = desk.build()
    worker.queue = SyncQueue(1)
    worker.queue.put("someone else")
    desk.state().next_sync = NOW
    worker._queue_due()
    assert desk.state().next_sync == NOW
    with pytest.raises(QueueFull):
        worker.request("app")


async def test_a_repository_that_was_never_served_is_failed_with_the_reason(desk, bench):
    desk.add("empty", bench.remote("empty"))
    worker = desk.build()
    assert desk.state("empty").state == "Pending"
    await worker.sync("empty")
    assert desk.state("empty").state == "Failed"
    assert desk.state("empty").message == "the repository is empty: push a commit"
    assert desk.state("empty").next_sync == NOW + timedelta(seconds=5)


async def test_a_served_repository_stays_served_when_a_refresh_fails(desk, remote, bench):
    worker = desk.build()
    await bench.index()
    await worker.sync("app")
    remote.commit({"b.py": "def more():\n    pass\n"})
    bench.embedding.refuse = httpx.Response(503, text="loading")
    await worker.sync("app")
    assert desk.state().state == "Served"
    assert "the embedding service answered 503" in desk.state().message
    assert await bench.served_texts("app") == {"a.py": CODE}
    bench.embedding.refuse = None
    await worker.sync("app")
    assert (desk.state().message, desk.state().failures) == ("", 0)
    assert set(await bench.served_texts("app")) == {"a.py", "b.py"}


async def test_an_unforeseen_error_is_recorded_and_the_worker_lives(desk, monkeypatch, caplog):
    worker = desk.build()

    async def crash(*_arguments):
        raise KeyError("blob")

    monkeypatch.setattr("coderag_rag.ingestion.worker.apply_commit", crash)
    await worker.sync("app")
    assert desk.state().message == "unexpected KeyError: see the log"
    assert "sync crashed" in caplog.text


async def test_a_copy_that_cannot_be_read_is_thrown_away(desk, bench, monkeypatch):
    worker = desk.build()
    await worker.sync("app")
    index = await bench.index()
    await bench.qdrant.delete_collection(index.collection)
    for pack in (bench.folder / "work" / "app.git" / "objects").glob("??/*"):
        pack.unlink()
    for pack in (bench.folder / "work" / "app.git" / "objects" / "pack").glob("*"):
        pack.unlink()
    await worker.sync("app")
    await worker.sync("app")
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
    await desk.build().sync("app")
    served = desk.state().head
    worker = desk.build()
    await worker.open()
    assert desk.state().head == served
    assert desk.state().state == "Served"


async def test_a_repository_that_left_the_configuration_is_no_longer_served(desk, bench):
    other = bench.remote("other")
    other.commit({"b.py": "def more():\n    pass\n"})
    await bench.sync(bench.source("other", other))
    await desk.build().sync("app")
    assert await bench.served_texts("other") == {}
    assert set(await bench.served_texts("app")) == {"a.py"}


async def test_leftovers_are_removed_once_all_is_quiet(desk, bench):
    other = bench.remote("other")
    other.commit({"b.py": "def more():\n    pass\n"})
    desk.add("other", other)
    stray = bench.remote("stray")
    stray.commit({"c.py": "def stray():\n    pass\n"})
    await bench.index()
    bench.qdrant.kill_at = len(bench.qdrant.writes) + 1
    assert await bench.attempt(bench.source("stray", stray)) == "killed"
    bench.qdrant.kill_at = None
    worker = desk.build()
    await worker.sync("app")
    assert len(await bench.chunks()) == 2
    await worker.sync("other")
    assert sorted(chunk["symbols"][0] for chunk in await bench.chunks()) == ["more", "retry"]


async def test_half_the_work_of_a_failed_sync_is_kept_for_the_next_try(desk, bench, monkeypatch):
    other = bench.remote("other")
    other.commit({"b.py": "def more():\n    pass\n"})
    desk.add("other", other)
    worker = desk.build()

    async def fail(*_arguments):
        raise StoreUnavailable("gone")

    with monkeypatch.context() as patched:
        patched.setattr("coderag_rag.ingestion.sync.write_pages", fail)
        await worker.sync("other")
    await worker.sync("app")
    assert len(await bench.chunks()) == 2
    embedded = len(bench.embedding.texts)
    await worker.sync("other")
    assert len(bench.embedding.texts) == embedded


async def test_one_sync_of_a_repository_runs_at_a_time(desk):
    async with desk.running():
        turn = desk.worker.queue.turn("app")
        await desk.until(lambda: desk.state().head is not None and not desk.state().running)
        async with turn:
            await desk.http.post("/v1/repositories/app/sync")
            await desk.until(lambda: len(desk.worker.queue) == 0)
            assert desk.state().running is False


@pytest.mark.parametrize(("failures", "seconds"), [(1, 5), (2, 10), (3, 20), (20, 300)])
def test_after_failures_the_next_try_comes_sooner_and_then_slower(failures, seconds):
    assert next_sync("0 0 * * *", NOW, failures) == NOW + timedelta(seconds=seconds)


def test_a_retry_never_comes_later_than_planned():
    assert next_sync("*/2 * * * *", NOW, 9) == NOW + timedelta(minutes=1)
    assert next_sync("*/15 * * * *", NOW, 0) == NOW + timedelta(minutes=14)
