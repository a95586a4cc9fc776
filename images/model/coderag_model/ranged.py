"""The start of a file on a server, read in pieces: a header is a thousandth of a model, and is wanted first."""

from coderag_model.deadline import Deadline
from coderag_model.errors import FetchError
from coderag_model.retries import Retries
from coderag_model.source import Slice, Source

PIECE = 1024 * 1024


class RangedFile:
    """A stream over HTTP ranges; `size` is that of the whole file and known after the first read."""

    def __init__(self, source: Source, deadline: Deadline) -> None:
        self._source = source
        self._deadline = deadline
        self._piece = Slice(b"", 0, None)
        self._start = 0  # where the piece begins
        self._used = 0  # bytes of it that were handed out
        self._seen = False

    @property
    def size(self) -> int:
        """Return the bytes of the whole file."""
        return self._piece.total

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes, none at the end."""
        if self._used == len(self._piece.data):
            self._turn()
        found = self._piece.data[self._used : self._used + size]
        self._used += len(found)
        return found

    def _turn(self) -> None:
        """Get the next piece, unless there is none."""
        start = self._start + len(self._piece.data)
        if self._seen and start >= self.size:
            return
        piece = self._get(start)
        if self._seen and (piece.total, piece.etag) != (self._piece.total, self._piece.etag):
            raise FetchError("Truncated", "the file on the server changed while it was read", transient=True)
        self._piece, self._start, self._used, self._seen = piece, start, 0, True

    def _get(self, start: int) -> Slice:
        retries = Retries(self._deadline)
        while True:
            try:
                return self._source.slice(start, PIECE, self._deadline)
            except FetchError as error:
                retries.failed(error, progress=False, bytes=start)
