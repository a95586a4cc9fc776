"""Every field of the spec, on a real API server: a changed value changes its own children, live, and nothing else."""

import asyncio
import copy
import itertools
import json
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from coderag_operator.api import parse
from coderag_operator.desired import build
from coderag_operator.execute import Executor
from coderag_operator.kube.api import ApiKube, load_configuration
from coderag_operator.kube.cache import Memory
from coderag_operator.kube.kinds import BY_NAME, Kind
from coderag_operator.observed.child import Child
from coderag_operator.plan import plan
from tests.differences import differences, mirrored
from tests.field_effects import EFFECTS, Effect
from tests.integration.conftest import Namespace, Plane
from tests.specs import BASE, make_inputs, merge
from tests.support.live_api import MERGE, Live

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]
REVISION = "template.metadata.annotations.coderag.dev/revision"  # follows every change of a model server's template
SERVERS_OWN = ("resourceVersion", "generation", "managedFields", "uid", "creationTimestamp")
NAMES = itertools.count(1)
Objects = list[dict[str, Any]]


class RecordingKube(ApiKube):
    """The API server, with every object kept as it came back from its last apply."""

    def __init__(self) -> None:
        super().__init__(load_configuration(connections=2))
        self.live: dict[tuple[str, str], dict[str, Any]] = {}

    def apply(self, manifest: dict[str, Any]) -> dict[str, Any]:
        live = super().apply(manifest)
        self.live[manifest["kind"], manifest["metadata"]["name"]] = live
        return live

    def delete(self, kind: Kind, namespace: str, name: str, uid: str, grace: int | None = None) -> bool:
        self.live.pop((kind.name, name), None)
        return super().delete(kind, namespace, name, uid, grace)


class LiveStack:
    """One stack on the API server, whose children are applied by the operator's own planner and executor."""

    def __init__(self, namespace: Namespace, kube: RecordingKube, name: str = "") -> None:
        self.namespace, self.kube, self.memory = namespace, kube, Memory()
        self.name = name or f"s{next(NAMES)}"
        self.children: dict[tuple[str, str], Child] = {}
        kube.live.clear()

    @property
    def path(self) -> str:
        return f"/apis/coderag.dev/v1alpha1/namespaces/{self.namespace.name}/coderagstacks"

    async def create(self, spec: dict[str, Any]) -> None:
        metadata = {"name": self.name}
        body = {"apiVersion": "coderag.dev/v1alpha1", "kind": "CodeRagStack", "metadata": metadata, "spec": spec}
        await self.namespace.live.call("POST", self.path, body)

    async def set(self, spec: dict[str, Any]) -> None:
        """Replace the whole spec."""
        live: Live = self.namespace.live
        body = await live.call("GET", f"{self.path}/{self.name}")
        await live.call("PUT", f"{self.path}/{self.name}", body | {"spec": spec})

    async def follow(self) -> list[dict[str, Any]]:
        """Bring the children to the spec, and return them as the API server holds them."""
        body = await self.namespace.live.call("GET", f"{self.path}/{self.name}")
        return await asyncio.to_thread(self._follow, body)

    def _follow(self, body: dict[str, Any]) -> list[dict[str, Any]]:
        stack = parse(body)
        desired = build(stack, make_inputs(stack))
        planned = plan(desired, self.children.values(), stack.uid, self.memory.applied)
        done = Executor(self.kube, self.memory, stack.uid, self.children).carry_out(planned, ())
        assert (done.problems, done.transient) == ([], None)
        return [strip(one) for one in self.kube.live.values()]

    async def remove(self) -> None:
        """Delete the stack and, as no garbage collector runs here, its children."""
        live = self.namespace.live
        await live.call("DELETE", f"{self.path}/{self.name}")
        for (kind, name), child in self.children.items():
            where = BY_NAME[kind].path(self.namespace.name, name)
            self.kube.delete(BY_NAME[kind], self.namespace.name, name, child.uid)
            if await live.find(where):  # a claim waits for a controller that takes its finalizer away
                await live.call("PATCH", where, {"metadata": {"finalizers": None}}, MERGE)


def strip(live: dict[str, Any]) -> dict[str, Any]:
    """Return what somebody wanted an object to be, with the API server's defaults and without its bookkeeping."""
    made = copy.deepcopy({key: value for key, value in live.items() if key != "status"})
    made["metadata"] = {key: value for key, value in made["metadata"].items() if key not in SERVERS_OWN}
    for owner in made["metadata"].get("ownerReferences", []):
        owner.pop("uid")
    if live["kind"] == "Service":
        made["spec"] = {key: value for key, value in made["spec"].items() if not key.startswith("clusterIP")}
    if live["kind"] == "Job":
        made["spec"].pop("selector")
        labels = made["spec"]["template"]["metadata"]["labels"]
        for name in [name for name in labels if name.endswith(("controller-uid", "job-name"))]:
            labels.pop(name)
    return made


def group(effects: Iterable[Effect]) -> dict[str, list[Effect]]:
    """Return the effects by what their stack starts from."""
    groups: dict[str, list[Effect]] = {}
    for effect in effects:
        groups.setdefault(json.dumps(effect.start, sort_keys=True), []).append(effect)
    return groups


# A claim that is bound to no volume keeps its size, and none here is bound.
FIXED = [effect for effect in EFFECTS if effect.at_creation or effect.path.endswith(".size")]
GROUPS = group(effect for effect in EFFECTS if effect not in FIXED)


@pytest.fixture
def kube(plane: Plane, monkeypatch: pytest.MonkeyPatch) -> Iterator[RecordingKube]:
    """The API server as the operator's account sees it."""
    monkeypatch.setenv("KUBECONFIG", str(plane.operator))
    made = RecordingKube()
    yield made
    made.close()


@pytest.mark.parametrize("part", range(4))
async def test_each_field_changes_its_live_children_and_nothing_else(
    part: int, namespace: Namespace, kube: RecordingKube
) -> None:
    wrong = []
    for effects in list(GROUPS.values())[part::4]:
        start = merge(BASE, effects[0].start)
        stack = LiveStack(namespace, kube)
        await stack.create(start)
        before = await stack.follow()
        for effect in effects:
            await stack.set(merge(start, effect.change))
            wrong += judge(effect, before, await stack.follow(), stack.name)
            await stack.set(start)
            if differences(before, await stack.follow(), stack.name):
                wrong.append((effect.path, "is not put back", {}))
    assert wrong == []


@pytest.mark.parametrize("effect", FIXED, ids=lambda effect: effect.path)
async def test_a_field_that_is_fixed_at_creation_makes_other_children_then(
    effect: Effect, namespace: Namespace, kube: RecordingKube
) -> None:
    made = []
    for spec in (merge(BASE, effect.start), merge(merge(BASE, effect.start), effect.change)):
        stack = LiveStack(namespace, kube, "fixed")
        await stack.create(spec)
        made.append(await stack.follow())
        await stack.remove()
    assert judge(effect, *made, "fixed") == []


def judge(effect: Effect, before: Objects, after: Objects, name: str) -> list[Any]:
    """Return what differs otherwise than the table says."""
    changed = differences(before, after, name).items()
    found = {child: places - {REVISION} - mirrored(places) for child, places in changed}
    found = {child: places for child, places in found.items() if places}
    told = {child: set(places) for child, places in effect.children.items()}
    return [] if found == told else [(effect.path, found, told)]
