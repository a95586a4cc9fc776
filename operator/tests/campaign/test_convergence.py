"""Whatever happens to the operator, a stack ends where an undisturbed run ends, and then nothing is written.

CODERAG_CAMPAIGN=full tries every crash point and every pair of specs; without it a sample, for the inner loop.
"""

import copy
import itertools
import os

import pytest
from coderag_operator.errors import Transient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.memory_kube import Crash
from tests.support.simulation import NAMESPACE, Simulation, external, external_spec, llama, local_spec, snapshot

FULL = os.environ.get("CODERAG_CAMPAIGN") == "full"
REPOSITORY = {"name": "app", "url": "https://git.example/app.git"}
SPECS = {
    "local": local_spec(repositories=[REPOSITORY]),
    "external": external_spec(),
    "mixed": {"gpu": {"sharing": "None"}, "models": {"chat": llama("chat", gpuLayers=0), "code": external()}},
    "suspended": local_spec(suspend=True),
    "exposed": external_spec(expose={"ingress": {"host": "code.example", "tlsSecretName": "tls"}}),
    "replicas": external_spec(rag={"replicas": 2}, gateway={"replicas": 2}, vectorStore={"deletionPolicy": "Delete"}),
}
BAD = {
    "invalid": {"models": {"chat": external()}},
    "missing-secret": {
        "models": {
            "chat": {"external": {**external()["external"], "apiKeySecretRef": {"name": "absent", "key": "k"}}},
            "code": external(),
        }
    },
}


NAMES = list(SPECS)
CHAIN = list(zip(NAMES, NAMES[1:] + NAMES[:1], strict=True))
PAIRS = list(itertools.product(NAMES, NAMES)) if FULL else CHAIN


def converge(spec: dict) -> Simulation:
    simulation = Simulation(copy.deepcopy(spec))
    simulation.settle()
    return simulation


@pytest.fixture(scope="module")
def ends() -> dict[str, dict]:
    """Where each spec ends when nothing goes wrong."""
    return {name: snapshot(converge(spec).kube) for name, spec in SPECS.items()}


@pytest.mark.parametrize("name", SPECS)
def test_a_stack_converges_and_rests(name: str) -> None:
    simulation = converge(SPECS[name])
    simulation.report_index()
    simulation.settle()
    simulation.kube.writes.clear()
    for _ in range(5):
        simulation.step()
    assert not simulation.kube.writes
    assert simulation.conditions["Ready"]["status"] == ("False" if name == "suspended" else "True")


@pytest.mark.parametrize("name", SPECS)
def test_a_restarted_operator_changes_nothing(name: str) -> None:
    simulation = converge(SPECS[name])
    simulation.report_index()
    simulation.settle()
    simulation.kube.writes.clear()
    simulation.restart()
    simulation.index = None
    simulation.settle()
    assert not simulation.kube.writes


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize("committed", [True, False], ids=["after", "before"])
def test_a_crash_at_any_write_is_made_good(name: str, committed: bool, ends: dict[str, dict]) -> None:
    total = converge(SPECS[name]).kube.writes.total()
    for point in range(0, total, 1 if FULL else 9):
        simulation = Simulation(copy.deepcopy(SPECS[name]))
        crash_at(simulation, point, committed)
        simulation.settle()
        assert snapshot(simulation.kube) == ends[name], point


def crash_at(simulation: Simulation, point: int, committed: bool) -> None:
    """Crash once, at the write of this number."""
    seen = iter(range(10_000))

    def fault(verb: str, name: tuple[str, str, str]) -> None:
        if next(seen) == point:
            raise Crash

    if committed:
        simulation.kube.after = fault
    else:
        simulation.kube.before = fault


@pytest.mark.parametrize("code", ["Conflict", "TooManyRequests", "InternalError", "Timeout"])
@pytest.mark.parametrize("name", ["local", "external"])
def test_every_call_may_fail_once(name: str, code: str, ends: dict[str, dict]) -> None:
    simulation = Simulation(copy.deepcopy(SPECS[name]))
    failed: set[tuple[str, tuple[str, str, str]]] = set()

    def fault(verb: str, what: tuple[str, str, str]) -> Transient | None:
        if (verb, what) in failed:
            return None
        failed.add((verb, what))
        return Transient(code, "once")

    simulation.kube.before = fault
    simulation.settle(limit=200)
    assert snapshot(simulation.kube) == ends[name]


@settings(max_examples=150 if FULL else 6, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data(), name=st.sampled_from(sorted(SPECS)))
def test_stale_views_do_no_harm(data: st.DataObject, name: str, ends: dict[str, dict]) -> None:
    simulation = Simulation(copy.deepcopy(SPECS[name]))
    views = [simulation.view()]
    for _ in range(8):
        simulation.step(views[data.draw(st.integers(0, len(views) - 1))])
        simulation.run_controllers()
        views.append(simulation.view())
        if data.draw(st.booleans()):
            simulation.restart()
    simulation.settle()
    assert snapshot(simulation.kube) == ends[name]


@pytest.mark.parametrize(("start", "target"), PAIRS)
def test_the_start_does_not_matter(start: str, target: str, ends: dict[str, dict]) -> None:
    simulation = converge(SPECS[start])
    simulation.set_spec(copy.deepcopy(SPECS[target]))
    simulation.settle()
    end = snapshot(simulation.kube)
    assert {name: one for name, one in end.items() if name[0] != "ConfigMap"} == {
        name: one for name, one in ends[target].items() if name[0] != "ConfigMap"
    }  # the facts ConfigMap also remembers the models that were used before


def workloads(simulation: Simulation) -> dict:
    """Return what serves users: the gateway as it is configured, and the models behind it."""
    names = tuple(f"demo-{name}" for name in ("gateway", "chat", "code"))
    kinds = ("Deployment", "ConfigMap", "Service")
    return {key: one for key, one in snapshot(simulation.kube).items() if key[0] in kinds and key[2] in names}


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("name", SPECS)
def test_a_bad_spec_leaves_what_runs_and_can_be_taken_back(name: str, bad: str, ends: dict[str, dict]) -> None:
    simulation = converge(SPECS[name])
    pods_before = workloads(simulation)
    simulation.set_spec(copy.deepcopy(BAD[bad]))
    simulation.settle()
    assert simulation.conditions["Stalled"]["status"] == "True"
    assert simulation.conditions["Ready"]["status"] == "False"
    assert workloads(simulation) == pods_before
    simulation.set_spec(copy.deepcopy(SPECS[name]))
    simulation.settle()
    assert snapshot(simulation.kube) == ends[name]


@pytest.mark.parametrize("name", ["local", "exposed"])
def test_every_deleted_child_comes_back(name: str, ends: dict[str, dict]) -> None:
    simulation = converge(SPECS[name])
    every = [key for key in simulation.kube.objects if key[0] not in ("Pod", "CodeRagStack", "Event")]
    for key in every if FULL else {key[0]: key for key in every}.values():
        if key in simulation.kube.objects:
            simulation.kube.remove(key)
            simulation.settle()
            assert snapshot(simulation.kube).keys() >= {other for other in ends[name] if other[0] != "Job"}, key


@pytest.mark.parametrize("name", ["local", "exposed"])
def test_every_edited_field_comes_back(name: str, ends: dict[str, dict]) -> None:
    simulation = converge(SPECS[name])
    for key in [key for key in simulation.kube.objects if key[0] not in ("Pod", "CodeRagStack", "Secret")]:
        simulation.kube.edit(key, lambda live: live["metadata"]["labels"].update({"app.kubernetes.io/component": "x"}))
    simulation.settle()
    assert snapshot(simulation.kube) == ends[name]


def test_a_stack_made_again_takes_nothing_of_the_old_one_before_it_is_gone() -> None:
    simulation = converge(SPECS["external"])
    old = copy.deepcopy(simulation.kube.objects["Deployment", NAMESPACE, "demo-rag"])
    simulation.kube.remove(simulation.key)
    again = Simulation(copy.deepcopy(SPECS["external"]), kube=simulation.kube)
    again.kube.objects["Deployment", NAMESPACE, "demo-rag"] = old  # garbage collection has not come to it yet
    again.step()
    assert again.child("Deployment", "rag")["metadata"]["ownerReferences"] == old["metadata"]["ownerReferences"]
    assert again.conditions["Stalled"]["reason"] == "NameTaken"
    again.kube.remove(("Deployment", NAMESPACE, "demo-rag"))
    again.settle()
    assert again.conditions["Ready"]["status"] == "True"
