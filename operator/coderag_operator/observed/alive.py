"""Which components have pods, and which have pods that are ready."""

from collections.abc import Iterable

from coderag_operator.observed.child import Child
from coderag_operator.observed.details import Pod, Workload

ENDED = ("Succeeded", "Failed")


def find_alive(children: Iterable[Child]) -> frozenset[str]:
    """Return the components that have pods; one that has ended is none."""
    return frozenset(
        child.component for child in children if isinstance(child.details, Pod) and child.details.phase not in ENDED
    )


def find_serving(children: Iterable[Child]) -> frozenset[str]:
    """Return the components whose workload has a ready pod, of whichever template."""
    return frozenset(
        child.component for child in children if isinstance(child.details, Workload) and child.details.serving
    )
