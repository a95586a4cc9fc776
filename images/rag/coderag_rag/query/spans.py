"""Lines of a served file, put together from its chunks: what a reader, or an agent, asks for after a search.

The chunks tile the file, those of white space aside, so lines that no chunk holds are empty. Secrets are blanked out as
they are in the index; line numbers are those of the commit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from coderag_rag.chunking.lines import Lines
from coderag_rag.query.effort import Effort
from coderag_rag.query.guard import Breaker
from coderag_rag.query.manifest import Manifest
from coderag_rag.query.poller import ManifestPoller
from coderag_rag.query.reader import ChunkRange, IndexReader
from coderag_rag.query.view import Commit, guarded
from coderag_rag.store.schema import HeadPayload, text_sha256

_MOST_HINTS = 5


class UnknownPath(Exception):  # noqa: N818 - reads as the state it names
    """A path is not served; `near` are served files of the same name."""

    def __init__(self, path: str, reason: str, near: Sequence[str]) -> None:
        super().__init__(f"path {path!r} is not served" + (f": {reason}" if reason else ""))
        self.near = list(near)


class BeyondTheEnd(Exception):  # noqa: N818 - reads as the state it names
    """A span begins after the last line."""

    def __init__(self, path: str, lines: int) -> None:
        super().__init__(f"{path!r} has {lines} lines")
        self.lines = lines


@dataclass(frozen=True)
class SpanRequest:
    """Which lines of which file; 1-based and inclusive."""

    commit: Commit
    path: str
    start: int
    end: int


@dataclass(frozen=True)
class Span:
    """Lines of a file at a commit. `end_line` is before the wanted end where the file ends earlier."""

    head: HeadPayload
    path: str
    start_line: int
    end_line: int
    total_lines: int
    text: str
    degraded: list[str]


class SpanReader:
    """Reads spans of served files."""

    def __init__(self, reader: IndexReader, manifests: ManifestPoller, qdrant: Breaker) -> None:
        self._reader, self._manifests, self._qdrant = reader, manifests, qdrant

    async def read(self, request: SpanRequest, effort: Effort) -> Span:
        """Return the lines; raises UnknownPath, BeyondTheEnd, what finding the commit raises, or DependencyDown."""
        return await guarded(self._qdrant, effort, partial(self._read, request))

    async def _read(self, request: SpanRequest) -> Span:
        manifest = request.commit.among(self._manifests.served())
        path = request.path.removeprefix("./").lstrip("/")
        if path not in manifest.blob_of:
            raise _unknown(manifest, path)
        reader = self._reader.at(manifest.head.collection)
        ranges = await reader.ranges(manifest.blob_of[path])
        total = max((chunk.end_line for chunk in ranges), default=0)
        if request.start > total:
            raise BeyondTheEnd(path, total)
        end = min(request.end, total)
        wanted = [one for one in ranges if one.start_line <= end and request.start <= one.end_line]
        texts = await reader.texts([one.point for one in wanted])
        lines, whole = _lines(wanted, texts)
        text = "".join(lines.get(number, "\n") for number in range(request.start, end + 1))
        return Span(manifest.head, path, request.start, end, total, text, [] if whole else ["text"])


def _lines(chunks: Sequence[ChunkRange], texts: Mapping[str, tuple[str, str]]) -> tuple[dict[int, str], bool]:
    """Return the lines by number, and whether every chunk was there with the text that was indexed."""
    lines: dict[int, str] = {}
    whole = True
    for chunk in chunks:
        text, sha256 = texts.get(chunk.point, ("", ""))
        if text_sha256(text) != sha256:
            whole = False
            continue
        lines |= dict(enumerate(Lines(text).lines, start=chunk.start_line))
    return lines, whole


def _unknown(manifest: Manifest, path: str) -> UnknownPath:
    reason = next((row["reason"] for row in manifest.head.skipped if row["path"] == path), "")
    near = sorted(manifest.by_name.get(path.rpartition("/")[2], ()))[:_MOST_HINTS]
    return UnknownPath(path, reason, near)
