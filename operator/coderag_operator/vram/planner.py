"""One plan for all model servers on a device: the best that fits, or a refusal that says what would."""

from collections.abc import Mapping
from dataclasses import dataclass

from coderag_operator.vram.advice import Refusal, refuse
from coderag_operator.vram.builds import BuildRule
from coderag_operator.vram.estimate import Estimate
from coderag_operator.vram.search import KV_TYPES, UBATCHES, Search
from coderag_operator.vram.terms import Shape
from coderag_operator.vram.wish import Limits, Wish

__all__ = ["ModelPlan", "Plan", "Wish", "plan_memory"]

OVERHEAD_MIB = 320.0  # what a CUDA context takes where nothing was measured (docs/vram.md#overhead)


@dataclass(frozen=True, slots=True)
class ModelPlan:
    """One server of a plan, and what it would take as wished for with every layer on the device."""

    wish: Wish
    shape: Shape
    estimate: Estimate
    in_full: Estimate


@dataclass(frozen=True, slots=True)
class Plan:
    """The servers by role, chat first. With a refusal they are the least that may be, and do not fit."""

    limits: Limits
    rule: BuildRule
    models: Mapping[str, ModelPlan]
    refusal: Refusal | None

    @property
    def fits(self) -> bool:
        """Whether the servers may be started."""
        return self.refusal is None

    @property
    def total_mib(self) -> float:
        """What the servers take together, in MiB."""
        return sum(model.estimate.total_mib for model in self.models.values())

    @property
    def headroom_mib(self) -> float:
        """What is left of the budget in MiB; below zero when the servers do not fit."""
        return self.limits.budget_mib - self.total_mib


def plan_memory(
    wishes: Mapping[str, Wish],
    budget_mib: int,
    rule: BuildRule,
    overhead_mib: float = OVERHEAD_MIB,
    per_server_mib: int | None = None,
) -> Plan:
    """Return the best plan for the roles chat and code, one or both, in the order of docs/vram-plan.md#order.

    Sizes are in MiB. `per_server_mib` is what one server may take where the device is split between them.
    """
    limits = Limits(budget_mib, per_server_mib)
    search = Search(wishes, rule, overhead_mib)
    found = search.best(limits)
    shapes = search.least() if found is None else found
    estimates = search.estimates(shapes)
    in_full = search.estimates({role: _in_full(wishes[role]) for role in shapes})
    models = {role: ModelPlan(wishes[role], shapes[role], estimates[role], in_full[role]) for role in shapes}
    refusal = refuse(search, wishes, limits, rule) if found is None else None
    return Plan(limits, rule, models, refusal)


def _in_full(wish: Wish) -> Shape:
    kv_type = KV_TYPES[0] if wish.kv_type == "Auto" else wish.kv_type
    return Shape(wish.all_layers, wish.context_tokens, wish.parallel, kv_type, wish.ubatch or UBATCHES[0])
