"""Commit to files: each subject is asked of an index of the state before its commit.

Files are read and prepared as the ingestion worker does it; what two states share is prepared and embedded once.
"""

import subprocess
import tomllib
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from coderag_eval.matching import right
from coderag_eval.metrics import DEPTH, Values, per_question
from coderag_eval.mining.commits import mine_commits
from coderag_eval.questions import Question
from coderag_rag.chunking.document import Document, prepare_document
from coderag_rag.chunking.selection import skip_by_name
from coderag_rag.query.places import is_changelog, is_test
from coderag_rag.store.schema import Entry
from coderag_rag.terms import tokens

from benchmarks.retrieval.corpus import Corpus, Stored, serve, stored
from benchmarks.retrieval.ours import Ours, file_of
from benchmarks.retrieval.postings import Bm25
from benchmarks.retrieval.reader import best
from benchmarks.retrieval.vectors import Matrix, Vectors

FILE = Path(__file__).with_name("histories.toml")
OURS, CODE = "CodeRAG", "code-token BM25"
CODE_NARROWED = "code-token BM25, tests and changelogs left out"
_HITS = 3 * DEPTH  # ten files are judged, and a file mostly has three chunks among the hits at most


@dataclass(frozen=True)
class History:
    """A public repository and the commit whose past is asked about; at most so many of its commits are questions."""

    name: str
    repository: str
    commit: str
    questions: int


@dataclass
class Result:
    """Figures by searcher and question."""

    questions: list[Question]
    figures: dict[str, dict[str, Values]] = field(default_factory=dict)


def read_histories(file: Path = FILE) -> list[History]:
    """Return the histories that are asked about."""
    return [History(**row) for row in tomllib.loads(file.read_text(encoding="utf-8"))["history"]]


def run(history: History, folder: Path, vectors: Vectors, say: Callable[[str], None]) -> Result:
    """Ask every question of the state before its commit."""
    questions = mine_commits(folder, history.name, history.questions, start=history.commit)
    say(f"{history.name}: {len(questions)} commits are questions")
    states = States(folder, history.name)
    corpora = [states.before(question.commit or "") for question in questions]
    rows = _rows(corpora, vectors, history.name)
    asked = vectors.of([question.query for question in questions], "query", f"{history.name} queries")
    found: dict[str, dict[str, list[str]]] = {OURS: {}, CODE: {}, CODE_NARROWED: {}}
    for number, (question, corpus) in enumerate(zip(questions, corpora, strict=True), start=1):
        dense = np.array([rows[_key(chunk)] for chunk in corpus.chunks], np.float32)
        ours = Ours(corpus, dense, {question.query: asked[number - 1].tolist()}, file_of)
        found[OURS][question.id] = _judged(question, ours.search_all([question.query], _HITS)[0])
        ranked = _by_bm25(corpus, question.query, states)
        found[CODE][question.id] = _judged(question, ranked)
        narrowed = [path for path in ranked if not (is_test(path) or is_changelog(path))]
        found[CODE_NARROWED][question.id] = _judged(question, narrowed)
        if number % 20 == 0 or number == len(questions):
            say(f"{history.name}: searched {number} of {len(questions)}")
    expected = {question.id: right(question) for question in questions}
    return Result(questions, {name: per_question(expected, ranking) for name, ranking in found.items()})


class States:
    """The trees of one repository as corpora, without some paths; every file is read and prepared once."""

    def __init__(self, folder: Path, name: str, without: Collection[str] = ()) -> None:
        self._git, self._name, self._without = ["git", "-C", str(folder)], name, frozenset(without)
        self._prepared: dict[tuple[str, str], Document] = {}
        self._counts: dict[str, Counter[str]] = {}

    def before(self, commit: str) -> Corpus:
        """Return what the index holds of a commit."""
        listed = list(self._files(commit))
        self._read([file for file in listed if file not in self._prepared])
        chunks: dict[str, Stored] = {}
        entries = []
        for blob, path in listed:
            document = self._prepared[(blob, path)]
            entries.append(Entry(path, blob, document.language))
            for chunk in stored(document.pieces, self._name, blob, document.language, path):
                chunks.setdefault(chunk.id, chunk)
        return Corpus(list(chunks.values()), serve({self._name: entries}, commit))

    def counts(self, chunk: Stored) -> Counter[str]:
        """Return the code tokens of a chunk and of its path."""
        if chunk.id not in self._counts:
            self._counts[chunk.id] = Counter(tokens(f"{chunk.unit}\n{chunk.piece.text}"))
        return self._counts[chunk.id]

    def _files(self, commit: str) -> Iterator[tuple[str, str]]:
        tree = subprocess.run([*self._git, "ls-tree", "-rlz", "--full-tree", commit], capture_output=True, check=True)
        for row in tree.stdout.decode("utf-8", "replace").split("\0")[:-1]:
            about, path = row.split("\t", 1)
            mode, _, blob, size = about.split()
            if mode in ("100644", "100755") and path not in self._without and not skip_by_name(path, int(size)):
                yield blob, path

    def _read(self, files: Sequence[tuple[str, str]]) -> None:
        wanted = "".join(f"{blob}\n" for blob, _ in files).encode()
        answer = subprocess.run([*self._git, "cat-file", "--batch"], input=wanted, capture_output=True, check=True)
        data, position = answer.stdout, 0
        for blob, path in files:
            end = data.index(b"\n", position)
            size = int(data[position:end].split()[2])
            self._prepared[(blob, path)] = prepare_document(data[end + 1 : end + 1 + size], [path])
            position = end + size + 2


def _key(chunk: Stored) -> str:
    return chunk.piece.embedded or ""


def _rows(corpora: Sequence[Corpus], vectors: Vectors, label: str) -> dict[str, Matrix]:
    texts = list(dict.fromkeys(chunk.piece.embedded for corpus in corpora for chunk in corpus.chunks))
    known = [text for text in texts if text is not None]
    rows = vectors.of(known, label=f"{label} chunks")
    return dict(zip(known, rows, strict=True)) | {"": np.zeros(rows.shape[1], np.float32)}


def _judged(question: Question, paths: Sequence[str]) -> list[str]:
    wanted = {expected.path: name for expected, name in zip(question.expected, right(question), strict=True)}
    return [wanted.get(path, path) for path in paths][:DEPTH]


def _by_bm25(corpus: Corpus, query: str, states: States) -> list[str]:
    index = Bm25.of_counts([states.counts(chunk) for chunk in corpus.chunks], tokens)
    scores = index.scores(query)
    ranked = best(scores, scores > 0, 10 * DEPTH)
    return list(dict.fromkeys(corpus.chunks[number].unit for number in ranked))
