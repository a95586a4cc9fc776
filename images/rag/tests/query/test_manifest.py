"""What is served: both maps, and the swap to a new generation."""

import asyncio

import pytest
from coderag_rag.query.guard import Breaker, DependencyDown
from coderag_rag.query.manifest import Manifest, NothingIndexed, Snapshot, UnknownRepository
from coderag_rag.query.poller import ManifestPoller
from coderag_rag.query.reader import IndexReader
from coderag_rag.store.schema import Entry, HeadPayload
from hypothesis import given
from hypothesis import strategies as st


def head(repository="app", generation=1, ref="main"):
    return HeadPayload(repository, ref, f"c{generation}", generation, generation, 1, 1, 1, "t", "identity", [])


names = st.text("abc/", min_size=1, max_size=6)
entries = st.lists(st.tuples(names, st.sampled_from(["b1", "b2", "b3"])), max_size=12)


@given(entries)
def test_both_maps_tell_the_same(pairs):
    manifest = Manifest.build(head(), [Entry(path, blob, "python") for path, blob in pairs])
    assert {path: blob for blob, paths in manifest.paths_of.items() for path in paths} == manifest.blob_of
    assert all(list(paths) == sorted(set(paths)) for paths in manifest.paths_of.values())


def snapshot_of(**repositories):
    manifests = [
        Manifest.build(head(name), [Entry(*entry, "python") for entry in entries])
        for name, entries in repositories.items()
    ]
    return Snapshot.of(reversed(manifests))


def test_a_blob_is_found_in_every_repository_that_holds_it():
    snapshot = snapshot_of(app=[("a.py", "b1"), ("b.py", "b1")], web=[("c.py", "b1"), ("d.py", "b2")])
    assert [(place.repository, place.path) for place in snapshot.places("b1")] == [
        ("app", "a.py"),
        ("app", "b.py"),
        ("web", "c.py"),
    ]
    assert not snapshot.places("b9")
    assert dict(snapshot.select(["web"]).paths()) == {"c.py": "b1", "d.py": "b2"}


def test_only_served_names_can_be_selected():
    with pytest.raises(UnknownRepository, match="'nope'") as caught:
        snapshot_of(app=[]).select(["app", "nope"])
    assert caught.value.known == ["app"]
    with pytest.raises(NothingIndexed):
        Snapshot().select(None)


@pytest.fixture
def poller(qdrant):
    return ManifestPoller(IndexReader(qdrant), Breaker("qdrant"))


def paths(poller):
    return sorted(path for path, _ in poller.snapshot.paths())


async def test_before_the_first_look_nothing_is_known(poller):
    with pytest.raises(DependencyDown, match="not contacted yet"):
        poller.served()


async def test_an_index_that_was_never_written_is_empty_and_not_down(poller):
    await poller.look()
    assert poller.served() == Snapshot()


async def test_a_new_generation_replaces_the_old_one_whole(poller, index, make_file):
    await index.serve("app", make_file("a.py", "1"), make_file("b.py", "2"), make_file("c.py", "3"))
    await poller.look()
    assert paths(poller) == ["a.py", "b.py", "c.py"]
    await index.serve("app", make_file("c.py", "3"), make_file("d.py", "4"))
    assert paths(poller) == ["a.py", "b.py", "c.py"]
    await poller.look()
    assert paths(poller) == ["c.py", "d.py"]
    assert poller.snapshot.manifests[0].head.generation == 2


async def test_pages_without_a_head_are_not_served(poller, index, make_file):
    await index.serve("app", make_file("a.py", "1"))
    await poller.look()
    await index.add_pages("app", [make_file("b.py", "2")], generation=2)
    await poller.look()
    assert paths(poller) == ["a.py"]


async def test_a_generation_whose_pages_are_gone_leaves_the_last_one(poller, index, make_file):
    await index.serve("app", make_file("a.py", "1"))
    await poller.look()
    await index.add_head("app", generation=2, pages=3, files=5)
    await poller.look()
    assert paths(poller) == ["a.py"]
    assert poller.snapshot.manifests[0].head.generation == 1


async def test_an_unchanged_manifest_is_not_read_again(poller, index, make_file):
    await index.serve("app", make_file("a.py", "1"))
    await poller.look()
    before = poller.snapshot.manifests[0]
    await poller.look()
    assert poller.snapshot.manifests[0] is before


async def test_a_repository_that_is_no_longer_served_disappears(poller, index, make_file, qdrant):
    await index.serve("app", make_file("a.py", "1"))
    await poller.look()
    await qdrant.delete_collection(index.name)
    await poller.look()
    assert poller.snapshot == Snapshot()


async def test_an_unreachable_qdrant_leaves_the_last_snapshot(index, make_file, qdrant):
    class Flaky(IndexReader):
        down = False

        async def heads(self):
            if self.down:
                raise DependencyDown("qdrant", "not reachable")
            return await super().heads()

    reader = Flaky(qdrant)
    poller = ManifestPoller(reader, Breaker("qdrant"))
    await index.serve("app", make_file("a.py", "1"))
    await poller.look()
    reader.down = True
    with pytest.raises(DependencyDown):
        await poller.look()
    assert paths(poller) == ["a.py"]
    reader.down = False
    await index.serve("app", make_file("b.py", "1"))
    await poller.look()
    assert paths(poller) == ["b.py"]


async def test_a_silent_qdrant_is_down_and_not_empty():
    class Silent:
        async def scroll(self, *_arguments, **_options):
            await asyncio.Event().wait()

    poller = ManifestPoller(IndexReader(Silent(), timeout=0.01), Breaker("qdrant"))
    with pytest.raises(DependencyDown, match="no answer in time"):
        await poller.look()


class PagedReader:
    """A store whose head can change between any two reads."""

    def __init__(self, steps):
        self.steps, self.generation = list(steps), 1

    def _advance(self):
        if self.steps:
            self.generation += self.steps.pop(0)

    async def heads(self):
        self._advance()
        return [head(generation=self.generation)]

    async def entries(self, wanted):
        self._advance()
        if wanted.generation != self.generation:
            return None  # garbage collection took the pages of the replaced generation
        return [Entry(f"{n}.py", f"g{wanted.generation}", "python") for n in range(3)]


@given(st.lists(st.integers(0, 1), max_size=20))
def test_whenever_generations_change_a_snapshot_holds_exactly_one_of_them(steps):
    async def follow():
        poller = ManifestPoller(PagedReader(steps), Breaker("qdrant"))
        seen = []
        for _ in range(len(steps) + 2):
            await poller.look()
            for manifest in poller.snapshot.manifests:
                assert set(manifest.blob_of.values()) == {f"g{manifest.head.generation}"}
                assert len(manifest.blob_of) == 3
                seen.append(manifest.head.generation)
        assert seen == sorted(seen)
        assert seen[-1] == 1 + sum(steps)

    asyncio.run(follow())


def test_a_kept_snapshot_and_a_part_of_it_know_the_same_places():
    def manifest(name, **files):
        return Manifest.build(head(name), [Entry(f"{path}.py", blob, "python") for path, blob in files.items()])

    kept = Snapshot.of([manifest("web", a="one", b="two"), manifest("app", c="one")])
    part = Snapshot(kept.manifests)
    assert part == kept
    for blob in ("one", "two", "none"):
        assert part.places(blob) == kept.places(blob)
    assert [(place.repository, place.path) for place in kept.places("one")] == [("app", "c.py"), ("web", "a.py")]
    assert kept.select([]) is kept  # a request without filters shares what the snapshot has worked out


async def test_a_look_that_finds_nothing_new_keeps_the_same_snapshot(poller, index, corpus):
    await poller.look()
    before = poller.snapshot
    await poller.look()
    assert poller.snapshot is before
