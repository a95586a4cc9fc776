"""From a text to chunks: by syntax tree, by headings, or by lines when there is nothing better."""

from bisect import bisect_left
from dataclasses import dataclass

from tree_sitter import Node

from coderag_rag.chunking.cast import split_tree
from coderag_rag.chunking.definitions import find_definitions
from coderag_rag.chunking.languages import LANGUAGES, MARKDOWN, label_of
from coderag_rag.chunking.lines import BUDGET, Lines, split_paragraphs
from coderag_rag.chunking.markdown import find_sections, split_markdown
from coderag_rag.chunking.model import Chunk, Definition, Span


@dataclass(frozen=True)
class Split:
    """The chunks of a text, which splitter made them, and why it was a lesser one than the language allows."""

    chunks: list[Chunk]
    chunker: str
    reason: str = ""


def _unparsable(root: Node) -> bool:
    """More than half of the text lies in top-level errors: the tree says nothing about the structure."""
    lost = sum(node.end_byte - node.start_byte for node in root.children if node.type == "ERROR")
    return root.type == "ERROR" or lost * 2 > max(1, root.end_byte - root.start_byte)


def _enclosing(definitions: list[Definition], span: Span) -> Definition | None:
    """The innermost definition that begins before the span and reaches into it."""
    around = [d for d in definitions if d.first_row < span.start <= d.last_row and d.name_row < span.start]
    return max(around, key=lambda d: d.first_row, default=None)


def _chunks(lines: Lines, spans: list[Span], definitions: list[Definition]) -> list[Chunk]:
    ordered = sorted(definitions, key=lambda d: d.name_row)
    rows = [definition.name_row for definition in ordered]
    return [
        Chunk(
            span.start + 1,
            span.stop,
            lines.text(span),
            tuple(ordered[bisect_left(rows, span.start) : bisect_left(rows, span.stop)]),
            _enclosing(ordered, span),
        )
        for span in spans
    ]


def split_text(text: str, language: str, budget: int = BUDGET) -> Split:
    """Return chunks of whole lines whose texts, joined, are the text."""
    lines = Lines(text)
    everything = Span(0, len(lines))
    if language == MARKDOWN:
        sections = find_sections(lines)
        return Split(_chunks(lines, split_markdown(lines, sections, budget), sections), "markdown")
    known = LANGUAGES.get(language)
    if known is None:
        return Split(_chunks(lines, split_paragraphs(lines, everything, budget), []), "lines")
    root = known.parser().parse(text.encode()).root_node
    if _unparsable(root):
        reason = f"cannot be parsed as {label_of(language)}: chunked by lines"
        return Split(_chunks(lines, split_paragraphs(lines, everything, budget), []), "lines", reason)
    definitions = find_definitions(root, known.definitions)
    return Split(_chunks(lines, split_tree(lines, root, budget), definitions), "ast")
