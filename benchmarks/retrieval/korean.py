"""Korean questions about code in English, with the lexicon of the rag image and without; right is where a symbol is.

Those about this repository are asked of its newest commit. Those about httpx and click are what the lexicon's numbers
were chosen on, and are asked of the commits that histories.toml names.
"""

import asyncio
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from coderag_eval.matching import Hit, documents, right
from coderag_eval.metrics import DEPTH, Values, per_question
from coderag_eval.questions import Question, read_questions
from coderag_lexicon.build import build
from coderag_rag.query.hits import Hit as Found
from coderag_rag.query.lexicon import NO_LEXICON, Lexicon
from coderag_rag.terms import tokens

from benchmarks.retrieval.corpus import Corpus, Stored
from benchmarks.retrieval.histories import States, read_histories
from benchmarks.retrieval.ours import Ours, dense_rows
from benchmarks.retrieval.postings import Bm25
from benchmarks.retrieval.reader import best
from benchmarks.retrieval.vectors import Matrix, Vectors

FILE = Path(__file__).with_name("korean.jsonl")
CHOOSING = Path(__file__).with_name("korean-choosing.jsonl")
SOURCES = Path(__file__).parents[2] / "requirements" / "rag-lexicon-sources.txt"
OURS, WITHOUT = "CodeRAG", "CodeRAG without the lexicon"
DENSE, KEYWORD = "dense alone", "code-token BM25"
IN_ENGLISH = " in the lexicon's English"
Figures = dict[str, dict[str, Values]]


def make_lexicon(folder: Path) -> Lexicon:
    """Return the lexicon that the image holds, learned anew."""
    build(SOURCES, folder / "korean.tsv")
    return Lexicon.read(folder / "korean.tsv")


def run(repository: Path, vectors: Vectors, lexicon: Lexicon, say: Callable[[str], None]) -> Figures:
    """Return the figures of each searcher for the questions about this repository."""
    head = subprocess.run(["git", "-C", str(repository), "rev-parse", "HEAD"], capture_output=True, check=True)
    # A file of questions is the best answer to each of them, and none that helps.
    states = States(repository, "coderag", [str(file.relative_to(repository)) for file in (FILE, CHOOSING)])
    return _ask(read_questions([FILE]), states, head.stdout.decode().strip(), vectors, lexicon, say)


def run_choosing(clones: Path, vectors: Vectors, lexicon: Lexicon, say: Callable[[str], None]) -> Figures:
    """Return the figures for the questions that numbers were chosen on, of the repositories that are there."""
    found: Figures = {}
    questions = read_questions([CHOOSING])
    for history in read_histories():
        about = [one for one in questions if one.expected[0].repository == history.name]
        if about and (clones / history.name).is_dir():
            states = States(clones / history.name, history.name)
            for name, values in _ask(about, states, history.commit, vectors, lexicon, say).items():
                found.setdefault(name, {}).update(values)
    return found


def _ask(
    questions: Sequence[Question],
    states: States,
    commit: str,
    vectors: Vectors,
    lexicon: Lexicon,
    say: Callable[[str], None],
) -> Figures:
    corpus = states.before(commit)
    say(f"{corpus.chunks[0].repository}: {len(questions)} Korean questions, {len(corpus.chunks)} chunks")
    dense = dense_rows(corpus.chunks, vectors, "korean chunks")
    words = Bm25.of_counts([states.counts(chunk) for chunk in corpus.chunks], tokens)
    found: dict[str, list[Sequence[Hit]]] = {}
    for known, name, suffix in ((lexicon, OURS, IN_ENGLISH), (NO_LEXICON, WITHOUT, "")):
        asked = [known.english(question.query) for question in questions]
        rows = vectors.of(asked, "query", "korean queries")
        of_text = {text: row.tolist() for text, row in zip(asked, rows, strict=True)}
        ours = Ours(corpus, dense, of_text, lexicon=known)
        found[name] = [_hits_of(ours, question.query) for question in questions]
        found[DENSE + suffix] = list(_nearest(corpus, dense, rows))
        found[KEYWORD + suffix] = list(_by_words(corpus, words, asked))
    return {name: _judged(questions, hits) for name, hits in found.items()}


def _hits_of(ours: Ours, query: str) -> list[Hit]:
    return [_judgeable(hit) for hit in asyncio.run(ours.hits(query, DEPTH))]


def _judgeable(hit: Found) -> Hit:
    return Hit(hit.repository, hit.path, hit.start_line, hit.end_line, _defined(hit.symbols, hit.within))


def _defined(symbols: Sequence[str], within: str) -> tuple[str, ...]:
    """Return what a chunk is of: a part of a long function is that function."""
    return (*symbols, within) if within else tuple(symbols)


def _nearest(corpus: Corpus, dense: Matrix, asked: Matrix) -> Iterator[list[Hit]]:
    everything = dense.any(axis=1)
    for vector in asked:
        yield _hits(corpus, best(dense @ vector, everything, DEPTH))


def _by_words(corpus: Corpus, words: Bm25, asked: Sequence[str]) -> Iterator[list[Hit]]:
    for text in asked:
        scores = words.scores(text)
        yield _hits(corpus, best(scores, scores > 0, DEPTH))


def _hits(corpus: Corpus, numbers: Sequence[int]) -> list[Hit]:
    return [_hit(corpus.chunks[number]) for number in numbers]


def _hit(chunk: Stored) -> Hit:
    piece = chunk.piece
    return Hit(chunk.repository, chunk.unit, chunk.start_line, chunk.end_line, _defined(piece.symbols, piece.within))


def _judged(questions: Sequence[Question], found: Sequence[Sequence[Hit]]) -> dict[str, Values]:
    expected = {question.id: right(question) for question in questions}
    ranked = {one.id: documents(one, hits) for one, hits in zip(questions, found, strict=True)}
    return per_question(expected, ranked)
