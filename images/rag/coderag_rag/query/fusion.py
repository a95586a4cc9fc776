"""The legs become one order: what each place of a leg is worth, from 0 to 1, times the leg's weight, added up.

Scores and not ranks (a convex combination: Bruch, Gai and Ingber, An Analysis of Fusion Functions for Hybrid Retrieval,
2023): a hit that stands far above the next one keeps its lead. Qdrant could fuse on the server, but its legs cannot be
filtered by the manifest first: points that are not served would take the places of those that are.
"""

import math
from collections.abc import Mapping, Sequence

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


def fuse(legs: Mapping[Leg, Sequence[Worth]], weights: Mapping[Leg, float]) -> list[Worth]:
    """Return the points of all search legs, best first, each with its score: the sum of weight by worth."""
    shares: dict[str, list[float]] = {}
    for leg, found in legs.items():
        for point, worth in found:
            shares.setdefault(point, []).append(weights[leg] * worth)
    scores = {point: math.fsum(parts) for point, parts in shares.items()}
    return sorted(scores.items(), key=lambda item: (-item[1], item[0]))
