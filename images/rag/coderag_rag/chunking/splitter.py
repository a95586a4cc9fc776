"""From a text to chunks: by syntax tree, by headings, cells or records, or by lines when there is nothing better."""

from dataclasses import dataclass, field

from coderag_rag.chunking.causes import NO_GRAMMAR, Note, listed
from coderag_rag.chunking.languages import LANGUAGES, MARKDOWN, NOTEBOOK, TABLES, label_of, lacks_grammar
from coderag_rag.chunking.lines import BUDGET, Lines, split_paragraphs
from coderag_rag.chunking.markdown import find_sections, find_tables, split_markdown
from coderag_rag.chunking.model import Chunk, Span
from coderag_rag.chunking.notebook import split_notebook
from coderag_rag.chunking.parts import make_chunks
from coderag_rag.chunking.table import split_table
from coderag_rag.chunking.tree import Unsplittable, split_program

AST, LINES, TABLE = "ast", "lines", "table"


@dataclass(frozen=True)
class Split:
    """The chunks of a text, which splitter made them, and why it was a lesser one than the language allows."""

    chunks: list[Chunk]
    chunker: str
    notes: list[Note] = field(default_factory=list)

    @property
    def reason(self) -> str:
        """The notes as one sentence."""
        return listed(self.notes)


def split_lines(text: str, notes: list[Note], budget: int = BUDGET) -> Split:
    """Return chunks cut at blank lines: the splitter that cannot fail."""
    lines = Lines(text)
    spans = split_paragraphs(lines, Span(0, len(lines)), budget)
    return Split(make_chunks(lines, spans, []), LINES, notes)


def _split_markdown(text: str, budget: int) -> Split:
    lines = Lines(text)
    sections = find_sections(lines)
    spans = split_markdown(lines, sections, budget)
    return Split(make_chunks(lines, spans, sections, find_tables(lines)), MARKDOWN)


def _split_program(text: str, language: str, budget: int) -> Split:
    lines = Lines(text)
    spans, definitions, notes = split_program(lines, text, language, budget)
    return Split(make_chunks(lines, spans, definitions), AST, notes)


def _split(text: str, language: str, budget: int) -> Split:
    if language == MARKDOWN:
        return _split_markdown(text, budget)
    if language in TABLES:
        return Split(split_table(Lines(text), language, budget), TABLE)
    if language == NOTEBOOK:
        return Split(split_notebook(Lines(text), text, budget), NOTEBOOK)
    if language in LANGUAGES:
        return _split_program(text, language, budget)
    missing = f"no grammar for {label_of(language)}: chunked by lines"
    return split_lines(text, [Note(NO_GRAMMAR, missing)] if lacks_grammar(language) else [], budget)


def split_text(text: str, language: str, budget: int = BUDGET) -> Split:
    """Return chunks of whole lines whose texts, joined, are the text."""
    try:
        return _split(text, language, budget)
    except Unsplittable as error:
        return split_lines(text, [error.note], budget)
