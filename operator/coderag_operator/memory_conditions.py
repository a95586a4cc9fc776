"""The conditions that speak of GPU memory: whether the plan fits, and whether the servers report what was planned."""

from coderag_operator.observed.lessons import TOLERANCE, planned_buffers
from coderag_operator.observed.serverlog import Buffers
from coderag_operator.observed.view import View
from coderag_operator.verdict import FALSE, TRUE, UNKNOWN, Verdict
from coderag_operator.vram.planner import ModelPlan

PLANNED, OFFLOADED = "VramPlanned", "OffloadAsPlanned"


def judge_memory(view: View) -> Verdict:
    """VramPlanned: the model servers fit into the GPU's memory together, or need none of it."""
    if view.invalid:
        return Verdict(PLANNED, UNKNOWN, "InvalidSpec", "what has to be planned cannot be told")
    outlook = view.outlook
    status = UNKNOWN if outlook.pending else FALSE if outlook.blocked else TRUE
    return Verdict(PLANNED, status, outlook.reason, outlook.message)


def judge_offload(view: View) -> Verdict:
    """OffloadAsPlanned: what the servers say of their layers and buffers is what was planned."""
    if view.invalid:
        return Verdict(OFFLOADED, UNKNOWN, "InvalidSpec", "what has to be planned cannot be told")
    if not view.outlook.needed:
        return Verdict(OFFLOADED, TRUE, "NotNeeded", "no model server uses a GPU")
    plan = view.outlook.plan
    if plan is None or view.outlook.blocked:
        return Verdict(OFFLOADED, UNKNOWN, "NotPlanned", "there is no plan that fits")
    told: list[str] = []
    for role, model in plan.models.items():
        measured = view.measured.get(role)
        if measured is None:
            return Verdict(OFFLOADED, UNKNOWN, "NotMeasured", f"the server of {role} has not told its buffers yet")
        if measured.buffers is None:
            return Verdict(OFFLOADED, UNKNOWN, "NotInLog", f"the log of {role} tells nothing about its buffers")
        if wrong := compare(role, model, measured.buffers):
            return wrong
        told.append(describe(role, model, measured.buffers))
    return Verdict(OFFLOADED, TRUE, "AsPlanned", "; ".join(told))


def compare(role: str, model: ModelPlan, buffers: Buffers) -> Verdict | None:
    """Return what differs between plan and server, None when nothing does that matters."""
    wanted = model.shape.gpu_layers
    if wanted and not buffers.layers:
        text = f"the server of {role} put no layer on a GPU: its image has no GPU backend, or its node no driver"
        return Verdict(OFFLOADED, FALSE, "NoDevice", text)
    if buffers.offloaded != wanted:
        text = f"{role} put {buffers.offloaded} of {buffers.layers} layers on the GPU, {wanted} were planned"
        return Verdict(OFFLOADED, FALSE, "LayersDiffer", text)
    planned = planned_buffers(model)
    if abs(buffers.device - planned) > TOLERANCE * planned:
        return Verdict(OFFLOADED, FALSE, "SizesDiffer", describe(role, model, buffers))
    return None


def describe(role: str, model: ModelPlan, buffers: Buffers) -> str:
    """Return what a server's buffers take beside what was planned for them."""
    return f"buffers of {role}: {buffers.device:.0f} MiB, {planned_buffers(model):.0f} planned"
