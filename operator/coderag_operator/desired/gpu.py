"""What each way to share the GPU asks of the pods: resources, a claim for both, a runtime class.

docs/gpu-sharing.md says what each needs on the node and what it isolates.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from coderag_operator.api import Stack
from coderag_operator.desired.context import Context, Manifest
from coderag_operator.desired.env import Env, plain
from coderag_operator.desired.names import GPU
from coderag_operator.desired.references import local_servers
from coderag_operator.sharing import Sharing, assume

MEMORY = "nvidia.com/gpumem"  # HAMi's, in MiB
CLAIM = "gpu"  # name of the claim, and of its one request, inside a pod
RUNTIME_CLASS = "nvidia"


@dataclass(frozen=True, kw_only=True)
class Access:
    """What a pod carries so that its server gets at the GPU; the default is a pod without one."""

    limits: dict[str, str] = field(default_factory=dict)
    claim: str = ""
    runtime_class: str = ""
    env: Env = field(default_factory=list)


def gpu_servers(stack: Stack) -> tuple[str, ...]:
    """Return the roles whose server of ours wants layers on the GPU."""
    if stack.spec.gpu.sharing == "None":
        return ()
    return tuple(role for role, server in local_servers(stack).items() if server.gpu_layers != 0)


def find_sharing(context: Context) -> Sharing:
    """Return how the GPU is shared: what was found out, else what the spec alone tells."""
    return context.inputs.sharing or assume(context.stack.spec.gpu, len(gpu_servers(context.stack)))


def access(context: Context, role: str, total_mib: float | None = None) -> Access:
    """Return what the pod of a role's server carries; `total_mib` is what the VRAM plan gives the server.

    A server that keeps every layer in main memory gets none: it would hold a share, and a context on the GPU.
    """
    return grant(context, total_mib) if role in gpu_servers(context.stack) else Access()


def grant(context: Context, total_mib: float | None = None) -> Access:
    """Return what a pod carries that gets at the GPU, whatever it does there."""
    sharing, gpu = find_sharing(context), context.stack.spec.gpu
    if sharing.mode == "None":
        return Access()
    limits = {sharing.resource: "1"} if sharing.resource else {}
    if sharing.mode == "HAMi" and total_mib is not None:
        limits[MEMORY] = str(math.ceil(total_mib))
    unseen = sharing.mode == "RuntimeClass"
    return Access(
        limits=limits,
        claim=context.name(GPU) if sharing.mode == "DRA" else "",
        runtime_class=gpu.runtime_class_name or (RUNTIME_CLASS if unseen else ""),
        env=plain(NVIDIA_VISIBLE_DEVICES="all", NVIDIA_DRIVER_CAPABILITIES="compute,utility") if unseen else [],
    )


def claims(context: Context) -> Iterator[Manifest]:
    """Yield the ResourceClaim that both servers name: whoever is allocated to a claim gets the same GPU.

    An object of its own and no template, which would make one claim, and so one GPU, for each pod. Its spec can never
    change, so that nothing is in it that a user changes often: no budget and no layers.
    """
    if find_sharing(context).mode == "DRA" and gpu_servers(context.stack):
        request = {"name": CLAIM, "exactly": {"deviceClassName": context.stack.spec.gpu.device_class_name}}
        yield context.manifest("resource.k8s.io/v1", "ResourceClaim", GPU, spec={"devices": {"requests": [request]}})


def pod_fields(granted: Access) -> dict[str, Any]:
    """Return the fields of a pod's spec, empty ones left out."""
    claim = [{"name": CLAIM, "resourceClaimName": granted.claim}] if granted.claim else []
    fields: dict[str, Any] = {"runtimeClassName": granted.runtime_class, "resourceClaims": claim}
    return {name: value for name, value in fields.items() if value}


def resources(base: dict[str, Any], granted: Access) -> dict[str, Any]:
    """Return a container's resources with its share of the GPU; the scheduler takes a limit as the request too."""
    claim = {"claims": [{"name": CLAIM}]} if granted.claim else {}
    return {**base, "limits": base["limits"] | granted.limits, **claim}
