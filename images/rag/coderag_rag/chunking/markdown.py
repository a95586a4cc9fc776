"""Markdown by headings: each section is a unit, and its title is known to the parts it is split into."""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator

from coderag_rag.chunking.lines import BUDGET, Lines, cut_at, merge, split_paragraphs
from coderag_rag.chunking.model import Definition, Span

_HEADING = re.compile(r"\ufeff? {0,3}(#{1,6})[ \t]+(.*?)[ \t]*#*\s*$")
_UNDERLINE = re.compile(r" {0,3}(=+|-+)\s*$")
_NO_TITLE = re.compile(r"\ufeff?\s*$|\s{0,3}(?:[-*+>|]|\d+[.)]\s)|(?: {4}|\t)")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_FRONT_MATTER = re.compile(r"\ufeff?---\s*$")
_DELIMITER_ROW = re.compile(r"\s*\|?(?:\s*:?-+:?\s*\|)+(?:\s*:?-+:?)?\s*$")
_LONGEST_TITLE = 200
_LONGEST_MARK = 1_000  # longer rows are no heading and no ruler, and patterns on them would take long


def _front_matter(lines: Lines) -> int:
    """How many rows of settings stand before the text."""
    if not len(lines) or not _FRONT_MATTER.match(lines.lines[0]):
        return 0
    return next((row + 1 for row in range(1, len(lines)) if _FRONT_MATTER.match(lines.lines[row])), 0)


def _prose(lines: Lines) -> Iterator[tuple[int, str]]:
    """The rows outside code fences and front matter."""
    fence = ""
    for row in range(_front_matter(lines), len(lines)):
        line = lines.lines[row]
        mark = _FENCE.match(line)
        if fence:
            closes = mark and mark[1].startswith(fence) and not line.strip(" \t\r\n`~")
            fence = "" if closes else fence
        elif mark:
            fence = mark[1]
        else:
            yield row, line if len(line) < _LONGEST_MARK else ""


def _headings(lines: Lines) -> list[tuple[int, int, str]]:
    """Row, level and title of the headings, marked in front or underlined."""
    found: list[tuple[int, int, str]] = []
    above = (-2, "")
    for row, line in _prose(lines):
        marked, under = _HEADING.match(line), _UNDERLINE.match(line)
        if marked:
            found.append((row, len(marked[1]), marked[2][:_LONGEST_TITLE]))
        elif under and above[0] == row - 1 and not _NO_TITLE.match(above[1]):
            found.append((row - 1, 1 if "=" in under[1] else 2, above[1].strip(" \ufeff\t\r\n")[:_LONGEST_TITLE]))
        above = (-2, "") if marked or under else (row, line)
    return found


def _last_rows(headings: list[tuple[int, int, str]], rows: int) -> list[int]:
    """The last row of each section: up to the next heading of its level or a higher one."""
    ends = [rows - 1] * len(headings)
    open_sections: list[int] = []
    for position, (row, level, _) in enumerate(headings):
        while open_sections and headings[open_sections[-1]][1] >= level:
            ends[open_sections.pop()] = row - 1
        open_sections.append(position)
    return ends


def find_sections(lines: Lines) -> list[Definition]:
    """Return the sections in order, each with the titles above it in its qualified name."""
    headings = _headings(lines)
    sections: list[Definition] = []
    above: list[Definition] = []
    for (row, _, title), last in zip(headings, _last_rows(headings, len(lines)), strict=True):
        above = [section for section in above if section.last_row >= row]
        qualified = " > ".join([*(section.name for section in above), title])
        sections.append(Definition(title, qualified, "section", row, row, last))
        above.append(sections[-1])
    return sections


def split_markdown(lines: Lines, sections: list[Definition], budget: int = BUDGET) -> list[Span]:
    """Return spans that tile the lines, cut at headings and below them at paragraphs."""
    pieces: list[Span] = []
    for part in cut_at(Span(0, len(lines)), [section.first_row for section in sections]):
        pieces.extend(split_paragraphs(lines, part, budget))
    return merge(lines, pieces, budget)


def _tables(lines: Lines) -> list[tuple[int, int, str]]:
    """First data row, row after the last one, and header of the tables."""
    found: list[tuple[int, int, str]] = []
    before = (-2, "")
    for row, line in _prose(lines):
        if found and found[-1][1] == row and "|" in line:
            found[-1] = (found[-1][0], row + 1, found[-1][2])
        elif _DELIMITER_ROW.match(line) and before[0] == row - 1 and "|" in before[1]:
            found.append((row + 1, row + 1, before[1] + line))
        before = (row, line)
    return found


def find_tables(lines: Lines) -> Callable[[Span], str]:
    """Return a function that gives the header of the table which a span begins inside of, or nothing."""
    tables = _tables(lines)
    starts = [first for first, _, _ in tables]

    def header(span: Span) -> str:
        nearest = bisect_right(starts, span.start) - 1
        return tables[nearest][2] if nearest >= 0 and span.start < tables[nearest][1] else ""

    return header
