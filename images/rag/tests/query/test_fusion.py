"""Reciprocal rank fusion: what must hold for any legs."""

import pytest
from coderag_rag.query.fusion import fuse
from coderag_rag.query.weights import LEG_WEIGHTS, OVERFETCH, Leg, QueryClass
from hypothesis import given
from hypothesis import strategies as st

points = st.lists(st.sampled_from("abcdefgh"), unique=True, max_size=8)
weight = st.floats(0.01, 10)
EVEN = dict.fromkeys(Leg, 1.0)


def test_the_formula_is_the_sum_of_weight_over_k_plus_rank():
    fused = dict(fuse({Leg.DENSE: ["a", "b"], Leg.KEYWORD: ["b"]}, {Leg.DENSE: 2.0, Leg.KEYWORD: 1.0}, 10))
    assert fused == {"a": pytest.approx(2 / 11), "b": pytest.approx(2 / 12 + 1 / 11)}


def test_a_point_named_twice_by_a_leg_counts_once():
    assert fuse({Leg.DENSE: ["a", "a", "b"]}, EVEN, 10) == fuse({Leg.DENSE: ["a", "b"]}, EVEN, 10)


@given(points, points, points)
def test_the_order_of_the_legs_does_not_matter(first, second, third):
    legs = {Leg.DENSE: first, Leg.KEYWORD: second, Leg.SYMBOL: third}
    backwards = dict(reversed(legs.items()))
    assert fuse(legs, EVEN, 10) == fuse(backwards, EVEN, 10)


@given(points, points)
def test_equal_weights_make_legs_interchangeable(first, second):
    assert fuse({Leg.DENSE: first, Leg.KEYWORD: second}, EVEN, 10) == fuse(
        {Leg.DENSE: second, Leg.KEYWORD: first}, EVEN, 10
    )


@given(points.filter(lambda ids: len(ids) > 1), points, st.data())
def test_a_better_rank_in_one_leg_never_lowers_a_score(first, second, data):
    place = data.draw(st.integers(1, len(first) - 1))
    moved = first.copy()
    moved[place - 1], moved[place] = moved[place], moved[place - 1]
    before = dict(fuse({Leg.DENSE: first, Leg.KEYWORD: second}, EVEN, 10))
    after = dict(fuse({Leg.DENSE: moved, Leg.KEYWORD: second}, EVEN, 10))
    assert after[first[place]] > before[first[place]]


@given(points, points, weight, st.floats(0.1, 10))
def test_scaling_all_weights_scales_all_scores(first, second, share, factor):
    legs = {Leg.DENSE: first, Leg.KEYWORD: second}
    once = dict(fuse(legs, {Leg.DENSE: share, Leg.KEYWORD: 1.0}, 10))
    scaled = dict(fuse(legs, {Leg.DENSE: share * factor, Leg.KEYWORD: factor}, 10))
    assert scaled == pytest.approx({point: score * factor for point, score in once.items()})


@given(points, points, weight)
def test_the_result_is_sorted_and_complete(first, second, share):
    fused = fuse({Leg.DENSE: first, Leg.KEYWORD: second}, {Leg.DENSE: share, Leg.KEYWORD: 1.0}, 10)
    scores = [score for _, score in fused]
    assert scores == sorted(scores, reverse=True)
    assert {point for point, _ in fused} == set(first) | set(second)


def test_every_class_of_query_weighs_every_leg():
    assert set(LEG_WEIGHTS) == set(QueryClass)
    assert all(set(weights) == set(Leg) for weights in LEG_WEIGHTS.values())
    assert set(OVERFETCH) == set(Leg)
