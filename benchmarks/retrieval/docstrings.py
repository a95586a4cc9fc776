"""Docstring to function: every searcher on the same questions, and the figures of each."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from coderag_eval.metrics import Values, per_question

from benchmarks.retrieval.baselines import Baselines, Ripgrep
from benchmarks.retrieval.corpus import Corpus, corpus_of_functions
from benchmarks.retrieval.definition import read_definition
from benchmarks.retrieval.functions import Target, targets
from benchmarks.retrieval.ours import Ours, dense_rows
from benchmarks.retrieval.vectors import Vectors

OURS, DENSE, STANDARD, CODE, RIPGREP = "CodeRAG", "dense-only", "standard recipe", "code-token BM25", "ripgrep"
LIMIT = 10
NAME_FREE, NO_WHOLE_NAME = "name-free", "whole name absent"
RULES: dict[str, Callable[[Target], bool]] = {
    NAME_FREE: lambda target: target.free_of_words,
    NO_WHOLE_NAME: lambda target: target.free_of_name,
}

Rankings = list[list[str]]
Figures = dict[str, dict[str, Values]]


@dataclass
class Result:
    """Figures by searcher and question; questions are positions in `targets`."""

    targets: list[Target]
    chunks: int
    figures: Figures = field(default_factory=dict)

    def by_package(self, questions: Sequence[str]) -> dict[str, list[str]]:
        """Return the questions of each package."""
        groups: dict[str, list[str]] = {}
        for question in questions:
            groups.setdefault(self.targets[int(question)].package, []).append(question)
        return groups

    def questions(self, chosen: Callable[[Target], bool]) -> list[str]:
        """Return the questions that a rule keeps."""
        return [str(number) for number, target in enumerate(self.targets) if target.asked and chosen(target)]


def run(part: str, build: Path, vectors: Vectors, say: Callable[[str], None]) -> Result:
    """Run all searchers on the questions of a part."""
    definition = read_definition()
    say(f"{part}: reading the functions")
    found = targets(part, definition, build / "wheels", build)
    asked = {str(number): target.query for number, target in enumerate(found) if target.free_of_name}
    say(f"{part}: {len(found)} functions of {len({one.package for one in found})} packages, {len(asked)} questions")
    corpus = corpus_of_functions(found)
    result = Result(found, len(corpus.chunks))
    for name, rankings in _rankings(part, found, corpus, asked, vectors, build, say):
        result.figures[name] = _judged(asked, rankings)
    return result


def _judged(asked: Mapping[str, str], rankings: Rankings) -> dict[str, Values]:
    return per_question({one: [one] for one in asked}, dict(zip(asked, rankings, strict=True)))


def _rankings(
    part: str,
    found: Sequence[Target],
    corpus: Corpus,
    asked: Mapping[str, str],
    vectors: Vectors,
    build: Path,
    say: Callable[[str], None],
) -> Iterator[tuple[str, Rankings]]:
    queries = list(asked.values())
    of_queries = vectors.of(queries, "query", f"{part} queries")
    ours = dense_rows(corpus.chunks, vectors, f"{part} chunks")
    raw = vectors.of([target.text for target in found], label=f"{part} raw functions")
    say(f"{part}: searching")
    searcher = Ours(corpus, ours, dict(zip(queries, of_queries.tolist(), strict=True)))
    yield OURS, searcher.search_all(queries, LIMIT)
    plain = Baselines([target.text for target in found], raw)
    yield DENSE, [_named(plain.dense(vector, LIMIT)) for vector in of_queries]
    yield (
        STANDARD,
        [_named(plain.standard(query, vector, LIMIT)) for query, vector in zip(queries, of_queries, strict=True)],
    )
    yield CODE, [_named(plain.code_bm25(query, LIMIT)) for query in queries]
    try:
        ripgrep = Ripgrep([target.text for target in found], build / f"ripgrep-{part}.txt")
    except FileNotFoundError as error:
        say(str(error))
        return
    yield RIPGREP, [_named(ripgrep.search(query, LIMIT)) for query in queries]


def _named(numbers: Sequence[int]) -> list[str]:
    return [str(number) for number in numbers]
