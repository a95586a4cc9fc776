"""One writer for a repository at a time; who comes late is refused, whenever it wakes up."""

import asyncio
from dataclasses import replace

import pytest
from coderag_rag.ingestion.sync import new_generation
from coderag_rag.store.calls import StoreUnavailable
from coderag_rag.store.lease import Leases, LeaseTaken, Timing
from coderag_rag.store.manifest import LostRace, read_head, write_head

pytestmark = pytest.mark.slow
CODE = "def retry():\n    pass\n"


class Clock:
    """A clock that a test moves, and a sleep that ends when it says so."""

    def __init__(self):
        self.now, self.beat, self.asleep = 0.0, asyncio.Event(), asyncio.Event()

    def __call__(self):
        return self.now

    async def sleep(self, _seconds):
        self.asleep.set()
        await self.beat.wait()
        self.beat.clear()

    async def once(self):
        """Let one beat happen, and wait until it is over."""
        await self.asleep.wait()
        self.asleep.clear()
        self.beat.set()
        await self.asleep.wait()


@pytest.fixture
def clock():
    return Clock()


def leases(owner, clock, nonce=""):
    return Leases(owner, nonce or f"{owner}-life", Timing(lasts=30, beats=10), clock, clock.sleep)


async def test_a_held_lease_is_refused_to_others_until_it_is_given_back(bench, clock):
    index = await bench.index()
    first, second = leases("pod-a", clock), leases("pod-b", clock)
    async with first.held(index.call, index.collection, "app") as lease:
        with pytest.raises(LeaseTaken, match=r"another worker \(pod-a\) is writing app"):
            await second.acquire(index.call, index.collection, "app")
        await second.acquire(index.call, index.collection, "other")
    assert (await second.acquire(index.call, index.collection, "app")).number == lease.number + 1


async def test_a_silent_holder_is_replaced_after_a_while_and_a_living_one_is_not(bench, clock):
    index = await bench.index()
    watcher = leases("pod-b", clock)
    async with leases("pod-a", clock).held(index.call, index.collection, "app"):
        for _ in range(3):
            with pytest.raises(LeaseTaken):
                await watcher.acquire(index.call, index.collection, "app")
            clock.now += 29
            await clock.once()
        with pytest.raises(LeaseTaken):
            await watcher.acquire(index.call, index.collection, "app")
        clock.now += 30  # no beat any more
        assert (await watcher.acquire(index.call, index.collection, "app")).number == 2


async def test_a_pod_that_comes_back_takes_its_own_lease_at_once(bench, clock):
    index = await bench.index()
    await leases("pod-a", clock, "before").acquire(index.call, index.collection, "app")
    lease = await leases("pod-a", clock, "after").acquire(index.call, index.collection, "app")
    assert lease.number == 2


async def test_who_lost_the_lease_is_stopped_at_the_next_beat(bench, clock):
    index = await bench.index()

    async def work():
        async with leases("pod-a", clock, "before").held(index.call, index.collection, "app"):
            await asyncio.Event().wait()

    working = asyncio.create_task(work())
    await clock.asleep.wait()
    await leases("pod-a", clock, "after").acquire(index.call, index.collection, "app")
    clock.beat.set()
    with pytest.raises(LostRace, match="another worker took over app"):
        await working


async def test_a_holder_that_cannot_renew_stops_before_the_lease_is_over_for_others(bench, clock):
    index = await bench.index()

    async def refuse(*_arguments, **_options):
        raise StoreUnavailable("gone")

    async def work():
        async with leases("pod-a", clock).held(refusable, index.collection, "app"):
            await asyncio.Event().wait()

    calls = [index.call]

    async def refusable(*arguments, **options):
        return await calls[-1](*arguments, **options)

    working = asyncio.create_task(work())
    await clock.asleep.wait()
    calls.append(refuse)
    await clock.once()
    assert not working.done()
    clock.now += 30
    await clock.asleep.wait()
    clock.beat.set()
    with pytest.raises(LostRace, match="could not be renewed: gone"):
        await working


async def test_a_cancelled_holder_is_cancelled_and_nothing_else(bench, clock):
    index = await bench.index()

    async def work():
        async with leases("pod-a", clock).held(index.call, index.collection, "app"):
            await asyncio.Event().wait()

    working = asyncio.create_task(work())
    await clock.asleep.wait()
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working


async def test_a_lease_that_cannot_be_given_back_is_left_to_end(bench, clock, caplog):
    index = await bench.index()
    lease = await leases("pod-a", clock).acquire(index.call, index.collection, "app")

    async def refuse(*_arguments, **_options):
        raise StoreUnavailable("gone")

    lease._call = refuse
    await lease.release()
    assert "a lease stays" in caplog.text


async def test_two_that_ask_at_once_do_not_both_get_it(bench, clock):
    index = await bench.index()
    first, second = leases("pod-a", clock), leases("pod-b", clock)
    overtaken = False

    async def slow(method, *arguments, **options):
        nonlocal overtaken
        if method == "upsert" and not overtaken:
            overtaken = True
            await second.acquire(index.call, index.collection, "app")
        return await index.call(method, *arguments, **options)

    with pytest.raises(LeaseTaken, match="has just taken app"):
        await first.acquire(slow, index.collection, "app")


async def test_a_stale_writer_loses_by_its_number_even_before_the_new_one_has_written(bench, clock):
    remote = bench.remote("app")
    remote.commit({"a.py": CODE})
    served = await bench.sync(bench.source("app", remote))
    index = await bench.index()
    stale = await leases("pod-0", clock, "stale").acquire(index.call, index.collection, "app")
    before = await read_head(index.call, index.collection, "app", "main")
    await leases("pod-0", clock, "fresh").acquire(index.call, index.collection, "app")
    late = replace(before, commit="f" * 40, generation=new_generation(), fence=before.fence + 1, writer=stale.number)
    with pytest.raises(LostRace, match="another writer replaced the index of app"):
        await write_head(index.call, index.collection, late, expected_fence=before.fence)
    now = await read_head(index.call, index.collection, "app", "main")
    assert (now.commit, now.generation) == (served.commit, served.generation)


async def test_who_lost_the_lease_removes_no_garbage(bench, clock, monkeypatch, caplog):
    remote = bench.remote("app")
    source = bench.source("app", remote)
    remote.commit({"a.py": CODE, "b.txt": "words\n"})
    await bench.sync(source)
    remote.commit({"b.txt": None})

    async def lost(_lease):
        raise LostRace("another worker took over app: this sync is void")

    monkeypatch.setattr("coderag_rag.store.lease.Lease.check", lost)
    head = await bench.sync(source)
    assert head.files == 1
    assert len(await bench.chunks()) == 2
    assert "garbage is left for later" in caplog.text
