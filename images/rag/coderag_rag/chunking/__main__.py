"""The process that prepares documents: one request after the other on standard input, answers on standard output.

It reads hostile input, so it lives apart: no credentials in its environment, a memory limit, and a parent that kills
it when one file takes too long.
"""

import json
import resource
import sys
from dataclasses import asdict
from typing import BinaryIO

from coderag_rag.chunking.document import Document, prepare_document
from coderag_rag.chunking.languages import language_of

_MEMORY = 2 * 1024**3


def answer(data: bytes, paths: list[str]) -> Document:
    """Prepare a document; a failure is an answer too, since the file and not the program is the usual cause."""
    try:
        return prepare_document(data, paths)
    except (MemoryError, RecursionError, ValueError) as error:
        return Document(language_of(paths[0]), "none", f"cannot be processed: {type(error).__name__}")


def serve(source: BinaryIO, sink: BinaryIO) -> None:
    """Answer requests until the input ends. Each is a JSON line with `paths` and `size`, then so many bytes."""
    sink.write(b"ready\n")
    sink.flush()
    while line := source.readline():
        request = json.loads(line)
        body = json.dumps(asdict(answer(source.read(request["size"]), request["paths"]))).encode()
        sink.write(b"%d\n" % len(body) + body)
        sink.flush()


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    serve(sys.stdin.buffer, sys.stdout.buffer)
