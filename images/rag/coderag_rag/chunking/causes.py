"""Why a file is less than fully searchable: one word for counting, one sentence for reading.

The words are fixed, so that a status can count files by them; the sentences may change.
"""

from typing import NamedTuple

# Chunked by lines although a syntax tree would be better.
NO_GRAMMAR = "no-grammar"
PARSE_ERRORS = "parse-errors"
TOO_DEEP = "too-deep"
TIMEOUT = "timeout"
PARSER_DIED = "parser-died"
LINE_FALLBACK = frozenset({NO_GRAMMAR, PARSE_ERRORS, TOO_DEEP, TIMEOUT, PARSER_DIED})
# Without a dense vector: found by words, names and exact search.
GENERATED = "generated"
MINIFIED = "minified"
DATA = "data"
KEYWORD_ONLY = frozenset({GENERATED, MINIFIED, DATA})
# Stored with something replaced; lines and their numbers stay.
ENCODING = "encoding"
LEFT_OUT_DATA = "left-out-data"
# Not stored at all.
BINARY = "binary"
LOCK_FILE = "lock-file"
LFS_POINTER = "lfs-pointer"
LONG_LINE = "long-line"
FAILED = "failed"
NOT_INDEXED = frozenset({BINARY, LOCK_FILE, LFS_POINTER, LONG_LINE, FAILED})


class Note(NamedTuple):
    """One cause and its sentence; an empty sentence is counted and not listed."""

    cause: str
    reason: str


def listed(notes: list[Note]) -> str:
    """Return the sentences of all notes as one."""
    return "; ".join(note.reason for note in notes if note.reason)


def counted(notes: list[Note]) -> list[str]:
    """Return the causes, each once."""
    return list(dict.fromkeys(note.cause for note in notes))
