"""Requests and limits of every container: defaults that can run, and the user's numbers over them."""

import math

from coderag_operator.api import amount
from coderag_operator.api.parts import Resources
from coderag_operator.desired import names

Amounts = dict[str, str]

LARGE = "embedding-large"  # the embedding service with a model of half a billion parameters
# (requests, limits) by component. A model server can hold 7B parameters in 4 bits; on a GPU most of that is page cache.
DEFAULTS: dict[str, tuple[Amounts, Amounts]] = {
    names.CHAT: ({"cpu": "500m", "memory": "1Gi"}, {"cpu": "4", "memory": "6Gi"}),
    names.CODE: ({"cpu": "500m", "memory": "1Gi"}, {"cpu": "4", "memory": "8Gi"}),
    names.EMBEDDING: ({"cpu": "250m", "memory": "384Mi"}, {"cpu": "2", "memory": "1Gi"}),
    LARGE: ({"cpu": "250m", "memory": "1Gi"}, {"cpu": "2", "memory": "4Gi"}),
    names.QDRANT: ({"cpu": "100m", "memory": "256Mi"}, {"cpu": "2", "memory": "2Gi"}),
    names.GATEWAY: ({"cpu": "100m", "memory": "512Mi"}, {"cpu": "2", "memory": "1Gi"}),
    names.RAG: ({"cpu": "100m", "memory": "256Mi"}, {"cpu": "2", "memory": "1Gi"}),
    names.INGESTION: ({"cpu": "100m", "memory": "256Mi"}, {"cpu": "2", "memory": "1Gi"}),
    names.EVALUATION: ({"cpu": "100m", "memory": "128Mi"}, {"cpu": "1", "memory": "1Gi"}),
    names.MODELS: ({"cpu": "50m", "memory": "64Mi"}, {"cpu": "1", "memory": "256Mi"}),
}
SCRATCH = ({"ephemeral-storage": "64Mi"}, {"ephemeral-storage": "2Gi"})


def size(component: str, resources: Resources) -> dict[str, Amounts]:
    """Return the container's resources. What the user gives counts; the default on the other side gives way to it."""
    default_requests, default_limits = (base | extra for base, extra in zip(DEFAULTS[component], SCRATCH, strict=True))
    given_requests, given_limits = resources.requests.given(), resources.limits.given()
    requests, limits = default_requests | given_requests, default_limits | given_limits
    for name in requests:
        if amount(requests[name]) > amount(limits[name]):
            if name in given_requests:
                limits[name] = requests[name]
            else:
                requests[name] = limits[name]
    return {"requests": dict(sorted(requests.items())), "limits": dict(sorted(limits.items()))}


def threads(resources: dict[str, Amounts]) -> int:
    """Return the number of threads that the container's share of processors can keep busy."""
    return max(1, math.ceil(amount(resources["limits"]["cpu"])))
