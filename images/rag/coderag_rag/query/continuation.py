"""Which of the found chunks hold one definition between them.

A function that is longer than a chunk lies in several, and so does a class. Its name and signature are in the first
one, what it does is in the others: each leg finds another part of it, and no part has all that speaks for it.
"""

from collections.abc import Iterable, Sequence

from coderag_rag.query.wire import Point


def definitions_in_parts(points: Iterable[Point]) -> list[Sequence[str]]:
    """Return, for each definition that several of the points have a part of, the ids of those points.

    A point has a part of what begins in it (`symbols`) and of the innermost definition that goes on in it (`within`).
    An index of an older version knows no `within`, so that nothing is in parts there.
    """
    within = [(point, point.payload.get("within")) for point in points]
    parts: dict[tuple[str, str], list[str]] = {(point.payload["blob"], name): [] for point, name in within if name}
    for point, name in within if parts else ():
        blob = point.payload["blob"]
        for one in {name, *point.payload["symbols"]}:
            if (blob, one) in parts:
                parts[(blob, one)].append(point.id)
    return [ids for ids in parts.values() if len(ids) > 1]
