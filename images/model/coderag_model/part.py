"""The unfinished file: its bytes, their running sha256, and the ETag they came with, all surviving a killed process."""

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from coderag_model.contents import MAGIC
from coderag_model.deadline import Deadline
from coderag_model.errors import FetchError

BLOCK = 1024 * 1024


class Part:
    """`<sha256>.gguf.part`, open for appending; made by `open_part`. `magic` is what the file must begin with."""

    def __init__(self, path: Path, file: BinaryIO, magic: bytes = MAGIC) -> None:
        self._file = file
        self._magic = magic
        self.path = path
        self._notes = path.with_name(path.name + ".etag")
        self._hash = hashlib.sha256()
        self._start = b""
        self.size = 0
        self.resumed = False  # its bytes are from several transfers, perhaps of several files

    def load(self, deadline: Deadline) -> None:
        """Hash what is there already; bytes that cannot be the file are dropped."""
        self._file.seek(0)
        while block := self._file.read(BLOCK):
            deadline.left()
            self._count(block)
        if not self.is_plausible():
            self.clear()

    def write(self, block: bytes) -> None:
        """Append bytes."""
        self._file.write(block)
        self._count(block)

    def clear(self) -> None:
        """Begin again with nothing."""
        self._file.seek(0)
        self._file.truncate()
        self._notes.unlink(missing_ok=True)
        self._hash = hashlib.sha256()
        self._start = b""
        self.size = 0
        self.resumed = False

    def is_plausible(self) -> bool:
        """Tell whether the bytes so far can be the start of the file."""
        return self._magic.startswith(self._start)

    def digest(self) -> str:
        """Return the sha256 of the bytes so far."""
        return self._hash.hexdigest()

    def etag(self, source: str) -> str | None:
        """Return the ETag of the bytes, if they came from this source."""
        try:
            notes: Any = json.loads(self._notes.read_bytes())
        except (FileNotFoundError, ValueError):
            return None
        found = notes.get("etag") if isinstance(notes, dict) and notes.get("source") == source else None
        return found if isinstance(found, str) else None

    def note(self, source: str, etag: str | None) -> None:
        """Keep the ETag for a later resume. A weak one says nothing about bytes."""
        if etag and not etag.startswith("W/"):
            self._notes.write_text(json.dumps({"source": source, "etag": etag}))
        else:
            self._notes.unlink(missing_ok=True)

    def need_space(self, total: int) -> None:
        """Raise unless the volume holds the rest of the file."""
        free = os.statvfs(self.path.parent)
        missing = total - self.size - free.f_bavail * free.f_frsize
        if missing > 0:
            raise FetchError("NoSpace", f"the volume lacks {missing} bytes for a file of {total} bytes", transient=True)

    def flush(self) -> None:
        """Hand everything to the disk."""
        self._file.flush()
        os.fsync(self._file.fileno())

    def finish(self, target: Path) -> None:
        """Make the finished bytes the target, all or nothing even if the machine stops."""
        self.flush()
        self.path.chmod(0o644)
        self.path.rename(target)
        self._notes.unlink(missing_ok=True)
        sync_folder(target.parent)

    def remove(self) -> None:
        """Give the space back."""
        self.clear()
        self.path.unlink(missing_ok=True)

    def _count(self, block: bytes) -> None:
        self._hash.update(block)
        self._start = (self._start + block[: len(self._magic)])[: len(self._magic)]
        self.size += len(block)


@contextlib.contextmanager
def open_part(path: Path, deadline: Deadline, magic: bytes = MAGIC) -> Iterator[Part]:
    """Open the part, with what an earlier process left in it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    with os.fdopen(descriptor, "r+b") as file:
        part = Part(path, file, magic)
        part.load(deadline)
        yield part


def sync_folder(folder: Path) -> None:
    """Make a rename survive a power failure."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
