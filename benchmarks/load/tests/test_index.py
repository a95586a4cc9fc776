"""What the index under load is made of."""

import numpy as np
import pytest
from coderag_rag.identity import EmbeddingModel, index_identity
from coderag_rag.query.analysis import classify
from coderag_rag.query.guard import Breaker
from coderag_rag.query.poller import ManifestPoller
from coderag_rag.query.reader import IndexReader
from coderag_rag.retry import RetryPolicy
from coderag_rag.store.calls import Calls
from qdrant_client.local.async_qdrant_local import AsyncQdrantLocal

from benchmarks.load import corpus, fill, indexing
from benchmarks.load.index import Index, load_index
from benchmarks.load.queries import draw_queries
from benchmarks.load.tables import Cost
from benchmarks.load.vectors import Projection

MODEL = EmbeddingModel("tiny", "r", 8, 256, "mean", "int8", "", "")
CODE = '''"""Reads the configuration of a service."""

# The first line of the file names the service that it belongs to.
class ConfigReader:
    """Reads one file."""

    def read_config(self, path):
        """Return the content of a file as a table."""
        return open(path, encoding="utf-8").read()
'''


@pytest.fixture
def root(tmp_path):
    for n in range(12):
        (tmp_path / f"pkg{n}").mkdir()
        (tmp_path / f"pkg{n}" / f"reader_{n}.py").write_text(CODE.replace("Config", f"Config{n}"))
    (tmp_path / "empty.py").write_text("")
    (tmp_path / "go.sum").write_text("x")
    return tmp_path


def test_files_are_git_blobs_in_a_few_repositories_and_come_once(root):
    (root / "copy.py").write_bytes((root / "pkg1" / "reader_1.py").read_bytes())
    found = list(corpus.files(12, [root], 1))
    assert len({file.blob for file in found}) == len(found) == 12
    assert all(len(file.blob) == 40 and file.document.pieces for file in found)
    assert {file.repository for file in found} <= {f"code-{n:02}" for n in range(16)}


def test_a_machine_with_too_little_source_says_how_much_it_has(root):
    with pytest.raises(corpus.TooLittleSource, match="1000 chunks were asked for; the source on this machine gives"):
        list(corpus.files(1000, [root], 1))


def test_source_comes_from_this_python():
    assert all(folder.is_dir() for folder in corpus.roots())


def test_like_texts_have_like_vectors_of_length_one():
    projection = Projection(384)
    first, same = projection.vector([1, 2, 3], [1, 1, 1]), projection.vector([1, 2, 4], [1, 1, 1])
    other = projection.vector([7, 8, 9], [1, 1, 1])
    assert np.linalg.norm(first) == pytest.approx(1, abs=1e-3)
    assert np.dot(first, same) > 0.4 > abs(np.dot(first, other))
    assert projection.vector([1], [1]) == Projection(384).vector([1], [1])


def test_queries_are_distinct_of_many_classes_and_the_same_each_time(root):
    files = list(corpus.files(12, [root], 1))
    queries = draw_queries(files, 40)
    assert len(queries) == len(set(queries)) == 40
    assert queries == draw_queries(files, 40)
    assert {str(classify(text)) for text in queries} >= {"symbol", "path", "error-trace", "korean"}


@pytest.mark.filterwarnings("ignore:Payload indexes have no effect")
async def test_a_filled_store_is_served_like_an_indexed_one(root):
    client = AsyncQdrantLocal(":memory:")
    files = list(corpus.files(12, [root], 1))
    filled = await fill._fill(Calls(client, RetryPolicy(1, 0, 0)), MODEL, files)
    poller = ManifestPoller(IndexReader(client), Breaker("qdrant"))
    await poller.look()
    heads = [one.head for one in poller.snapshot.manifests]
    assert {head.identity for head in heads} == {index_identity(MODEL)}
    assert sum(head.chunks for head in heads) == filled.chunks >= 12
    assert all(poller.snapshot.places(file.blob) for file in files)
    await client.close()


def test_a_kept_index_is_used_only_by_the_model_and_code_that_made_it(tmp_path):
    index = Index(tmp_path, "identity", Cost(1, 2, 3, 4, 5), ["code-00"], ["q"])
    assert load_index(tmp_path, "identity") is None
    index.save()
    assert load_index(tmp_path, "identity") == index
    assert load_index(tmp_path, "another") is None


def test_what_is_indexed_under_load_is_new_and_what_is_served_stays(root, tmp_path):
    sources = list(corpus.find_sources([root]))[:3]
    address = indexing.make_repository(sources, tmp_path / "fresh")
    assert address == f"file://{tmp_path / 'fresh'}"
    assert all((tmp_path / "fresh" / path).read_bytes() != place.read_bytes() for place, path in sources)
    rows = indexing.rows(address, ["b", "a"])
    assert [row["name"] for row in rows] == ["fresh", "a", "b"]
