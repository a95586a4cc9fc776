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

# Processor time, so that a busy machine costs no file its structure; and time by the clock, below the deadline of the
# caller, so that some is left to split the file by lines.
CPU_SECONDS = 5.0
WALL_SECONDS = 14.0
_SLOW = Note(TIMEOUT, "takes too long to parse: chunked by lines")
_DIED = Note(PARSER_DIED, "the parser did not survive it: chunked by lines")

Prepare = Callable[[bytes, Sequence[str]], bytes]
"""From the bytes of a file and its paths to the encoded answer."""


class Fallback(Protocol):
    """Prepares a file without a parser, given why."""

    def __call__(self, data: bytes, paths: Sequence[str], note: Note, /) -> bytes:
        """Return the encoded answer."""
        ...


def work(connection: Connection, prepare: Prepare, begin: Callable[[], None] = lambda: None) -> None:
    """Answer requests until the other side is gone; `begin` is called before each."""
    while True:
        try:
            paths, data = connection.recv(), connection.recv_bytes()
        except EOFError:
            return
        begin()
        connection.send_bytes(prepare(data, paths))


class Isolated:
    """Prepares documents in a forked copy that is replaced when it is lost."""

    def __init__(
        self, prepare: Prepare, fallback: Fallback, cpu: float = CPU_SECONDS, wall: float = WALL_SECONDS
    ) -> None:
        self._prepare, self._fallback, self._cpu, self._wall = prepare, fallback, cpu, wall
        self._child: tuple[int, Connection] | None = None

    def __call__(self, data: bytes, paths: Sequence[str]) -> bytes:
        """Return the answer of the copy, or the fallback's when it died or hangs."""
        connection = self._started()
        late = True
        try:
            connection.send(list(paths))
            connection.send_bytes(data)
            if connection.poll(self._wall):
                return connection.recv_bytes()
        except (EOFError, OSError):
            late = False
        late = self.close() == signal.SIGPROF or late
        return self._fallback(data, paths, _SLOW if late else _DIED)

    def close(self) -> int:
        """End the copy, and return the signal that ended it."""
        if self._child is None:
            return 0
        (child, connection), self._child = self._child, None
        connection.close()
        return _reaped(child)

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
            signal.signal(signal.SIGPROF, signal.SIG_DFL)
            work(connection, self._prepare, lambda: signal.setitimer(signal.ITIMER_PROF, self._cpu))
            code = 0
        finally:
            os._exit(code)


def _reaped(child: int) -> int:
    """End a child that may have ended already, and return the signal that did it."""
    done, status = os.waitpid(child, os.WNOHANG)
    if not done:
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
