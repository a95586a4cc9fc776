"""A query is computed once, however many ask, and nobody's failure or leaving is another's."""

import asyncio

import pytest
from coderag_embedding.cache import QueryCache, digest, gather_all


class Work:
    """Counts its runs; each waits for the gate and then gives its number, or fails."""

    def __init__(self):
        self.runs = 0
        self.gate = asyncio.Event()
        self.error = None

    async def __call__(self):
        """Run once."""
        self.runs += 1
        number = self.runs
        await self.gate.wait()
        if self.error:
            raise self.error
        return number


@pytest.fixture
def work():
    return Work()


async def started(cache, work, callers):
    tasks = [asyncio.create_task(cache.get(b"key", work)) for _ in range(callers)]
    for _ in range(3):
        await asyncio.sleep(0)
    return tasks


async def test_many_who_ask_at_once_share_one_computation(work):
    cache = QueryCache(8)
    tasks = await started(cache, work, 20)
    work.gate.set()
    assert await asyncio.gather(*tasks) == [1] * 20
    assert await cache.get(b"key", work) == 1
    assert (work.runs, cache.misses, cache.shared, cache.hits) == (1, 1, 19, 1)


async def test_one_who_leaves_does_not_stop_it_for_the_others(work):
    first, second = await started(QueryCache(8), work, 2)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    work.gate.set()
    assert await second == 1


async def test_when_all_have_left_it_stops_and_the_next_begins_anew(work):
    cache = QueryCache(8)
    (only,) = await started(cache, work, 1)
    only.cancel()
    await asyncio.gather(only, return_exceptions=True)
    (again,) = await started(cache, work, 1)
    work.gate.set()
    assert await again == 2


async def test_a_failure_reaches_all_who_wait_and_is_not_kept(work):
    cache = QueryCache(8)
    work.error = ValueError("full")
    tasks = await started(cache, work, 2)
    work.gate.set()
    assert [str(one) for one in await asyncio.gather(*tasks, return_exceptions=True)] == ["full", "full"]
    work.error = None
    assert await cache.get(b"key", work) == 2


@pytest.mark.parametrize(("size", "kept"), [(0, 0), (2, 2)])
async def test_only_so_many_are_kept_and_the_oldest_goes(work, size, kept):
    cache = QueryCache(size)
    work.gate.set()
    for key in (b"a", b"b", b"a", b"c"):
        await cache.get(key, work)
    assert len(cache) == kept
    runs = work.runs
    await cache.get(b"a", work)
    assert work.runs == runs + (size == 0)


async def test_one_failure_stops_the_rest_of_a_request(work):
    async def fail():
        raise ValueError("full")

    never = asyncio.ensure_future(work())
    with pytest.raises(ValueError, match="full"):
        await gather_all([never, fail()])
    await asyncio.gather(never, return_exceptions=True)
    assert never.cancelled()


def test_a_key_depends_on_where_one_part_ends():
    assert digest("ab", "c") != digest("a", "bc")
    assert digest("\ud800") != digest("")
