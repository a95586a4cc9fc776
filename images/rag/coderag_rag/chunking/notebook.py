"""Notebooks: chunks are rows of the file, so that citations hold, and are embedded as what their cells say.

Source is split at cells and then at its blank lines. Outputs and what else the format needs is found by keyword only.
"""

import re
from dataclasses import dataclass, replace
from itertools import groupby

from coderag_rag.chunking.cells import Cell, find_cells
from coderag_rag.chunking.definitions import find_definitions
from coderag_rag.chunking.languages import LANGUAGES
from coderag_rag.chunking.lines import BUDGET, Lines, cut_at, merge, split_paragraphs
from coderag_rag.chunking.markdown import find_sections
from coderag_rag.chunking.model import Chunk, Definition, Span
from coderag_rag.chunking.parts import make_chunks

# What the format needs around a cell without output; it stays with the cell.
_FRAME = 250
_MAGIC = re.compile(r"[ \t]*[%!?]")


def _line(said: str) -> str:
    return said if said.endswith("\n") else said + "\n"


def _said(cells: list[Cell], rows: int) -> list[str]:
    """What each row says; an empty line for rows that are not source."""
    said = ["\n"] * rows
    for cell in cells:
        for row, text in cell.says.items():
            said[row] = _line(text)
    return said


def _one_line(said: str) -> str:
    return said[:-1].replace("\n", " ") + "\n"


def _as_file(said: list[str], cells: list[Cell], code: bool) -> str:
    """The code, or the prose, of all cells as a file whose rows are those of the notebook."""
    lines = ["\n"] * len(said)
    for row in (row for cell in cells if (cell.kind == "code") == code for row in cell.says):
        if said[row].count("\n") == 1 and not (code and _MAGIC.match(said[row])):
            lines[row] = said[row]
    return "".join(lines)


def _definitions(said: list[str], cells: list[Cell], language: str) -> list[Definition]:
    sections = find_sections(Lines(_as_file(said, cells, code=False)))
    known = LANGUAGES.get(language)
    if known is None:
        return sections
    root = known.parser().parse(_as_file(said, cells, code=True).encode()).root_node
    return [*sections, *find_definitions(root, known.definitions)]


@dataclass(frozen=True)
class _Unit:
    """Rows that stay apart from others: the source of a cell with its frame, or outputs."""

    span: Span
    source: bool


class _Layout:
    """The units of a notebook, in order."""

    def __init__(self, lines: Lines, cells: list[Cell]) -> None:
        self._lines = lines
        self._begins = {0, *(cell.rows.start for cell in cells)}
        self._sources = {cell.source.start for cell in cells if cell.says}
        edges = self._begins | {row for cell in cells for row in (cell.source.start, cell.source.stop)}
        self._parts = cut_at(Span(0, len(lines)), sorted(edges))

    def units(self) -> list[_Unit]:
        """Return units that tile the file."""
        units: list[_Unit] = []
        for span in self._parts:
            source = span.start in self._sources
            if units and self._belongs(units[-1], span, source):
                units[-1] = _Unit(Span(units[-1].span.start, span.stop), source or units[-1].source)
            else:
                units.append(_Unit(span, source))
        return units

    def _belongs(self, before: _Unit, span: Span, source: bool) -> bool:
        """What opens a cell goes with the source that follows, what closes it with the source before."""
        if source:
            return not before.source and before.span.start in self._begins and self._small(before.span)
        if before.source:
            return span.start not in self._begins and self._small(span)
        return self._small(Span(before.span.start, span.stop))

    def _small(self, span: Span) -> bool:
        return self._lines.size(span) <= _FRAME


def _spans(lines: Lines, says: Lines, cells: list[Cell], budget: int) -> list[Span]:
    """The spans of all chunks: source is measured by what it says, everything else by what stands there."""
    spans: list[Span] = []
    for source, run in groupby(_Layout(lines, cells).units(), key=lambda unit: unit.source):
        measured = says if source else lines
        pieces = [piece for unit in run for piece in split_paragraphs(measured, unit.span, budget)]
        spans.extend(merge(measured, pieces, budget))
    return spans


def _readable(chunk: Chunk, said: list[str]) -> Chunk:
    rows = said[chunk.start_line - 1 : chunk.end_line]
    return replace(chunk, readable="".join(row for row in rows if row.strip()))


def split_notebook(lines: Lines, text: str, budget: int = BUDGET) -> list[Chunk]:
    """Return chunks that tile the file; raises Unsplittable for what is no notebook with a line of source a row."""
    cells, language = find_cells(text)
    said = _said(cells, len(lines))
    says = Lines("".join(map(_one_line, said)))
    chunks = make_chunks(lines, _spans(lines, says, cells, budget), _definitions(said, cells, language))
    return [_readable(chunk, said) for chunk in chunks]
