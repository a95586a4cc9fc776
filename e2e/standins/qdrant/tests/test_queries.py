"""Scores: cosine, keyword vectors with IDF, fusion against the published formula, and what a query returns."""

import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import UnexpectedResponse

pytestmark = pytest.mark.services

DOCUMENTS = {1: [1, 2], 2: [1, 3], 3: [1, 4, 5], 4: [1], 5: [6, 7, 1], 6: [3]}
DENSE = {n: [math.cos(n / 3), math.sin(n / 3), 0.0, 0.1 * n] for n in DOCUMENTS}


def sparse(*indices: int) -> models.SparseVector:
    return models.SparseVector(indices=list(indices), values=[1.0] * len(indices))


@pytest.fixture(scope="module")
def filled(client: QdrantClient, make_collection: Callable[[], str]) -> str:
    name = make_collection()
    points = [
        models.PointStruct(
            id=number,
            vector={"dense": DENSE[number], "keyword": sparse(*words)},
            payload={"n": number, "text": "x" * number, "even": number % 2 == 0},
        )
        for number, words in DOCUMENTS.items()
    ]
    client.upsert(name, [*points, models.PointStruct(id=99, vector={}, payload={"kind": "head"})])
    return name


def cosine(left: list[float], right: list[float]) -> float:
    dot = sum(a * b for a, b in zip(left, right, strict=True))
    return dot / math.hypot(*left) / math.hypot(*right)


def test_dense_scores_are_cosines(client: QdrantClient, filled: str) -> None:
    query = [1.0, 1.0, 0.0, 0.0]
    answer = client.query_points(filled, query=query, using="dense", limit=10).points
    expected = sorted(((cosine(query, vector), n) for n, vector in DENSE.items()), reverse=True)
    assert [hit.id for hit in answer] == [n for _, n in expected]
    assert [hit.score for hit in answer] == pytest.approx([score for score, _ in expected], abs=1e-5)


def test_a_rare_word_weighs_more_than_a_common_one(client: QdrantClient, filled: str) -> None:
    def score(word: int) -> float:
        return client.query_points(filled, query=sparse(word), using="keyword", limit=1).points[0].score

    assert score(4) > score(3) > score(1) > 0


def test_keyword_scores_are_the_sum_of_idf(client: QdrantClient, filled: str) -> None:
    def idf(word: int) -> float:
        containing = sum(word in words for words in DOCUMENTS.values())
        return math.log((len(DOCUMENTS) - containing + 0.5) / (containing + 0.5) + 1)

    answer = client.query_points(filled, query=sparse(1, 3), using="keyword", limit=10).points
    scores = {hit.id: hit.score for hit in answer}
    assert set(scores) == set(DOCUMENTS)
    assert scores[2] == pytest.approx(idf(1) + idf(3), rel=1e-4)
    assert scores[6] == pytest.approx(idf(3), rel=1e-4)


def test_points_without_a_vector_are_never_hits(client: QdrantClient, filled: str) -> None:
    for query, using in (([1.0, 0.0, 0.0, 0.0], "dense"), (sparse(1), "keyword")):
        hits = client.query_points(filled, query=query, using=using, limit=100).points
        assert 99 not in {hit.id for hit in hits}


def fuse(legs: list[list[int]], k: int, weights: list[float]) -> dict[int, float]:
    """Qdrant's reciprocal rank fusion: a weight divides the rank, counted from 1."""
    scores: dict[int, float] = {}
    for leg, weight in zip(legs, weights, strict=True):
        for rank, number in enumerate(leg, start=1):
            scores[number] = scores.get(number, 0.0) + 1 / (rank / weight + k - 1)
    return scores


WEIGHTS = st.floats(0.25, 4.0, width=32)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(k=st.integers(1, 100), weights=st.lists(WEIGHTS, min_size=2, max_size=2))
def test_fusion_follows_the_formula(client: QdrantClient, filled: str, k: int, weights: list[float]) -> None:
    dense, words = [1.0, 0.2, 0.0, 0.0], sparse(1, 3, 7)
    legs: list[tuple[Any, str, int]] = [(dense, "dense", 3), (words, "keyword", 4)]
    ranked = [[h.id for h in client.query_points(filled, query=q, using=u, limit=n).points] for q, u, n in legs]
    answer = client.query_points(
        filled,
        prefetch=[models.Prefetch(query=q, using=u, limit=n) for q, u, n in legs],
        query=models.RrfQuery(rrf=models.Rrf(k=k, weights=weights)),
        limit=10,
    ).points
    assert {hit.id: hit.score for hit in answer} == pytest.approx(fuse(ranked, k, weights), rel=1e-4)
    assert [hit.score for hit in answer] == sorted((hit.score for hit in answer), reverse=True)


def test_fusion_by_name_uses_the_servers_own_k(client: QdrantClient, filled: str) -> None:
    legs = [models.Prefetch(query=[1.0, 0.0, 0.0, 0.0], using="dense", limit=3)]
    answer = client.query_points(filled, prefetch=legs, query=models.FusionQuery(fusion=models.Fusion.RRF)).points
    assert [hit.score for hit in answer] == pytest.approx([1 / (rank + 1) for rank in (1, 2, 3)])
    spread = client.query_points(filled, prefetch=legs, query=models.FusionQuery(fusion=models.Fusion.DBSF)).points
    assert [hit.id for hit in spread] == [hit.id for hit in answer]


def test_weights_that_do_not_match_the_legs_are_refused(client: QdrantClient, filled: str) -> None:
    legs = [models.Prefetch(query=[1.0, 0.0, 0.0, 0.0], using="dense", limit=3)]
    query = models.RrfQuery(rrf=models.Rrf(k=10, weights=[1.0, 2.0]))
    with pytest.raises(UnexpectedResponse) as caught:
        client.query_points(filled, prefetch=legs, query=query)
    assert caught.value.status_code == 400


def test_filters_apply_to_each_leg_and_to_the_whole(client: QdrantClient, filled: str) -> None:
    even = models.Filter(must=[models.FieldCondition(key="even", match=models.MatchValue(value=True))])
    legs = [models.Prefetch(query=sparse(1, 3), using="keyword", limit=10, filter=even)]
    query = models.RrfQuery(rrf=models.Rrf(k=10))
    assert {h.id for h in client.query_points(filled, prefetch=legs, query=query).points} == {2, 4, 6}
    legs = [models.Prefetch(query=sparse(1, 3), using="keyword", limit=10)]
    assert {h.id for h in client.query_points(filled, prefetch=legs, query=query, query_filter=even).points} == {
        2,
        4,
        6,
    }


def test_limit_offset_and_threshold_cut_the_answer(client: QdrantClient, filled: str) -> None:
    def ask(**options: Any) -> list[models.ScoredPoint]:
        return client.query_points(filled, query=[1.0, 0.0, 0.0, 0.0], using="dense", **options).points

    whole = ask(limit=10)
    assert [hit.id for hit in ask(limit=2, offset=1)] == [hit.id for hit in whole[1:3]]
    bound = whole[2].score - 1e-6
    assert [hit.id for hit in ask(limit=10, score_threshold=bound)] == [hit.id for hit in whole[:3]]


def test_payload_and_vectors_come_only_when_asked_for(client: QdrantClient, filled: str) -> None:
    def first(**options: Any) -> models.ScoredPoint:
        return client.query_points(filled, query=sparse(2), using="keyword", limit=1, **options).points[0]

    plain = first(with_payload=False)
    assert (plain.id, plain.payload, plain.vector) == (1, None, None)
    assert first(with_payload=["n"]).payload == {"n": 1}
    excluded = models.PayloadSelectorExclude(exclude=["text"])
    assert first(with_payload=excluded).payload == {"n": 1, "even": False}
    assert list(first(with_vectors=["dense"]).vector) == ["dense"]


def test_a_batch_answers_each_query_in_its_place(client: QdrantClient, filled: str) -> None:
    requests = [
        models.QueryRequest(query=sparse(word), using="keyword", limit=5, with_payload=["n"]) for word in (2, 4, 8)
    ]
    answers = client.query_batch_points(filled, requests)
    assert [[hit.id for hit in answer.points] for answer in answers] == [[1], [3], []]
    assert answers[0].points[0].payload == {"n": 1}


def test_a_point_can_be_the_query_and_is_not_its_own_answer(client: QdrantClient, filled: str) -> None:
    by_id = client.query_points(filled, query=3, using="dense", limit=10).points
    by_vector = client.query_points(filled, query=DENSE[3], using="dense", limit=10).points
    assert [hit.id for hit in by_id] == [hit.id for hit in by_vector if hit.id != 3]
    with pytest.raises(UnexpectedResponse) as caught:
        client.query_points(filled, query=12345, using="dense")
    assert caught.value.status_code == 404


def test_a_query_without_a_query_lists_points(client: QdrantClient, filled: str) -> None:
    assert [hit.id for hit in client.query_points(filled, limit=3).points] == [1, 2, 3]
    sample = models.SampleQuery(sample=models.Sample.RANDOM)
    assert len(client.query_points(filled, query=sample, limit=4).points) == 4


def test_the_wrong_size_of_a_query_vector_is_a_400(client: QdrantClient, filled: str) -> None:
    with pytest.raises(UnexpectedResponse) as caught:
        client.query_points(filled, query=[1.0, 2.0], using="dense")
    assert caught.value.status_code == 400
    assert "expected dim: 4, got 2" in caught.value.content.decode()
