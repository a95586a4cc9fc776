"""Which chunks hold one definition between them."""

from coderag_rag.query.chunk import Chunk, Found
from coderag_rag.query.continuation import definitions_in_parts


def point(name, symbols=(), within="", blob="b"):
    return Found(name, Chunk(blob, 1, 2, tuple(symbols), "python", within))


def parts(*points):
    return sorted(sorted(group) for group in definitions_in_parts(points))


def test_a_function_and_what_goes_on_of_it_belong_together():
    head = point("head", ["retry", "Queue.retry"])
    assert parts(head, point("rest", within="Queue.retry"), point("other", ["wait"])) == [["head", "rest"]]


def test_a_chunk_may_end_one_definition_and_begin_another():
    both = point("both", ["wait"], within="retry")
    found = parts(point("head", ["retry"]), both, point("rest", within="wait"))
    assert found == [["both", "head"], ["both", "rest"]]


def test_a_part_that_was_found_alone_is_no_group():
    assert parts(point("rest", within="retry"), point("other", ["wait"])) == []


def test_the_same_name_in_another_file_is_another_definition():
    assert parts(point("head", ["retry"]), point("rest", within="retry", blob="c")) == []


def test_an_index_that_was_built_before_parts_were_known_has_none():
    payload = {"blob": "b", "start_line": 1, "end_line": 2, "symbols": ["retry"], "language": "python"}
    assert parts(Found("old", Chunk.of(payload)), point("head", ["retry"])) == []
