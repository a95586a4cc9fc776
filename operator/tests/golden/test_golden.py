"""What every case renders, word for word. After a change on purpose: `pytest operator/tests/golden --update-golden`.

base.yaml is the whole of the base stack. The others hold the children that differ from it, in full, and the names of
those that it has and they do not: together the whole render, and a change shows where it happens and nowhere else.
"""

from typing import Any

import pytest
import yaml
from coderag_operator.desired import build
from tests.golden_cases import FOLDER, Case, read_cases

CASES = {case.name: case for case in read_cases()}
Children = dict[str, dict[str, Any]]


class Plain(yaml.SafeDumper):
    """Writes shared parts out in full, and files inside of ConfigMaps line by line."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_str(self, data: str) -> yaml.ScalarNode:
        return self.represent_scalar("tag:yaml.org,2002:str", data, style="|" if "\n" in data else None)


Plain.add_representer(str, Plain.represent_str)


@pytest.fixture(scope="module")
def base() -> Children:
    return render(CASES["base"])


def render(case: Case) -> Children:
    return {f"{child['kind']}/{child['metadata']['name']}": child for child in build(case.stack, case.inputs).objects}


def write(case: Case, base: Children) -> str:
    children, known = render(case), base if case.name != "base" else {}
    frozen = {name: f"{one.reason}: {one.message}" for name, one in build(case.stack, case.inputs).frozen.items()}
    summary = {"frozen": frozen, "absent": sorted(known.keys() - children.keys())}
    changed = [child for name, child in children.items() if known.get(name) != child]
    header = f"# {case.about}\n# Written by `pytest operator/tests/golden --update-golden`.\n"
    return header + yaml.dump_all([summary, *changed], Dumper=Plain, width=140, default_flow_style=None)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_case_renders_as_it_did(case: Case, base: Children, request: pytest.FixtureRequest):
    found = write(case, base)
    if request.config.getoption("--update-golden", default=False):
        case.rendered.parent.mkdir(exist_ok=True)
        case.rendered.write_text(found)
    assert found == case.rendered.read_text()


def test_no_rendered_file_is_left_without_its_case():
    assert {path.stem for path in (FOLDER / "rendered").glob("*.yaml")} == CASES.keys()
