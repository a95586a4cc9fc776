"""Random histories of small repositories: after every sync exactly the files of the commits are found, and in the end
the index equals one that was made from nothing. `CODERAG_HISTORIES` says how many (1,000 take minutes).

Trees stand in for Git here, so that thousands of commits are affordable; Git itself is tested beside this.
"""

import hashlib
import os
import random
from contextlib import asynccontextmanager

import pytest
from coderag_rag.git.repository import Target, TreeFile
from coderag_rag.ingestion.garbage import reconcile
from coderag_rag.ingestion.source import Source
from coderag_rag.query.manifest import Manifest, Snapshot

from .conftest import Bench, Inline

pytestmark = pytest.mark.slow
HISTORIES = int(os.environ.get("CODERAG_HISTORIES", "60"))
REFS = ("main", "next")
MOST_FILES, STEPS = 20, 7


def digest(data):
    return hashlib.sha1(data).hexdigest()


class Trees:
    """A remote whose commit is whatever tree it holds."""

    def __init__(self):
        self.tree, self.known = {}, {}

    async def resolve(self, ref):
        return Target(ref, digest(repr(sorted(self.tree.items())).encode()))

    async def fetch(self, target):
        return target.commit

    async def files(self, _commit):
        self.known |= {digest(data): data for data in self.tree.values()}
        return [TreeFile(path, digest(data), "100644", len(data)) for path, data in self.tree.items()]

    @asynccontextmanager
    async def blobs(self, wanted):
        async def contents():
            for blob in wanted:
                yield blob, self.known[blob]

        yield contents()


class Author:
    """Makes up changes. Every path and every content carries its name, so that what is found can be told apart."""

    def __init__(self, seed):
        self.dice, self.saved = random.Random(seed), {}

    def path(self):
        folder, name = self.dice.choice(["src", "lib", "src/deep"]), self.dice.choice("abcdefgh")
        return f"{folder}/{name}.{self.dice.choice(['py', 'txt'])}"

    def content(self, path):
        name = f"name_{self.dice.randrange(40)}"
        lines = self.dice.choice((1, 3, 30))
        text = f"{name} is told here\n" if path.endswith("txt") else f"def {name}():\n    return 1\n"
        return "".join(f"{text}\n" for _ in range(lines)).encode()

    def change(self, tree):
        """Return the tree after one commit."""
        tree = dict(tree)
        for _ in range(self.dice.randint(1, 4)):
            self.edit(tree)
        return tree

    def edit(self, tree):
        """Change one thing."""
        what = self.dice.choice(("add", "add", "modify", "delete", "rename", "copy", "save", "switch"))
        chosen = self.dice.choice(sorted(tree)) if tree else None
        if what == "add" and len(tree) < MOST_FILES:
            path = self.path()
            tree[path] = self.content(path)
        elif what == "modify" and chosen:
            tree[chosen] = self.content(chosen)
        elif what == "delete" and chosen:
            del tree[chosen]
        elif what in ("rename", "copy") and chosen and len(tree) < MOST_FILES:
            suffix = chosen.rpartition(".")[2]
            tree[f"moved/{self.dice.randrange(9)}.{suffix}"] = tree[chosen]
            if what == "rename":
                tree.pop(chosen)
        elif what == "save":
            self.saved[self.dice.randrange(2)] = dict(tree)
        elif what == "switch" and self.saved:
            other = self.saved[self.dice.choice(sorted(self.saved))]
            tree.clear()
            tree.update(other)


async def found(bench):
    """Return (ref, path, text) of everything that a search could return, as the search decides it."""
    index = await bench.index()
    snapshot = Snapshot.of(Manifest.build(one.head, one.entries) for one in await index.served())
    return {
        (place.ref, place.path, chunk["start_line"], chunk["text"])
        for chunk in await bench.chunks()
        for place in snapshot.places(chunk["blob"])
    }


def joined(rows):
    """Put the chunks of each file together."""
    texts = {}
    for ref, path, _, text in sorted(rows, key=lambda row: row[:3]):
        texts[ref, path] = texts.get((ref, path), "") + text
    return texts


def stored(chunks):
    """What makes one index equal to another: points, payloads and vectors."""
    rows = {}
    for chunk in chunks:
        vector = chunk["vector"]
        words = sorted(zip(vector["keyword"].indices, vector["keyword"].values, strict=True))
        rows[chunk["id"]] = (chunk["blob"], chunk["text"], chunk["repositories"], words, vector.get("dense"))
    return rows


async def live_through(seed, folder):
    """Follow one history; return how many results named a file that was not there, and the two indexes."""
    author, bench = Author(seed), Bench(folder / str(seed), Inline())
    (folder / str(seed)).mkdir()
    remotes = {ref: Trees() for ref in REFS}
    sources = {ref: Source("app", ref, remotes[ref], refs=REFS) for ref in REFS}
    stale, deleted = 0, 0
    for _ in range(STEPS):
        ref = author.dice.choice(("main", "main", "next"))
        before = set(remotes[ref].tree)
        remotes[ref].tree = author.change(remotes[ref].tree)
        deleted += len(before - set(remotes[ref].tree))
        if author.dice.random() < 0.2:
            bench.qdrant.kill_at = len(bench.qdrant.writes) + author.dice.randrange(12)
            await bench.attempt(sources[ref])
            bench.qdrant.kill_at = None
        await bench.sync(sources[ref])
        rows = await found(bench)
        expected = {(one, path): data.decode() for one in REFS for path, data in remotes[one].tree.items()}
        stale += sum((row[0], row[1]) not in expected for row in rows)
        assert joined(rows) == expected
    await reconcile(await bench.index())
    fresh = Bench(folder / f"{seed}-fresh", Inline())
    (folder / f"{seed}-fresh").mkdir()
    for ref in REFS:
        await fresh.sync(sources[ref])
    mine, anew = stored(await bench.chunks()), stored(await fresh.chunks())
    for one in (bench, fresh):
        one.cache.close()
        await one.qdrant.close()
    return stale, deleted, mine, anew


@pytest.mark.timeout(7200)
async def test_deleted_files_are_never_found_and_the_index_equals_a_fresh_one(tmp_path):
    stale = deleted = 0
    for seed in range(HISTORIES):
        wrong, gone, mine, anew = await live_through(seed, tmp_path)
        stale, deleted = stale + wrong, deleted + gone
        assert mine.keys() == anew.keys(), seed
        for point, row in mine.items():
            assert row[:4] == anew[point][:4], (seed, point)
            assert row[4] == pytest.approx(anew[point][4]), (seed, point)
    assert deleted > HISTORIES
    assert stale == 0
