"""Which components have pods, which have pods that are ready, and what the search pods know of."""

from collections.abc import Iterable

from coderag_operator.observed.child import Child
from coderag_operator.observed.details import Pod, Workload

ENDED = ("Succeeded", "Failed")
SEARCH = "rag"


def find_alive(children: Iterable[Child]) -> frozenset[str]:
    """Return the components that have pods; one that has ended is none."""
    return frozenset(
        child.component for child in children if isinstance(child.details, Pod) and child.details.phase not in ENDED
    )


def find_asking(children: Iterable[Child]) -> frozenset[bool]:
    """Return whether the ready search pods ask the embedding model before, too; both answers while they are replaced.

    One that is being deleted is ready, and answers, until its process ends.
    """
    pods = (child.details for child in children if child.component == SEARCH and isinstance(child.details, Pod))
    return frozenset(pod.asks_previous for pod in pods if pod.ready)


def find_serving(children: Iterable[Child]) -> frozenset[str]:
    """Return the components whose workload has a ready pod, of whichever template."""
    return frozenset(
        child.component for child in children if isinstance(child.details, Workload) and child.details.serving
    )
