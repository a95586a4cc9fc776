"""What each kind of child tells about its state, as small frozen records."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from coderag_operator.api.servers import ON_CLAIM


@dataclass(frozen=True, slots=True)
class Workload:
    """A Deployment or StatefulSet."""

    generation: int = 0
    observed_generation: int = 0
    wanted: int = 1
    updated: int = 0
    total: int = 0
    ready: int = 0
    late: bool = False
    paused: bool = False
    revision: str = ""  # of the pod template, where the operator gave it one
    frozen_fields: Mapping[str, Any] = field(default_factory=dict)

    @property
    def converged(self) -> bool:
        """Tell whether the pods of the latest template, and only those, are there and ready."""
        seen = self.observed_generation >= self.generation
        return seen and self.updated == self.total == self.ready == self.wanted

    @property
    def serving(self) -> bool:
        """Tell whether any pod is ready, of whichever template."""
        return self.ready > 0


@dataclass(frozen=True, slots=True)
class Job:
    """A Job; `digest` is the model that it fetches, or whose key it reads the header of."""

    digest: str = ""
    complete: bool = False
    failed: bool = False
    active: bool = False

    @property
    def fetches(self) -> bool:
        """Tell whether the file comes onto the stack's own cache; other files are named by their place."""
        return not self.digest.startswith(ON_CLAIM)


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod: why it does not start, what its containers said at the end, and the roles it is labelled to serve.

    `crashes` are the failed ends of its containers, each with the number of restarts before it and the last words.
    `turned` is when it became ready or not ready, in seconds of the epoch; `controller` is the name of its ReplicaSet.
    """

    ready: bool = False
    phase: str = "Pending"
    unschedulable: str = ""
    waiting: tuple[tuple[str, str], ...] = ()
    endings: tuple[str, ...] = ()
    crashes: tuple[tuple[int, str], ...] = ()
    serves: frozenset[str] = frozenset()
    evicted: str = ""
    turned: int = 0
    address: str = ""
    revision: str = ""
    controller: str = ""
    verified: bool = False
    asks_previous: bool = False


@dataclass(frozen=True, slots=True)
class Claim:
    """A volume claim."""

    phase: str = "Pending"
    requested: str = ""


@dataclass(frozen=True, slots=True)
class Data:
    """A Secret or ConfigMap. `values` is filled for our facts only: nothing else is worth the memory or the risk."""

    checksum: str = ""
    keys: frozenset[str] = frozenset()
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Route:
    """An Ingress: the addresses that its controller gave it."""

    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Devices:
    """A ResourceClaim; `in_use`: a pod holds the devices, and would not start again without the claim."""

    in_use: bool = False
    frozen_fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Nothing:
    """A kind whose existence is all there is to know."""


Details = Workload | Job | Pod | Claim | Data | Route | Devices | Nothing
