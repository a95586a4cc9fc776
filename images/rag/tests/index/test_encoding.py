"""Every encoding keeps its lines, and what was replaced is told."""

import codecs

import pytest
from coderag_rag.chunking.document import prepare_document
from coderag_rag.chunking.encoding import decode, utf16

KOREAN = "# 검색 엔진을 시작한다\nstart()\n"


@pytest.mark.parametrize(
    ("data", "text", "reason"),
    [
        (KOREAN.encode(), KOREAN, ""),
        (codecs.BOM_UTF8 + b"a\r\nb", "\ufeffa\r\nb", ""),
        (KOREAN.encode("utf-16"), KOREAN, "UTF-16: read as text"),
        (codecs.BOM_UTF16_BE + KOREAN.encode("utf-16-be"), KOREAN, "UTF-16: read as text"),
        (KOREAN.encode("cp949"), KOREAN, "not UTF-8: read as CP949 (Korean)"),
        ("señor\n".encode("latin-1"), "se\ufffdor\n", "not UTF-8: unreadable bytes are replaced"),
        (b"a\0b\n", "a\ufffdb\n", "NUL bytes are replaced"),
    ],
)
def test_bytes_become_text_with_a_note(data, text, reason):
    found, notes = decode(data)
    assert (found, [note.reason for note in notes]) == (text, [reason] if reason else [])
    assert {note.cause for note in notes} <= {"encoding"}


def test_a_mark_of_utf_16_is_not_enough():
    assert not utf16(b"\xff\xfe\x00\xd8")
    assert not utf16(codecs.BOM_UTF32_LE + "a".encode("utf-32-le"))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp949"])
def test_definitions_are_found_whatever_the_encoding(encoding):
    code = "# 값을 구한다, 그리고 돌려준다\r\ndef compute():\r\n    return 1\r\n"
    [piece] = prepare_document(code.encode(encoding), ["a.py"]).pieces
    assert (piece.symbols, piece.start_line, piece.end_line) == (["compute"], 1, 3)
    assert piece.text.endswith("return 1\r\n")


def test_a_script_is_known_behind_a_byte_order_mark():
    assert prepare_document(b"\xef\xbb\xbf#!/bin/sh\necho\n", ["run"]).language == "bash"
