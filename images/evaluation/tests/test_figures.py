"""Metrics by hand-computed cases, and intervals that hold what they promise."""

import math

import pytest
from coderag_eval.metrics import MRR, NDCG, RECALL, per_question
from coderag_eval.statistics import compare, mean, ratio
from hypothesis import given, settings
from hypothesis import strategies as st

shares = st.lists(st.floats(0, 1), min_size=1, max_size=30)


def test_a_right_answer_counts_by_its_place():
    values = per_question({"q": ["right"]}, {"q": ["wrong", "right"]})["q"]
    assert values == {NDCG: pytest.approx(1 / math.log2(3)), RECALL: 1.0, MRR: 0.5}


def test_two_right_places_share_the_recall():
    values = per_question({"q": ["a", "b"]}, {"q": ["a", "x", "x2", "x3", "x4", "b"]})["q"]
    ideal = 1 + 1 / math.log2(3)
    assert values[NDCG] == pytest.approx((1 + 1 / math.log2(7)) / ideal)
    assert values[RECALL] == 0.5


def test_what_is_found_after_the_tenth_place_counts_nothing():
    found = [f"wrong{number}" for number in range(10)] + ["right"]
    assert set(per_question({"q": ["right"]}, {"q": found})["q"].values()) == {0.0}


def test_a_question_without_hits_counts_zero_and_one_without_expectation_is_none():
    values = per_question({"q": ["right"], "r": ["right"], "s": []}, {"r": ["right"]})
    assert set(values) == {"q", "r"}
    assert values["q"] == {NDCG: 0.0, RECALL: 0.0, MRR: 0.0}
    assert per_question({"q": ["right"]}, {}) == {"q": {NDCG: 0.0, RECALL: 0.0, MRR: 0.0}}


def test_an_interval_narrows_with_more_questions():
    few, many = mean([0.0, 1.0] * 10), mean([0.0, 1.0] * 400)
    assert few.value == many.value == 0.5
    assert many.high - many.low < (few.high - few.low) / 4


def test_a_clear_gain_is_told_from_noise():
    gain = compare([0.8, 0.9, 0.7, 0.9] * 20, [0.5, 0.6, 0.5, 0.4] * 20)
    assert gain.difference.low > 0.2
    assert gain.p < 0.001
    noise = compare([0.5, 0.6] * 10, [0.6, 0.5] * 10)
    assert noise.difference.low < 0 < noise.difference.high
    assert noise.p > 0.5


def test_a_ratio_is_paired():
    found = ratio([0.2, 0.4, 0.8] * 5, [0.1, 0.2, 0.4] * 5)
    assert (found.value, found.low, found.high) == pytest.approx((2.0, 2.0, 2.0))
    assert ratio([1.0], [0.0]).value == math.inf


def test_no_question_is_an_error_and_no_figure():
    with pytest.raises(ValueError, match="no question"):
        mean([])


@settings(deadline=None, max_examples=20)
@given(shares)
def test_an_interval_holds_its_mean_and_is_the_same_again(values):
    found = mean(values)
    assert found.low - 1e-9 <= found.value <= found.high + 1e-9
    assert found == mean(values)
