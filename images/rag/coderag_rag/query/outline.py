"""The map of a repository: its folders, its files, and the names that define most, bounded whatever its size.

What is plain comes first: code before tests, vendored and generated files, and short paths before deep ones.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from coderag_rag.chunking.languages import language_of
from coderag_rag.query.cache import PermitCache
from coderag_rag.query.effort import Effort
from coderag_rag.query.guard import Breaker
from coderag_rag.query.manifest import Manifest
from coderag_rag.query.places import is_generated, is_test, is_vendored
from coderag_rag.query.poller import ManifestPoller
from coderag_rag.query.reader import Defined, IndexReader
from coderag_rag.query.spans import UnknownPath
from coderag_rag.query.view import Commit, guarded
from coderag_rag.store.filters import any_of, both, field
from coderag_rag.store.schema import CHUNK, HeadPayload

_DEEPEST = 3
_MOST_BLOBS = 2000
_MOST_CHUNKS = 20_000
_MOST_NAMES_OF_A_FILE = 8
_CACHED = 64


class Folder(NamedTuple):
    """A folder and how many files are in it and below."""

    path: str
    files: int


class MappedFile(NamedTuple):
    """A file with the names it defines, the largest first."""

    path: str
    language: str
    symbols: tuple[str, ...]


class MappedSymbol(NamedTuple):
    """A name at the top of a file and how many names it contains."""

    name: str
    path: str
    line: int
    members: int


@dataclass(frozen=True)
class Outline:
    """A map. `complete` is false where a list was cut or not every chunk was looked at."""

    head: HeadPayload
    folder: str
    total_files: int
    folders: tuple[Folder, ...]
    files: tuple[MappedFile, ...]
    symbols: tuple[MappedSymbol, ...]
    complete: bool

    def cut(self, limit: int) -> "Outline":
        """Return the map with at most so many entries in each list."""
        lists = (self.folders, self.files, self.symbols)
        folders, files, symbols = (entries[:limit] for entries in lists)
        complete = self.complete and all(len(entries) <= limit for entries in lists)
        return replace(self, folders=folders, files=files, symbols=symbols, complete=complete)


class Cartographer:
    """Draws maps, and keeps the last ones for as long as the commit is served."""

    def __init__(self, reader: IndexReader, manifests: ManifestPoller, qdrant: Breaker) -> None:
        self._reader, self._manifests, self._qdrant = reader, manifests, qdrant
        self._cache: PermitCache[Outline] = PermitCache(_CACHED)

    async def draw(self, commit: Commit, folder: str, limit: int, effort: Effort) -> Outline:
        """Return the map of a folder; raises UnknownPath, what finding the commit raises, or DependencyDown."""
        manifest = commit.among(self._manifests.served())
        folder = folder.strip().removeprefix("./").strip("/")
        key = (manifest.head.repository, manifest.head.ref, manifest.version, folder)
        kept = self._cache.get(commit.permit, key)
        if kept is None:
            kept = await guarded(self._qdrant, effort, lambda: self._draw(manifest, folder))
            self._cache.put(commit.permit, key, kept)
        return kept.cut(limit)

    async def _draw(self, manifest: Manifest, folder: str) -> Outline:
        within = f"{folder}/" if folder else ""
        paths = sorted((path for path in manifest.blob_of if path.startswith(within)), key=_plainness)
        if not paths and folder:
            raise UnknownPath(folder, "", ())
        path_of: dict[str, str] = {}
        for path in paths:
            path_of.setdefault(manifest.blob_of[path], path)
        conditions = [field("kind", CHUNK), any_of("repositories", [manifest.head.repository])]
        if len(path_of) <= _MOST_BLOBS:
            conditions.append(any_of("blob", sorted(path_of)))
        defined, complete = await self._reader.at(manifest.head.collection).definitions(both(*conditions), _MOST_CHUNKS)
        symbols = top_symbols((one for one in defined if one.blob in path_of), path_of)
        files = tuple(MappedFile(path, language_of(path), names) for path, names in _names(paths, symbols))
        return Outline(manifest.head, folder, len(paths), _folders(paths, within), files, tuple(symbols), complete)


def _plainness(path: str) -> tuple[int, int, str]:
    return (is_test(path) + is_vendored(path) + is_generated(path), path.count("/"), path)


def _folders(paths: Iterable[str], within: str) -> tuple[Folder, ...]:
    counts: Counter[str] = Counter()
    for path in paths:
        parts = path[len(within) :].split("/")[:-1]
        counts.update(within + "/".join(parts[:depth]) for depth in range(1, min(len(parts), _DEEPEST) + 1))
    return tuple(Folder(path, files) for path, files in sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def top_symbols(defined: Iterable[Defined], path_of: dict[str, str]) -> list[MappedSymbol]:
    """Return the names at the top of their files, those that contain most first."""
    lines: dict[tuple[str, str], int] = {}
    members: Counter[tuple[str, str]] = Counter()
    for chunk in defined:
        inner = [name for name in chunk.symbols if "." in name]
        last_parts = {name.rpartition(".")[2] for name in inner}
        members.update((chunk.blob, name.partition(".")[0]) for name in inner)
        for name in chunk.symbols:
            if "." not in name and name not in last_parts:
                key = (chunk.blob, name)
                lines[key] = min(chunk.line, lines.get(key, chunk.line))
    found = [MappedSymbol(name, path_of[blob], line, members[blob, name]) for (blob, name), line in lines.items()]
    return sorted(
        found, key=lambda one: (_plainness(one.path)[0], -one.members, *_plainness(one.path), one.line, one.name)
    )


def _importance(one: MappedSymbol) -> tuple[object, ...]:
    odd, *plain = _plainness(one.path)
    return (odd, -one.members, *plain, one.line, one.name)


def _names(paths: Sequence[str], symbols: Iterable[MappedSymbol]) -> list[tuple[str, tuple[str, ...]]]:
    """Return every path with the first names of its file."""
    names: dict[str, list[str]] = {}
    for symbol in symbols:
        names.setdefault(symbol.path, []).append(symbol.name)
    return [(path, tuple(names.get(path, ())[:_MOST_NAMES_OF_A_FILE])) for path in paths]
