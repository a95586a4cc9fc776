"""Search goes first, nothing is computed for nobody, and no queue grows without end."""

import asyncio
import threading
from collections import Counter
from functools import partial

import pytest
from coderag_embedding.lanes import QUIET_SECONDS, Lanes, QueueFullError
from coderag_embedding.pace import BATCH_SECONDS, Pace, estimate_tokens
from hypothesis import given, settings
from hypothesis import strategies as st


class Gate:
    """Jobs that wait until they are let go, and a record of what ran."""

    def __init__(self):
        self.started = []
        self.open = threading.Event()

    def job(self, name):
        """A job that notes its start and waits for the gate."""

        def run():
            self.started.append(name)
            assert self.open.wait(20)
            return name

        return run


@pytest.fixture
def gate():
    gate = Gate()
    yield gate
    gate.open.set()


@pytest.fixture
def make_lanes(gate):
    made = []

    def make(threads, limit=256, **options):
        made.append(Lanes(threads, limit, **options))
        return made[-1]

    yield make
    gate.open.set()
    for lanes in made:
        lanes.close()


async def until(condition):
    """Wait for what another thread does."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110  another thread changes it
            await asyncio.sleep(0.001)


async def test_a_query_waits_neither_for_bulk_work_that_runs_nor_for_what_waits(make_lanes, gate):
    lanes = make_lanes(1)
    bulk = asyncio.create_task(lanes.run("passage", [gate.job("bulk 1"), gate.job("bulk 2")]))
    await until(lambda: gate.started == ["bulk 1"])
    assert await lanes.run("query", [lambda: "query"]) == ["query"]
    gate.open.set()
    assert await bulk == ["bulk 1", "bulk 2"]
    assert gate.started == ["bulk 1", "bulk 2"]


async def test_while_anyone_searches_bulk_work_leaves_a_thread_free(make_lanes, gate):
    now = 100.0
    lanes = make_lanes(3, clock=lambda: now)
    await lanes.run("query", [lambda: None])
    bulk = asyncio.create_task(lanes.run("passage", [gate.job(n) for n in range(5)]))
    await until(lambda: len(gate.started) == 2)
    assert (lanes.running("passage"), lanes.depth("passage")) == (2, 3)
    assert await lanes.run("query", [lambda: "at once"]) == ["at once"]
    now += QUIET_SECONDS
    gate.open.set()
    assert await bulk == list(range(5))


async def test_bulk_work_takes_every_thread_when_nobody_searches(make_lanes, gate):
    lanes = make_lanes(2)
    bulk = asyncio.create_task(lanes.run("passage", [gate.job(n) for n in range(3)]))
    await until(lambda: len(gate.started) == 2)
    assert lanes.running("passage") == 2
    gate.open.set()
    await bulk


async def test_one_thread_still_does_bulk_work(make_lanes):
    lanes = make_lanes(1)
    await lanes.run("query", [lambda: None])
    assert await lanes.run("passage", [lambda: 1, lambda: 2]) == [1, 2]


async def test_a_full_queue_refuses_at_once_and_says_when_to_come_back(make_lanes, gate):
    lanes = make_lanes(1, limit=2)
    first = asyncio.create_task(lanes.run("passage", [gate.job(1), gate.job(2)]))
    await until(lambda: lanes.running("passage") == 1)
    with pytest.raises(QueueFullError) as caught:
        await lanes.run("passage", [gate.job(3), gate.job(4)])
    assert caught.value.retry_after > 0
    gate.open.set()
    await first
    assert gate.started == [1, 2]


async def test_a_full_bulk_queue_does_not_refuse_queries(make_lanes, gate):
    lanes = make_lanes(2, limit=2)
    for n in range(2):
        asyncio.create_task(lanes.run("passage", [gate.job(n), gate.job(n)]))  # noqa: RUF006
    await until(lambda: lanes.depth("passage") == 2)
    gate.open.set()
    assert await lanes.run("query", [lambda: "found"]) == ["found"]


async def test_what_waits_for_a_caller_who_left_is_not_computed(make_lanes, gate):
    lanes = make_lanes(1)
    gone = asyncio.create_task(lanes.run("passage", [gate.job("running"), gate.job("abandoned")]))
    await until(lambda: gate.started == ["running"])
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    assert lanes.depth("passage") == 0
    gate.open.set()
    assert await lanes.run("passage", [gate.job("next")]) == ["next"]
    assert gate.started == ["running", "next"]


async def test_one_text_that_fails_fails_its_request_and_no_other(make_lanes):
    lanes = make_lanes(1)

    def fail():
        raise ZeroDivisionError("this text")

    never = []
    other = asyncio.create_task(lanes.run("passage", [lambda: "fine"]))
    with pytest.raises(ZeroDivisionError, match="this text"):
        await lanes.run("passage", [fail, lambda: 1, partial(never.append, 1)])
    assert await other == ["fine"]
    await until(lambda: lanes.running("passage") == 0)


async def batches_of(lanes, gate, costs):
    """Run bulk texts behind one that waits for the gate; return the batches that were made of them."""
    made, line = [], lanes._lines["passage"]
    run = line.run

    def note(jobs):
        made.append([job.args[0] for job in jobs if isinstance(job, partial)])
        return run(jobs)

    line.run = note
    blocker = asyncio.create_task(lanes.run("passage", [gate.job("first")] * lanes.threads))
    await until(lambda: lanes.running("passage") == lanes.threads)
    bulk = asyncio.create_task(lanes.run("passage", [partial(int, n) for n in range(len(costs))], costs))
    await until(lambda: lanes.depth("passage") == len(costs))
    gate.open.set()
    assert await bulk == list(range(len(costs)))
    await blocker
    return [batch for batch in made if batch]


async def test_bulk_texts_go_in_batches_of_a_token_budget(make_lanes, gate):
    lanes = make_lanes(1, pace=Pace(batch_tokens=100))
    assert await batches_of(lanes, gate, [40, 60, 1, 250, 99, None, 10]) == [[0, 1], [2], [3], [4], [5], [6]]


async def test_a_batch_leaves_texts_for_the_other_free_threads(make_lanes):
    sizes = []
    lanes = make_lanes(2, run_bulk=lambda jobs: sizes.append(len(jobs)) or [job() for job in jobs])
    await lanes.run("passage", [lambda: None] * 4, [1] * 4)
    assert sizes == [2, 2]


async def test_a_query_is_never_part_of_a_batch(make_lanes):
    sizes = []
    lanes = make_lanes(1, run_query=lambda jobs: sizes.append(len(jobs)) or [job() for job in jobs])
    await lanes.run("query", [lambda: None] * 3, [1, 1, 1])
    assert sizes == [1, 1, 1]


async def test_each_lane_has_its_own_way_to_compute(make_lanes):
    lanes = make_lanes(1, run_query=lambda jobs: ["query"] * len(jobs), run_bulk=lambda jobs: ["bulk"] * len(jobs))
    assert [await lanes.run(lane, [lambda: None]) for lane in ("query", "passage")] == [["query"], ["bulk"]]


def test_a_batch_is_fifty_milliseconds_of_what_was_measured():
    pace = Pace()
    for _ in range(200):
        pace.learn(tokens=100, seconds=0.02)
    assert pace.batch_tokens == pytest.approx(BATCH_SECONDS / 0.0002, abs=2)
    assert pace.seconds(1000) == pytest.approx(0.2, rel=1e-3)
    pace.learn(tokens=1, seconds=1000)
    assert pace.batch_tokens == 1


def test_a_texts_cost_is_bounded_by_what_the_model_reads():
    assert estimate_tokens("abcdef", 256) == 4
    assert estimate_tokens("한" * 6, 256) == 8
    assert estimate_tokens("a" * 32_768, 256) == 256


@settings(max_examples=25, deadline=None)  # a busy machine is not a failure
@given(threads=st.integers(1, 4), sizes=st.lists(st.tuples(st.booleans(), st.integers(1, 9)), min_size=1, max_size=8))
def test_every_answer_is_whole_and_in_order_and_no_lane_ever_runs_more_than_the_threads(threads, sizes):
    running, most, lock = Counter(), Counter(), threading.Lock()

    def job(value):
        with lock:
            running[value[0]] += 1
            most[value[0]] = max(most[value[0]], running[value[0]])
        with lock:
            running[value[0]] -= 1
        return value

    async def scenario():
        lanes = Lanes(threads, 256)
        asked = [
            (lane := "query" if query else "passage", [(lane, n, m) for m in range(size)])
            for n, (query, size) in enumerate(sizes)
        ]
        runs = [lanes.run(lane, [partial(job, value) for value in values]) for lane, values in asked]
        assert await asyncio.gather(*runs) == [values for _, values in asked]
        assert [lanes.depth(lane) + lanes.running(lane) for lane in ("query", "passage")] == [0, 0]
        lanes.close()

    asyncio.run(scenario())
    assert max(most.values()) <= threads
