"""The fusion of the legs: what must hold for any legs."""

import pytest
from coderag_rag.query.fusion import fuse, scaled
from coderag_rag.query.weights import LEG_WEIGHTS, OVERFETCH, Leg, QueryClass
from hypothesis import given
from hypothesis import strategies as st

legs = st.dictionaries(st.sampled_from("abcdefgh"), st.floats(0, 1)).map(lambda found: list(found.items()))
weight = st.floats(0.01, 10)
scores = st.lists(st.floats(-1, 50, width=32), max_size=8).map(lambda found: sorted(found, reverse=True))
EVEN = dict.fromkeys(Leg, 1.0)


def test_the_formula_is_the_sum_of_weight_by_worth():
    found = {Leg.DENSE: [("a", 1.0), ("b", 0.5)], Leg.KEYWORD: [("b", 1.0)]}
    assert fuse(found, {Leg.DENSE: 2.0, Leg.KEYWORD: 3.0}) == [("b", 4.0), ("a", 2.0)]


@given(legs, legs, legs)
def test_the_order_of_the_legs_does_not_matter(first, second, third):
    found = {Leg.DENSE: first, Leg.KEYWORD: second, Leg.SYMBOL: third}
    assert fuse(found, EVEN) == fuse(dict(reversed(found.items())), EVEN)


@given(legs, legs)
def test_equal_weights_make_legs_interchangeable(first, second):
    assert fuse({Leg.DENSE: first, Leg.KEYWORD: second}, EVEN) == fuse({Leg.DENSE: second, Leg.KEYWORD: first}, EVEN)


@given(legs, legs, weight, st.floats(0.1, 10))
def test_scaling_all_weights_scales_all_scores(first, second, share, factor):
    found = {Leg.DENSE: first, Leg.KEYWORD: second}
    once = dict(fuse(found, {Leg.DENSE: share, Leg.KEYWORD: 1.0}))
    more = dict(fuse(found, {Leg.DENSE: share * factor, Leg.KEYWORD: factor}))
    assert more == pytest.approx({point: score * factor for point, score in once.items()})


@given(legs, legs, weight)
def test_the_result_is_sorted_and_complete(first, second, share):
    fused = fuse({Leg.DENSE: first, Leg.KEYWORD: second}, {Leg.DENSE: share, Leg.KEYWORD: 1.0})
    found = [score for _, score in fused]
    assert found == sorted(found, reverse=True)
    assert {point for point, _ in fused} == {point for point, _ in first} | {point for point, _ in second}


def test_a_definition_is_worth_the_best_of_its_parts_in_every_leg():
    found = {Leg.DENSE: [("head", 1.0), ("rest", 0.25)], Leg.KEYWORD: [("rest", 0.5), ("other", 1.0)]}
    assert fuse(found, EVEN, [["head", "rest"]]) == [("head", 1.5), ("other", 1.0), ("rest", 0.75)]


groups = st.lists(st.lists(st.sampled_from("abcdefghij"), min_size=1, max_size=4), max_size=4)


@given(legs, legs, groups)
def test_parts_of_a_definition_only_ever_rise_and_never_above_their_sum(first, second, parts):
    found = {Leg.DENSE: first, Leg.KEYWORD: second}
    alone, together = dict(fuse(found, EVEN)), dict(fuse(found, EVEN, parts))
    assert alone.keys() == together.keys()
    most = {point: sum(alone.get(p, 0) for group in parts if point in group for p in {*group}) for point in alone}
    assert all(alone[point] <= score <= max(alone[point], most[point]) + 1e-9 for point, score in together.items())


@given(legs, legs, groups)
def test_the_order_of_the_parts_does_not_matter(first, second, parts):
    found = {Leg.DENSE: first, Leg.KEYWORD: second}
    turned = [group[::-1] for group in parts[::-1]]
    assert fuse(found, EVEN, parts) == fuse(found, EVEN, turned)


@given(st.sampled_from(Leg), scores, st.integers(1, 8))
def test_every_place_is_worth_between_nothing_and_one_and_the_first_one_most(leg, found, asked):
    worth = scaled(leg, found, asked)
    assert len(worth) == len(found)
    assert all(0 <= one <= 1 for one in worth)
    assert worth == sorted(worth, reverse=True)
    assert worth[:1] in ([], [1.0])


def test_the_last_place_of_a_leg_that_was_cut_off_is_worth_as_much_as_what_came_after_it():
    assert scaled(Leg.KEYWORD, [9.0, 6.0, 3.0], asked=3) == [1, 0.5, 0]
    assert scaled(Leg.DENSE, [0.9, 0.6, 0.3], asked=3) == pytest.approx([1, 0.5, 0])


def test_a_chunk_that_shares_a_word_is_worth_more_than_one_that_shares_none():
    assert scaled(Leg.KEYWORD, [9.0, 6.0, 3.0], asked=100) == pytest.approx([1, 2 / 3, 1 / 3])
    assert scaled(Leg.SYMBOL, [4.0, 1.0], asked=2) == [1, 0.25]


def test_chunks_of_a_named_file_are_worth_less_the_farther_they_are_from_the_named_line():
    assert scaled(Leg.PATH, [0.0, 0.0], asked=20) == [1, 0.95]


def test_equals_are_worth_the_same():
    assert scaled(Leg.DENSE, [0.4, 0.4], asked=2) == [1, 1]


def test_every_class_of_query_weighs_every_leg():
    assert set(LEG_WEIGHTS) == set(QueryClass)
    assert all(set(weights) == set(Leg) for weights in LEG_WEIGHTS.values())
    assert set(OVERFETCH) == set(Leg)
