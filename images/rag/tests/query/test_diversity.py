"""No repository takes every place while others have hits."""

from collections import Counter

from coderag_rag.query.chunk import Chunk
from coderag_rag.query.diversity import spread
from coderag_rag.query.manifest import Place
from coderag_rag.query.ranking import Candidate
from hypothesis import given
from hypothesis import strategies as st


def candidates(repositories):
    return [
        Candidate(f"{n}", Chunk("b", 1, 2, (), "python"), Place(name, "main", "c", f"{n}.py"), score=100.0 - n)
        for n, name in enumerate(repositories)
    ]


def names(found):
    return "".join(item.place.repository for item in found)


def test_a_second_repository_gets_its_places():
    assert names(spread(candidates("aaaaaaaaaabbb"), 10, 0.7)) == "aaaaaaabbb"


def test_places_that_nobody_else_fills_are_not_left_empty():
    assert names(spread(candidates("aaaaaaaaaab"), 10, 0.7)) == "aaaaaaabaa"
    assert names(spread(candidates("aaaaaaaaaaaa"), 10, 0.7)) == "a" * 10
    assert names(spread(candidates("aab"), 1, 0.7)) == "a"
    assert spread([], 5, 0.7) == []


@given(st.lists(st.sampled_from("abc"), max_size=40), st.integers(1, 20))
def test_nothing_is_lost_or_doubled_and_the_best_stays_first(repositories, limit):
    ordered = candidates(repositories)
    found = spread(ordered, limit, 0.7)
    assert len(found) == min(limit, len(ordered)) == len({item.point for item in found})
    assert found[:1] == ordered[:1]
    for name in Counter(names(found)):
        own = [item for item in found if item.place.repository == name]
        assert own == sorted(own, key=lambda item: -item.score)
