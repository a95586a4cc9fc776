"""What was embedded once is not embedded again, and a broken cache is only a slower worker."""

import pytest
from coderag_rag.ingestion.cache import EmbeddingCache

pytestmark = pytest.mark.slow
MODEL, OTHER = "ab" * 32, "cd" * 32


@pytest.fixture
def cache(tmp_path):
    made = EmbeddingCache(tmp_path / "work" / "embeddings.sqlite", 2**24)
    yield made
    made.close()


async def test_vectors_are_known_by_model_and_text_and_survive_a_restart(cache, tmp_path):
    await cache.keep(MODEL, {"a": [0.5, 1.0], "b": [2.0, 0.25]})
    cache.close()
    again = EmbeddingCache(tmp_path / "work" / "embeddings.sqlite", 2**24)
    assert await again.find(MODEL, ["a", "b", "c"]) == {"a": [0.5, 1.0], "b": [2.0, 0.25]}
    assert await again.find(OTHER, ["a"]) == {}
    again.close()


async def test_a_limit_of_nothing_keeps_nothing(tmp_path):
    cache = EmbeddingCache(tmp_path / "none.sqlite", 0)
    await cache.keep(MODEL, {"a": [1.0]})
    assert await cache.find(MODEL, ["a"]) == {}
    assert not (tmp_path / "none.sqlite").exists()
    cache.close()


async def test_a_damaged_file_is_replaced(cache, tmp_path, caplog):
    path = tmp_path / "work" / "embeddings.sqlite"
    path.parent.mkdir()
    path.write_bytes(b"not a database at all, and long enough to be looked at" * 100)
    assert await cache.find(MODEL, ["a"]) == {}
    assert "starting a new one" in caplog.text
    await cache.keep(MODEL, {"a": [1.0]})
    assert await cache.find(MODEL, ["a"]) == {"a": [1.0]}


async def test_a_failing_write_starts_anew_and_hurts_nobody(cache, caplog):
    await cache.keep(MODEL, {"a": [1.0]})
    cache._database.close()
    await cache.keep(MODEL, {"b": [1.0]})
    assert "starting a new one" in caplog.text
    assert await cache.find(MODEL, ["b"]) == {}


async def test_the_longest_unused_go_first_when_it_is_full(tmp_path):
    cache = EmbeddingCache(tmp_path / "small.sqlite", 200_000)
    vector = [0.5] * 384
    await cache.keep(MODEL, {"loved": vector})
    for lot in range(12):
        await cache.keep(MODEL, {f"{lot}-{n}": vector for n in range(10)})
        assert "loved" in await cache.find(MODEL, ["loved"])
    texts = [f"{lot}-{n}" for lot in range(12) for n in range(10)]
    left = await cache.find(MODEL, texts)
    assert 0 < len(left) < len(texts)
    assert "11-9" in left
    assert "0-0" not in left
    cache.close()
