"""Which of the found chunks hold one definition between them.

A function that is longer than a chunk lies in several, and so does a class. Its name and signature are in the first
one, what it does is in the others: each leg finds another part of it, and no part has all that speaks for it.
"""

from collections.abc import Collection, Sequence

from coderag_rag.query.chunk import Found


def definitions_in_parts(points: Collection[Found]) -> list[Sequence[str]]:
    """Return, for each definition that several of the points have a part of, the ids of those points.

    A point has a part of what begins in it (`symbols`) and of the innermost definition that goes on in it (`within`).
    An index of an older version knows no `within`, so that nothing is in parts there.
    """
    within = [one for one in points if one.chunk.within]
    parts: dict[tuple[str, str], list[str]] = {(one.chunk.blob, one.chunk.within): [] for one in within}
    for one in points if parts else ():
        chunk = one.chunk
        for name in {chunk.within, *chunk.symbols}:
            if (chunk.blob, name) in parts:
                parts[(chunk.blob, name)].append(one.id)
    return [ids for ids in parts.values() if len(ids) > 1]
