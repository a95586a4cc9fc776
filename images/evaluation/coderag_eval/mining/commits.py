"""Commits as questions: the subject asks for the files that the commit changed, in the state before the change.

Each question carries the parent commit, because an index of any later state already holds the answer. Left out: merges,
reverts, subjects that name a file they change, and commits so wide that their subject cannot point at a place.
"""

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from coderag_eval.questions import Expected, Question

_FORMAT = "%x1e%H%x1f%P%x1f%s%x1f"
_NOISE = re.compile(r"^(?:revert|merge|bump|release|version|wip|fixup!|squash!)\b|^v?\d+\.\d+", re.IGNORECASE)
_TRAILER = re.compile(r"\s*\((?:#\d+|GH-\d+)\)\s*$")
_TEST = re.compile(
    r"(?:^|/)(?:tests?|testing|testdata|spec|fixtures?)(?:/|$)|(?:^|/)(?:test_[^/]*|conftest\.py)$|_test\.\w+$"
)


class HistoryUnreadable(Exception):  # noqa: N818 - reads as the state it names
    """Git could not read the history."""


@dataclass(frozen=True)
class CommitRule:
    """Which commits are questions. `suffixes`: the files that count as places."""

    fewest_words: int = 4
    most_places: int = 3
    most_files: int = 10
    suffixes: tuple[str, ...] = (".py",)


@dataclass(frozen=True)
class _Commit:
    id: str
    parents: tuple[str, ...]
    subject: str
    changed: tuple[str, ...]  # paths as they were in the parent
    touched: int


def mine_commits(
    folder: Path, name: str, most: int, rule: CommitRule = CommitRule(), start: str = "HEAD"
) -> list[Question]:
    """Return up to `most` questions of a repository, newest first; raises HistoryUnreadable."""
    questions: list[Question] = []
    asked: set[str] = set()
    for commit in _history(folder, start):
        query = _TRAILER.sub("", commit.subject).strip()
        places = [path for path in commit.changed if path.endswith(rule.suffixes) and not _TEST.search(path)]
        if query.lower() not in asked and _admitted(commit, query, places, rule):
            asked.add(query.lower())
            questions.append(_question(name, commit, query, places))
            if len(questions) == most:
                break
    return questions


def names_a_file(subject: str, paths: tuple[str, ...]) -> bool:
    """Whether a subject holds the name of a changed file, with its ending or without."""
    words = set(re.findall(r"[\w.-]+", subject.lower()))
    bare = words | {word.strip(".-") for word in words} | {word.replace("-", "_") for word in words}
    names = {name for path in paths for name in (PurePosixPath(path).name, PurePosixPath(path).stem)}
    return any(name.lower() in bare or name.lower().strip("_") in bare for name in names)


def _admitted(commit: _Commit, query: str, places: list[str], rule: CommitRule) -> bool:
    return (
        len(commit.parents) == 1
        and 1 <= len(places) <= rule.most_places
        and commit.touched <= rule.most_files
        and len(query.split()) >= rule.fewest_words
        and not _NOISE.search(query)
        and not names_a_file(query, commit.changed)
    )


def _question(name: str, commit: _Commit, query: str, places: list[str]) -> Question:
    expected = tuple(Expected(path=path, repository=name) for path in places)
    return Question(
        id=f"{name}@{commit.id[:12]}", query=query, set=f"commits {name}"[:40], expected=expected,
        repositories=(name,), commit=commit.parents[0],
    )  # fmt: skip


def _history(folder: Path, start: str) -> Iterator[_Commit]:
    command = [
        "git",
        "-C",
        str(folder),
        "log",
        "--no-merges",
        "--raw",
        "-z",
        "--find-renames",
        f"--format={_FORMAT}",
        start,
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        output, problem = process.communicate()
    if process.returncode != 0:
        raise HistoryUnreadable(f"git cannot read {folder.name}: {problem.decode(errors='replace').strip()[:300]}")
    for record in output.decode(errors="replace").split("\x1e")[1:]:
        commit, parents, subject, rest = record.split("\x1f", 3)
        changed, touched = _changed(rest)
        yield _Commit(commit, tuple(parents.split()), subject, tuple(changed), touched)


def _changed(raw: str) -> tuple[list[str], int]:
    """Return the changed paths that the parent has, and how many files the commit touches."""
    fields = [field for field in raw.split("\0") if field.strip()]
    changed: list[str] = []
    touched = position = 0
    while position < len(fields):
        status = fields[position].split()[-1]
        touched += 1
        if not status.startswith("A"):
            changed.append(fields[position + 1])
        position += 3 if status[0] in "RC" else 2
    return changed, touched
