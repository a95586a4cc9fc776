"""One file from bytes to what is stored: select, decode, redact, split, describe.

Pure, so that it can run in a process of its own that is killed when a file takes too long.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from coderag_rag.chunking.causes import DATA, Note, counted, listed
from coderag_rag.chunking.elision import leave_out_data
from coderag_rag.chunking.encoding import decode
from coderag_rag.chunking.header import embedded_text
from coderag_rag.chunking.languages import TEXT, language_of, language_of_script
from coderag_rag.chunking.model import Chunk
from coderag_rag.chunking.recognise import keyword_only, wordless
from coderag_rag.chunking.selection import skip_bytes, skip_text
from coderag_rag.chunking.splitter import TABLE, Split, split_lines, split_text
from coderag_rag.redaction import redact_counted
from coderag_rag.terms import document_weights

_MOSTLY_DATA = Note(DATA, "mostly data: found by keyword only")
_PARTLY_DATA = Note(DATA, "")
_MOST_TABLE_CHUNKS = 50  # rows are alike: the first ones tell what a table is about


@dataclass(frozen=True)
class Piece:
    """One chunk ready to be stored. `embedded` is None for text that only the keyword leg should find.

    `within` is the definition that goes on in it, "" where none does.
    """

    start_line: int
    end_line: int
    text: str
    symbols: list[str]
    within: str
    embedded: str | None
    indices: list[int]
    values: list[float]


@dataclass(frozen=True)
class Document:
    """The pieces of a file; `reason` says what is less than it should be, `chunker` is none for a skipped file.

    `causes` are the words of `causes.py` for the same, and for what is not worth a sentence; `redacted` counts secrets.
    """

    language: str
    chunker: str
    reason: str = ""
    pieces: list[Piece] = field(default_factory=list)
    causes: list[str] = field(default_factory=list)
    redacted: int = 0


@dataclass(frozen=True)
class _Text:
    """A file that is worth storing: what is left of it, and what was done to it."""

    text: str
    language: str
    notes: list[Note]
    redacted: int


def skipped(language: str, note: Note) -> Document:
    """Return the document of a file that is not stored."""
    return Document(language, "none", note.reason, causes=[note.cause])


def _language(path: str, text: str) -> str:
    named = language_of(path)
    return named if named != TEXT else language_of_script(text.removeprefix("\ufeff").split("\n", 1)[0])


def _read(data: bytes, path: str) -> _Text | Document:
    note = skip_bytes(data)
    if note:
        return skipped(language_of(path), note)
    text, notes = decode(data)
    text, left_out = leave_out_data(text)
    language = _language(path, text)
    note = skip_text(text)
    if note:
        return skipped(language, note)
    redacted = redact_counted(text, language)
    return _Text(redacted.text, language, [*notes, *left_out], redacted.secrets)


def _piece(chunk: Chunk, language: str, paths: Sequence[str], dense: bool) -> Piece:
    weights = document_weights(chunk.text, chunk.symbols, paths, chunk.within)
    embedded = embedded_text(chunk, language) if dense and chunk.body.strip() else None
    return Piece(chunk.start_line, chunk.end_line, chunk.text, chunk.symbols, chunk.within, embedded, *weights)


def _is_data(chunks: Sequence[Chunk], chunker: str) -> list[bool]:
    """Which chunks are kept out of the dense leg: data by itself, and the later rows of a long table."""
    most = _MOST_TABLE_CHUNKS if chunker == TABLE else len(chunks)
    return [position >= most or wordless(chunk.body) for position, chunk in enumerate(chunks)]


def _data_note(data: Sequence[bool]) -> list[Note]:
    if not any(data):
        return []
    return [_MOSTLY_DATA if sum(data) * 2 > len(data) else _PARTLY_DATA]


def _document(read: _Text, paths: Sequence[str], split: Split) -> Document:
    squeezed = keyword_only(read.text, read.language)
    chunks = [chunk for chunk in split.chunks if chunk.text.strip()]
    data = [True] * len(chunks) if squeezed else _is_data(chunks, split.chunker)
    pairs = zip(chunks, data, strict=True)
    pieces = [_piece(chunk, read.language, paths, dense=not silent) for chunk, silent in pairs]
    notes = [*(squeezed or _data_note(data)), *split.notes, *read.notes]
    return Document(read.language, split.chunker, listed(notes), pieces, counted(notes), read.redacted)


def _prepare(data: bytes, paths: Sequence[str], splitter: Callable[[str, str], Split]) -> Document:
    read = _read(data, paths[0])
    return read if isinstance(read, Document) else _document(read, paths, splitter(read.text, read.language))


def prepare_document(data: bytes, paths: Sequence[str]) -> Document:
    """Return what is stored for a file that lies at these paths; the first one decides the language."""
    return _prepare(data, paths, split_text)


def prepare_by_lines(data: bytes, paths: Sequence[str], note: Note) -> Document:
    """Return what is stored for a file that its parser did not survive."""
    return _prepare(data, paths, lambda text, language: split_lines(text, [note]))
