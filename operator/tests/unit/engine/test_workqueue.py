"""The queue never loses a wake-up, never gives one key to two workers, and tries failures again later and later."""

import asyncio

import pytest
from coderag_operator.engine.workqueue import WorkQueue
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.engine.simulated import simulate

A, B = ("team", "a"), ("team", "b")


def test_a_key_added_twice_is_given_out_once() -> None:
    async def main() -> None:
        queue = WorkQueue()
        queue.add(A)
        queue.add(A)
        assert (len(queue), await queue.get(), len(queue)) == (1, A, 0)
        queue.done(A)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(queue.get(), 1)

    simulate(main())


def test_a_key_added_while_it_is_worked_on_comes_again_afterwards() -> None:
    async def main() -> None:
        queue = WorkQueue()
        queue.add(A)
        await queue.get()
        queue.add(A)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(queue.get(), 1)
        queue.done(A)
        assert await queue.get() == A

    simulate(main())


def test_of_two_timers_the_earlier_one_counts() -> None:
    async def main() -> None:
        loop, queue = asyncio.get_running_loop(), WorkQueue()
        for seconds in (50, 5, 500):
            queue.add_after(A, seconds)
        await queue.get()
        assert loop.time() == pytest.approx(5, abs=0.1)
        queue.done(A)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(queue.get(), 1000)

    simulate(main())


def test_failures_wait_longer_each_time_up_to_the_cap() -> None:
    async def main() -> None:
        queue = WorkQueue(base=1, cap=60, rng=lambda: 1.0)
        assert [queue.retry(A) for _ in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]
        assert queue.failures(A) == 8
        queue.forget(A)
        assert (queue.failures(A), queue.retry(A, at_least=7)) == (0, 7)

    simulate(main())


def test_jitter_spreads_retries_over_half_the_delay() -> None:
    async def main() -> None:
        assert [WorkQueue(base=8, rng=lambda: value).retry(A) for value in (0.0, 1.0)] == [4, 8]  # noqa: B023

        assert WorkQueue().retry(B) <= 1

    simulate(main())


def test_nothing_is_kept_for_a_key_that_was_dropped() -> None:
    async def main() -> None:
        queue = WorkQueue()
        queue.retry(A)
        queue.drop(A)
        queue.drop(B)
        assert queue.failures(A) == 0
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(queue.get(), 1000)

    simulate(main())


STEPS = st.lists(
    st.tuples(st.floats(0, 5), st.sampled_from("abc"), st.sampled_from(["add", "after", "retry"])), max_size=30
)


@settings(max_examples=50, deadline=None)
@given(STEPS, st.integers(1, 3), st.floats(0.1, 4))
def test_every_wake_up_is_followed_by_a_pass_and_never_two_at_once(
    steps: list[tuple[float, str, str]], workers: int, length: float
) -> None:
    async def main() -> None:
        queue, active, started, wanted = WorkQueue(), set(), {}, {}
        loop = asyncio.get_running_loop()

        async def work() -> None:
            while True:
                key = await queue.get()
                assert key not in active
                active.add(key)
                started[key] = loop.time()
                await asyncio.sleep(length)
                active.discard(key)
                queue.done(key)

        tasks = [asyncio.create_task(work()) for _ in range(workers)]
        for pause, name, how in steps:
            await asyncio.sleep(pause)
            key = ("team", name)
            wanted[key] = loop.time()
            {"add": queue.add, "after": lambda key: queue.add_after(key, 3), "retry": queue.retry}[how](key)
        await asyncio.sleep(10_000)
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(result, asyncio.CancelledError) for result in results)
        assert all(started[key] >= time for key, time in wanted.items())
        assert len(queue) == 0

    simulate(main())
