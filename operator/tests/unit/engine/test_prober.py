"""Workers are asked in the background, less often when silent, and a stack is woken only by news."""

import base64
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from coderag_operator.clients.ingestion import Refused, Unavailable
from coderag_operator.engine.prober import Prober
from coderag_operator.engine.store import Store
from coderag_operator.engine.workqueue import WorkQueue
from coderag_operator.observed import project
from coderag_operator.observed.index import Index, Repository
from tests.support.memory_kube import MemoryKube
from tests.support.simulation import external_spec

KEY = ("team", "demo")
SERVED = Index(True, "i", (Repository("app", state="Served", commit="c"),))
SPEC = external_spec(repositories=[{"name": "app", "url": "https://git.example/app.git"}])


class World:
    """One stack with a ready worker, whose answers the test scripts."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self.kube, self.store, self.queue = MemoryKube(), Store(), WorkQueue()
        self.answers: list[Any] = []
        self.asked: list[tuple[str, str]] = []
        self.prober = Prober(self.store, self.queue, self.kube, pool, self.ask)
        self.put_key("first")
        self.put_stack(SPEC)
        self.put_worker(1)

    async def ask(self, base: str, key: str) -> Index:
        self.asked.append((base, key))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def put_key(self, value: str) -> None:
        data = {"api-key": base64.b64encode(value.encode()).decode()} if value else {}
        self.kube.objects["Secret", "team", "demo-keys"] = {"metadata": {"resourceVersion": "1"}, "data": data}

    def put_stack(self, spec: dict[str, Any]) -> None:
        metadata = {"name": "demo", "namespace": "team", "uid": "s", "resourceVersion": "1"}
        self.store.put_stack({"metadata": metadata, "spec": spec})

    def put_worker(self, ready: int) -> None:
        labels = {"coderag.dev/stack": "demo", "app.kubernetes.io/component": "ingestion"}
        metadata = {"name": "demo-ingestion", "namespace": "team", "uid": "w", "labels": labels}
        self.store.put_child(project({"kind": "StatefulSet", "metadata": metadata, "status": {"readyReplicas": ready}}))


@pytest.fixture
def world() -> Iterator[World]:
    with ThreadPoolExecutor(1) as pool:
        yield World(pool)


async def test_news_wakes_the_stack_and_no_news_does_not(world: World) -> None:
    world.answers = [SERVED, SERVED]
    await world.prober.probe_due(0)
    assert world.prober.report(KEY) == SERVED
    assert await world.queue.get() == KEY
    world.queue.done(KEY)
    await world.prober.probe_due(29)
    assert len(world.asked) == 1
    await world.prober.probe_due(31)
    assert len(world.asked) == 2
    assert len(world.queue) == 0
    assert world.asked[0] == ("http://demo-ingestion.team.svc:8005", "first")


async def test_an_index_that_is_being_made_is_asked_about_more_often(world: World) -> None:
    world.answers = [Index(), Index()]
    await world.prober.probe_due(0)
    await world.prober.probe_due(5)
    assert len(world.asked) == 2


async def test_a_silent_worker_is_asked_less_often_and_believed_for_a_while(world: World) -> None:
    world.answers = [SERVED, *[Unavailable()] * 3]
    await world.prober.probe_due(0)
    for now in (30, 35, 45):
        assert world.prober.report(KEY) == SERVED
        await world.prober.probe_due(now)
    assert world.prober.report(KEY) == Index(reachable=False)
    await world.prober.probe_due(60)
    assert len(world.asked) == 4


async def test_a_changed_key_is_read_again_at_once(world: World) -> None:
    world.answers = [SERVED, Refused(), SERVED]
    await world.prober.probe_due(0)
    world.put_key("second")
    await world.prober.probe_due(30)
    assert [key for _, key in world.asked] == ["first", "first", "second"]


async def test_a_key_that_is_refused_is_a_failure(world: World) -> None:
    world.answers = [Refused()]
    await world.prober.probe_due(0)
    assert world.prober.report(KEY) is None


def empty(world: World) -> None:
    world.put_key("")


def gone(world: World) -> None:
    del world.kube.objects["Secret", "team", "demo-keys"]


def down(world: World) -> None:
    world.put_worker(0)


def invalid(world: World) -> None:
    world.put_stack({"repositories": [{}]})


def no_repositories(world: World) -> None:
    world.put_stack(external_spec())


@pytest.mark.parametrize("change", [empty, gone, down, invalid, no_repositories])
async def test_who_cannot_be_asked_is_not_asked(world: World, change: Callable[[World], None]) -> None:
    change(world)
    await world.prober.probe_due(0)
    assert world.asked == []
    assert world.prober.report(KEY) is None


async def test_nothing_is_kept_of_a_stack_that_is_gone(world: World) -> None:
    world.answers = [SERVED]
    await world.prober.probe_due(0)
    world.prober.forget(KEY)
    assert world.prober.report(KEY) is None


async def test_without_its_client_the_prober_knows_nothing(world: World) -> None:
    with ThreadPoolExecutor(1) as pool:
        prober = Prober(world.store, world.queue, world.kube, pool)
        await prober.probe_due(0)
    assert prober.report(KEY) is None
