"""Searches under way are counted; one too many is refused at once and nothing waits."""

import asyncio
from contextlib import ExitStack

import pytest
from coderag_rag.query.admission import Admission, TooManySearches
from coderag_rag.query.effort import Patience
from coderag_rag.query.reader import IndexReader
from coderag_rag.query.search import SearchRequest


def test_one_more_than_may_run_is_refused_and_told_when_to_come_back():
    admission = Admission(2)
    with admission.one_more(), admission.one_more():
        assert admission.running == 2
        with pytest.raises(TooManySearches, match="2 searches are running") as caught, admission.one_more():
            pass
        assert caught.value.retry_after > 0
        assert admission.running == 2
    assert admission.running == 0


def test_a_search_that_failed_makes_room():
    admission = Admission(1)
    with pytest.raises(RuntimeError), admission.one_more():
        raise RuntimeError
    with admission.one_more():
        assert admission.running == 1


class Clock:
    """Time that passes when it is told to."""

    now = 0.0

    def __call__(self):
        return self.now


def take(admission, clock, seconds, **how):
    with admission.one_more(**how):
        clock.now += seconds


def test_slow_searches_lower_the_bound_and_quick_ones_raise_it_again():
    clock = Clock()
    admission = Admission(64, 4, clock)
    for _ in range(5):
        take(admission, clock, 3.0)
    assert admission.bound == 37
    for _ in range(100):
        take(admission, clock, 3.0)
    assert admission.bound == 4  # some are always let in: they are how it learns that things are better
    for _ in range(3000):
        take(admission, clock, 0.1)
    assert admission.bound == 64


def test_a_search_that_may_wait_for_a_dependency_says_nothing_of_how_many_fit():
    clock = Clock()
    admission = Admission(64, 4, clock)
    for _ in range(50):
        take(admission, clock, 30.0, judged=False)
    assert admission.bound == 64


async def test_a_burst_beyond_the_bound_is_refused_and_those_within_it_are_answered(service, served, monkeypatch):
    searcher, entered, gate = service.searcher, asyncio.Semaphore(0), asyncio.Event()
    searcher.admission.most = 3
    original = IndexReader.all_nearest

    async def held(reader, legs):
        entered.release()
        await gate.wait()
        return await original(reader, legs)

    monkeypatch.setattr(IndexReader, "all_nearest", held)
    effort = Patience(600.0, 1.0).begin()
    running = [asyncio.create_task(searcher.search(SearchRequest("retry"), effort)) for _ in range(3)]
    for _ in running:
        await entered.acquire()
    for _ in range(20):
        with pytest.raises(TooManySearches):
            await searcher.search(SearchRequest("retry"), effort)
    assert searcher.admission.running == 3
    gate.set()
    assert all(result.hits for result in await asyncio.gather(*running))
    assert searcher.admission.running == 0


async def test_one_search_too_many_is_429_with_a_time_to_come_back_and_seen_in_the_metrics(service, served):
    admission = service.searcher.admission
    with ExitStack() as stack:
        for _ in range(admission.bound):
            stack.enter_context(admission.one_more(judged=False))
        answer = await service.http.post("/v1/search", json={"query": "retry"})
        metrics = await service.http.get("/metrics")
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "too_many_searches")
    assert int(answer.headers["retry-after"]) >= 1
    assert "coderag_searches_running 64.0" in metrics.text
    assert (await service.http.post("/v1/search", json={"query": "retry"})).status_code == 200
