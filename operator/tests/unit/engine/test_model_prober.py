"""Model servers are watched in the background; a stack is woken by news of them and by nothing else."""

import asyncio
import base64
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from coderag_operator.engine import model_prober as module
from coderag_operator.engine.model_prober import ModelProber
from coderag_operator.engine.store import Store
from coderag_operator.engine.workqueue import WorkQueue
from coderag_operator.observed import project
from tests.support.memory_kube import MemoryKube
from tests.support.simulation import local_spec

KEY = ("team", "demo")


class Clock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def monotonic(self) -> float:
        return self.seconds

    def now(self) -> float:
        return self.seconds


class World:
    """One stack with a chat pod, whose server the test scripts."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self.kube, self.store, self.queue, self.clock = MemoryKube(), Store(), WorkQueue(), Clock()
        self.prober = ModelProber(self.store, self.queue, self.kube, pool, self.clock)
        self.asked: list[str] = []
        self.held, self.work, self.silent = 0, 0, False
        self.canary, self.keys = 200, ["first"]
        self.properties: dict[str, Any] = {}
        self.put_key("first")
        self.put_stack(local_spec(failover={"stallAfter": "10s"}))
        self.put_pod()

    def put_key(self, value: str) -> None:
        data = {"llama-api-key": base64.b64encode(value.encode()).decode()}
        self.kube.objects["Secret", "team", "demo-keys"] = {"metadata": {"resourceVersion": "1"}, "data": data}

    def put_stack(self, spec: dict[str, Any], generation: int = 1) -> None:
        metadata = {"name": "demo", "namespace": "team", "uid": "s", "resourceVersion": "1", "generation": generation}
        self.store.put_stack({"metadata": metadata, "spec": spec})

    def put_pod(self, phase: str = "Running", address: str = "10.0.0.9") -> None:
        labels = {"coderag.dev/stack": "demo", "app.kubernetes.io/component": "chat"}
        metadata = {"name": "demo-chat-1", "namespace": "team", "uid": "pod", "labels": labels}
        self.store.put_child(
            project({"kind": "Pod", "metadata": metadata, "status": {"phase": phase, "podIP": address}})
        )

    def put_facts(self, **role: Any) -> None:
        labels = {"coderag.dev/stack": "demo", "app.kubernetes.io/component": "facts"}
        version = str(len(self.asked) + 10)
        metadata = {
            "name": "demo-facts", "namespace": "team", "uid": "f", "labels": labels, "resourceVersion": version,
        }  # fmt: skip
        data = {"role.chat": json.dumps(role)}
        self.store.put_child(project({"kind": "ConfigMap", "metadata": metadata, "data": data}))

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(str(request.url))
        if request.headers["authorization"] != f"Bearer {self.keys[-1]}":
            return httpx.Response(401)
        if request.url.path == "/metrics":
            if self.silent:
                raise httpx.ReadTimeout("x")
            return httpx.Response(
                200, text=f"llamacpp:requests_processing {self.held}\nllamacpp:n_decode_total {self.work}\n"
            )
        if request.url.path == "/props":
            return httpx.Response(200, json=self.properties)
        return httpx.Response(self.canary, json={"choices": [{}]})

    async def look(self, seconds: float = 2.0) -> bool:
        """Let the prober look once; tell whether the stack was woken."""
        self.clock.seconds += seconds
        async with httpx.AsyncClient(transport=httpx.MockTransport(self.answer)) as client:
            self.prober.start_due(client)
            await asyncio.gather(*self.prober._tasks)
        woken = len(self.queue) > 0
        if woken:
            self.queue.done(await self.queue.get())
        return woken

    @property
    def pulse(self) -> module.Pulse:
        return self.prober.pulses(self.store.children(KEY))["pod"]


@pytest.fixture
def world() -> Iterator[World]:
    with ThreadPoolExecutor(1) as pool:
        yield World(pool)


async def test_a_healthy_server_wakes_nobody_and_is_asked_at_its_pod(world: World):
    assert [await world.look() for _ in range(5)] == [False] * 5
    assert set(world.asked) == {"http://10.0.0.9:8001/metrics"}
    assert world.pulse == module.Pulse()


@pytest.mark.parametrize("silent", [True, False])
async def test_a_server_that_hangs_wakes_its_stack_once(world: World, silent: bool):
    await world.look()
    world.held, world.silent = 1, silent
    await world.look()
    woken = [await world.look() for _ in range(8)]
    assert woken.count(True) == 1
    assert world.clock.seconds - world.pulse.stuck_since >= 10
    world.work, world.silent = 1, False
    assert await world.look()
    assert world.pulse.stuck_since is None


async def test_canaries_are_asked_only_of_a_server_on_trial(world: World):
    world.put_facts(active="code")
    assert [await world.look() for _ in range(4)] == [False, False, True, False]
    assert (world.pulse.canaries, world.pulse.trouble) == (3, "")
    assert "http://10.0.0.9:8001/props" not in world.asked
    world.canary = 500
    assert await world.look()
    assert (world.pulse.canaries, world.pulse.trouble) == (0, "a request was answered with 500")
    world.put_facts()
    await world.look()
    assert world.pulse == module.Pulse()


async def test_a_server_of_a_rollout_must_have_loaded_what_the_spec_says(world: World):
    world.put_facts(active="code", rollout={"revision": "r", "step": "Verifying", "since": 1})
    world.properties = {"model_path": "/models/old.gguf"}
    await world.look()
    assert world.pulse.trouble.startswith("it has loaded /models/old.gguf and not /models/aaa")
    world.properties = {}
    for _ in range(3):
        await world.look()
    assert world.pulse.canaries == 3


async def test_a_server_on_trial_that_cannot_be_reached_says_so(world: World):
    world.put_facts(active="code")
    world.keys.append("another")
    assert await world.look()
    assert (world.pulse.canaries, world.pulse.trouble) == (0, "its metrics cannot be read: it does not know the key")


async def test_a_key_that_has_changed_is_read_again(world: World):
    await world.look()
    world.keys.append("second")
    world.put_key("second")
    await world.look()
    world.held = 1
    await world.look()
    await world.look(1)
    assert world.pulse.stuck_since is not None


async def test_without_a_key_nobody_is_asked(world: World):
    world.put_key("")
    await world.look()
    assert world.asked == []


async def test_an_api_server_that_fails_is_no_news(world: World, monkeypatch: pytest.MonkeyPatch):
    def fail(*_: Any) -> None:
        raise module.Failure("Unreachable", "x")

    monkeypatch.setattr(world.kube, "get", fail)
    assert not await world.look()
    assert world.asked == []


async def test_a_pod_that_is_not_running_or_gone_is_not_asked_and_forgotten(world: World):
    await world.look()
    world.put_pod(phase="Pending")
    world.asked.clear()
    await world.look()
    assert world.asked == []
    assert world.prober.pulses(world.store.children(KEY)) == {}


async def test_an_invalid_spec_or_a_stack_that_is_gone_is_left_alone(world: World):
    world.put_stack({"models": {}}, generation=2)
    await world.look()
    world.store.drop_stack(KEY, "s")
    await world.look()
    assert world.asked == []


async def test_an_address_of_the_newer_kind_is_put_in_brackets(world: World):
    world.put_pod(address="fd00::9")
    await world.look()
    assert world.asked == ["http://[fd00::9]:8001/metrics"]


async def test_a_slow_answer_holds_no_other_look_up(world: World):
    gate = asyncio.Event()

    async def slow(request: httpx.Request) -> httpx.Response:
        world.asked.append(str(request.url))
        await gate.wait()
        return world.answer(request)

    async with httpx.AsyncClient(transport=httpx.MockTransport(slow)) as client:
        for _ in range(3):
            world.clock.seconds += 5
            world.prober.start_due(client)
            await asyncio.sleep(0.01)
        assert len(world.asked) == 1
        gate.set()
        await asyncio.gather(*world.prober._tasks)


async def test_it_runs_until_it_is_cancelled(world: World):
    task = asyncio.create_task(world.prober.run())
    await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_the_wait_for_an_answer_ends_when_the_server_counts_as_stuck():
    assert module.patience(module.Progress(), 10, 100) == 3
    assert module.patience(module.Progress((), 91), 10, 100) == 1
    assert module.patience(module.Progress((), 80), 10, 100) == module.REST


async def test_the_clock_is_the_loops_and_the_worlds():
    clock = module.Clock()
    assert clock.monotonic() == pytest.approx(asyncio.get_running_loop().time(), abs=1)
    assert clock.now() > 1.6e9
