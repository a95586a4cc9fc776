"""The process that prepares documents: one request after the other on standard input, answers on standard output.

It reads hostile input, so it lives apart: no credentials in its environment, a memory limit, and a parent that kills
it when one file takes too long. The parsers live in a copy of it, so that a file which ends them is still stored.
"""

import json
import resource
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import BinaryIO

from coderag_rag.chunking.causes import FAILED, PARSER_DIED, Note
from coderag_rag.chunking.document import Document, prepare_by_lines, prepare_document, skipped
from coderag_rag.chunking.isolation import Isolated, Prepare
from coderag_rag.chunking.languages import language_of

_MEMORY = 2 * 1024**3
_FAILURES = (MemoryError, RecursionError, ValueError)


def answer(data: bytes, paths: Sequence[str]) -> Document:
    """Prepare a document; what its parser cannot bear is split by lines, since the file is the usual cause."""
    try:
        return prepare_document(data, paths)
    except _FAILURES as error:
        return by_lines(data, paths, Note(PARSER_DIED, f"{type(error).__name__} while it was parsed: chunked by lines"))


def by_lines(data: bytes, paths: Sequence[str], note: Note) -> Document:
    """Prepare a document without a parser; a failure is an answer too."""
    try:
        return prepare_by_lines(data, paths, note)
    except _FAILURES as error:
        return skipped(language_of(paths[0]), Note(FAILED, f"cannot be processed: {type(error).__name__}"))


def _encoded(document: Document) -> bytes:
    return json.dumps(asdict(document)).encode()


def encoded_answer(data: bytes, paths: Sequence[str]) -> bytes:
    """Return `answer` as JSON."""
    return _encoded(answer(data, paths))


def encoded_by_lines(data: bytes, paths: Sequence[str], note: Note) -> bytes:
    """Return `by_lines` as JSON."""
    return _encoded(by_lines(data, paths, note))


def serve(source: BinaryIO, sink: BinaryIO, prepare: Prepare = encoded_answer) -> None:
    """Answer requests until the input ends. Each is a JSON line with `paths` and `size`, then so many bytes."""
    sink.write(b"ready\n")
    sink.flush()
    while line := source.readline():
        request = json.loads(line)
        body = prepare(source.read(request["size"]), request["paths"])
        sink.write(b"%d\n" % len(body) + body)
        sink.flush()


def main() -> None:
    """Serve standard input."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    isolated = Isolated(encoded_answer, encoded_by_lines)
    try:
        serve(sys.stdin.buffer, sys.stdout.buffer, isolated)
    finally:
        isolated.close()


if __name__ == "__main__":
    main()
