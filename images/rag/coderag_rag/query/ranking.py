"""The ranker: what a reader of code would prefer among chunks that match about equally.

A cheap lexical ranker is worth as much as a larger embedding model: where the thing is defined beats where it is used,
a path that speaks the query's words beats one that does not, and tests come after what they test unless asked for.
"""

from collections.abc import Sequence
from typing import NamedTuple

from coderag_rag.query.analysis import Query
from coderag_rag.query.chunk import Chunk
from coderag_rag.query.manifest import Place
from coderag_rag.query.places import is_changelog, is_generated, is_plain, is_test, is_vendored, path_words
from coderag_rag.query.weights import RANKER, QueryClass, RankerWeights

File = tuple[str, str, str]  # repository, ref, path


class Candidate(NamedTuple):
    """A served chunk that some leg found; `score` is the fused one until the ranker changes it."""

    point: str
    chunk: Chunk
    place: Place
    also_at: Sequence[Place] = ()
    score: float = 0.0

    @property
    def file(self) -> File:
        """The file this chunk is shown in."""
        return (self.place.repository, self.place.ref, self.place.path)


def definition_boost(query: Query, chunk: Chunk, weights: RankerWeights) -> float:
    """Return how much a chunk gains for defining what the query names."""
    if not chunk.symbols:
        return 0.0
    best = max([_symbol_boost(query, symbol, weights) for symbol in chunk.symbols]) if query.identifiers else 0.0
    return best or weights.definition_words * max([_word_share(query, words) for words in chunk.words])


def _symbol_boost(query: Query, symbol: str, weights: RankerWeights) -> float:
    if symbol.rpartition(".")[2] not in query.last_names:  # as nearly all
        return 0.0
    for name in query.identifiers:
        if symbol == name or (name.endswith("." + symbol) and "." in symbol) or symbol.endswith("." + name):
            return weights.qualified_definition
        if symbol.rpartition(".")[2] == name.rpartition(".")[2]:
            return weights.definition
    return 0.0


def _word_share(query: Query, words: Sequence[str]) -> float:
    """Return the share of a symbol's words that the query uses; one common word alone counts half."""
    shared = len(query.words.intersection(words))
    return shared / len(words) * (0.5 if shared == 1 else 1.0) if shared else 0.0


def path_boost(query: Query, path: str, weights: RankerWeights) -> float:
    """Return how much a chunk gains for lying at a path that uses the query's words."""
    if not query.words:
        return 0.0
    return weights.path_words * len(path_words(path) & query.words) / min(len(query.words), 4)


def demotion(query: Query, path: str, weights: RankerWeights) -> float:
    """Return the factor for tests, lists of past changes, vendored and generated files; 1 for everything else."""
    if is_plain(path):
        return 1.0
    factor = 1.0 if query.wants_tests or not is_test(path) else weights.test_file
    factor *= 1.0 if query.wants_changes or not is_changelog(path) else weights.changelog_file
    factor *= weights.vendored_file if is_vendored(path) else 1.0
    return factor * (weights.generated_file if is_generated(path) else 1.0)


def _opening_factor(query: Query, candidate: Candidate, weights: RankerWeights) -> float:
    """Return the factor for the opening comment and imports of a source file: what it describes should come first.

    Not for a path: who asks for a file means its beginning, or the line that is named.
    """
    chunk = candidate.chunk
    opening = chunk.start_line == 1 and not chunk.symbols and chunk.language in weights.defining_languages
    return weights.file_opening if opening and query.kind is not QueryClass.PATH else 1.0


def rank(
    query: Query, candidates: Sequence[Candidate], *, demote: bool = True, weights: RankerWeights = RANKER
) -> list[Candidate]:
    """Return the candidates in their final order; after a few, further ones of the same file are worth less."""
    files = [candidate.file for candidate in candidates]
    scores = _with_coherence(files, _scores(query, candidates, demote, weights), weights)
    order = sorted(range(len(files)), key=lambda n: (-scores[n], files[n], candidates[n].chunk.start_line))
    scores = _spread_over_files(order, files, scores, weights)
    order.sort(key=lambda n: -scores[n])  # stable: equals stay as they are
    return [Candidate(*candidates[n][:-1], scores[n]) for n in order]  # the score is the last field; _replace is slow


def _scores(query: Query, candidates: Sequence[Candidate], demote: bool, weights: RankerWeights) -> list[float]:
    """Return the score of each candidate by itself. What depends on the path alone is worked out once for each path."""
    of_path: dict[str, tuple[float, float]] = {}
    scores = []
    for candidate in candidates:
        path = candidate.place.path
        if path not in of_path:
            factor = demotion(query, path, weights) if demote else 1.0
            of_path[path] = (path_boost(query, path, weights), factor)
        words, factor = of_path[path]
        boost = 1 + definition_boost(query, candidate.chunk, weights) + words
        scores.append(candidate.score * boost * (factor * _opening_factor(query, candidate, weights)))
    return scores


def _with_coherence(files: Sequence[File], scores: Sequence[float], weights: RankerWeights) -> list[float]:
    """Lift the best chunk of each file by how much of the file was found."""
    totals: dict[File, float] = {}
    best: dict[File, int] = {}
    for n, (file, score) in enumerate(zip(files, scores, strict=True)):
        totals[file] = totals.get(file, 0.0) + score
        if file not in best or score > scores[best[file]]:
            best[file] = n
    highest = max(totals.values(), default=0.0) or 1.0
    lifted = list(scores)
    for file, n in best.items():
        lifted[n] *= 1 + weights.coherence * totals[file] / highest
    return lifted


def _spread_over_files(
    order: Sequence[int], files: Sequence[File], scores: Sequence[float], weights: RankerWeights
) -> list[float]:
    """Lower what comes after the first few chunks of a file, the more the more of it came before."""
    taken: dict[File, int] = {}
    lowered = list(scores)
    for n in order:
        taken[files[n]] = taken.get(files[n], 0) + 1
        lowered[n] *= weights.further_chunk ** max(0, taken[files[n]] - weights.chunks_per_file)
    return lowered
