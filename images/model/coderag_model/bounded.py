"""Reading little-endian values from a stream that may lie about its lengths.

Every read is checked against a budget of bytes before anything is allocated: a header that claims a terabyte costs
nothing.
"""

import struct
from typing import Protocol

CHUNK = 64 * 1024
LENGTH = struct.Struct("<Q")


class Readable(Protocol):
    """Anything with a blocking `read(n)` that returns fewer bytes only near its end."""

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes, none at the end."""
        ...


class GgufError(Exception):
    """The bytes are not a usable GGUF header; `reason` is NotGguf, Truncated or Unsupported."""

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

    def skip_texts(self, count: int, limit: int) -> None:
        """Pass over texts of at most `limit` bytes, each after its length; a vocabulary has hundreds of thousands."""
        while count:
            count -= self._skip_buffered_texts(count, limit)
            if count:
                length = self.u64()
                if length > limit:
                    raise GgufError("NotGguf", f"the header claims {length} bytes in a string, more than {limit}")
                self.skip(length)
                count -= 1

    def _skip_buffered_texts(self, count: int, limit: int) -> int:
        """Pass over the texts that are whole in the buffer, up to a bad one; return how many."""
        buffer, at = self._buffer, self._at
        last = min(len(buffer), at + self.left) - LENGTH.size
        done = 0
        while done < count and at <= last:
            length = LENGTH.unpack_from(buffer, at)[0]
            if length > limit or at + length > last:
                break
            at += LENGTH.size + length
            done += 1
        self.consumed += at - self._at
        self._at = at
        return done

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
