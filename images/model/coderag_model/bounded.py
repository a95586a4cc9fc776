"""Reading little-endian values from a stream that may lie about its lengths.

Every read is checked against a budget of bytes before anything is allocated: a header that claims a terabyte costs
nothing.
"""

import struct
from typing import Protocol

CHUNK = 64 * 1024


class Readable(Protocol):
    """Anything with a blocking `read(n)` that returns fewer bytes only near its end."""

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes, none at the end."""
        ...


class GgufError(Exception):
    """The bytes are not a usable GGUF header; `reason` is NotGguf or Truncated."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class BoundedReader:
    """A stream with a budget."""

    def __init__(self, stream: Readable, budget: int) -> None:
        self._stream = stream
        self._budget = budget
        self._buffer = b""
        self._at = 0
        self.consumed = 0

    @property
    def left(self) -> int:
        """How many bytes the header may still have."""
        return self._budget - self.consumed

    def take(self, size: int) -> bytes:
        """Return exactly `size` bytes."""
        self._charge(size)
        while len(self._buffer) - self._at < size:
            self._fill()
        found = self._buffer[self._at : self._at + size]
        self._at += size
        return found

    def skip(self, size: int) -> None:
        """Pass over `size` bytes, a chunk in memory at a time."""
        self._charge(size)
        while size > len(self._buffer) - self._at:
            size -= len(self._buffer) - self._at
            self._at = len(self._buffer)
            self._fill()
        self._at += size

    def number(self, layout: struct.Struct) -> int | float | bool:
        """Return one value of a fixed layout."""
        value: int | float | bool = layout.unpack(self.take(layout.size))[0]
        return value

    def u32(self) -> int:
        """Return an unsigned 32-bit number."""
        return int.from_bytes(self.take(4), "little")

    def u64(self) -> int:
        """Return an unsigned 64-bit number."""
        return int.from_bytes(self.take(8), "little")

    def _charge(self, size: int) -> None:
        if size > self.left:
            raise GgufError("NotGguf", f"the header claims more than {self._budget} bytes")
        self.consumed += size

    def _fill(self) -> None:
        more = self._stream.read(CHUNK)
        if not more:
            raise GgufError("Truncated", "the file ends inside its header")
        self._buffer = self._buffer[self._at :] + more
        self._at = 0
