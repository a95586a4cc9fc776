"""The cards and models that the golden table answers for, and the question that this project began with."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from coderag_operator.vram.budget import labelled
from coderag_operator.vram.builds import rule_of
from coderag_operator.vram.planner import Plan, Wish, plan_memory
from coderag_operator.vram.table import to_table
from tests.support.published_models import CHAT_3B, CODE_7B

CARDS = {"6 GB": 6141, "8 GB": 8188, "12 GB": 12282, "24 GB": 24564}  # nvidia.com/gpu.memory of such cards
BUILDS: dict[str, int | None] = {"before Dec 2025": 7000, "before June 2026": 9000, "since June 2026": None}
CHAT = Wish(CHAT_3B, context_tokens=4096, min_context_tokens=2048, parallel=2)
CODE = Wish(CODE_7B, context_tokens=4096, min_context_tokens=2048, parallel=2)
MODELS = {
    "3B + 7B": {"chat": CHAT, "code": CODE},
    "3B all + 7B at 20": {"chat": replace(CHAT, gpu_layers="All"), "code": replace(CODE, gpu_layers=20)},
    "7B + 7B": {"chat": replace(CHAT, geometry=CODE_7B), "code": CODE},
    "3B alone": {"chat": CHAT},
    "7B alone": {"code": CODE},
}
HEADER = (
    "| card | MiB | models | llama.cpp | answer | layers chat | layers code | context | KV | batch | total | left |"
)
NONE = "–"


@dataclass(frozen=True)
class Scenario:
    """One line of the table."""

    card: str
    models: str
    build: str
    plan: Plan

    @property
    def line(self) -> str:
        """The line in Markdown."""
        models, shapes = self.plan.models, [model.shape for model in self.plan.models.values()]
        layers = [
            f"{models[role].shape.gpu_layers}/{models[role].wish.all_layers}" if role in models else NONE
            for role in ("chat", "code")
        ]
        cells = [
            self.card, self.plan.limits.budget_mib, self.models, self.build, self._answer(), *layers,
            min(shape.context_tokens for shape in shapes), shapes[0].kv_type, shapes[0].ubatch,
            f"{self.plan.total_mib:.0f}", f"{self.plan.headroom_mib:.0f}",
        ]  # fmt: skip
        return f"| {' | '.join(str(cell) for cell in cells)} |"

    def _answer(self) -> str:
        return "fits" if self.plan.refusal is None else f"no; {self.plan.refusal.cheapest.text}"


def scenarios() -> Iterator[Scenario]:
    """Yield every card with all models under every generation of builds."""
    for card, label in CARDS.items():
        for models, wishes in MODELS.items():
            for build, number in BUILDS.items():
                plan = plan_memory(wishes, labelled(label).mib, rule_of(number))
                yield Scenario(card, models, build, plan)


def table(build: str | None = None) -> str:
    """Return the scenarios as a table in Markdown, of one generation of builds or of all."""
    lines = [one.line for one in scenarios() if build in (None, one.build)]
    return "\n".join([HEADER, "|---" * HEADER.count(" | ") + "|---|", *lines]) + "\n"


def question(build: int | None, budget_mib: int, overhead_mib: float = 320) -> Plan:
    """Return the plan for the whole 3B and the 7B with 20 layers, with nothing given up: four slots of 1024 tokens."""
    asked: dict[str, Any] = {
        "context_tokens": 1024,
        "min_context_tokens": 1024,
        "parallel": 4,
        "kv_type": "f16",
        "ubatch": 512,
    }
    chat, code = Wish(CHAT_3B, gpu_layers="All", **asked), Wish(CODE_7B, gpu_layers=20, **asked)
    return plan_memory({"chat": chat, "code": code}, budget_mib, rule_of(build), overhead_mib)


def answers() -> Iterator[str]:
    """Yield the answer for each generation of builds: in what the card is sold as, and in what can be used of it."""
    for name, build in BUILDS.items():
        for budget, words in ((6144, "all of 6 GB"), (labelled(CARDS["6 GB"]).mib, labelled(CARDS["6 GB"]).source)):
            yield f"## llama.cpp {name}, {budget} MiB: {words}\n\n{to_table(question(build, budget))}"
