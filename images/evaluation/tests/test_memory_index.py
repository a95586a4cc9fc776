"""The benchmark's index in memory finds what Qdrant's own engine finds."""

import asyncio
import json
from itertools import pairwise

import numpy as np
import pytest
from coderag_rag.keyword import query_vector
from coderag_rag.query.scope import Filters, Scope

from benchmarks.retrieval.corpus import corpus_of_functions
from benchmarks.retrieval.functions import Target
from benchmarks.retrieval.ours import Ours
from benchmarks.retrieval.reader import MemoryReader
from e2e.standins.qdrant.engine import Engine

WORDS = ["lease", "renew", "queue", "token", "retry", "index", "chunk", "merge", "fence", "hash"]
SETTINGS = {
    "vectors": {"dense": {"size": 8, "distance": "Cosine"}},
    "sparse_vectors": {"keyword": {"modifier": "idf"}},
}


def target(number):
    random = np.random.default_rng(number)
    names = [WORDS[n] for n in random.integers(0, len(WORDS), 6)]
    lines = "".join(f"    {name}_{n} = {name}({n})\n" for n, name in enumerate(names))
    text = f"class Store:\n    def {names[0]}_{number}(self):\n" + "".join(
        f"    {line}\n" for line in lines.splitlines()
    )
    return Target("app", f"app/{names[1]}.py", f"Store.{names[0]}_{number}", f"query {number}", text, asked=True)


@pytest.fixture(scope="module")
def corpus():
    return corpus_of_functions([target(number) for number in range(60)])


@pytest.fixture(scope="module")
def dense(corpus):
    rows = np.random.default_rng(7).normal(size=(len(corpus.chunks), 8)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_a_function_is_a_range_of_its_module_and_its_own_chunk(corpus):
    by_blob = {}
    for chunk in corpus.chunks:
        by_blob.setdefault(chunk.blob, []).append((chunk.start_line, chunk.end_line))
    for ranges in by_blob.values():
        assert all(before[1] < after[0] for before, after in pairwise(ranges))
    assert {chunk.unit for chunk in corpus.chunks} == {str(number) for number in range(60)}


def test_the_search_answers_with_functions(corpus, dense):
    query = "renew the lease"
    ours = Ours(corpus, dense, {query: dense[3].tolist()})
    (found,) = ours.search_all([query])
    assert corpus.chunks[3].unit in found
    assert len(found) == len(set(found)) <= 10


@pytest.mark.services
@pytest.mark.parametrize("query", ["renew the lease", "merge queue", "hash_3 of a chunk"])
def test_both_legs_agree_with_the_engine(corpus, dense, query, tmp_path):
    engine = Engine(tmp_path / "shard", SETTINGS)
    numbers = {chunk.id: number for number, chunk in enumerate(corpus.chunks)}
    points = [
        {
            "id": number,
            "vector": {
                "dense": dense[number].tolist(),
                "keyword": {"indices": chunk.piece.indices, "values": chunk.piece.values},
            },
        }
        for number, chunk in enumerate(corpus.chunks)
    ]
    engine.update([("upsert", {"points": points})])
    reader = MemoryReader(corpus.chunks, dense)
    where = Scope.build(corpus.snapshot, Filters()).where
    sparse = query_vector(query)
    for using, vector, asked in (
        ("keyword", sparse, {"indices": sparse.indices, "values": sparse.values}),
        ("dense", dense[5].tolist(), dense[5].tolist()),
    ):
        mine = asyncio.run(reader.nearest(vector, using, where, 10))
        answer = json.loads(engine.query_bytes({"query": asked, "using": using, "limit": 10}))
        theirs = {point["id"]: point["score"] for point in answer["points"]}
        assert [point.score for point in mine] == pytest.approx(list(theirs.values()), rel=1e-4)
        best = [numbers[point.id] for point in mine if point.score > min(theirs.values()) + 1e-6]
        assert set(best) <= set(theirs)
    engine.close()
