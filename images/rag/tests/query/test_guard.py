"""Breakers and watches: who waits, who does not, and how a dependency comes back."""

import asyncio
from functools import partial

import pytest
from coderag_rag.query.guard import Breaker, DependencyDown, KnownDown
from coderag_rag.query.watch import Watch
from coderag_rag.retry import AT_ONCE, RetryPolicy


class Calls:
    def __init__(self, *outcomes):
        self.outcomes, self.made = list(outcomes), 0

    async def __call__(self):
        self.made += 1
        outcome = self.outcomes.pop(0) if self.outcomes else "fine"
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


def unreachable():
    return DependencyDown("qdrant", "not reachable", unreachable=True)


def slow():
    return DependencyDown("qdrant", "no answer in time")


def once_more():
    return AT_ONCE.retrying(DependencyDown, only=lambda error: error.unreachable)


async def test_an_error_that_a_retry_mends_is_not_held_against_anybody():
    breaker, calls = Breaker("qdrant"), Calls(unreachable())
    assert await breaker.call(calls, once_more) == "fine"
    assert calls.made == 2
    assert breaker.state == "closed"


async def test_a_connection_error_opens_the_breaker_and_then_nobody_waits():
    breaker, calls = Breaker("qdrant", retry_after=7), Calls(unreachable(), unreachable())
    with pytest.raises(DependencyDown, match="not reachable"):
        await breaker.call(calls, once_more)
    with pytest.raises(KnownDown) as caught:
        await breaker.call(calls, once_more)
    assert calls.made == 2
    assert (caught.value.retry_after, caught.value.nothing_sent) == (7, True)
    assert breaker.state == "open"


async def test_a_try_that_has_waited_asks_again_and_closes_the_breaker():
    breaker, calls = Breaker("qdrant"), Calls()
    breaker.trip("not reachable")
    assert await breaker.call(calls, partial(RetryPolicy(2, 0, 0).retrying, DependencyDown)) == "fine"
    assert (calls.made, breaker.state) == (1, "closed")


async def test_one_slow_answer_is_neither_repeated_nor_held_against_all():
    breaker, calls = Breaker("qdrant"), Calls(slow())
    with pytest.raises(DependencyDown):
        await breaker.call(calls)
    assert (calls.made, breaker.is_open) == (1, False)


async def test_slow_answers_in_a_row_open_the_breaker():
    breaker, calls = Breaker("qdrant", threshold=3), Calls(slow(), "fine", slow(), slow(), slow())
    for _ in range(5):
        try:
            await breaker.call(calls)
        except DependencyDown:
            continue
    assert breaker.is_open


async def test_errors_of_the_request_do_not_count():
    breaker = Breaker("qdrant", threshold=1)
    with pytest.raises(ValueError, match="mine"):
        await breaker.call(Calls(ValueError("mine")))
    assert not breaker.is_open


def watch(check, breaker=None, **more):
    return Watch("qdrant", check, interval=0.001, deadline=0.05, breaker=breaker, **more)


async def test_a_look_closes_the_breaker_without_any_traffic():
    breaker = Breaker("qdrant")
    breaker.trip("not reachable")
    looked = watch(Calls(), breaker)
    await looked.look()
    assert not breaker.is_open
    assert looked.state.ok
    assert looked.state.latency_ms is not None


async def test_a_failed_look_opens_the_breaker_and_tells_why(caplog):
    breaker = Breaker("qdrant")
    looked = watch(Calls(slow(), slow()), breaker)
    await looked.look()
    await looked.look()
    assert breaker.is_open
    assert (looked.state.ok, looked.state.latency_ms, looked.state.detail) == (False, None, "no answer in time")
    assert caplog.text.count("is down") == 1


async def test_a_look_that_hangs_is_a_failed_look():
    looked = watch(asyncio.Event().wait, Breaker("qdrant"))
    await looked.look()
    assert looked.state.detail == "no answer in time"


async def test_an_unexpected_error_is_told_and_does_not_stop_the_calls():
    breaker = Breaker("qdrant")
    looked = watch(Calls(KeyError("payload")), breaker)
    await looked.look()
    assert looked.state.detail == "unexpected KeyError, see the log"
    assert not breaker.is_open


async def test_a_watch_goes_on_after_a_failure():
    back = asyncio.Event()
    task = asyncio.create_task(watch(Calls(slow(), KeyError("x")), on_success=back.set).run())
    await asyncio.wait_for(back.wait(), 5)
    task.cancel()
