"""Real source to fill an index with: the standard library and what is installed beside it, cut by our own chunker.

Made-up text would have made-up words: how long the lists of the keyword index are, and so what a query costs, follows
from how often real code repeats its words.
"""

import hashlib
import os
import sysconfig
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import mmh3
from coderag_rag.chunking.document import Document, prepare_document
from coderag_rag.chunking.languages import TEXT, language_of
from coderag_rag.chunking.selection import skip_by_name

REPOSITORIES = 16
_AT_ONCE = 64
_LARGEST = 200_000  # bytes; tables of data make chunks that nobody searches


class TooLittleSource(Exception):  # noqa: N818 - reads as the state it names
    """This machine does not hold as much source as was asked for."""


@dataclass(frozen=True)
class File:
    """A file as it is indexed. `blob` is Git's own name for its content."""

    repository: str
    path: str
    blob: str
    document: Document


def roots() -> list[Path]:
    """Return the folders with source, each only once."""
    paths = sysconfig.get_paths()
    return [Path(folder) for folder in dict.fromkeys((paths["stdlib"], paths["purelib"], paths["platlib"]))]


def find_sources(folders: list[Path]) -> Iterator[tuple[Path, str]]:
    """Yield every file worth indexing with its path below its root, in an order that mixes packages."""
    found = {
        (path, str(path.relative_to(root)))
        for root in folders
        for folder, _, names in os.walk(root)
        for path in (Path(folder) / name for name in names)
        if language_of(path.name) != TEXT and not path.is_symlink()
    }
    ordered = sorted(found, key=lambda pair: (mmh3.hash(pair[1]), pair[1]))
    return (pair for pair in ordered if 0 < pair[0].stat().st_size <= _LARGEST)


def read(source: tuple[Path, str]) -> File | None:
    """Return one file cut into chunks; None for what the product would not index either."""
    place, path = source
    data = place.read_bytes()
    if skip_by_name(path, len(data)):
        return None
    document = prepare_document(data, [path])
    blob = hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
    return File(repository_of(path), path, blob, document) if document.pieces else None


def repository_of(path: str) -> str:
    """Return the repository that a path is put in: whole packages, spread over a few."""
    return f"code-{mmh3.hash(path.partition('/')[0], signed=False) % REPOSITORIES:02}"


def files(chunks: int, folders: list[Path], workers: int) -> Iterator[File]:
    """Yield distinct files until they hold so many chunks; raises TooLittleSource."""
    seen: set[str] = set()
    left, sources = chunks, find_sources(folders)
    with ProcessPoolExecutor(workers, initializer=partial(os.nice, 5)) as pool:
        while left > 0:
            part = list(islice(sources, _AT_ONCE))
            if not part:
                raise TooLittleSource(
                    f"{chunks} chunks were asked for; the source on this machine gives {chunks - left}"
                )
            for file in pool.map(read, part, chunksize=8):
                if file is not None and file.blob not in seen and left > 0:
                    seen.add(file.blob)
                    left -= len(file.document.pieces)
                    yield file
