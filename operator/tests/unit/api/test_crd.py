"""The CRD is structural, described, bounded, and fills in the same defaults as the operator."""

import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from coderag_operator.api import StackSpec, parse
from coderag_operator.api.crd import definition, render, root_schema
from tests.specs import BASE, make_body

SPEC = root_schema()["properties"]["spec"]
STATUS = root_schema()["properties"]["status"]
REPOSITORY = Path(__file__).parents[4]
FORBIDDEN = {"$ref", "anyOf", "allOf", "oneOf", "const", "title", "propertyNames", "$defs"}


def walk(schema: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, schema
    for name, child in schema.get("properties", {}).items():
        yield from walk(child, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if key in schema:
            yield from walk(schema[key], f"{path}[]")


NODES = [*walk(SPEC, "spec"), *walk(STATUS, "status")]


def test_the_schema_is_structural():
    assert [path for path, node in NODES if FORBIDDEN & node.keys()] == []
    assert [path for path, node in NODES if "type" not in node and "x-kubernetes-int-or-string" not in node] == []


def test_every_field_is_described():
    inner = [(path, node) for path, node in NODES if not path.endswith("[]")]
    assert [path for path, node in inner if not node.get("description", "").endswith((".", "}", ")"))] == []


def test_everything_of_the_spec_is_bounded():
    bounds = {"string": {"maxLength", "enum"}, "integer": {"maximum"}, "array": {"maxItems"}}
    unbounded = [
        path
        for path, node in walk(SPEC, "spec")
        if (wanted := bounds.get(node.get("type", ""))) and not wanted & node.keys()
    ]
    assert unbounded == []
    maps = [path for path, node in walk(SPEC, "spec") if "additionalProperties" in node and "maxProperties" not in node]
    assert maps == []


def test_a_required_field_says_why():
    silent = [
        f"{path}.{name}"
        for path, node in walk(SPEC, "spec")
        for name in node.get("required", [])
        if "Required" not in node["properties"][name]["description"]
    ]
    assert silent == []


def test_every_rule_says_what_is_wrong_and_what_to_do():
    rules = [rule for _, node in NODES for rule in node.get("x-kubernetes-validations", [])]
    assert len(rules) > 30
    assert [rule for rule in rules if ": " not in rule["message"]] == []


def fill(schema: dict[str, Any], value: Any) -> Any:
    """Fill in defaults as the API server does."""
    if isinstance(value, list):
        return [fill(schema.get("items", {}), one) for one in value]
    if not isinstance(value, dict):
        return value
    filled = {name: fill(schema.get("properties", {}).get(name, {}), one) for name, one in value.items()}
    for name, child in schema.get("properties", {}).items():
        if name not in filled and "default" in child:
            filled[name] = fill(child, child["default"])
    return filled


def test_the_api_server_and_the_operator_fill_in_the_same_defaults():
    filled = fill(SPEC, BASE)
    assert parse(make_body(filled)).spec == parse(make_body(BASE)).spec
    again = parse(make_body(BASE)).spec.model_dump(by_alias=True, exclude_none=True)
    assert StackSpec.model_validate(filled).model_dump(by_alias=True, exclude_none=True) == again


def test_a_stack_that_nobody_has_seen_does_not_look_finished():
    conditions = {one["type"]: one["status"] for one in STATUS["default"]["conditions"]}
    assert conditions == {"Ready": "Unknown", "Reconciling": "True"}


def test_nothing_of_the_status_but_the_whole_has_a_default():
    assert [path for path, node in walk(STATUS, "status") if "default" in node] == ["status"]


def test_the_columns_are_the_documented_ones():
    version = definition()["spec"]["versions"][0]
    assert [column["name"] for column in version["additionalPrinterColumns"]] == [
        "Ready",
        "Reason",
        "Serving",
        "VRAM",
        "Indexed",
        "Age",
    ]
    assert definition()["spec"]["names"]["shortNames"] == ["crs"]
    assert version["subresources"] == {"status": {}}


@pytest.mark.parametrize("path", ["crds/coderagstacks.coderag.dev.yaml"])
def test_the_written_file_is_the_generated_one(path: str):
    assert (REPOSITORY / path).read_text() == render()


@pytest.mark.parametrize("path", sorted((REPOSITORY / "examples").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_example_is_valid(path: Path):
    body = yaml.safe_load(path.read_text())
    parse(make_body(body["spec"], body["metadata"]["name"]))


def test_the_module_prints_what_it_generates(capsys: pytest.CaptureFixture[str]):
    runpy.run_path(str(REPOSITORY / "operator/coderag_operator/api/crd.py"), run_name="__main__")
    assert capsys.readouterr().out == render()
