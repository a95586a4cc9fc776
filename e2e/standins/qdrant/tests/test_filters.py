"""Filters against a plain Python oracle: random trees of conditions over random payloads."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from qdrant_client import QdrantClient, models

pytestmark = pytest.mark.services

KINDS = ["chunk", "head", "page"]
PAYLOADS: list[dict[str, Any]] = [
    {
        "kind": KINDS[number % 3],
        "n": number % 7,
        "symbols": [f"s{number % 4}", f"s{number % 5}"],
        "odd": number % 2 == 1,
    }
    | ({"repositories": [f"r{number % 3}"]} if number % 4 else {})
    for number in range(40)
]


@pytest.fixture(scope="module")
def filled(client: QdrantClient, make_collection: Callable[[], str]) -> str:
    name = make_collection()
    points = [models.PointStruct(id=number, vector={}, payload=payload) for number, payload in enumerate(PAYLOADS)]
    client.upsert(name, points)
    return name


def values(payload: dict[str, Any], key: str) -> list[Any]:
    found = payload.get(key, [])
    return found if isinstance(found, list) else [found]


def is_same(left: Any, right: Any) -> bool:
    return type(left) is type(right) and left == right


def holds(condition: Any, number: int) -> bool:
    """The oracle: what Qdrant's documentation says of each condition."""
    payload = PAYLOADS[number]
    if isinstance(condition, models.Filter):
        return accepts(condition, number)
    if isinstance(condition, models.HasIdCondition):
        return number in condition.has_id
    if isinstance(condition, models.IsEmptyCondition):
        return not values(payload, condition.is_empty.key)
    found = values(payload, condition.key)
    if condition.range is not None:
        return any(in_range(value, condition.range) for value in found if not isinstance(value, bool | str))
    return any(matches(value, condition.match) for value in found)


def in_range(value: float, bounds: models.Range) -> bool:
    low = bounds.gte is None or value >= bounds.gte
    return low and (bounds.lt is None or value < bounds.lt)


def matches(value: Any, match: Any) -> bool:
    if isinstance(match, models.MatchValue):
        return is_same(value, match.value)
    if isinstance(match, models.MatchAny):
        return any(is_same(value, wanted) for wanted in match.any)
    return not any(is_same(value, refused) for refused in match.except_)


def accepts(tree: models.Filter, number: int) -> bool:
    if any(not holds(condition, number) for condition in tree.must or []):
        return False
    if any(holds(condition, number) for condition in tree.must_not or []):
        return False
    return not tree.should or any(holds(condition, number) for condition in tree.should)


WORDS = st.sampled_from([*KINDS, "s0", "s1", "s3", "r0", "r2", "absent"])
KEYS = st.sampled_from(["kind", "symbols", "repositories", "absent"])
MATCHES = st.one_of(
    WORDS.map(lambda word: models.MatchValue(value=word)),
    st.lists(WORDS, min_size=1, max_size=3).map(lambda words: models.MatchAny(any=words)),
    st.lists(WORDS, min_size=1, max_size=3).map(lambda words: models.MatchExcept(**{"except": words})),
)
RANGES = st.builds(models.Range, gte=st.none() | st.integers(0, 7), lt=st.integers(0, 8))
LEAVES = st.one_of(
    st.builds(lambda key, match: models.FieldCondition(key=key, match=match), KEYS, MATCHES),
    RANGES.map(lambda bounds: models.FieldCondition(key="n", range=bounds)),
    st.integers(0, 7).map(lambda n: models.FieldCondition(key="n", match=models.MatchValue(value=n))),
    st.booleans().map(lambda odd: models.FieldCondition(key="odd", match=models.MatchValue(value=odd))),
    st.lists(st.integers(0, 50), max_size=8).map(lambda ids: models.HasIdCondition(has_id=ids)),
    KEYS.map(lambda key: models.IsEmptyCondition(is_empty=models.PayloadField(key=key))),
)


def trees(children: st.SearchStrategy[Any]) -> st.SearchStrategy[models.Filter]:
    clause = st.none() | st.lists(children, min_size=1, max_size=2)
    return st.builds(models.Filter, must=clause, should=clause, must_not=clause)


FILTERS = trees(st.recursive(LEAVES, trees, max_leaves=5))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tree=FILTERS)
def test_a_filter_finds_exactly_what_the_oracle_finds(client: QdrantClient, filled: str, tree: models.Filter) -> None:
    page, _ = client.scroll(filled, scroll_filter=tree, limit=100, with_payload=False)
    assert sorted(found.id for found in page) == [n for n in range(len(PAYLOADS)) if accepts(tree, n)]


def test_an_index_changes_no_answer(client: QdrantClient, filled: str) -> None:
    tree = models.Filter(must=[models.FieldCondition(key="symbols", match=models.MatchAny(any=["s1", "s3"]))])
    before = client.count(filled, tree, exact=True).count
    client.create_payload_index(filled, "symbols", models.PayloadSchemaType.KEYWORD)
    assert client.count(filled, tree, exact=True).count == before > 0
    hits = client.facet(filled, "symbols", limit=20, exact=True).hits
    assert {hit.value for hit in hits} == {f"s{n}" for n in range(5)}


@pytest.mark.parametrize("clause", ["must", "should", "must_not"])
def test_one_condition_stands_for_a_list_of_one(client: QdrantClient, filled: str, clause: str) -> None:
    condition = models.FieldCondition(key="kind", match=models.MatchValue(value="head"))
    single = client.count(filled, models.Filter(**{clause: condition}), exact=True)
    assert single == client.count(filled, models.Filter(**{clause: [condition]}), exact=True)


def test_min_should_counts_conditions(client: QdrantClient, filled: str) -> None:
    conditions = [
        models.FieldCondition(key="kind", match=models.MatchValue(value="head")),
        models.FieldCondition(key="odd", match=models.MatchValue(value=True)),
        models.FieldCondition(key="n", match=models.MatchValue(value=1)),
    ]
    tree = models.Filter(min_should=models.MinShould(conditions=conditions, min_count=2))
    expected = sum(sum(holds(condition, n) for condition in conditions) >= 2 for n in range(len(PAYLOADS)))
    assert client.count(filled, tree, exact=True).count == expected
