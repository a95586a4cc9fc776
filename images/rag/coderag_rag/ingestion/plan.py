"""What a sync has to do: a pure comparison of the wanted file list with everything that is served.

Content is compared and not commits: a blob that any served manifest holds is in the index already, under whatever path.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from coderag_rag.chunking.languages import TEXT, language_of
from coderag_rag.git.repository import TreeFile
from coderag_rag.ingestion.selection import select_files
from coderag_rag.ingestion.source import Source
from coderag_rag.store.manifest import Served
from coderag_rag.store.schema import Entry, HeadPayload, Skipped

# How often a file may stop the chunker before it is left alone: a crowded machine can be the cause, too.
_MOST_TRIES = 3
Names = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Plan:
    """The difference between what is wanted and what is served. Keys are blobs.

    `read`: to be read; `known`: in the index, with their language; `counts`: their chunks; `remembered`: what earlier
    syncs noted of them; `avoided`: those of them that need not be read again; `moved`: new paths; `joined` and `left`:
    new holders; `others` and `all_paths`: holders and paths besides and with this source; `siblings`: the heads of the
    same repository that stay.
    """

    repository: str
    paths_of: Names
    skipped: tuple[Skipped, ...]
    read: tuple[str, ...]
    known: Mapping[str, str]
    counts: Mapping[str, int]
    remembered: Mapping[str, Skipped]
    avoided: frozenset[str]
    moved: Names
    joined: Names
    left: Names
    others: Names
    all_paths: Names
    siblings: tuple[HeadPayload, ...]

    def repositories(self, blob: str) -> tuple[str, ...]:
        """Return every repository that holds a blob once this plan is served."""
        return tuple(sorted({self.repository, *self.others.get(blob, ())}))

    def entries(self, languages: Mapping[str, str]) -> list[Entry]:
        """Return the manifest, given the languages of the blobs that were read and kept."""
        found = dict(self.known) | dict(languages)
        rows = ((path, blob) for blob, paths in self.paths_of.items() if blob in found for path in paths)
        return [Entry(path, blob, _language(path, found[blob])) for path, blob in sorted(rows)]

    def tries(self, blob: str) -> int:
        """Return how often a blob has stopped the chunker so far."""
        return self.remembered[blob].tries if blob in self.remembered else 0


def _language(path: str, of_blob: str) -> str:
    named = language_of(path)
    return of_blob if named == TEXT else named


def _group(pairs: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    found: dict[str, set[str]] = {}
    for key, value in pairs:
        found.setdefault(key, set()).add(value)
    return {key: tuple(sorted(values)) for key, values in found.items()}


def _paths(served: Iterable[Served]) -> Names:
    return _group((entry.blob, entry.path) for one in served for entry in one.entries)


def holders(served: Iterable[Served]) -> Names:
    """Return which repositories hold each blob."""
    return _group((entry.blob, one.head.repository) for one in served for entry in one.entries)


def _merged(first: Names, second: Names) -> Names:
    return {blob: tuple(sorted({*first.get(blob, ()), *second.get(blob, ())})) for blob in first.keys() | second.keys()}


def _remembered(repository: str, served: Iterable[Served]) -> dict[str, Skipped]:
    rows = (row for one in served if one.head.repository == repository for row in one.head.skipped)
    noted = (Skipped.from_row(row) for row in rows)
    return {one.blob: one for one in noted if one.blob}


def plan_sync(source: Source, files: Iterable[TreeFile], served: Sequence[Served]) -> Plan:
    """Compare the files of a commit with all served manifests."""
    selection = select_files(files, source.wanted)
    wanted = selection.paths_of
    rest = [one for one in served if not source.replaces(one.head)]
    counts = {blob: count for one in served for blob, count in one.counts.items()}
    languages = {entry.blob: entry.language for one in served for entry in one.entries if entry.blob in counts}
    known = {blob: languages[blob] for blob in wanted if blob in languages}
    remembered = {blob: note for blob, note in _remembered(source.name, served).items() if blob in wanted}
    avoided = {blob for blob, note in remembered.items() if blob not in known and _hopeless(note)}
    others, paths_before, paths_after = holders(rest), _paths(served), _merged(wanted, _paths(rest))
    read = tuple(blob for blob in wanted if blob not in known and blob not in avoided)
    before = holders(served)
    after = _merged(others, dict.fromkeys(known, (source.name,)))
    return Plan(
        repository=source.name,
        paths_of=wanted,
        skipped=selection.skipped,
        read=read,
        known=known,
        counts={blob: counts[blob] for blob in known},
        remembered=remembered,
        avoided=frozenset(avoided),
        moved={
            blob: paths_after[blob]
            for blob, paths in paths_before.items()
            if blob in after and blob not in read and paths_after[blob] != paths
        },
        joined={blob: after[blob] for blob in known if after[blob] != before[blob]},
        left={
            blob: after.get(blob, ())
            for blob, names in before.items()
            if blob not in known and blob not in read and after.get(blob, ()) != names
        },
        others=others,
        all_paths={blob: paths_after[blob] for blob in wanted},
        siblings=tuple(one.head for one in rest if one.head.repository == source.name),
    )


def _hopeless(note: Skipped) -> bool:
    return note.tries == 0 or note.tries >= _MOST_TRIES
