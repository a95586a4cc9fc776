"""What a model is, by the headers of its files: on a volume or, through ranges, on a server; of one file or of many.

Separate from `measure`, which is pure: here are names, sizes and streams.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol
from urllib.parse import SplitResult, urlsplit

from coderag_model.bounded import GgufError, Readable
from coderag_model.contents import MAX_TENSORS, Contents, read_contents
from coderag_model.deadline import Deadline
from coderag_model.errors import FetchError, volume_error
from coderag_model.geometry import Geometry
from coderag_model.header import HeaderSummary, minimum_size, summarise
from coderag_model.measure import check_size, measure
from coderag_model.ranged import RangedFile
from coderag_model.source import READ, Source
from coderag_model.splits import part_count, part_names
from coderag_model.tensors import CUDA, Allocator

PATIENCE = 300.0  # seconds for the headers of a model


class Sized(Readable, Protocol):
    """A stream that knows, at the latest after its first read, how long the file is."""

    @property
    def size(self) -> int:
        """Return the bytes of the whole file."""
        ...


class Files(Protocol):
    """Where the files of a model are."""

    first: str

    def part(self, name: str) -> "Files":
        """Return the file of that name beside the first."""
        ...

    @contextmanager
    def open(self) -> Iterator[Sized]:
        """Open the first file."""
        ...


@dataclass(frozen=True, slots=True)
class Model:
    """What the headers say."""

    header: HeaderSummary
    size: int  # bytes of all files
    geometry: Geometry | GgufError  # or why it is not known


class LocalFiles:
    """A model on a volume."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.first = path.name

    def part(self, name: str) -> "LocalFiles":
        """Return the file of that name in the same folder."""
        return LocalFiles(self._path.with_name(name))

    @contextmanager
    def open(self) -> Iterator[Sized]:
        """Open the file; raises FetchError."""
        try:
            with self._path.open("rb") as file:
                yield _LocalFile(file, os.fstat(file.fileno()).st_size)
        except OSError as error:
            raise volume_error(error, f"reading {self.first}") from None


@dataclass(frozen=True, slots=True)
class _LocalFile:
    stream: Readable
    size: int

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes, none at the end."""
        return self.stream.read(size)


class RemoteFiles:
    """A model on a server."""

    def __init__(self, url: str, token: str | None, deadline: Deadline, read: float) -> None:
        self._parts = split_url(url)
        self._token = token
        self._deadline = deadline
        self._read = read
        self.first = PurePosixPath(self._parts.path).name or "the file"

    def part(self, name: str) -> "RemoteFiles":
        """Return the file of that name in the same folder; the query stays."""
        path = str(PurePosixPath(self._parts.path).with_name(name))
        return RemoteFiles(self._parts._replace(path=path).geturl(), self._token, self._deadline, self._read)

    @contextmanager
    def open(self) -> Iterator[Sized]:
        """Open the file; raises FetchError."""
        yield RangedFile(Source(self._parts.geturl(), self._token, read=self._read), self._deadline)


def split_url(url: str) -> SplitResult:
    """Return the parts of an address; raises FetchError, without repeating it."""
    try:
        return urlsplit(url)
    except ValueError:
        raise FetchError("Unreachable", "the given address is not one") from None


def open_geometry(
    file_or_url: str,
    token: str | None = None,
    *,
    deadline: Deadline | None = None,
    read: float = READ,
    allocator: Allocator = CUDA,
) -> Geometry:
    """Return the geometry of a model by a path or an http(s) address; raises GgufError or FetchError."""
    model = open_model(file_or_url, token, deadline=deadline, read=read, allocator=allocator)
    if isinstance(model.geometry, GgufError):
        raise model.geometry
    return model.geometry


def open_model(
    file_or_url: str,
    token: str | None = None,
    *,
    deadline: Deadline | None = None,
    read: float = READ,
    allocator: Allocator = CUDA,
) -> Model:
    """Return what the headers of a model say; raises GgufError or FetchError if it cannot be served at all."""
    if "://" in file_or_url:
        return look(RemoteFiles(file_or_url, token, deadline or Deadline(PATIENCE), read), allocator)
    return look(LocalFiles(Path(file_or_url)), allocator)


def look(files: Files, allocator: Allocator = CUDA) -> Model:
    """Read the header of the first file, then of the others; what is merely not modelled is no error."""
    parts = [_read(files, MAX_TENSORS)]
    geometry: Geometry | GgufError
    try:
        parts += _read_others(files, parts[0])
        for part in parts:
            check_size(part.contents, part.size, part.name)
        geometry = measure([part.contents for part in parts], allocator)
    except GgufError as error:
        if error.reason == "Truncated":
            raise
        geometry = error
    return Model(summarise([part.contents for part in parts]), sum(part.size for part in parts), geometry)


@dataclass(frozen=True, slots=True)
class _Part:
    name: str
    contents: Contents
    size: int


def _read_others(files: Files, first: _Part) -> list[_Part]:
    """Return the parts of the model besides the first."""
    parts: list[_Part] = []
    left = MAX_TENSORS - len(first.contents.tensors)
    for name in part_names(files.first, part_count(first.contents))[1:]:
        parts.append(_read(files.part(name), left))
        left -= len(parts[-1].contents.tensors)
    return parts


def _read(files: Files, max_tensors: int) -> _Part:
    """Read one header; raises Truncated if the last tensor begins behind the end, whatever its type."""
    try:
        with files.open() as stream:
            contents = read_contents(stream, max_tensors)
            size = stream.size
        needed = minimum_size(contents)
        if size < needed:
            raise GgufError("Truncated", f"{size} bytes, but its tensors need {needed} or more")
    except GgufError as error:
        raise GgufError(error.reason, f"{files.first}: {error}") from None
    return _Part(files.first, contents, size)
