"""The shape of the memory plan in status: what answer.py writes. Sizes are MiB."""

from typing import Annotated

from pydantic import Field

from coderag_operator.api.base import Model

Text = Annotated[str, Field(max_length=1024)]
Words = Annotated[tuple[Text, ...], Field(max_length=32)]


def mib(alias: str, description: str) -> float:
    """Return a field of a size in MiB; its name ends in MiB, which no rule of capital letters would give."""
    found: float = Field(alias=alias, description=description)
    return found


class VramTerm(Model):
    """One part of what a server takes."""

    name: Text = Field(description="weights, kv, compute, overhead and the like.")
    mib: float = mib("MiB", "Its size.")
    formula: Text = Field(description="Where it is derived.")


class VramShape(Model):
    """One server as it is planned."""

    gpu_layers: int = Field(description="Layers on the GPU, as --n-gpu-layers takes them.")
    layers: int = Field(description="What full offload is: every block and the output.")
    context_tokens: int = Field(description="Context of one request.")
    slots: int = Field(description="Requests at the same time.")
    kv_type: Text = Field(description="Precision of the key-value cache.")
    ubatch: int = Field(description="Tokens of a prompt that are computed at once.")
    weights_mib: float = mib("weightsMiB", "Weights on the GPU.")
    kv_mib: float = mib("kvMiB", "Key-value cache on the GPU.")
    compute_mib: float = mib("computeMiB", "Buffers of the computation.")
    overhead_mib: float = mib("overheadMiB", "What the process takes beside llama.cpp's buffers.")
    total_mib: float = mib("totalMiB", "All of these.")
    full_offload_mib: float = mib("fullOffloadMiB", "What it would take as asked for with every layer on the GPU.")
    host_mib: float = mib("hostMiB", "Main memory, weights that are mapped from the file included.")
    terms: Annotated[tuple[VramTerm, ...], Field(max_length=32)] = Field(description="The parts on the GPU.")
    host_terms: Annotated[tuple[VramTerm, ...], Field(max_length=32)] = Field(description="The parts in main memory.")


class VramModels(Model):
    """The servers of a plan."""

    chat: VramShape | None = Field(None, description="The chat server.")
    code: VramShape | None = Field(None, description="The code server.")


class VramShortage(Model):
    """What the budget lacks for one part of one server."""

    role: Text = Field(description="chat or code.")
    name: Text = Field(description="The part.")
    needed_mib: float = mib("neededMiB", "What it takes.")
    missing_mib: float = mib("missingMiB", "What of it the budget lacks.")


class VramRefusal(Model):
    """Why nothing is started."""

    deficit_mib: float = mib("deficitMiB", "What is missing in all.")
    cheapest_change: Text = Field(description="The change that gives up what matters least; it was tried.")
    changes: Words = Field(description="Every single change that would do.")
    terms: Annotated[tuple[VramShortage, ...], Field(max_length=32)] = Field(description="What is missing, by part.")


class VramPlan(Model):
    """How both servers share the GPU's memory."""

    fits: bool = Field(description="Whether the servers may be started.")
    budget_mib: int = Field(alias="budgetMiB", description="What both may take.")
    per_server_mib: int | None = Field(None, alias="perServerMiB", description="What one of them may take.")
    budget_source: Text = Field(description="Where that number comes from.")
    sharing: Text = Field(description="How the servers get at the GPU.")
    sharing_reason: Text = Field(description="Why so.")
    total_mib: float = mib("totalMiB", "What both take.")
    headroom_mib: float = mib("headroomMiB", "What is left of the budget.")
    full_offload_mib: float = mib("fullOffloadMiB", "What both would take with every layer on the GPU.")
    build_rule: Text = Field(description="How the server's build places layers and sizes its buffers.")
    models: VramModels = Field(description="The servers.")
    given_up: Words = Field(description="Where the plan has less than was asked for.")
    refusal: VramRefusal | None = Field(None, description="Why it does not fit, and what would.")


class VramBuffers(Model):
    """What one server said of its own buffers when it started."""

    gpu_layers: int = Field(description="Layers that it put on the GPU.")
    layers: int = Field(description="Layers that it has; 0 where it has no GPU backend.")
    weights_mib: float = mib("weightsMiB", "Weights on the GPU.")
    kv_mib: float = mib("kvMiB", "Key-value cache on the GPU.")
    compute_mib: float = mib("computeMiB", "Buffers of the computation on the GPU.")
    total_mib: float = mib("totalMiB", "All of these.")
    host_mib: float = mib("hostMiB", "The same kinds of buffers in main memory.")


class VramMeasured(Model):
    """What the servers said of their own buffers."""

    chat: VramBuffers | None = Field(None, description="The chat server.")
    code: VramBuffers | None = Field(None, description="The code server.")
