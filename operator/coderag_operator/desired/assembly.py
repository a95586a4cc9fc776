"""From the components to one sorted whole."""

from collections.abc import Callable, Iterable

from coderag_operator.api import Stack
from coderag_operator.desired import (
    embedding,
    evaluation,
    expose,
    gateway,
    ingestion,
    llama,
    models,
    names,
    network,
    probe,
    qdrant,
    rag,
)
from coderag_operator.desired.context import Context, Manifest
from coderag_operator.desired.freeze import frozen_components
from coderag_operator.desired.gpu import find_sharing
from coderag_operator.desired.inputs import Desired, Inputs
from coderag_operator.desired.settled import settle
from coderag_operator.desired.stopping import stopped

Builder = Callable[[Context], Iterable[Manifest]]

# What a component always has, whatever else is missing: accounts, Services, claims, disruption budgets, policies.
SURROUNDINGS: tuple[Builder, ...] = (
    llama.surroundings,
    probe.probes,
    models.surroundings,
    embedding.surroundings,
    qdrant.surroundings,
    gateway.surroundings,
    rag.surroundings,
    ingestion.surroundings,
    evaluation.surroundings,
    network.policies,
    expose.ingress,
)
# What waits while the component is frozen: its workload and configuration.
WORKLOADS: dict[str, Builder] = {
    names.CHAT: llama.chat,
    names.CODE: llama.code,
    names.MODELS: models.fetches,
    names.EMBEDDING: embedding.workload,
    names.PREVIOUS: embedding.previous,
    names.QDRANT: qdrant.workload,
    names.GATEWAY: gateway.workload,
    names.RAG: rag.workload,
    names.INGESTION: ingestion.workload,
    names.EVALUATION: evaluation.workload,
}


def build(stack: Stack, inputs: Inputs) -> Desired:
    """Return every child that the stack should have, and the components that must be left alone."""
    stack = settle(stack, inputs.shapes, uses_gpu(stack, inputs))
    context = Context(stack, inputs)
    frozen = frozen_components(stack, inputs)
    objects = [child for builder in SURROUNDINGS for child in builder(context)]
    objects += [child for name, builder in WORKLOADS.items() if name not in frozen for child in builder(context)]
    return Desired(tuple(sorted(objects, key=_order)), frozen, stopped(stack, inputs.alive))


def list_fetches(stack: Stack, inputs: Inputs) -> frozenset[str]:
    """Return the names of the Jobs that fetch models or look at them."""
    if names.MODELS in frozen_components(stack, inputs):
        return frozenset()
    return frozenset(job["metadata"]["name"] for job in models.fetches(Context(stack, inputs)))


def uses_gpu(stack: Stack, inputs: Inputs) -> bool:
    """Tell whether model servers run on a GPU, as far as nodes and spec tell."""
    return find_sharing(Context(stack, inputs)).mode != "None"


def _order(child: Manifest) -> tuple[str, str]:
    return child["kind"], child["metadata"]["name"]
