"""The legs become one order: what each place of a leg is worth, from 0 to 1, times the leg's weight, added up.

Chunks that hold one definition between them are judged together, each leg by the best of them, and the best chunk
stands for all: commits find their files better so (+0.010 nDCG@10, benchmarks/RESULTS.md).

Scores and not ranks (a convex combination: Bruch, Gai and Ingber, An Analysis of Fusion Functions for Hybrid Retrieval,
2023): a hit that stands far above the next one keeps its lead. Qdrant could fuse on the server, but its legs cannot be
filtered by the manifest first: points that are not served would take the places of those that are.
"""

import math
from collections.abc import Iterable, Mapping, Sequence

from coderag_rag.query.weights import Leg

Worth = tuple[str, float]


def scaled(leg: Leg, scores: Sequence[float], asked: int) -> list[float]:
    """Return what each place of a leg is worth; scores come best first, `asked` is how many the leg may return."""
    if leg is Leg.PATH:  # has no scores: its order is that of the files and of the lines that are named
        return [max(1 - place / asked, 0.0) for place in range(len(scores))]
    if not scores:
        return []
    lowest = _lowest(leg, scores, asked)
    spread = scores[0] - lowest
    return [(score - lowest) / spread for score in scores] if spread > 0 else [1.0] * len(scores)


def _lowest(leg: Leg, scores: Sequence[float], asked: int) -> float:
    """Return the score that is worth nothing: the best that a point outside the leg can have."""
    if leg is Leg.SYMBOL:  # who is not in it defines nothing of the name
        return min(0.0, scores[-1])
    cut = len(scores) >= asked
    return scores[-1] if cut or leg is Leg.DENSE else min(0.0, scores[-1])


def fuse(
    legs: Mapping[Leg, Sequence[Worth]], weights: Mapping[Leg, float], definitions: Iterable[Sequence[str]] = ()
) -> list[Worth]:
    """Return the points of all search legs, best first, each with its score: the sum of weight by worth.

    `definitions`: points that hold one definition between them. In each leg the best of them counts for the one that
    has the highest score by itself; the others keep their own.
    """
    shares: dict[str, dict[Leg, float]] = {}
    for leg, found in legs.items():
        for point, worth in found:
            shares.setdefault(point, {})[leg] = weights[leg] * worth
    alone = {point: math.fsum(share.values()) for point, share in shares.items()}
    scores = dict(alone)
    for parts in definitions:
        served = [point for point in parts if point in alone]
        if len(served) > 1:
            best = min(served, key=lambda point: (-alone[point], point))
            scores[best] = max(scores[best], _together([shares[point] for point in served]))
    return sorted(scores.items(), key=lambda item: (-item[1], item[0]))


def _together(shares: Iterable[Mapping[Leg, float]]) -> float:
    """Return the sum of the highest share in each leg."""
    highest: dict[Leg, float] = {}
    for share in shares:
        for leg, value in share.items():
            highest[leg] = max(value, highest.get(leg, 0.0))
    return math.fsum(highest.values())
