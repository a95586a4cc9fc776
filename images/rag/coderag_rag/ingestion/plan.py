"""What a sync has to do: a pure comparison of the wanted file list with everything that is served.

Content is compared and not commits: a blob that any served manifest holds is in the index already, under whatever path.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from coderag_rag.chunking.languages import TEXT, language_of
from coderag_rag.chunking.selection import skip_by_name
from coderag_rag.git.repository import TreeFile
from coderag_rag.store.manifest import Served
from coderag_rag.store.schema import Entry, Skipped

_LINK, _SUBMODULE = "120000", "160000"


@dataclass(frozen=True)
class Selection:
    """The files of a commit that are worth reading, and the others with the reason."""

    paths_of: Mapping[str, tuple[str, ...]]
    skipped: tuple[Skipped, ...]


@dataclass(frozen=True)
class Plan:
    """The difference between what is wanted and what is served."""

    paths_of: Mapping[str, tuple[str, ...]]
    skipped: tuple[Skipped, ...]
    read: tuple[str, ...]
    known: Mapping[str, str]
    notes: Mapping[str, str]
    moved: Mapping[str, tuple[str, ...]]
    joined: Mapping[str, tuple[str, ...]]
    left: Mapping[str, tuple[str, ...]]
    others: Mapping[str, tuple[str, ...]]
    all_paths: Mapping[str, tuple[str, ...]]
    repository: str

    def repositories(self, blob: str) -> tuple[str, ...]:
        """Return every repository that holds a blob once this plan is served."""
        return tuple(sorted({self.repository, *self.others.get(blob, ())}))

    def entries(self, languages: Mapping[str, str]) -> list[Entry]:
        """Return the manifest, given the languages of the blobs that were read and kept."""
        found = dict(self.known) | dict(languages)
        rows = ((path, blob) for blob, paths in self.paths_of.items() if blob in found for path in paths)
        return [Entry(path, blob, _language(path, found[blob])) for path, blob in sorted(rows)]


def _language(path: str, of_blob: str) -> str:
    named = language_of(path)
    return of_blob if named == TEXT else named


def _reason(file: TreeFile) -> str:
    if file.mode == _SUBMODULE:
        return "submodule: add it as a repository of its own"
    if file.path.encode("utf-8", "replace").decode() != file.path:
        return "the path is not UTF-8"
    return skip_by_name(file.path, file.size)


def select_files(files: Iterable[TreeFile]) -> Selection:
    """Sort out what is not read at all. Symbolic links are left out: their targets are files of their own."""
    paths: dict[str, list[str]] = {}
    skipped: list[Skipped] = []
    for file in files:
        if file.mode == _LINK:
            continue
        reason = _reason(file)
        if reason:
            skipped.append(Skipped(file.path.encode("utf-8", "replace").decode(), reason))
        else:
            paths.setdefault(file.blob, []).append(file.path)
    return Selection({blob: tuple(sorted(found)) for blob, found in paths.items()}, tuple(skipped))


def _group(pairs: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    found: dict[str, set[str]] = {}
    for key, value in pairs:
        found.setdefault(key, set()).add(value)
    return {key: tuple(sorted(values)) for key, values in found.items()}


def _notes(own: Sequence[Served]) -> dict[str, str]:
    """What earlier syncs noted about blobs that are served all the same, such as a file that cannot be parsed."""
    notes: dict[str, str] = {}
    for served in own:
        reasons = {row["path"]: row["reason"] for row in served.head.skipped}
        notes |= {entry.blob: reasons[entry.path] for entry in served.entries if entry.path in reasons}
    return notes


def plan_sync(repository: str, files: Iterable[TreeFile], served: Sequence[Served]) -> Plan:
    """Compare the files of a commit with all served manifests."""
    selection = select_files(files)
    wanted = selection.paths_of
    own = [one for one in served if one.head.repository == repository]
    rest = [one for one in served if one.head.repository != repository]
    languages = {entry.blob: entry.language for one in (*rest, *own) for entry in one.entries}
    others = _group((entry.blob, one.head.repository) for one in rest for entry in one.entries)
    other_paths = _group((entry.blob, entry.path) for one in rest for entry in one.entries)
    own_paths = _group((entry.blob, entry.path) for one in own for entry in one.entries)
    known = {blob: languages[blob] for blob in wanted if blob in languages}
    all_paths = {blob: tuple(sorted({*paths, *other_paths.get(blob, ())})) for blob, paths in wanted.items()}
    before = {blob: tuple(sorted({*own_paths.get(blob, ()), *other_paths.get(blob, ())})) for blob in known}
    return Plan(
        paths_of=wanted,
        skipped=selection.skipped,
        read=tuple(blob for blob in wanted if blob not in known),
        known=known,
        notes={blob: note for blob, note in _notes(own).items() if blob in known},
        moved={blob: all_paths[blob] for blob in known if all_paths[blob] != before[blob]},
        joined={b: tuple(sorted({repository, *others.get(b, ())})) for b in known if b not in own_paths},
        left={blob: others.get(blob, ()) for blob in own_paths if blob not in wanted},
        others=others,
        all_paths=all_paths,
        repository=repository,
    )
