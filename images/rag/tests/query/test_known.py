"""Chunks in memory: what is kept, for how long, and within which bound."""

from coderag_rag.query.chunk import Chunk
from coderag_rag.query.known import KnownChunks
from hypothesis import given
from hypothesis import strategies as st


def chunk(blob="b", text="x", symbols=()):
    lines = {"start_line": 1, "end_line": 2}
    return Chunk.of({"blob": blob, "symbols": symbols, "language": "python", "text": text, "text_sha256": "s", **lines})


def known(most=1_000_000, collection="code-a", blobs=("b",), **chunks):
    made = KnownChunks(most)
    made.keep(collection, set(blobs))
    made.add(collection, chunks)
    return made


def test_nothing_is_used_before_everything_is_there():
    some = known(one=chunk())
    assert some.of("code-a") is None
    some.complete = True
    assert some.of("code-a") == {"one": chunk()}
    assert some.of("code-b") is None


def test_another_collection_begins_anew():
    some = known(one=chunk())
    some.complete = True
    some.keep("code-b", {"b"})
    assert (len(some), some.bytes, some.complete) == (0, 0, False)


def test_what_an_earlier_request_read_of_another_collection_is_not_kept():
    some = known()
    assert some.add("code-old", {"one": chunk()})
    assert len(some) == 0


def test_what_is_served_no_longer_is_forgotten():
    some = known(blobs=("b", "c"), one=chunk("b"), two=chunk("c"))
    some.keep("code-a", {"c"})
    assert (len(some), some.bytes) == (1, chunk("c").size)


def test_an_index_that_does_not_fit_is_given_up_and_leaves_nothing_behind():
    some = KnownChunks(chunk().size)
    some.keep("code-a", {"b"})
    assert some.add("code-a", {"one": chunk()})
    assert not some.add("code-a", {"two": chunk()})
    some.complete = True
    some.give_up()
    assert (len(some), some.bytes, some.complete) == (0, 0, False)


def test_the_same_chunk_counts_once():
    some = known(one=chunk())
    assert some.add("code-a", {"one": chunk()})
    assert some.bytes == chunk().size


names = st.sampled_from("abcdef")
steps = st.lists(
    st.one_of(st.tuples(st.just("add"), names, st.text(max_size=50)), st.tuples(st.just("keep"), st.sets(names)))
)


@given(steps)
def test_the_bytes_are_those_of_what_is_kept_and_never_more_than_allowed(steps):
    some = known(3_000)
    for step in steps:
        if step[0] == "add":
            some.add("code-a", {step[1]: chunk(step[1], step[2])})
        else:
            some.keep("code-a", step[1])
    some.complete = True
    assert some.bytes == sum(one.size for one in some.of("code-a").values()) <= 3_000


def test_longer_texts_and_more_symbols_take_more():
    assert chunk(text="x" * 1000).size - chunk(text="x").size == 999
    assert chunk(symbols=("retry", "Queue.retry")).size > chunk(symbols=("retry",)).size
