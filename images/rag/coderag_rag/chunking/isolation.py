"""A copy of this process that prepares documents and may die or hang of one, and what is stored then.

Some grammars are ended by deep nesting or never come back from odd input; nothing in the same process can stop them.
The file is then split by lines, which needs no grammar.
"""

import os
import signal
from collections.abc import Callable, Sequence
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Protocol

from coderag_rag.chunking.causes import PARSER_DIED, TIMEOUT, Note

# Below the deadline of the caller, so that there is time left to split the file by lines.
PARSE_SECONDS = 8.0
_SLOW = Note(TIMEOUT, "takes too long to parse: chunked by lines")
_DIED = Note(PARSER_DIED, "the parser did not survive it: chunked by lines")

Prepare = Callable[[bytes, Sequence[str]], bytes]
"""From the bytes of a file and its paths to the encoded answer."""


class Fallback(Protocol):
    """Prepares a file without a parser, given why."""

    def __call__(self, data: bytes, paths: Sequence[str], note: Note, /) -> bytes:
        """Return the encoded answer."""
        ...


def work(connection: Connection, prepare: Prepare) -> None:
    """Answer requests until the other side is gone."""
    while True:
        try:
            paths, data = connection.recv(), connection.recv_bytes()
        except EOFError:
            return
        connection.send_bytes(prepare(data, paths))


class Isolated:
    """Prepares documents in a forked copy that is replaced when it is lost."""

    def __init__(self, prepare: Prepare, fallback: Fallback, seconds: float = PARSE_SECONDS) -> None:
        self._prepare, self._fallback, self._seconds = prepare, fallback, seconds
        self._child: tuple[int, Connection] | None = None

    def __call__(self, data: bytes, paths: Sequence[str]) -> bytes:
        """Return the answer of the copy, or the fallback's when it died or hangs."""
        connection = self._started()
        try:
            connection.send(list(paths))
            connection.send_bytes(data)
            if connection.poll(self._seconds):
                return connection.recv_bytes()
            note = _SLOW
        except (EOFError, OSError):
            note = _DIED
        self.close()
        return self._fallback(data, paths, note)

    def close(self) -> None:
        """End the copy."""
        if self._child is not None:
            (child, connection), self._child = self._child, None
            connection.close()
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)

    def _started(self) -> Connection:
        if self._child is None:
            ours, theirs = Pipe()
            child = os.fork()
            if child == 0:
                ours.close()
                self._live(theirs)
            theirs.close()
            self._child = (child, ours)
        return self._child[1]

    def _live(self, connection: Connection) -> None:
        """Be the copy. It never returns, nor flushes what it inherited."""
        code = 1
        try:
            work(connection, self._prepare)
            code = 0
        finally:
            os._exit(code)
