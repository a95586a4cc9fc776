"""What nothing serves any more is removed, and nothing else."""

import pytest
from coderag_rag.ingestion.garbage import Reconciled, reconcile, retire
from coderag_rag.ingestion.source import Key
from coderag_rag.store.filters import both, field
from coderag_rag.store.manifest import scroll
from coderag_rag.store.schema import PAGE

pytestmark = pytest.mark.slow

CODE = "def shared():\n    pass\n"


@pytest.fixture
async def two(bench):
    """Two repositories that have one file in common."""
    for name in ("one", "two"):
        remote = bench.remote(name)
        remote.commit({"shared.py": CODE, f"{name}.py": f"def {name}():\n    pass\n"})
        await bench.sync(bench.source(name, remote))
    return bench


async def test_a_repository_that_is_no_longer_configured_goes_with_all_that_only_it_held(two):
    index = await two.index()
    assert await retire(index, {"one": ("main",)}) == [Key("two", "main")]
    assert await two.served_texts("two") == {}
    assert {chunk["symbols"][0]: chunk["repositories"] for chunk in await two.chunks()} == {
        "shared": ["one"],
        "one": ["one"],
    }
    pages = await scroll(two.call, index.collection, both(field("kind", PAGE)))
    assert [page.payload["repository"] for page in pages] == ["one"]


async def test_configured_repositories_are_left_alone(two):
    writes = len(two.qdrant.writes)
    assert await retire(await two.index(), dict.fromkeys(("one", "two", "three"), ("main",))) == []
    assert len(two.qdrant.writes) == writes


async def test_reconciling_removes_orphans_and_corrects_holders(two):
    index = await two.index()
    await index.chunks.set_repositories({(await two.chunks())[0]["blob"]: ("nobody",)})
    stray = two.remote("stray")
    stray.commit({"stray.py": "def stray():\n    pass\n"})
    two.qdrant.kill_at = len(two.qdrant.writes) + 3
    assert await two.attempt(two.source("stray", stray)) == "killed"
    two.qdrant.kill_at = None
    assert await reconcile(index) == Reconciled(1, 1, frozenset())
    assert {chunk["symbols"][0]: chunk["repositories"] for chunk in await two.chunks()} == {
        "shared": ["one", "two"],
        "one": ["one"],
        "two": ["two"],
    }


async def test_reconciling_what_is_right_changes_nothing(two):
    before = await two.chunks()
    assert await reconcile(await two.index()) == Reconciled(0, 0, frozenset())
    assert await two.chunks() == before
    assert set(await two.served_texts("two")) == {"shared.py", "two.py"}


async def test_pages_of_a_crashed_sync_are_removed(two):
    remote = two.remote("three")
    remote.commit({"a.txt": "words\n"})
    source = two.source("three", remote)
    await two.sync(source)
    remote.commit({"b.txt": "more\n"})
    two.qdrant.kill_at = len(two.qdrant.writes) + 4  # lease, chunk and page are written, the head is not
    assert await two.attempt(source) == "killed"
    two.qdrant.kill_at = None
    index = await two.index()
    await reconcile(index)
    pages = await scroll(two.call, index.collection, both(field("kind", PAGE), field("repository", "three")))
    assert len(pages) == 1
    assert await two.served_texts("three") == {"a.txt": "words\n"}
