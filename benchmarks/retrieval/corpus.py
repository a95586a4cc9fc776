"""The chunks that the index would hold, made by the rag's own code and kept in memory.

A function of the docstring set is prepared alone, so that chunks end where functions end, and lies in its module: the
file, its path and how many chunks it has are those of the wheel, as far as it was sampled.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from coderag_rag.chunking.document import Piece, prepare_document
from coderag_rag.query.manifest import Manifest, Snapshot
from coderag_rag.store.schema import Entry, HeadPayload

from benchmarks.retrieval.functions import Target


@dataclass(frozen=True)
class Stored:
    """A chunk as the index holds it. `unit` is what counts as one answer: a function, or a file."""

    id: str
    repository: str
    blob: str
    language: str
    piece: Piece
    start_line: int
    end_line: int
    unit: str


@dataclass(frozen=True)
class Corpus:
    """Chunks, and the manifests that serve them."""

    chunks: Sequence[Stored]
    snapshot: Snapshot


def corpus_of_functions(targets: Sequence[Target]) -> Corpus:
    """Return the corpus of the docstring set; units are positions in `targets`."""
    chunks: list[Stored] = []
    entries: dict[str, dict[str, Entry]] = {}
    ends: dict[str, int] = {}
    for number, target in enumerate(targets):
        blob = f"{target.package}:{target.path}"
        first = ends.get(blob, 0)
        ends[blob] = first + target.text.count("\n")
        document = prepare_document(target.text.encode("utf-8", "replace"), [target.path])
        entries.setdefault(target.package, {})[target.path] = Entry(target.path, blob, document.language)
        chunks += stored(document.pieces, target.package, blob, document.language, str(number), first)
    return Corpus(chunks, serve({name: found.values() for name, found in entries.items()}))


def stored(
    pieces: Iterable[Piece], repository: str, blob: str, language: str, unit: str, first: int = 0
) -> list[Stored]:
    """Return the pieces of a document as chunks, their lines counted from `first`."""
    return [
        Stored(
            f"{blob}:{first + piece.start_line}", repository, blob, language, piece,
            first + piece.start_line, first + piece.end_line, unit,
        )
        for piece in pieces
    ]  # fmt: skip


def serve(files: dict[str, Iterable[Entry]], commit: str = "benchmark") -> Snapshot:
    """Return the snapshot in which these files of each repository are served."""
    manifests = []
    for repository, entries in sorted(files.items()):
        listed = list(entries)
        head = HeadPayload(repository, "main", commit, 1, 1, 1, len(listed), 0, "", "benchmark", [])
        manifests.append(Manifest.build(head, listed))
    return Snapshot.of(manifests)
