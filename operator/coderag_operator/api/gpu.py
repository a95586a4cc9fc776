"""How the model servers share the GPU, where it is, and how much of it they may take."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from coderag_operator.api.base import Model, Rule
from coderag_operator.api.parts import NodeSelector, ObjectName, Tolerations

LARGEST_MIB = 1048576  # 1 TiB

# How a server gets at the GPU. Auto is a wish and never one of them.
Mode = Literal["TimeSlicing", "MPS", "DRA", "HAMi", "RuntimeClass", "Exclusive", "None"]


class Gpu(Model):
    """How the model servers share the GPU, and where it is."""

    RULES: ClassVar = (
        Rule(
            cel="!has(self.budgetMiB) || !has(self.contextOverheadMiB) || self.contextOverheadMiB < self.budgetMiB",
            message="contextOverheadMiB takes the whole of budgetMiB",
            remedy="raise budgetMiB or lower contextOverheadMiB",
            holds=lambda gpu: gpu.budget_mib is None or gpu.context_overhead_mib < gpu.budget_mib,
            field="budgetMiB",
        ),
    )

    sharing: Literal["Auto", "TimeSlicing", "MPS", "DRA", "HAMi", "RuntimeClass", "Exclusive", "None"] = Field(
        "Auto",
        description="How the model servers get at the GPU; docs/gpu-sharing.md says what each needs and isolates. "
        "Auto: what the nodes offer, as their labels tell. "
        "TimeSlicing, MPS: a share each of one GPU that the device plugin offers several times. "
        "DRA: one ResourceClaim for both. "
        "HAMi: a share each with the planned memory as its limit. "
        "RuntimeClass: every GPU of the node, unseen by the scheduler. "
        "Exclusive: a whole GPU, or a MIG slice, for each. "
        "None: both models run on the CPU.",
    )
    budget_mib: Annotated[int, Field(ge=256, le=LARGEST_MIB)] | None = Field(
        None,
        alias="budgetMiB",
        description="MiB of GPU memory that both servers together may use, taken as it is; left out: measured, else "
        "the node's label minus reserveMiB.",
    )
    reserve_mib: Annotated[int, Field(ge=0, le=LARGEST_MIB)] = Field(
        512,
        alias="reserveMiB",
        description="MiB that stay free where the budget comes from the node: its label counts as there what driver "
        "and display keep. About 1100 under WSL2.",
    )
    context_overhead_mib: Annotated[int, Field(ge=0, le=65536)] = Field(
        320, alias="contextOverheadMiB", description="MiB that each process takes beside llama.cpp's buffers."
    )
    llama_build: Annotated[int, Field(ge=1, le=999999)] | None = Field(
        None,
        description="Build number of llama.cpp in images.llama, the digits of its version bNNNN: what it takes of the "
        "GPU follows from it. Left out, the build of the default image.",
    )
    runtime_class_name: ObjectName | None = Field(
        None,
        description="RuntimeClass of pods on the GPU; it must exist. Left out, nvidia with sharing RuntimeClass and "
        "the node's default with the others.",
    )
    device_class_name: ObjectName = Field(
        "gpu.nvidia.com", description="DeviceClass that the ResourceClaim of sharing DRA asks for; it must exist."
    )
    node_selector: NodeSelector = Field(
        default_factory=dict, description="Labels of the nodes that run model servers and fetch models."
    )
    tolerations: Tolerations = Field(default=(), description="Taints that these pods accept.")
