"""Pure builders: from a stack and what was read from the cluster to every child. One module per component.

No clock, no randomness, no cluster access: equal arguments give equal objects, in the same order.
"""

from coderag_operator.api import Stack
from coderag_operator.desired import names
from coderag_operator.desired.assembly import build, list_fetches, uses_gpu
from coderag_operator.desired.inputs import Desired, Frozen, Inputs, ModelFact, Probe, SecretFact
from coderag_operator.desired.names import (
    COMPONENTS,
    FIELD_MANAGER,
    IMAGES,
    KEY_NAMES,
    PORTS,
    ROLE_LABEL,
    ROLES,
    SHA256_ANNOTATION,
    STACK_LABEL,
    cache_claim_name,
    embedding_claim_name,
    facts_name,
    keys_secret_name,
    labels,
    service_url,
)
from coderag_operator.desired.probe import probe_name
from coderag_operator.desired.references import (
    SecretReference,
    config_map_references,
    digests,
    model_keys,
    secret_references,
)
from coderag_operator.desired.settled import settle

__all__ = [
    "COMPONENTS",
    "FIELD_MANAGER",
    "IMAGES",
    "KEY_NAMES",
    "PORTS",
    "ROLES",
    "ROLE_LABEL",
    "SHA256_ANNOTATION",
    "STACK_LABEL",
    "Desired",
    "Frozen",
    "Inputs",
    "ModelFact",
    "Probe",
    "SecretFact",
    "SecretReference",
    "Stack",
    "build",
    "cache_claim_name",
    "config_map_references",
    "digests",
    "embedding_claim_name",
    "facts_name",
    "keys_secret_name",
    "labels",
    "list_fetches",
    "model_keys",
    "names",
    "probe_name",
    "secret_references",
    "service_url",
    "settle",
    "uses_gpu",
]
