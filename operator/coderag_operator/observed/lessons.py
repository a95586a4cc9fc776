"""What model servers teach about their plan: those that took more than planned, and those that ran out of memory.

A lesson is MiB that the next plan leaves free. It holds for one plan, and there are only so many of them: a server that
still ends after that needs a person.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from coderag_operator.observed.child import Child
from coderag_operator.observed.details import Pod
from coderag_operator.observed.outlook import Outlook
from coderag_operator.observed.serverlog import Buffers, ran_out
from coderag_operator.observed.vram import Measured, Shortfall
from coderag_operator.vram.answer import term_mib
from coderag_operator.vram.planner import ModelPlan, Plan

BUFFERS = ("weights", "kv", "compute")  # the terms of a plan that llama.cpp reports; a context's overhead is none
MOST_LESSONS = 3
TOLERANCE = 0.05  # of what was planned for the buffers
LEAST_STEP_MIB = 256
SEEN_LIMIT = 16


def learn_memory(
    shortfalls: Mapping[str, Shortfall],
    measured: Mapping[str, Measured],
    outlook: Outlook,
    pods: Iterable[Child],
) -> dict[str, Shortfall]:
    """Return what fell short after a look at the servers' measurements and ends; without a plan nothing is learnt."""
    if outlook.plan is None or not outlook.plan.fits:
        return dict(shortfalls)
    learnt = dict(shortfalls)
    ended = list(find_ends(pods))
    for role, model in outlook.plan.models.items():
        before = learnt.get(role)
        known = before if before and before.plan == outlook.identities[role] else fresh(outlook, role)
        spare = spare_mib(outlook.plan, model) if learnt == shortfalls else 0  # counted once, whoever ran out
        now = count_ends(known, model, spare, (key for owner, key in ended if owner == role))
        now = count_excess(now, model, measured.get(role))
        if now != known:
            learnt[role] = now
    return learnt


def fresh(outlook: Outlook, role: str) -> Shortfall:
    """Return that nothing fell short of a plan so far."""
    return Shortfall(outlook.identities[role], 0, 0, "")


def find_ends(pods: Iterable[Child]) -> Iterator[tuple[str, str]]:
    """Yield role and identity of every container that ended for want of the GPU's memory."""
    for pod in pods:
        if isinstance(pod.details, Pod):
            for restart, words in pod.details.crashes:
                if ran_out(words):
                    yield pod.component, f"{pod.uid}/{restart}"


def spare_mib(plan: Plan, model: ModelPlan) -> int:
    """Return what the plan left free for a server, in MiB: it ran out all the same, so that this was never there."""
    part = plan.limits.per_server_mib
    own = plan.headroom_mib if part is None else min(plan.headroom_mib, part - model.estimate.total_mib)
    return max(0, math.floor(own))


def count_ends(shortfall: Shortfall, model: ModelPlan, spare: int, keys: Iterable[str]) -> Shortfall:
    """Count each end once; every one of them takes another twentieth of the plan, beyond what was free anyway."""
    step = max(LEAST_STEP_MIB, math.ceil(model.estimate.total_mib * TOLERANCE))
    for key in keys:
        before, shortfall = shortfall, add(shortfall, key, shortfall.mib + step + spare, "ran out of GPU memory")
        spare = spare if shortfall is before else 0
    return shortfall


def count_excess(shortfall: Shortfall, model: ModelPlan, measured: Measured | None) -> Shortfall:
    """Count a server whose buffers are larger than planned by more than the tolerance."""
    if measured is None or measured.buffers is None or not exceeds(model, measured.buffers):
        return shortfall
    excess = math.ceil(measured.buffers.device - planned_buffers(model))
    return add(shortfall, f"{measured.pod_uid}/measured", max(shortfall.mib, excess), "took more than was planned")


def add(shortfall: Shortfall, key: str, mib: int, reason: str) -> Shortfall:
    """Return the shortfall with one more attempt, unchanged where this one was counted or there were enough."""
    if key in shortfall.seen or shortfall.attempts >= MOST_LESSONS:
        return shortfall
    seen = (*shortfall.seen, key)[-SEEN_LIMIT:]
    return replace(shortfall, mib=mib, attempts=shortfall.attempts + 1, reason=reason, seen=seen)


def exceeds(model: ModelPlan, buffers: Buffers) -> bool:
    """Tell whether a server took more than planned, beyond the tolerance."""
    return buffers.device > planned_buffers(model) * (1 + TOLERANCE)


def planned_buffers(model: ModelPlan) -> float:
    """Return what was planned for llama.cpp's own buffers, in MiB: the rest of a process is not in its log."""
    return sum(term_mib(model.estimate, name) for name in BUFFERS)
