"""Program text by its syntax tree: parsed, checked for being what its name says, split, its names found."""

import re

from tree_sitter import Node

from coderag_rag.chunking.cast import split_tree
from coderag_rag.chunking.causes import PARSE_ERRORS, TOO_DEEP, Note
from coderag_rag.chunking.definitions import find_definitions
from coderag_rag.chunking.languages import LANGUAGES, Language, label_of
from coderag_rag.chunking.lines import BUDGET, Lines
from coderag_rag.chunking.model import Definition, Span

# The grammar of YAML keeps its open levels in a buffer of fixed size and ends the process beyond about 290 of them.
_DEEP_YAML = re.compile(r"^[ \t?:-]{200}", re.M)
_ALSO = {"c": "cpp"}


class Unsplittable(Exception):  # noqa: N818 - reads as the state it names
    """A text has no tree to follow; `note` says why."""

    def __init__(self, note: Note) -> None:
        super().__init__(note.reason)
        self.note = note


def _unparsable(root: Node) -> bool:
    """More than half of the text lies in top-level errors: the tree says nothing about the structure."""
    lost = sum(node.end_byte - node.start_byte for node in root.children if node.type == "ERROR")
    return root.type == "ERROR" or lost * 2 > max(1, root.end_byte - root.start_byte)


def _tried(text: str, language: str) -> tuple[Node, Language]:
    """The root and the grammar that fits: a header for C may well be one for C++."""
    own = LANGUAGES[language]
    root = own.parser().parse(text.encode()).root_node
    if root.has_error and language in _ALSO:
        also = LANGUAGES[_ALSO[language]]
        other = also.parser().parse(text.encode()).root_node
        if not other.has_error or _unparsable(root):
            return other, also
    return root, own


def parse(text: str, language: str) -> tuple[Node, Language]:
    """Return the root of a text in a language with a grammar, and the grammar; raises Unsplittable."""
    if language == "yaml" and _DEEP_YAML.search(text):
        raise Unsplittable(Note(TOO_DEEP, "nested too deeply to be parsed: chunked by lines"))
    root, used = _tried(text, language)
    if _unparsable(root):
        reason = f"cannot be parsed as {label_of(language)}: chunked by lines"
        raise Unsplittable(Note(PARSE_ERRORS, reason))
    return root, used


def split_program(
    lines: Lines, text: str, language: str, budget: int = BUDGET
) -> tuple[list[Span], list[Definition], list[Note]]:
    """Return spans that tile the lines, the definitions, and what of the structure was not followed."""
    root, used = parse(text, language)
    spans, too_deep = split_tree(lines, root, budget)
    notes = [Note(TOO_DEEP, "nested too deeply in places: chunked by lines there")] if too_deep else []
    return spans, find_definitions(root, used.definitions), notes
