"""When a rebuilt index may replace the one that is searched."""

import math

import pytest
from coderag_rag.ingestion.gate import ENOUGH, judge, judge_alone, ndcg, upper_bound
from hypothesis import given
from hypothesis import strategies as st


def test_ndcg_is_the_textbook_value():
    assert ndcg([True], 1) == 1
    assert ndcg([False, True], 1) == pytest.approx(1 / math.log2(3))
    assert ndcg([True, False, True], 2) == pytest.approx((1 + 0.5) / (1 + 1 / math.log2(3)))
    assert ndcg([False] * 10 + [True], 1) == 0
    assert ndcg([], 0) == 0


@given(st.lists(st.booleans(), max_size=20), st.integers(1, 20))
def test_ndcg_stays_between_nothing_and_one(ranked, more):
    assert 0 <= ndcg(ranked, sum(ranked) + more) <= 1


def test_the_same_scores_pass_and_the_same_changes_give_the_same_bound():
    verdict = judge([0.5] * ENOUGH, [0.5] * ENOUGH)
    assert (verdict.passed, verdict.queries, verdict.ndcg_change, verdict.upper95) == (True, ENOUGH, 0, 0)
    changes = [(n % 7) / 10 - 0.3 for n in range(ENOUGH)]
    assert upper_bound(changes) == upper_bound(changes)


def test_what_is_surely_worse_is_refused_and_what_may_be_worse_is_not():
    before = [1.0 if n % 2 else 0.0 for n in range(ENOUGH)]
    worse = [value * 0.8 for value in before]
    refused = judge(before, worse)
    assert (refused.passed, refused.ndcg_change) == (False, pytest.approx(-0.1))
    assert refused.upper95 < -0.02
    assert refused.reason.startswith("worse for sure: nDCG@10 changes by -0.100")
    noisy = [1 - value if n % 20 < 9 else value for n, value in enumerate(before)]
    assert judge(before, noisy).passed


def test_without_enough_queries_chunks_have_to_find_themselves():
    verdict = judge_alone([True] * 9 + [False], 12, "12 mined queries are fewer than 400")
    assert (verdict.passed, verdict.ndcg_change, verdict.upper95) == (True, None, None)
    assert "90% of 10 chunks find themselves" in verdict.reason
    assert not judge_alone([True, False], 0, "none").passed
    assert judge_alone([], 0, "none").passed
