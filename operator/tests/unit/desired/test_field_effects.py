"""Every field of the spec does what field_effects.py says, and nothing else."""

from typing import Any

import pytest
from coderag_operator.api.crd import root_schema
from coderag_operator.desired import build
from tests.differences import differences
from tests.field_effects import EFFECTS, Effect
from tests.specs import make_inputs, make_stack


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
    assert found == {child: set(places) for child, places in effect.children.items()}


def test_the_table_covers_every_field_of_the_crd():
    assert {effect.path for effect in EFFECTS} == leaves(root_schema()["properties"]["spec"], "")


def test_only_the_pinned_embedding_model_changes_nothing():
    assert [effect.path for effect in EFFECTS if not effect.children] == ["embedding.model"]
