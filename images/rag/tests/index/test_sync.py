"""A sync makes the index equal to a commit, and embeds nothing twice."""

from coderag_rag.store.schema import KEYWORD

CODE = 'def retry_policy(tries):\n    """How often to try."""\n    return tries\n'


async def test_what_is_served_is_what_was_committed(bench):
    remote = bench.remote("app")
    commit = remote.commit({"src/retry.py": CODE, "README.md": "# Title\n\nWords.\n", "empty.txt": ""})
    head = await bench.sync(bench.source("app", remote))
    assert (head.commit, head.files, head.chunks) == (commit, 3, 2)
    texts = await bench.served_texts("app")
    assert texts == {"src/retry.py": CODE, "README.md": "# Title\n\nWords.\n", "empty.txt": ""}


async def test_a_chunk_carries_lines_symbols_and_language(bench):
    remote = bench.remote("app")
    remote.commit({"src/retry.py": CODE})
    await bench.sync(bench.source("app", remote))
    [chunk] = await bench.chunks()
    assert (chunk["start_line"], chunk["end_line"], chunk["language"]) == (1, 3, "python")
    assert chunk["symbols"] == ["retry_policy"]
    assert chunk["repositories"] == ["app"]


async def test_a_moved_file_costs_no_embedding(bench):
    remote, source = bench.remote("app"), None
    remote.commit({"src/retry.py": CODE})
    source = bench.source("app", remote)
    await bench.sync(source)
    before = (await bench.chunks())[0]
    bench.embedding.texts.clear()
    remote.commit({"src/retry.py": None, "lib/backoff.py": CODE})
    await bench.sync(source)
    [after] = await bench.chunks()
    assert bench.embedding.texts == []
    assert after["id"] == before["id"]
    assert after["vector"][KEYWORD] != before["vector"][KEYWORD]
    assert list(await bench.served_texts("app")) == ["lib/backoff.py"]
