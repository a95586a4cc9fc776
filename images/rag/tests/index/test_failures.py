"""A file that the parser cannot bear keeps its lines; one that nothing can bear is recorded."""

from coderag_rag.chunking.__main__ import answer, encoded_by_lines
from coderag_rag.chunking.causes import TIMEOUT, Note


def test_a_parser_that_fails_costs_the_structure_only(monkeypatch):
    def fail(*_arguments):
        raise RecursionError

    monkeypatch.setattr("coderag_rag.chunking.__main__.prepare_document", fail)
    document = answer(b"x = 1\n", ["a.py"])
    assert document.reason == "RecursionError while it was parsed: chunked by lines"
    assert (document.causes, [piece.text for piece in document.pieces]) == (["parser-died"], ["x = 1\n"])


def test_a_failure_without_a_parser_becomes_an_answer_too(monkeypatch):
    def fail(*_arguments):
        raise MemoryError

    for name in ("prepare_document", "prepare_by_lines"):
        monkeypatch.setattr(f"coderag_rag.chunking.__main__.{name}", fail)
    document = answer(b"x", ["a.py"])
    assert (document.chunker, document.reason) == ("none", "cannot be processed: MemoryError")


def test_lines_alone_are_encoded_like_any_answer():
    assert b'"causes": ["timeout"]' in encoded_by_lines(b"x = 1\n", ["a.py"], Note(TIMEOUT, "slow"))
