"""From a stack, the headers of its models and what is known of the GPU to a memory plan for its servers. Pure."""

import math
from collections.abc import Mapping
from dataclasses import replace

from coderag_operator.api import Stack
from coderag_operator.api.gpu import Gpu
from coderag_operator.api.servers import LlamaCpp
from coderag_operator.desired.context import checksum
from coderag_operator.desired.references import local_servers, model_keys
from coderag_operator.observed.outlook import FITS, INFEASIBLE, UNPLANNED, Outlook
from coderag_operator.observed.vram import Measurement, Reading, Shortfall
from coderag_operator.sharing import Sharing
from coderag_operator.vram.answer import given_up
from coderag_operator.vram.budget import Budget, budget_of, under_mps
from coderag_operator.vram.builds import rule_of
from coderag_operator.vram.planner import Plan, plan_memory
from coderag_operator.vram.wish import Wish

UNSUPPORTED = "give a dense model, set spec.gpu.sharing to None, or use models.{role}.external"
NO_BUDGET = (
    "spec.gpu.budgetMiB: nothing tells how much GPU memory there is; set it, or let the operator read nodes "
    "(chart value rbac.readNodes) that carry the label nvidia.com/gpu.memory"
)


def plan_capacity(
    stack: Stack,
    sharing: Sharing,
    geometries: Mapping[str, Reading],
    shortfalls: Mapping[str, Shortfall],
    gpu: Measurement | None = None,
) -> Outlook:
    """Return the outlook of a stack; `gpu` is what was measured while no model server held the GPU."""
    servers = local_servers(stack)
    if sharing.problem is not None:
        return Outlook(*sharing.problem)
    if sharing.mode == "None" or not servers:
        return replace(UNPLANNED, message=f"no GPU memory is planned: {sharing.reason}")
    readings = {role: geometries.get(key) for role, key in model_keys(stack).items()}
    if missing := [role for role, reading in readings.items() if reading is None]:
        return Outlook("HeaderPending", f"the model header of {' and '.join(missing)} has not been read", pending=True)
    for role, reading in readings.items():
        if reading and reading.geometry is None:
            advice = UNSUPPORTED.format(role=role)
            return Outlook("ModelUnsupported", f"spec.models.{role}.llamaCpp: {reading.problem}; {advice}")
    wishes = {role: make_wish(servers[role], reading) for role, reading in readings.items() if reading}
    return plan_wishes(stack, sharing, wishes, shortfalls, gpu)


def make_wish(server: LlamaCpp, reading: Reading) -> Wish:
    """Return what the spec asks for one model; its geometry is known."""
    assert reading.geometry is not None  # noqa: S101  the caller has refused what has none
    layers = server.gpu_layers
    return Wish(
        geometry=reading.geometry,
        context_tokens=server.context_tokens,
        min_context_tokens=server.least_context,
        parallel=server.parallel,
        gpu_layers=layers if isinstance(layers, int) else "All" if layers == "All" else "Auto",
        kv_type=server.kv_cache_type,
        ubatch=server.ubatch_tokens,
    )


def plan_wishes(
    stack: Stack,
    sharing: Sharing,
    wishes: Mapping[str, Wish],
    shortfalls: Mapping[str, Shortfall],
    measurement: Measurement | None,
) -> Outlook:
    """Return the outlook of models whose geometry is known."""
    on_gpu = sum(wish.given_layers != 0 for wish in wishes.values())
    budget = find_budget(stack, sharing, on_gpu, measurement)
    if budget is None:
        return Outlook("BudgetUnknown", NO_BUDGET)
    identities = {role: identify(stack, role, budget) for role in wishes}
    known = {role: one for role, one in shortfalls.items() if one.plan == identities.get(role)}
    missing = {role: one.mib for role, one in known.items()}
    left = leave_free(budget, missing)
    gpu = stack.spec.gpu
    plan = plan_memory(wishes, left.mib, rule_of(gpu.llama_build), float(gpu.context_overhead_mib), left.per_server_mib)
    source = "; ".join([budget.source, *(describe_shortfall(role, one) for role, one in sorted(known.items()))])
    reason, message = (FITS, describe_fit(plan, source)) if plan.fits else (INFEASIBLE, describe_refusal(plan, source))
    return Outlook(reason, message, plan, source, sharing, identities=identities, missing=missing)


def leave_free(budget: Budget, missing: Mapping[str, int]) -> Budget:
    """Return what may be planned with; where each server is held to its part, there is less room in that part too."""
    part = budget.per_server_mib
    held = None if part is None else max(0, part - max(missing.values(), default=0))
    return replace(budget, mib=max(0, budget.mib - sum(missing.values())), per_server_mib=held)


def find_budget(stack: Stack, sharing: Sharing, servers: int, measurement: Measurement | None) -> Budget | None:
    """Return what the servers may take: of the user's number, of a measurement, of the node, in this order."""
    gpu = stack.spec.gpu
    budget = choose_source(gpu, sharing, measurement)
    if budget is None:
        return None
    if sharing.mode == "MPS" and sharing.memory_mib is not None:
        return under_mps(budget, sharing.memory_mib, max(1, sharing.replicas))
    if sharing.mode == "Exclusive" and gpu.budget_mib is None:
        return Budget(budget.mib * max(1, servers), budget.mib, f"{budget.source}, of each server's own GPU")
    return budget


def choose_source(gpu: Gpu, sharing: Sharing, measurement: Measurement | None) -> Budget | None:
    """Return the budget of one GPU from the best source there is, None without any."""
    free = measurement.free_mib if measurement else 0
    budget = budget_of(gpu.budget_mib, free or None, sharing.memory_mib, gpu.reserve_mib, sharing.memory_source)
    if budget is None or gpu.budget_mib is not None or not (measurement and measurement.problem):
        return budget
    return replace(budget, source=f"{budget.source} (not measured: {measurement.problem})")


def identify(stack: Stack, role: str, budget: Budget) -> str:
    """Return a name for what a role's plan is made for, so that what fell short counts for that plan alone."""
    server = local_servers(stack)[role]
    asked = server.model_dump(mode="json", include={"context_tokens", "min_context_tokens", "parallel", "gpu_layers",
                                                    "kv_cache_type", "ubatch_tokens"})  # fmt: skip
    return checksum([model_keys(stack)[role], asked, stack.spec.gpu.llama_build, budget.mib, budget.per_server_mib])


def describe_fit(plan: Plan, source: str) -> str:
    """Return the plan in a sentence."""
    servers = ", ".join(
        f"{role} {model.shape.gpu_layers}/{model.wish.all_layers} layers" for role, model in plan.models.items()
    )
    less = "".join(f"; {one}" for one in given_up(plan))
    return f"{servers}: {math.ceil(plan.total_mib)} of {plan.limits.budget_mib} MiB ({source}){less}"


def describe_refusal(plan: Plan, source: str) -> str:
    """Return what is missing and the cheapest single change that would do."""
    refusal = plan.refusal
    assert refusal is not None  # noqa: S101  only plans that do not fit are described so
    needed = f"the models need {math.ceil(plan.total_mib)} MiB of GPU memory and may take {plan.limits.budget_mib}"
    return f"{needed} ({source}): {math.ceil(refusal.deficit_mib)} MiB are missing; {refusal.cheapest.text}"


def describe_shortfall(role: str, shortfall: Shortfall) -> str:
    """Return what a plan learnt from a server that took more than was planned."""
    return f"less {shortfall.mib} MiB because {role} {shortfall.reason}"
