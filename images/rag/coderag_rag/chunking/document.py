"""One file from bytes to what is stored: select, decode, redact, split, describe.

Pure, so that it can run in a process of its own that is killed when a file takes too long.
"""

from dataclasses import dataclass, field

from coderag_rag.chunking.header import embedded_text
from coderag_rag.chunking.languages import TEXT, language_of, language_of_script
from coderag_rag.chunking.selection import generated, skip_by_content
from coderag_rag.chunking.splitter import split_text
from coderag_rag.redaction import redact
from coderag_rag.terms import document_weights


@dataclass(frozen=True)
class Piece:
    """One chunk ready to be stored. `embedded` is None for text that only the keyword leg should find."""

    start_line: int
    end_line: int
    text: str
    symbols: list[str]
    embedded: str | None
    indices: list[int]
    values: list[float]


@dataclass(frozen=True)
class Document:
    """The pieces of a file; `reason` says what is less than it should be, `chunker` is none for a skipped file."""

    language: str
    chunker: str
    reason: str = ""
    pieces: list[Piece] = field(default_factory=list)


def _decode(data: bytes) -> tuple[str, str]:
    try:
        return data.decode("utf-8"), ""
    except UnicodeDecodeError:
        return data.decode("utf-8", errors="replace"), "not UTF-8: unreadable bytes are replaced"


def _language(path: str, text: str) -> str:
    named = language_of(path)
    return named if named != TEXT else language_of_script(text.split("\n", 1)[0])


def prepare_document(data: bytes, paths: list[str]) -> Document:
    """Return what is stored for a file that lies at these paths; the first one decides the language."""
    skip = skip_by_content(data)
    if skip:
        return Document(language_of(paths[0]), "none", skip)
    text, reason = _decode(data)
    language = _language(paths[0], text)
    by_hand = not generated(text)
    split = split_text(redact(text, language), language)
    pieces = []
    for chunk in split.chunks:
        if chunk.text.strip():
            weights = document_weights(chunk.text, chunk.symbols, paths)
            embedded = embedded_text(chunk, language) if by_hand else None
            where = (chunk.start_line, chunk.end_line, chunk.text, chunk.symbols)
            pieces.append(Piece(*where, embedded, *weights))
    note = "generated: found by keyword only" if not by_hand else split.reason or reason
    return Document(language, split.chunker, note, pieces)
