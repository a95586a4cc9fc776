"""What would be indexed, before it is: reads a commit into a folder of its own and writes nothing to the index."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory
from typing import Any

from coderag_rag.chunking.document import Document
from coderag_rag.chunking.languages import language_of
from coderag_rag.git.repository import Repository, TreeFile
from coderag_rag.ingestion.preparer import STOPPED, Preparer
from coderag_rag.ingestion.selection import select_files, words
from coderag_rag.ingestion.source import Source
from coderag_rag.store.schema import Skipped

_PREFIX = "dry-run-"
_MOST_LISTED = 200
_LARGEST_FOLDERS = 10


@dataclass
class Tally:
    """Counts while files are read."""

    languages: Counter[str] = field(default_factory=Counter)
    chunkers: Counter[str] = field(default_factory=Counter)
    skipped: list[Skipped] = field(default_factory=list)
    read: int = 0
    read_bytes: int = 0
    chunks: int = 0
    embedded: int = 0
    redacted: int = 0

    def take(self, paths: tuple[str, ...], data: bytes, document: Document) -> None:
        """Count what a file gives."""
        self.read += 1
        self.read_bytes += len(data)
        self.chunkers[document.chunker] += 1
        self.chunks += len(document.pieces)
        self.embedded += sum(piece.embedded is not None for piece in document.pieces)
        self.redacted += document.redacted
        for path in paths:
            if document.reason:
                self.skipped.append(Skipped(path, document.reason, causes=tuple(document.causes)))
            if document.chunker not in ("none", STOPPED):
                self.languages[document.language] += 1


class DryRun:
    """Makes reports. Reading stops after `seconds`; the rest is estimated from its size."""

    def __init__(
        self, preparer: Preparer, folder: Path, seconds: float = 60, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._preparer, self._folder, self._seconds, self._clock = preparer, folder, seconds, clock

    def clear(self) -> None:
        """Remove what an earlier life of this process left when it was killed."""
        for left in self._folder.glob(f"{_PREFIX}*"):
            rmtree(left, ignore_errors=True)

    async def of(self, source: Source) -> dict[str, Any]:
        """Return the report on a source; raises GitError. The copy that it makes is removed again."""
        with TemporaryDirectory(prefix=_PREFIX, dir=self._folder) as folder:
            copy = source.repository.elsewhere(Path(folder) / "copy.git")
            commit = await copy.fetch(await copy.resolve(source.ref))
            report = await self._report(copy, source, await copy.files(commit))
        return {"ref": source.ref, "commit": commit} | report

    async def _report(self, copy: Repository, source: Source, files: list[TreeFile]) -> dict[str, Any]:
        selection = select_files(files, source.wanted)
        sizes = {file.blob: file.size for file in files}
        tally = Tally(skipped=list(selection.skipped))
        until = self._clock() + self._seconds
        waiting = dict(selection.paths_of)
        async with copy.blobs(list(waiting)) as contents:
            async for blob, data in contents:
                tally.take(waiting[blob], data, await self._preparer.prepare(data, list(waiting[blob])))
                del waiting[blob]
                if self._clock() >= until:
                    break
        for paths in waiting.values():
            tally.languages.update(language_of(path) for path in paths)
        left = sum(sizes[blob] for blob in waiting)
        return _described(tally, selection.paths_of, selection.unwanted, left)


def _described(tally: Tally, paths_of: Any, unwanted: Any, left: int) -> dict[str, Any]:
    grown = 1 + left / tally.read_bytes if tally.read_bytes else 1
    folders = Counter(path.rpartition("/")[0] or "." for paths in paths_of.values() for path in paths)
    return {
        "complete": left == 0,
        "files": sum(tally.languages.values()),
        "languages": dict(tally.languages.most_common()),
        "chunks": round(tally.chunks * grown),
        "embeddings": round(tally.embedded * grown),
        "chunkers": dict(tally.chunkers.most_common()),
        "secrets_redacted": tally.redacted,
        "largest_folders": dict(folders.most_common(_LARGEST_FOLDERS)),
        "skipped_counts": dict(Counter(word for one in tally.skipped for word in words(one))),
        "skipped": [{"path": one.path, "reason": one.reason} for one in tally.skipped[:_MOST_LISTED]],
        "not_wanted": dict(unwanted),
    }
