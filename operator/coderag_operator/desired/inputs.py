"""What `build` takes and gives: everything that was read from the cluster, and everything that should be in it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from coderag_operator.api.embedding import Lodging
from coderag_operator.sharing import Sharing
from coderag_operator.vram.terms import Shape


@dataclass(frozen=True)
class SecretFact:
    """A Secret or ConfigMap that exists: a checksum of its data and the names of its keys, never a value."""

    checksum: str
    keys: frozenset[str]


@dataclass(frozen=True)
class ModelFact:
    """A model file that was fetched and verified onto the claim with this UID."""

    claim_uid: str
    size_bytes: int = 0
    header: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Frozen:
    """Why the workload of a component is left as it is."""

    reason: str
    message: str


@dataclass(frozen=True)
class Probe:
    """A measurement that is wanted: of the GPU of this node, under the name that its driver has a part in."""

    node: str
    name: str


@dataclass(frozen=True)
class Inputs:
    """Everything that `build` needs besides the stack. A name that is absent is missing in the cluster.

    images: default image by image name (llama, model, embedding, rag, gateway, qdrant)
    secrets, config_maps: by object name, for every name that `secret_references` and `config_map_references` give
    models: by sha256, from the ConfigMap <stack>-facts
    cache_uid: UID of the live claim <stack>-models, empty while there is none
    embedding_uid: UID of the live claim <stack>-embedding, empty while there is none
    live: the embedding model that the index which answers was built with, None: nothing is known of one
    serving: the components that have a ready pod
    asking: whether the ready search pods ask the embedding model before, too; both answers while they are replaced
    indexed: every repository has a commit that searches see
    alive: the components that have pods
    shapes: how the VRAM plan starts the model server of each role, without one where nothing has to be planned
    sizes: what each planned server takes of the GPU in MiB, where its limit has to be told
    probe: which node's GPU is to be measured, None: none
    unplanned: why the model servers of this stack cannot be planned into the GPU's memory, None when they can
    sharing: how the servers get at the GPU as the nodes allow it; None: as the spec alone tells
    """

    images: Mapping[str, str]
    secrets: Mapping[str, SecretFact] = field(default_factory=dict)
    config_maps: Mapping[str, SecretFact] = field(default_factory=dict)
    models: Mapping[str, ModelFact] = field(default_factory=dict)
    cache_uid: str = ""
    embedding_uid: str = ""
    live: Lodging | None = None
    serving: frozenset[str] = frozenset()
    asking: frozenset[bool] = frozenset()
    indexed: bool = False
    alive: frozenset[str] = frozenset()
    shapes: Mapping[str, Shape] = field(default_factory=dict)
    sharing: Sharing | None = None
    unplanned: Frozen | None = None
    probe: Probe | None = None
    sizes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Desired:
    """Every child that should exist, sorted by kind and name, and the components that must be left alone.

    `objects` never holds what a frozen component cannot decide (its workload and configuration); what does not depend
    on the missing input (Services, accounts, disruption budgets, claims) is still there and is applied. Nothing of a
    frozen component is pruned. `stopped` are the components that are to have no pods at the moment.
    """

    objects: tuple[dict[str, Any], ...]
    frozen: Mapping[str, Frozen]
    stopped: frozenset[str] = frozenset()
