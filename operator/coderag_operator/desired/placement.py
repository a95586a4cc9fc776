"""Where model servers and fetch Jobs run: on the GPU's nodes, together where they share, never two of one role."""

from typing import Any, TypedDict

from coderag_operator.api.parts import Toleration
from coderag_operator.desired import names
from coderag_operator.desired.context import Context
from coderag_operator.desired.gpu import find_sharing, gpu_servers
from coderag_operator.desired.references import digests, local_servers
from coderag_operator.sharing import GPU

NODE = "kubernetes.io/hostname"
# A volume may be bound to the node that mounts it first, and the servers have to mount it where the GPU is. Preferred:
# the label is feature discovery's, and not every cluster has it.
NEAR_A_GPU = {
    "preferredDuringSchedulingIgnoredDuringExecution": [
        {
            "weight": 100,
            "preference": {"matchExpressions": [{"key": f"{GPU}.present", "operator": "In", "values": ["true"]}]},
        }
    ]
}


class Placement(TypedDict):
    """The fields of a pod that say where it runs."""

    node_selector: dict[str, str]
    tolerations: tuple[Toleration, ...]
    affinity: dict[str, Any]


def model_placement(context: Context, component: str) -> Placement:
    """Return where the pods of chat, code or the fetch Jobs run."""
    gpu = context.stack.spec.gpu
    affinity: dict[str, Any] = {}
    if component != names.MODELS:
        affinity["podAntiAffinity"] = _required(context, [component])
    elif gpu.sharing != "None":
        affinity["nodeAffinity"] = NEAR_A_GPU
    if together := _together(context, component):
        affinity["podAffinity"] = _required(context, together)
    return {"node_selector": gpu.node_selector, "tolerations": gpu.tolerations, "affinity": affinity}


def _together(context: Context, component: str) -> list[str]:
    """Return the components on whose node this one has to be: they share a GPU, or a claim that one node can mount.

    A pod matches its own term, so the first of them can start anywhere.
    """
    on_claim = [*digests(context.stack), *([names.MODELS] if digests(context.stack) else [])]
    if component == names.MODELS and context.stack.spec.gpu.sharing not in ("None", "Exclusive"):
        # By the spec alone: nodes and plan are learnt later, and another template would be another Job.
        return sorted({*names.ROLES, *on_claim})
    if find_sharing(context).together and component in gpu_servers(context.stack):
        elsewhere = set(local_servers(context.stack)) - {*gpu_servers(context.stack), *on_claim}
        return sorted({*names.ROLES, *on_claim} - elsewhere)
    return sorted(on_claim) if component in on_claim else []


def _required(context: Context, components: list[str]) -> dict[str, Any]:
    labels = names.selector(context.stack, components[0])
    selector = {
        "matchLabels": {key: value for key, value in labels.items() if not key.endswith("/component")},
        "matchExpressions": [{"key": "app.kubernetes.io/component", "operator": "In", "values": components}],
    }
    term = {"labelSelector": selector, "topologyKey": NODE}
    return {"requiredDuringSchedulingIgnoredDuringExecution": [term]}
