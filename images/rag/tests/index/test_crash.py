"""Whatever moment the worker dies at, one whole commit is served, and the next sync needs no help."""

from dataclasses import replace

import pytest
from coderag_rag.ingestion.sync import new_generation
from coderag_rag.store.calls import StoreError
from coderag_rag.store.manifest import LostRace, delete_pages, read_head, read_served, write_head

pytestmark = pytest.mark.slow

OLD = {"keep.py": "def keep():\n    pass\n", "gone.py": "def gone():\n    pass\n", "move.py": "def move():\n    pass\n"}
CHANGE = {"gone.py": None, "move.py": None, "moved.py": OLD["move.py"], "new.py": "def new():\n    pass\n"}
NEW = {path: text for path, text in (OLD | CHANGE).items() if text is not None}


async def test_a_crash_before_any_write_serves_the_old_or_the_new_commit_whole(bench):
    remote, shared = bench.remote("app"), bench.remote("shared")
    source = bench.source("app", remote)
    shared.commit({"keep.py": OLD["keep.py"]})
    remote.commit(OLD)
    await bench.sync(bench.source("shared", shared))
    await bench.sync(source)
    outcomes = []
    for step in range(50):
        commit = remote.commit(CHANGE if step % 2 == 0 else {"moved.py": None, "new.py": None, **OLD})
        before, after = (OLD, NEW) if step % 2 == 0 else (NEW, OLD)
        bench.qdrant.kill_at = len(bench.qdrant.writes) + step
        outcome = await bench.attempt(source)
        bench.qdrant.kill_at = None
        assert await bench.served_texts("shared") == {"keep.py": OLD["keep.py"]}
        served = await bench.served_texts("app")
        assert served in (before, after)
        outcomes.append(served == after)
        if outcome == "served":
            break
        head = await bench.sync(source)
        assert head.commit == commit
        assert await bench.served_texts("app") == after
    else:
        pytest.fail("a sync never ended")
    assert outcomes[0] is False
    assert outcomes[-1] is True
    assert outcomes == sorted(outcomes)
    assert len(outcomes) > 6


async def test_a_slow_writer_cannot_replace_a_newer_head(bench):
    remote = bench.remote("app")
    remote.commit(OLD)
    await bench.sync(bench.source("app", remote))
    index = await bench.index()
    read_early = await read_head(index.call, index.collection, "app", "main")
    newer = remote.commit(CHANGE)
    await bench.sync(bench.source("app", remote))
    late = replace(read_early, commit="f" * 40, generation=new_generation(), fence=read_early.fence + 1)
    with pytest.raises(LostRace, match="another writer"):
        await write_head(index.call, index.collection, late, expected_fence=read_early.fence)
    assert (await read_head(index.call, index.collection, "app", "main")).commit == newer


async def test_a_missing_page_is_an_error_and_never_an_empty_repository(bench):
    remote = bench.remote("app")
    remote.commit(OLD)
    head = await bench.sync(bench.source("app", remote))
    index = await bench.index()
    await delete_pages(index.call, index.collection, "app")
    with pytest.raises(StoreError, match="a page of app at main is missing"):
        await read_served(index.call, index.collection, head)
