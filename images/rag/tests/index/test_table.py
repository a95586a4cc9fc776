"""Tables: whole records, and the header with every part, but never in its verbatim text."""

import pytest
from coderag_rag.chunking.document import prepare_document
from coderag_rag.chunking.splitter import split_text
from hypothesis import given, settings
from hypothesis import strategies as st

ROWS = "".join(f"customer number {n},Seoul,{n * 3}.50\n" for n in range(200))


@pytest.mark.parametrize(
    ("header", "rows", "path"),
    [
        ("name,city,amount\n", ROWS, "sales.csv"),
        ("\ufeffname;city;amount\r\n", ROWS.replace(",", ";"), "sales.csv"),
        ("name\tcity\tamount\n", ROWS.replace(",", "\t"), "sales.tsv"),
    ],
)
def test_every_part_of_a_table_is_embedded_with_its_header(header, rows, path):
    first, *others = prepare_document((header + rows).encode(), [path]).pieces
    shown = header.lstrip("\ufeff").strip()
    assert len(others) > 5
    assert first.embedded.count(shown) == 1
    assert all(shown in piece.embedded for piece in others)
    assert not any(shown in piece.text for piece in others)


def test_a_table_without_a_header_has_none():
    chunks = split_text("1,2,3\n" * 400, "csv").chunks
    assert {chunk.lead for chunk in chunks} == {""}
    assert {chunk.lead for chunk in split_text("only one column\n" * 100, "csv").chunks} == {""}


def test_a_record_over_several_rows_is_never_cut():
    text = "name,note\n" + 'someone,"first line\nsecond line\nthird line of the note"\n' * 60
    chunks = split_text(text, "csv").chunks
    assert len(chunks) > 3
    assert all(chunk.text.startswith(("name", "someone")) for chunk in chunks)


def test_a_stray_quote_does_not_swallow_the_rest():
    text = 'name,size\n5" disk,2\n' + "other disk,3\n" * 300
    assert len(split_text(text, "csv").chunks) > 4


def test_the_later_rows_of_a_long_table_are_found_by_keyword_only():
    document = prepare_document(("name,city,amount\n" + ROWS * 12).encode(), ["big.csv"])
    embedded = [piece.embedded is not None for piece in document.pieces]
    assert embedded == [True] * 50 + [False] * (len(embedded) - 50)
    assert (document.reason, document.causes) == ("mostly data: found by keyword only", ["data"])


def test_numbers_alone_are_found_by_keyword_only():
    document = prepare_document(b"0.5,17,3\n" * 300, ["points.csv"])
    assert {piece.embedded for piece in document.pieces} == {None}


@given(st.lists(st.sampled_from(["a,b\n", '"', "x\n", ",", "\r\n", "1;2\n", "\ufeff", "\n", "한글,값\n"]), max_size=60))
@settings(max_examples=80, deadline=None)
def test_chunks_tile_any_table(parts):
    text = "".join(parts)
    assert "".join(chunk.text for chunk in split_text(text, "csv", budget=12).chunks) == text


TABLE = "| name | meaning |\n|---|:---:|\n" + "".join(
    f"| option{n} | what the option number {n} does |\n" for n in range(60)
)


def test_a_markdown_table_goes_on_with_its_header():
    first, *others, last = split_text(
        f"# Options\n\n{TABLE}\nThe end, and no table.\n" + "More words. " * 60, "markdown"
    ).chunks
    assert first.lead == ""
    assert {chunk.lead for chunk in others} == {"| name | meaning |\n|---|:---:|\n"}
    assert last.lead == ""


def test_a_table_in_a_fence_is_no_table():
    chunks = split_text(f"```\n{TABLE}```\n", "markdown").chunks
    assert {chunk.lead for chunk in chunks} == {""}
