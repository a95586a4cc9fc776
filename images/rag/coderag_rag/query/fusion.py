"""Reciprocal rank fusion, explicit and in one place.

Qdrant could fuse on the server, but its default k is 2 and its legs cannot be filtered by the manifest first: points
that are not served would take the places of those that are.
"""

import math
from collections.abc import Mapping, Sequence

from coderag_rag.query.weights import Leg


def fuse(legs: Mapping[Leg, Sequence[str]], weights: Mapping[Leg, float], k: float) -> list[tuple[str, float]]:
    """Return the ids of all search legs by reciprocal rank fusion, best first, each with its score.

    A leg that found an id at rank r adds weight / (k + r).
    """
    shares: dict[str, list[float]] = {}
    for leg, ids in legs.items():
        for rank, point in enumerate(dict.fromkeys(ids), start=1):
            shares.setdefault(point, []).append(weights[leg] / (k + rank))
    scores = {point: math.fsum(parts) for point, parts in shares.items()}
    return sorted(scores.items(), key=lambda item: (-item[1], item[0]))
