"""What every child of every valid stack has to be: hypothesis draws the stacks."""

from typing import Any

import pytest
from coderag_operator.api.stack import InvalidSpec, good_name
from coderag_operator.desired import COMPONENTS, Desired, build
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from tests.field_effects import EFFECTS
from tests.specs import BASE, make_inputs, make_stack, merge

# Fields of the table, several at once.
STARTS = [merge(effect.start, effect.change) for effect in EFFECTS if not effect.path.startswith(("gpu", "models."))]
MODELS = [merge(effect.start, effect.change) for effect in EFFECTS if effect.path.startswith(("gpu", "models."))]
# One patch for each section of the spec: two may exclude each other, as the two sources of certificates do.
PATCHES = st.tuples(st.lists(st.sampled_from(STARTS), max_size=6), st.sampled_from(MODELS)).map(
    lambda drawn: [*{next(iter(patch)): patch for patch in drawn[0]}.values(), drawn[1]]
)
NAMES = st.from_regex(r"[a-z]([-a-z0-9]{0,22}[a-z0-9])?", fullmatch=True).filter(good_name)
METADATA = {"name", "namespace", "labels", "annotations", "ownerReferences"}
COMPONENT = "app.kubernetes.io/component"


def render(patches: list[dict[str, Any]], name: str) -> Desired:
    try:
        stack = make_stack(*patches, name=name)
    except InvalidSpec:  # one section names what another one's patch replaced, such as a repository
        reject()
    return build(stack, make_inputs(stack))


def pod_specs(desired: Desired) -> list[dict[str, Any]]:
    return [child["spec"]["template"]["spec"] for child in desired.objects if "template" in child.get("spec", {})]


@settings(max_examples=60, deadline=None)
@given(PATCHES, NAMES)
def test_every_valid_stack_renders_to_children_that_obey_the_rules(patches: list[dict[str, Any]], name: str):
    desired = render(patches, name)
    assert desired.frozen == {}
    check_names(desired, name)
    for child in desired.objects:
        check_body(child, name)
    for spec in pod_specs(desired):
        check_restricted(spec)
        check_complete(spec)


def check_names(desired: Desired, stack: str) -> None:
    keys = [(child["kind"], child["metadata"]["name"]) for child in desired.objects]
    assert keys == sorted(set(keys))
    assert all(name.startswith(f"{stack}-") and len(name) <= 52 for _, name in keys), (
        "52 leaves room for a pod's suffix"
    )


def check_body(child: dict[str, Any], stack: str) -> None:
    assert child.keys() <= {"apiVersion", "kind", "metadata", "spec", "data", "automountServiceAccountToken"}
    assert child["metadata"].keys() <= METADATA
    assert child["metadata"]["labels"]["coderag.dev/stack"] == stack
    assert child["metadata"]["labels"][COMPONENT] in COMPONENTS
    owners = child["metadata"].get("ownerReferences", [])
    assert all(owner["controller"] and not owner["blockOwnerDeletion"] for owner in owners)
    assert owners or child["kind"] == "PersistentVolumeClaim"
    selector = child.get("spec", {}).get("selector", {}).get("matchLabels", {})
    if child["kind"] in {"Deployment", "StatefulSet"}:
        assert {key.rpartition("/")[2] for key in selector} == {"name", "instance", "component"}
        assert selector.items() <= child["spec"]["template"]["metadata"]["labels"].items()


def check_restricted(spec: dict[str, Any]) -> None:
    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    (container,) = spec["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    sources = {key for volume in spec["volumes"] for key in volume if key != "name"}
    assert sources <= {"emptyDir", "configMap", "secret", "persistentVolumeClaim"}


def check_complete(spec: dict[str, Any]) -> None:
    (container,) = spec["containers"]
    for side in ("requests", "limits"):
        assert {"cpu", "memory", "ephemeral-storage"} <= container["resources"][side].keys()
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in spec["volumes"]}
    assert len({entry["name"] for entry in container.get("env", [])}) == len(container.get("env", []))
    if spec["restartPolicy"] == "Always":
        probes = [container[kind] for kind in ("startupProbe", "readinessProbe", "livenessProbe")]
        assert {probe["httpGet"]["port"] for probe in probes} == {"http"}
        assert all(port["protocol"] for port in container["ports"])


@settings(max_examples=15, deadline=None)
@given(PATCHES)
def test_equal_arguments_give_equal_objects(patches: list[dict[str, Any]]):
    assert render(patches, "demo") == render(patches, "demo")


@settings(max_examples=15, deadline=None)
@given(st.permutations([{"name": name, "url": f"https://git.example.com/{name}"} for name in "abc"]))
def test_the_order_of_repositories_does_not_matter(repositories: list[dict[str, str]]):
    in_order = sorted(repositories, key=lambda one: one["name"])
    assert render([{"repositories": repositories}], "demo") == render([{"repositories": in_order}], "demo")


@pytest.mark.parametrize("word", [*COMPONENTS, "fetch", "fetch-chat", "a"])
def test_two_stacks_in_one_namespace_share_no_name(word: str):
    first, second = (render([], name) for name in ("demo", f"demo-{word}"))
    names = [{(child["kind"], child["metadata"]["name"]) for child in one.objects} for one in (first, second)]
    assert names[0].isdisjoint(names[1])


def test_the_spec_is_not_changed_by_building():
    before = repr(BASE)
    render([], "demo")
    assert repr(BASE) == before
