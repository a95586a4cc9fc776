"""Workers turn what a pass returns, or raises, into the time of the next one."""

import asyncio
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from coderag_operator.engine import worker as module
from coderag_operator.engine.metrics import Metrics
from coderag_operator.engine.model_prober import ModelProber
from coderag_operator.engine.prober import Prober
from coderag_operator.engine.recorder import Recorder
from coderag_operator.engine.store import Store
from coderag_operator.engine.worker import Workers
from coderag_operator.engine.workqueue import WorkQueue
from coderag_operator.errors import Blocked, Transient
from coderag_operator.events import Notice
from coderag_operator.reconcile import Outcome, Tools
from tests.support.memory_kube import MemoryKube

KEY = ("team", "demo")


class World:
    """Workers around a scripted pass."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self.kube, self.store, self.queue, self.metrics = MemoryKube(), Store(), WorkQueue(rng=lambda: 1.0), Metrics()
        prober = Prober(self.store, self.queue, self.kube, pool)
        model_prober = ModelProber(self.store, self.queue, self.kube, pool)
        tools, recorder = Tools(self.kube, {}), Recorder(self.kube, "pod")
        self.workers = Workers(
            tools, self.store, self.queue, prober, model_prober, recorder, self.metrics, pool, 600, rng=lambda: 0.5
        )
        self.delays: list[float] = []
        self.queue.add_after = lambda key, seconds: self.delays.append(seconds)  # type: ignore[method-assign]
        metadata = {"name": "demo", "namespace": "team", "uid": "s", "resourceVersion": "1"}
        self.store.put_stack({"metadata": metadata, "spec": {}})

    def errors(self, reason: str) -> float:
        return self.metrics.registry.get_sample_value("coderag_errors_total", {"reason": reason}) or 0.0


@pytest.fixture
async def world() -> AsyncIterator[World]:
    with ThreadPoolExecutor(2) as pool:
        yield World(pool)


def script(monkeypatch: pytest.MonkeyPatch, result: Any) -> None:
    def passing(*_: Any) -> Outcome:
        if isinstance(result, Exception):
            raise result
        return result

    monkeypatch.setattr(module, "reconcile", passing)


@pytest.mark.parametrize(
    ("result", "delay", "reason"),
    [
        (Outcome(), 600, ""),
        (Outcome(requeue_after=20), 20, ""),
        (Outcome(requeue_after=9999), 600, ""),
        (Outcome(failure=Transient("Conflict", "x")), 1, "Conflict"),
        (Outcome(failure=Transient("TooManyRequests", "x", 9)), 9, "TooManyRequests"),
        (Transient("Unreachable", "x"), 1, "Unreachable"),
        (Blocked("Forbidden", "x"), 1, "Forbidden"),
        (ValueError("a bug"), 1, "Unexpected"),
    ],
)
async def test_the_next_pass_is_due_in_time(
    world: World, monkeypatch: pytest.MonkeyPatch, result: Any, delay: float, reason: str
) -> None:
    script(monkeypatch, result)
    await world.workers.look(KEY)
    assert world.delays == [delay]
    assert not reason or world.errors(reason) == 1


async def test_a_good_pass_forgets_failures_and_posts_its_notices(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.queue.retry(KEY)
    script(monkeypatch, Outcome(status_written=True, notices=(Notice("Normal", "Ready", "all"),)))
    await world.workers.look(KEY)
    assert world.queue.failures(KEY) == 0
    assert [event["reason"] for event in world.kube.of("Event")] == ["Ready"]


async def test_nothing_is_kept_of_a_stack_that_is_gone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    script(monkeypatch, Outcome(conditions=({"type": "Ready", "status": "True"},)))
    await world.workers.look(KEY)
    world.store.drop_stack(KEY, "s")
    await world.workers.look(KEY)
    assert b'stack="demo"' not in __import__("prometheus_client").generate_latest(world.metrics.registry)


async def test_a_worker_goes_on_after_a_bug(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    script(monkeypatch, ValueError("a bug"))
    task = asyncio.create_task(world.workers.run())
    for _ in range(2):
        done = asyncio.Event()
        world.queue.done = lambda key, done=done: (WorkQueue.done(world.queue, key), done.set())  # type: ignore
        world.queue.add(KEY)
        await done.wait()
    task.cancel()
    assert world.errors("Unexpected") == 2


async def test_a_drain_waits_for_running_passes(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    let_go = threading.Event()

    def slow(*_: Any) -> Outcome:
        let_go.wait(10)
        return Outcome()

    monkeypatch.setattr(module, "reconcile", slow)
    assert await world.workers.drain(0)
    task = asyncio.create_task(world.workers.look(KEY))
    await asyncio.sleep(0.01)
    assert not await world.workers.drain(0.01)
    let_go.set()
    assert await world.workers.drain(10)
    await task
