"""The ranker: what a reader of code would prefer among chunks that match about equally.

A cheap lexical ranker is worth as much as a larger embedding model: where the thing is defined beats where it is used,
a path that speaks the query's words beats one that does not, and tests come after what they test unless asked for.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from coderag_rag.keyword import tokens
from coderag_rag.query.analysis import Query
from coderag_rag.query.manifest import Place
from coderag_rag.query.places import is_generated, is_test, is_vendored, path_words
from coderag_rag.query.weights import RANKER, QueryClass, RankerWeights


class Candidate(NamedTuple):
    """A served chunk that some leg found; `score` is the fused one until the ranker changes it.

    A tuple and not a dataclass: two hundred of them change their score on every search, and that is ten times as fast.
    """

    point: str
    blob: str
    start_line: int
    end_line: int
    symbols: tuple[str, ...]
    language: str
    place: Place
    also_at: tuple[Place, ...] = ()
    score: float = 0.0

    @property
    def file(self) -> tuple[str, str, str]:
        """The file this chunk is shown in."""
        return (self.place.repository, self.place.ref, self.place.path)


def definition_boost(query: Query, symbols: Sequence[str], weights: RankerWeights) -> float:
    """Return how much a chunk gains for defining what the query names."""
    best = max((_symbol_boost(query, symbol, weights) for symbol in symbols), default=0.0)
    return best or weights.definition_words * max((_word_share(query, symbol) for symbol in symbols), default=0.0)


def _symbol_boost(query: Query, symbol: str, weights: RankerWeights) -> float:
    for name in query.identifiers:
        if symbol == name or (name.endswith("." + symbol) and "." in symbol) or symbol.endswith("." + name):
            return weights.qualified_definition
        if symbol.rpartition(".")[2] == name.rpartition(".")[2]:
            return weights.definition
    return 0.0


def _word_share(query: Query, symbol: str) -> float:
    """Return the share of a symbol's words that the query uses; one common word alone counts half."""
    words = _symbol_words(symbol)
    if not words:
        return 0.0
    shared = len(words & query.words)
    return shared / len(words) * (0.5 if shared == 1 else 1.0)


@lru_cache(maxsize=65_536)
def _symbol_words(symbol: str) -> frozenset[str]:
    return frozenset(word for word in tokens(symbol.replace(".", " ").replace("_", " ")) if word.isalnum())


def path_boost(query: Query, path: str, weights: RankerWeights) -> float:
    """Return how much a chunk gains for lying at a path that uses the query's words."""
    if not query.words:
        return 0.0
    return weights.path_words * len(path_words(path) & query.words) / min(len(query.words), 4)


def demotion(query: Query, path: str, weights: RankerWeights) -> float:
    """Return the factor for tests, vendored and generated files; 1 for everything else."""
    factor = 1.0 if query.wants_tests or not is_test(path) else weights.test_file
    factor *= weights.vendored_file if is_vendored(path) else 1.0
    return factor * (weights.generated_file if is_generated(path) else 1.0)


def _opening_factor(query: Query, candidate: Candidate, weights: RankerWeights) -> float:
    """Return the factor for the opening comment and imports of a source file: what it describes should come first.

    Not for a path: who asks for a file means its beginning, or the line that is named.
    """
    opening = candidate.start_line == 1 and not candidate.symbols and candidate.language in weights.defining_languages
    return weights.file_opening if opening and query.kind is not QueryClass.PATH else 1.0


def rank(
    query: Query, candidates: Sequence[Candidate], *, demote: bool = True, weights: RankerWeights = RANKER
) -> list[Candidate]:
    """Return the candidates in their final order, at most a few from each file."""
    scored = [_scored(query, candidate, demote, weights) for candidate in candidates]
    ordered = sorted(_with_coherence(scored, weights), key=lambda item: (-item.score, item.file, item.start_line))
    return _limited_per_file(ordered, weights.chunks_per_file)


def _scored(query: Query, candidate: Candidate, demote: bool, weights: RankerWeights) -> Candidate:
    path = candidate.place.path
    boost = 1 + definition_boost(query, candidate.symbols, weights) + path_boost(query, path, weights)
    factor = (demotion(query, path, weights) if demote else 1.0) * _opening_factor(query, candidate, weights)
    return candidate._replace(score=candidate.score * boost * factor)


def _with_coherence(candidates: Sequence[Candidate], weights: RankerWeights) -> list[Candidate]:
    """Lift the best chunk of each file by how much of the file was found."""
    totals: dict[tuple[str, str, str], float] = {}
    best: dict[tuple[str, str, str], Candidate] = {}
    for item in candidates:
        totals[item.file] = totals.get(item.file, 0.0) + item.score
        if item.file not in best or item.score > best[item.file].score:
            best[item.file] = item
    highest = max(totals.values(), default=0.0) or 1.0
    lifted = {item.point: 1 + weights.coherence * totals[file] / highest for file, item in best.items()}
    return [item._replace(score=item.score * lifted.get(item.point, 1.0)) for item in candidates]


def _limited_per_file(ordered: Sequence[Candidate], limit: int) -> list[Candidate]:
    taken: dict[tuple[str, str, str], int] = {}
    kept = []
    for item in ordered:
        taken[item.file] = taken.get(item.file, 0) + 1
        if taken[item.file] <= limit:
            kept.append(item)
    return kept
