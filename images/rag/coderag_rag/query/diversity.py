"""Keeps one repository from taking every place of an answer while others have something to say too."""

import math
from collections import Counter
from collections.abc import Sequence

from coderag_rag.query.ranking import Candidate


def spread(ordered: Sequence[Candidate], limit: int, share: float) -> list[Candidate]:
    """Return the first `limit` candidates, in their order, at most this share of them from one repository.

    What is over the share comes last, where the others do not fill the places.
    """
    most = math.ceil(limit * share)
    taken: Counter[str] = Counter()
    within: list[Candidate] = []
    over: list[Candidate] = []
    for item in ordered:
        name = item.place.repository
        taken[name] += 1
        (within if taken[name] <= most else over).append(item)
    return [*within[:limit], *over][:limit]
