"""Tables: cut between records, each chunk embedded with the header that tells what its columns are."""

import re
from collections.abc import Iterator

from coderag_rag.chunking.languages import TSV
from coderag_rag.chunking.lines import BUDGET, Lines, cut_at, merge
from coderag_rag.chunking.model import Chunk, Span
from coderag_rag.chunking.parts import make_chunks

# A quote that is not closed within so many rows is a character and not the beginning of a record of many rows.
_LONGEST_RECORD = 100
_LONGEST_HEADER = 400
_NUMBER = re.compile(r"[-+]?[\d.,:/ -]+%?")


def _open_after(line: str) -> bool:
    return line.count('"') % 2 == 1


def _record_rows(lines: Lines) -> Iterator[int]:
    """The rows where a record begins: a quoted cell may hold line ends."""
    row = 0
    while row < len(lines):
        yield row
        row = _next_record(lines, row)


def _next_record(lines: Lines, row: int) -> int:
    if not _open_after(lines.lines[row]):
        return row + 1
    for last in range(row + 1, min(row + _LONGEST_RECORD, len(lines))):
        if _open_after(lines.lines[last]):
            return last + 1
    return row + 1


def _delimiter(header: str, language: str) -> str:
    return "\t" if language == TSV else max(",;\t|", key=header.count)


def header_of(lines: Lines, language: str) -> str:
    """Return the first row if it names columns, cut to what is worth repeating; nothing if it is data already."""
    first = lines.lines[0].lstrip("\ufeff") if len(lines) else ""
    cells = [cell.strip(" \t\r\n\"'") for cell in first.split(_delimiter(first, language))]
    named = len(cells) > 1 and all(cell and not _NUMBER.fullmatch(cell) for cell in cells)
    return first.rstrip("\r\n")[:_LONGEST_HEADER] + "\n" if named else ""


def split_table(lines: Lines, language: str, budget: int = BUDGET) -> list[Chunk]:
    """Return chunks of whole records; all but the first one carry the header as their lead."""
    rows = list(_record_rows(lines))
    spans = merge(lines, cut_at(Span(0, len(lines)), rows), budget) if len(lines) else []
    header = header_of(lines, language)
    return make_chunks(lines, spans, [], lambda span: header if span.start else "")
