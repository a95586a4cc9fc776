"""Calls that fail at once go on one after another."""

import asyncio
import time

from coderag_gateway import turns
from coderag_gateway.turns import Turns, calm


async def go(line, since, seen):
    await line.take(since)
    seen.append(since)


async def test_a_failure_by_itself_goes_on_at_once():
    seen = []
    await asyncio.wait_for(go(Turns(), 1.0, seen), turns.TICK / 2)
    assert seen == [1.0]


async def test_calls_that_were_refused_do_not_wait_for_each_other():
    line, seen, now = Turns(), [], asyncio.get_running_loop().time()
    await asyncio.wait_for(asyncio.gather(*(go(line, now, seen) for _ in range(50))), turns.TICK)
    assert len(seen) == 50


async def test_of_those_that_wait_the_oldest_goes_first():
    line, seen = Turns(), []
    await asyncio.gather(*(go(line, since, seen) for since in (9.0, 5.0, 3.0, 7.0)))
    assert seen == [9.0, 3.0, 5.0, 7.0]  # the first one found nobody waiting


async def test_who_has_gone_is_passed_over_and_holds_nobody_up():
    line, seen = Turns(), []
    tasks = [asyncio.create_task(go(line, float(since), seen)) for since in range(4)]
    await asyncio.sleep(0)
    tasks[1].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert seen == [0.0, 2.0, 3.0]


async def test_the_line_is_open_again_when_it_is_empty():
    line, seen = Turns(), []
    await asyncio.gather(*(go(line, float(since), seen) for since in range(3)))
    await calm()
    await calm()
    await asyncio.wait_for(go(line, 8.0, seen), turns.TICK / 2)
    assert seen == [0.0, 1.0, 2.0, 8.0]


async def test_work_of_others_is_done_before_the_next_turn():
    line, seen = Turns(), []

    async def newcomer():
        await asyncio.sleep(0)
        for _ in range(3):
            time.sleep(turns.TICK + 2 * turns.LATE)  # noqa: ASYNC251 - work that keeps the loop from being on time
            seen.append("newcomer")
            await asyncio.sleep(0)

    await asyncio.gather(go(line, 1.0, seen), go(line, 2.0, seen), newcomer())
    assert seen == [1.0, "newcomer", "newcomer", "newcomer", 2.0]


async def test_a_loop_that_is_never_on_time_does_not_stop_the_line(monkeypatch):
    monkeypatch.setattr(turns, "LATE", -1.0)
    line, seen = Turns(), []
    await asyncio.gather(*(go(line, float(since), seen) for since in range(3)))
    assert seen == [0.0, 1.0, 2.0]


async def test_nobody_waits_longer_than_patience_lasts(monkeypatch):
    monkeypatch.setattr(turns, "PATIENCE", 0.01)
    line, seen = Turns(), []
    await asyncio.gather(*(go(line, float(since), seen) for since in range(3)))
    assert seen == [0.0, 1.0, 2.0]
    assert turns.TICK > turns.PATIENCE
