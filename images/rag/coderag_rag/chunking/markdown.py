"""Markdown by headings: each section is a unit, and its title is known to the parts it is split into."""

import re

from coderag_rag.chunking.lines import BUDGET, Lines, cut_at, merge, split_paragraphs
from coderag_rag.chunking.model import Definition, Span

_HEADING = re.compile(r" {0,3}(#{1,6})[ \t]+(.*?)[ \t]*#*\s*$")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")


def _headings(lines: Lines) -> list[tuple[int, int, str]]:
    """Row, level and title of the headings outside code fences."""
    found: list[tuple[int, int, str]] = []
    fence = ""
    for row, line in enumerate(lines.lines):
        mark = _FENCE.match(line)
        if fence:
            closes = mark and mark[1].startswith(fence) and not line.strip(" \t\r\n`~")
            fence = "" if closes else fence
        elif mark:
            fence = mark[1]
        elif heading := _HEADING.match(line):
            found.append((row, len(heading[1]), heading[2]))
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
