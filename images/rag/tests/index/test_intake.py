"""Chunks on their way into the index: two batches at once, and none lost without a word."""

import asyncio

import pytest
from coderag_rag.chunking.document import Document, Piece
from coderag_rag.ingestion.intake import Intake


class Embedder:
    """Answers when it is told to; a text that says so fails."""

    batch = 2

    def __init__(self):
        self.asked, self.gate = [], asyncio.Event()
        self.gate.set()

    async def embed(self, texts):
        self.asked.append(list(texts))
        await self.gate.wait()
        if "fail" in texts:
            raise ConnectionError("no vectors")
        return [[1.0] for _ in texts]


class Chunks:
    """What is stored."""

    def __init__(self):
        self.added, self.adopted = [], []

    async def existing(self, ids):
        return {one for one in ids if one in {point.id for point in self.added}}

    async def adopt(self, chunks):
        self.adopted += [chunk.id for chunk in chunks]

    async def add(self, points):
        self.added += points


class Index:
    identity = "i" * 64

    def __init__(self):
        self.chunks = Chunks()


def document(*texts):
    pieces = [Piece(n, n, text, [], "", text, [n], [1.0]) for n, text in enumerate(texts, 1)]
    return Document("python", "cast", pieces=pieces)


@pytest.fixture
def embedder():
    return Embedder()


async def until(condition):
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  another task changes it
            await asyncio.sleep(0)


async def test_everything_is_stored_and_noted_when_it_is_flushed(embedder):
    index, ids = Index(), []
    async with Intake(index, embedder, ids) as intake:
        await intake.take("one", document(*"abcde"), ("app",))
        await intake.flush()
    assert [point.payload["text"] for point in index.chunks.added] == list("abcde")
    assert sorted(ids) == sorted(point.id for point in index.chunks.added)
    assert embedder.asked == [["a", "b"], ["c", "d"], ["e"]]


async def test_the_next_batch_is_asked_for_while_one_is_under_way_and_a_third_waits(embedder):
    embedder.gate.clear()
    async with Intake(Index(), embedder, []) as intake:
        taking = asyncio.create_task(intake.take("one", document(*"abcdef"), ("app",)))
        await until(lambda: len(embedder.asked) == 2)
        for _ in range(20):
            await asyncio.sleep(0)
        assert embedder.asked == [["a", "b"], ["c", "d"]]
        assert not taking.done()
        embedder.gate.set()
        await taking
        await intake.flush()
    assert embedder.asked[2:] == [["e", "f"]]


async def test_only_documents_that_are_stored_whole_are_counted(embedder):
    embedder.gate.clear()
    async with Intake(Index(), embedder, []) as intake:
        await intake.take("one", document("a"), ("app",))
        await intake.take("two", document("b", "c"), ("app",))
        await intake.take("none", document(), ("app",))
        assert intake.stored == 0
        embedder.gate.set()
        await intake.take("three", document(*"defg"), ("app",))
        assert intake.stored == 1  # of the second one a chunk is still under way
        await intake.flush()
        assert intake.stored == 4


async def test_a_batch_that_fails_is_told_by_what_comes_after_it(embedder):
    async with Intake(Index(), embedder, []) as intake:
        await intake.take("one", document("fail", "b"), ("app",))
        with pytest.raises(ConnectionError, match="no vectors"):
            await intake.flush()


async def test_what_is_under_way_is_given_up_with_the_sync(embedder):
    index, ids = Index(), []
    embedder.gate.clear()
    async with Intake(index, embedder, ids) as intake:
        await intake.take("one", document("a", "b"), ("app",))
        await until(lambda: embedder.asked)
    embedder.gate.set()
    await asyncio.sleep(0)
    assert (index.chunks.added, ids) == ([], [])


async def test_what_is_stored_already_is_not_embedded_again(embedder):
    index = Index()
    for _ in range(2):
        async with Intake(index, embedder, []) as intake:
            await intake.take("one", document("a", "b"), ("app",))
            await intake.flush()
    assert [texts for texts in embedder.asked if texts] == [["a", "b"]]  # the second time there is nothing to embed
    assert len(index.chunks.adopted) == 2
