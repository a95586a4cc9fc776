"""Which components have pods."""

from collections.abc import Iterable

from coderag_operator.observed.child import Child
from coderag_operator.observed.details import Pod

ENDED = ("Succeeded", "Failed")


def find_alive(children: Iterable[Child]) -> frozenset[str]:
    """Return the components that have pods; one that has ended is none."""
    return frozenset(
        child.component for child in children if isinstance(child.details, Pod) and child.details.phase not in ENDED
    )
