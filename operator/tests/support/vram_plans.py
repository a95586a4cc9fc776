"""Plans of the published models that several tests look at."""

from typing import Any

from coderag_operator.vram.builds import NEW
from coderag_operator.vram.planner import Plan, Wish, plan_memory
from tests.support.published_models import CHAT_3B, CODE_7B

CARD_6GB = 5373  # a label of 6141 MiB less the driver's part and a margin


def make_plan(budget_mib: int = CARD_6GB, *, roles: tuple[str, ...] = ("chat", "code"), **changes: Any) -> Plan:
    """Return a plan for one request at a time; changes go to both wishes."""
    wish: dict[str, Any] = {"context_tokens": 4096, "min_context_tokens": 2048, "parallel": 1}
    geometries = {"chat": CHAT_3B, "code": CODE_7B}
    per_server = changes.pop("per_server_mib", None)
    wishes = {role: Wish(geometries[role], **wish | changes) for role in roles}
    return plan_memory(wishes, budget_mib, NEW, per_server_mib=per_server)
