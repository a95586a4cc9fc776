"""Korean questions about this repository's own code, at its newest commit; right is where a symbol is defined."""

import asyncio
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from coderag_eval.matching import Hit, documents, right
from coderag_eval.metrics import DEPTH, Values, per_question
from coderag_eval.questions import Question, read_questions
from coderag_rag.terms import tokens

from benchmarks.retrieval.corpus import Corpus, Stored
from benchmarks.retrieval.histories import States
from benchmarks.retrieval.ours import Ours, dense_rows
from benchmarks.retrieval.postings import Bm25
from benchmarks.retrieval.reader import best
from benchmarks.retrieval.vectors import Vectors

FILE = Path(__file__).with_name("korean.jsonl")
OURS, DENSE, KEYWORD = "CodeRAG", "dense alone", "code-token BM25"
Figures = dict[str, dict[str, Values]]


def run(repository: Path, vectors: Vectors, say: Callable[[str], None]) -> Figures:
    """Return the figures of each searcher by question."""
    questions = read_questions([FILE])
    head = subprocess.run(["git", "-C", str(repository), "rev-parse", "HEAD"], capture_output=True, check=True)
    states = States(repository, "coderag")
    corpus = states.before(head.stdout.decode().strip())
    say(f"korean: {len(questions)} questions, {len(corpus.chunks)} chunks")
    dense = dense_rows(corpus.chunks, vectors, "korean chunks")
    asked = vectors.of([question.query for question in questions], "query", "korean queries")
    known = {question.query: vector.tolist() for question, vector in zip(questions, asked, strict=True)}
    ours = Ours(corpus, dense, known)
    words = Bm25.of_counts([states.counts(chunk) for chunk in corpus.chunks], tokens)
    everything = dense.any(axis=1)
    found: dict[str, list[Sequence[Hit]]] = {OURS: [], DENSE: [], KEYWORD: []}
    for question, vector in zip(questions, asked, strict=True):
        found[OURS].append(_hits_of(ours, question.query))
        found[DENSE].append(_hits(corpus, best(dense @ vector, everything, DEPTH)))
        scores = words.scores(question.query)
        found[KEYWORD].append(_hits(corpus, best(scores, scores > 0, DEPTH)))
    return {name: _judged(questions, hits) for name, hits in found.items()}


def _hits_of(ours: Ours, query: str) -> list[Hit]:
    found = asyncio.run(ours.hits(query, DEPTH))
    return [Hit(one.repository, one.path, one.start_line, one.end_line, tuple(one.symbols)) for one in found]


def _hits(corpus: Corpus, numbers: Sequence[int]) -> list[Hit]:
    return [_hit(corpus.chunks[number]) for number in numbers]


def _hit(chunk: Stored) -> Hit:
    return Hit(chunk.repository, chunk.unit, chunk.start_line, chunk.end_line, tuple(chunk.piece.symbols))


def _judged(questions: Sequence[Question], found: Sequence[Sequence[Hit]]) -> dict[str, Values]:
    expected = {question.id: right(question) for question in questions}
    ranked = {one.id: documents(one, hits) for one, hits in zip(questions, found, strict=True)}
    return per_question(expected, ranked)
