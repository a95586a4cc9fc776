"""Which entries of a commit's tree are read at all: by kind, choice, path and size. What is not read has a reason."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from coderag_rag.chunking.selection import skip_by_name
from coderag_rag.git.repository import TreeFile
from coderag_rag.ingestion.wanted import EVERYTHING, Wanted
from coderag_rag.store.schema import Skipped

_LINK, _SUBMODULE = "120000", "160000"


@dataclass(frozen=True)
class Selection:
    """The files of a commit that are worth reading by blob, the others with the reason, and counts of the unwanted."""

    paths_of: Mapping[str, tuple[str, ...]]
    skipped: tuple[Skipped, ...]
    unwanted: Mapping[str, int]


def _reason(file: TreeFile) -> str:
    if file.mode == _SUBMODULE:
        return "submodule: add it as a repository of its own"
    if file.path.encode("utf-8", "replace").decode() != file.path:
        return "the path is not UTF-8"
    return skip_by_name(file.path, file.size)


def select_files(files: Iterable[TreeFile], wanted: Wanted = EVERYTHING) -> Selection:
    """Sort out what is not read at all. Symbolic links are left out: their targets are files of their own."""
    paths: dict[str, list[str]] = {}
    skipped: list[Skipped] = []
    unwanted: dict[str, int] = {}
    for file in files:
        if file.mode == _LINK:
            continue
        if unwanted_because := wanted.leaves_out(file.path):
            unwanted[unwanted_because] = unwanted.get(unwanted_because, 0) + 1
        elif reason := _reason(file):
            skipped.append(Skipped(file.path.encode("utf-8", "replace").decode(), reason))
        else:
            paths.setdefault(file.blob, []).append(file.path)
    return Selection({blob: tuple(sorted(found)) for blob, found in paths.items()}, tuple(skipped), unwanted)


def words(skipped: Skipped) -> tuple[str, ...]:
    """Return what a skipped file is counted under: the chunker's words, or the reason without what is special to it."""
    return skipped.causes or (skipped.reason.partition(" (")[0].partition(":")[0],)
