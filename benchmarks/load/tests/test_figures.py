"""From records and pages of metrics to figures and tables."""

import math
import os
import threading

import pytest

from benchmarks.load import tables
from benchmarks.load.openloop import Outcome, Record
from benchmarks.load.results import Result, grows, percentile
from benchmarks.load.samples import Sampler, read_values
from benchmarks.load.tables import Cost
from benchmarks.load.usage import Usage, spent, usages

MIB = 1024 * 1024


def record(number, latency, status=200, error="", retry_after=""):
    return Record(number, number / 10, number / 10 + 0.001, number / 10 + latency, Outcome(status, error, retry_after))


def result(records, name="search", cpu=1.0, samples=None):
    return Result(name, 10, 2, records, {"rag": cpu, "qdrant": cpu}, {"rag": 100.0, "qdrant": 50.0}, 0.5, samples or {})


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [([3, 1, 2], 0.5, 2), ([1], 0.99, 1), (range(1, 101), 0.95, 95), (range(1, 101), 1.0, 100), ([5, 6], 0.0, 5)],
)
def test_a_percentile_is_a_value_that_was_measured(values, share, expected):
    assert percentile(list(values), share) == expected


def test_nothing_has_no_percentile():
    assert math.isnan(percentile([], 0.5))
    assert math.isnan(result([]).cpu_per_query)


def test_latency_counts_from_the_arrival_and_of_answers_only():
    one = result([record(1, 0.1), record(2, 9.0, 429, "too_many_searches", "1"), record(3, 0.3)])
    assert one.latency(1.0) == pytest.approx(0.3)
    assert one.lateness == pytest.approx(0.001)
    assert one.cpu_per_query == pytest.approx(2 / 3)


def test_errors_are_told_by_kind_and_answers_without_a_leg_are_counted():
    failed = [
        record(1, 1, 503, "qdrant_unavailable"),
        record(2, 1, 503, "qdrant_unavailable"),
        record(3, 1, 0, "timeout"),
    ]
    one = result([*failed, record(4, 1), record(5, 1, 200, "degraded")])
    assert one.errors == {"503 qdrant_unavailable": 2, "no answer timeout": 1}
    assert (one.failures, one.degraded) == (3, 1)
    assert result([record(1, 1, 409, "nothing_relevant"), record(2, 1)]).failures == 0
    assert "2 503 qdrant_unavailable, 1 no answer timeout | 1 |" in tables.latencies([one])


@pytest.mark.parametrize(
    ("values", "bound", "expected"),
    [
        ([], 10, False),
        ([3], 2, True),
        ([0, 60, 64, 64, 63, 64, 64, 64, 64], 64, False),
        ([0, 10, 20, 30, 40, 50, 60, 70, 80], 1024, False),  # far from its bound: a bounded queue may fill
        ([0, 100, 200, 300, 400, 500, 600, 700, 800], 1024, True),
        ([1, 1, 65], 64, True),
    ],
)
def test_a_queue_grows_when_it_passes_its_bound_or_still_fills_at_the_end(values, bound, expected):
    assert grows(values, bound) is expected


def test_overload_tells_who_was_told_when_to_come_back():
    one = result(
        [record(1, 0.1), record(2, 0, 429, "b", "1"), record(3, 0, 429, "b")], samples={"searches": [1.0, 70.0, 9.0]}
    )
    text = tables.overload(one, {"searches": 64.0})
    assert "1 of 3 answered" in text
    assert "2 refused with 429, 1 of them with Retry-After; other errors: none" in text
    assert "searches: at most 70 in 3 looks, GROWS" in text


def test_the_baseline_is_shown_as_a_ratio():
    ours, naive = result([record(1, 0.1)]), result([record(1, 0.4)], cpu=3.0)
    assert "3.0 times the processor time, p50 4.0 times, p95 4.0 times" in tables.ratios(ours, naive)
    assert "| 1000.00 | 1000.00 | 2000.00 | qdrant 50, rag 100 | 0.5 |" in tables.processor([ours])


def test_sizes_of_a_million_are_on_a_line_and_times_at_the_rate_of_the_larger_size():
    small, large = Cost(10_000, 110 * MIB, 20 * MIB, 10, 1), Cost(100_000, 200 * MIB, 200 * MIB, 100, 1)
    million = tables.extrapolate(small, large, 1_000_000)
    assert (million.rss / MIB, million.disk / MIB) == (pytest.approx(1100), pytest.approx(2000))
    assert (million.fill_seconds, million.open_seconds) == (1000, 10)
    text = tables.costs([large, small], 50)
    assert "| 100,000 | measured | 200 | 200 | 100 | 1 | 2000 |" in text
    assert "| 1,000,000 | extrapolated | 1100 | 2000 | 1000 | 10 | 20000 |" in text
    assert "extrapolated" not in tables.costs([small], 50)


def test_metrics_are_read_by_name_and_lane():
    page = (
        'coderag_embedding_queue_depth{lane="query"} 3.0\ncoderag_embedding_queue_depth{lane="passage"} 9.0\n'
        "# HELP coderag_searches_running x\ncoderag_searches_running 12.0\n"
    )
    assert read_values(page) == {"embedding queue": 3.0, "searches under way": 12.0}
    assert read_values("") == {}


def test_the_sampler_looks_until_the_block_ends():
    looked = threading.Semaphore(0)

    def look():
        looked.release()
        return {"queue": 1.0}

    with Sampler(look, interval=0.001) as sampler:
        for _ in range(3):
            assert looked.acquire(timeout=60)
    assert set(sampler.seen["queue"]) == {1.0}


def test_usage_covers_this_process_and_differences_are_by_service():
    before = usages({"me": os.getpid()})
    assert before["me"].rss > 1
    assert before["me"].cpu > 0
    assert spent({"a": Usage(1, 1), "b": Usage(2, 1)}, {"a": Usage(3, 1), "b": Usage(2, 5)}) == {"a": 2, "b": 0}
