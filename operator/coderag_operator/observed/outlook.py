"""What a pass knows about the memory of the model servers before it builds them: a plan, or why there is none yet."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from coderag_operator.sharing import Sharing
from coderag_operator.vram.planner import Plan
from coderag_operator.vram.terms import Shape

NO_GPU = Sharing("None", "no model server uses a GPU")
NOT_NEEDED, FITS, INFEASIBLE = "NotNeeded", "Fits", "Infeasible"


@dataclass(frozen=True)
class Outlook:
    """The plan with where its budget came from, and what it means for the stack.

    `reason` and `message` are those of the condition VramPlanned. `pending`: it changes by itself. `blocked`: model
    servers must be left as they are. `identities` name what each role's plan was made for: another file, another size,
    another build give another name. `missing` is what each server fell short of so far, in MiB: it is left free.
    """

    reason: str
    message: str
    plan: Plan | None = None
    budget_source: str = ""
    sharing: Sharing = NO_GPU
    pending: bool = False
    identities: Mapping[str, str] = field(default_factory=dict)
    missing: Mapping[str, int] = field(default_factory=dict)

    @property
    def needed(self) -> bool:
        """Tell whether any server uses a GPU."""
        return self.reason != NOT_NEEDED

    @property
    def blocked(self) -> bool:
        """Tell whether no model server may be started or changed."""
        return self.reason not in (NOT_NEEDED, FITS)

    @property
    def shapes(self) -> dict[str, Shape]:
        """Return how each role's server is to be started, empty without a plan that fits."""
        return {role: model.shape for role, model in self.plan.models.items()} if self.plan and self.plan.fits else {}


MEASURING = Outlook("Measuring", "what is free of the GPU is being measured", pending=True)
UNPLANNED = Outlook(NOT_NEEDED, "no model server uses a GPU")
