"""Every field of the spec does what field_effects.py says, and nothing else."""

from typing import Any

import pytest
from coderag_operator.api.crd import root_schema
from coderag_operator.desired import build
from tests.differences import differences, mirrored
from tests.field_effects import EFFECTS, Effect
from tests.specs import make_inputs, make_stack

SERVERS = ("Deployment/chat", "Deployment/code")
REVISION = "template.metadata.annotations.coderag.dev/revision"  # follows every change of a model server's template
STEERING = {
    "failover.dwell", "failover.failbackAfter", "failover.failoverAfter", "failover.flapWindow", "failover.stallAfter",
    "rollout.progressDeadline",
}  # fmt: skip
"""What steers the operator itself and no child: tests/unit/failover shows what each of them does."""
PLANNING = {
    "models.chat.llamaCpp.minContextTokens", "models.code.llamaCpp.minContextTokens",
    "gpu.budgetMiB", "gpu.reserveMiB", "gpu.contextOverheadMiB", "gpu.llamaBuild",
}  # fmt: skip
"""What the VRAM plan reads and no builder: tests/unit/test_outlook.py shows what each of them does."""


def in_template(place: str) -> bool:
    return place.startswith(("template.", "pod.", "container."))


def leaves(schema: dict[str, Any], path: str) -> set[str]:
    if "properties" in schema:
        children = schema["properties"].items()
        return {leaf for name, child in children for leaf in leaves(child, f"{path}.{name}" if path else name)}
    if "items" in schema:
        return leaves(schema["items"], f"{path}[]")
    return {path}


def render(*patches: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    stack = make_stack(*patches)
    return build(stack, make_inputs(stack)).objects


@pytest.mark.parametrize("effect", EFFECTS, ids=lambda effect: effect.path)
def test_a_field_changes_its_children_and_nothing_else(effect: Effect):
    found = differences(render(effect.start), render(effect.start, effect.change), "demo")
    marked = {child for child, places in found.items() if REVISION in places}
    assert marked == {child for child, places in found.items() if child in SERVERS and any(map(in_template, places))}
    others = {child: places - {REVISION} - mirrored(places) for child, places in found.items()}
    assert others == {child: set(places) for child, places in effect.children.items()}


def test_the_table_covers_every_field_of_the_crd():
    assert {effect.path for effect in EFFECTS} == leaves(root_schema()["properties"]["spec"], "")


def test_only_what_steers_operator_or_plan_changes_no_child():
    assert {effect.path for effect in EFFECTS if not effect.children} == STEERING | PLANNING
