"""Queries with known answers, mined from a repository itself: commit subjects and the files they changed, and the
documentation of functions and where they are. Pure; which texts there are is the caller's business.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from coderag_rag.chunking.document import Document, Piece
from coderag_rag.git.history import Change

_PREFIX = re.compile(r"^\s*(?:\[[^\]]{1,40}\]\s*|[\w./-]{1,40}(?:\([^)]{1,60}\))?!?:\s+)+")
_NUMBER = re.compile(r"\s*[(\[]?#\d+[)\]]?\s*$")
_UNTELLING = re.compile(
    r"(?i)^(?:merge|revert|bump|release|version|update (?:dependenc|changelog|version)|wip\b|fixup!)"
)
_FEWEST_WORDS, _LONGEST = 4, 300
_MOST_FILES = 5


@dataclass(frozen=True)
class Mined:
    """A query, the blobs that answer it, and the line of the answer where one place is meant (0: the whole file)."""

    text: str
    blobs: frozenset[str]
    line: int = 0


def _telling(text: str) -> bool:
    return len(text.split()) >= _FEWEST_WORDS and len(text) <= _LONGEST


def _names_a_file(subject: str, paths: Iterable[str]) -> bool:
    words = subject.lower()
    names = (path.rpartition("/")[2].lower() for path in paths)
    return any(name in words or name.partition(".")[0] in re.findall(r"[\w-]+", words) for name in names)


def from_commits(changes: Iterable[Change], blob_of: Mapping[str, str]) -> list[Mined]:
    """Return a query for each commit whose subject tells something and whose few files are still served."""
    found: dict[str, Mined] = {}
    for change in changes:
        subject = _NUMBER.sub("", _PREFIX.sub("", change.subject)).strip()
        blobs = frozenset(blob_of[path] for path in change.paths if path in blob_of)
        usable = blobs and len(change.paths) <= _MOST_FILES and _telling(subject) and not _UNTELLING.match(subject)
        if usable and not _names_a_file(subject, change.paths):
            found.setdefault(subject, Mined(subject, blobs))
    return list(found.values())


def _documentation(piece: Piece) -> str:
    """What stands between the first line of an embedded text and its code: the documentation of the definition."""
    if piece.embedded is None or not piece.symbols:
        return ""
    header = piece.embedded.removesuffix(piece.text).strip("\n")
    return " ".join(header.partition("\n")[2].split())


def _line_of(piece: Piece) -> int:
    """The line that defines the first symbol, or the first one of the chunk."""
    lines = piece.text.split("\n")
    return piece.start_line + next((n for n, line in enumerate(lines) if piece.symbols[0] in line), 0)


def from_document(blob: str, document: Document) -> list[Mined]:
    """Return a query for each chunk that begins a documented definition, unless the documentation names it."""
    found = []
    for piece in document.pieces:
        text = _documentation(piece)
        if _telling(text) and piece.symbols[0].lower() not in text.lower():
            found.append(Mined(text, frozenset({blob}), _line_of(piece)))
    return found
