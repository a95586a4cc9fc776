"""Other weights on the tuning packages: what each change of `ranking.toml` would do, one number at a time.

    python benchmarks/retrieval/tuning.py [NAME=VALUE]...

Without arguments every number that prose uses is tried at a few values beside today's. With arguments, such as
`definition_words=0.8 dense=1.5`, that one combination is compared with today's. Test packages are never read.
"""

import sys
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from unittest import mock

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / part) for part in (".", "images/embedding", "images/rag", "images/evaluation")]

from coderag_eval.metrics import NDCG, per_question  # noqa: E402
from coderag_eval.statistics import compare  # noqa: E402
from coderag_rag.query import search  # noqa: E402
from coderag_rag.query.ranking import rank  # noqa: E402
from coderag_rag.query.weights import LEG_WEIGHTS, RANKER, Leg  # noqa: E402

from benchmarks.retrieval.corpus import corpus_of_functions  # noqa: E402
from benchmarks.retrieval.definition import read_definition  # noqa: E402
from benchmarks.retrieval.functions import targets  # noqa: E402
from benchmarks.retrieval.ours import Ours, dense_rows  # noqa: E402
from benchmarks.retrieval.vectors import Vectors  # noqa: E402

BUILD = ROOT / "build" / "retrieval"
TRIED: Mapping[str, tuple[float, ...]] = {
    "dense": (0.7, 1.5, 2.0),
    "symbol": (0.0, 1.0),
    "definition_words": (0.0, 0.4, 0.8, 2.5),
    "path_words": (0.0, 0.2, 0.8),
    "coherence": (0.0, 0.1, 0.4),
}


class Tuning:
    """The tuning packages, searched as often as one likes."""

    def __init__(self, name_free: bool) -> None:
        definition = read_definition()
        found = targets("tuning", definition, BUILD / "wheels", BUILD)
        kept = [n for n, one in enumerate(found) if (one.free_of_words if name_free else one.free_of_name)]
        self._queries = {str(number): found[number].query for number in kept}
        corpus, vectors = corpus_of_functions(found), Vectors(BUILD)
        rows = vectors.of(list(self._queries.values()), "query", "tuning queries").tolist()
        known = dict(zip(self._queries.values(), rows, strict=True))
        self._ours = Ours(corpus, dense_rows(corpus.chunks, vectors, "tuning chunks"), known)

    def values(self, changes: Mapping[str, float]) -> list[float]:
        """Return nDCG@10 of every question with some numbers changed."""
        with mock.patch.multiple(search, **_patches(changes)):
            found = self._ours.search_all(list(self._queries.values()))
        judged = per_question({one: [one] for one in self._queries}, dict(zip(self._queries, found, strict=True)))
        return [judged[one][NDCG] for one in self._queries]


def _patches(changes: Mapping[str, float]) -> dict[str, object]:
    legs = {Leg(name): value for name, value in changes.items() if name in set(Leg)}
    numbers = {name: value for name, value in changes.items() if name not in legs}
    ranker = {name: type(getattr(RANKER, name))(value) for name, value in numbers.items()}
    return {
        "LEG_WEIGHTS": {kind: {**weights, **legs} for kind, weights in LEG_WEIGHTS.items()},
        "rank": partial(rank, weights=replace(RANKER, **ranker)),
    }


def main(arguments: list[str]) -> None:
    """Print what each change does to nDCG@10, for both kinds of questions."""
    given = {name: float(value) for name, value in (argument.split("=") for argument in arguments)}
    tried = [given] if given else [{name: value} for name, values in TRIED.items() for value in values]
    for name_free in (True, False):
        tuning = Tuning(name_free)
        today = tuning.values({})
        kind = "name-free" if name_free else "whole name absent"
        print(f"{kind}, {len(today)} questions, today {sum(today) / len(today):.4f}", flush=True)
        for changes in tried:
            change = compare(tuning.values(changes), today).difference
            print(f"  {changes}: {change.value:+.4f} [{change.low:+.4f}, {change.high:+.4f}]", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
