"""How the GPU is shared, through whole passes: from nodes to pods, and to what people are told."""

from typing import Any

import pytest
from coderag_operator.observed.devices import Machines
from coderag_operator.observed.nodes import GpuNode
from tests.specs import merge, nest
from tests.support.machines import node, sliced, whole
from tests.support.published_models import CHAT_3B, CODE_7B
from tests.support.simulation import NAMESPACE, SHA, Simulation, external_spec, llama, local_spec

HAMI = node("a", offered={"gpu": 10}, hami=[12288], count=1)
TOLD = {"VramPlanned", "Stalled", "Ready"}


def gpu_stack(*nodes: GpuNode, gpu: dict[str, Any] | None = None) -> Simulation:
    spec = {"gpu": gpu or {}, "models": {"chat": llama("chat"), "code": llama("code")}}
    simulation = Simulation(spec, machines=Machines(nodes, ()))
    simulation.geometries = {SHA["chat"]: CHAT_3B, SHA["code"]: CODE_7B}
    return simulation


def limits(simulation: Simulation, role: str) -> dict[str, str]:
    pod = simulation.child("Deployment", role)["spec"]["template"]["spec"]
    found = pod["containers"][0]["resources"]["limits"]
    return {name: value for name, value in found.items() if name.startswith("nvidia.com/")}


def servers(simulation: Simulation) -> list[str]:
    return [role for role in ("chat", "code") if ("Deployment", NAMESPACE, f"demo-{role}") in simulation.kube.objects]


def told(simulation: Simulation) -> dict[str, str]:
    return {kind: one["reason"] for kind, one in simulation.conditions.items() if kind in TOLD}


def test_auto_starts_both_servers_as_the_node_offers_its_gpu() -> None:
    simulation = gpu_stack(sliced(memory=12288))
    simulation.settle()
    assert [limits(simulation, role) for role in ("chat", "code")] == [{"nvidia.com/gpu": "1"}] * 2
    assert told(simulation) == {"VramPlanned": "Fits", "Stalled": "NotStalled", "Ready": "AllServing"}


def test_hami_holds_each_server_to_its_part_of_the_plan() -> None:
    simulation = gpu_stack(HAMI)
    simulation.settle()
    for role, model in simulation.stack["status"]["vramPlan"]["models"].items():
        limit = int(limits(simulation, role)["nvidia.com/gpumem"])
        assert model["totalMiB"] <= limit < model["totalMiB"] + 1


def test_hami_lets_a_server_that_took_more_have_what_is_left_free_for_it() -> None:
    simulation = gpu_stack(HAMI)
    simulation.settle()
    ended = {"terminated": {"exitCode": 1, "message": "cudaMalloc failed: out of memory"}}
    said = {"containerStatuses": [{"restartCount": 1, "lastState": ended}]}
    for pod in simulation.servers.pods("code"):
        name = ("Pod", NAMESPACE, pod["metadata"]["name"])
        simulation.kube.edit(name, lambda live: live["status"].update(said))
    simulation.settle()
    plan = simulation.stack["status"]["vramPlan"]
    assert int(limits(simulation, "code")["nvidia.com/gpumem"]) >= plan["models"]["code"]["totalMiB"] + 256
    assert sum(int(limits(simulation, role)["nvidia.com/gpumem"]) for role in ("chat", "code")) <= 12288


def test_a_node_that_cannot_do_it_starts_no_server_and_says_why() -> None:
    simulation = gpu_stack(sliced(gpus=2))
    simulation.settle()
    assert servers(simulation) == []
    assert told(simulation) == {"VramPlanned": "SeveralGpus", "Stalled": "SeveralGpus", "Ready": "SeveralGpus"}
    assert "node a has 2 GPUs" in simulation.conditions["Ready"]["message"]


def test_nodes_that_cannot_be_read_are_asked_of_a_person() -> None:
    simulation = gpu_stack()
    simulation.machines = Machines()
    simulation.settle()
    assert servers(simulation) == []
    assert "rbac.readNodes" in simulation.conditions["Ready"]["message"]


def test_a_stack_starts_once_its_node_offers_enough() -> None:
    simulation = gpu_stack(sliced(shares=1, memory=12288))
    simulation.settle()
    assert told(simulation)["Ready"] == "TooFewReplicas"
    simulation.machines = Machines((sliced(memory=12288),), ())
    simulation.settle()
    assert servers(simulation) == ["chat", "code"]
    assert told(simulation)["Ready"] == "AllServing"


@pytest.mark.parametrize("nodes", [(), (whole(memory=12288),), (sliced(memory=12288), whole("b"))])
def test_what_runs_goes_on_when_the_nodes_change_under_it(nodes: tuple[GpuNode, ...]) -> None:
    simulation = gpu_stack(sliced(memory=12288))
    simulation.settle()
    before = [simulation.child("Deployment", role)["spec"] for role in servers(simulation)]
    simulation.machines = Machines(nodes, ())
    simulation.settle()
    assert [simulation.child("Deployment", role)["spec"] for role in servers(simulation)] == before
    assert simulation.conditions["Available"]["status"] == "True"
    assert simulation.conditions["Ready"]["status"] == "False"
    simulation.machines = Machines((sliced(memory=12288),), ())
    simulation.settle()
    assert told(simulation)["Ready"] == "AllServing"


def test_nodes_are_looked_at_afresh_for_a_new_spec_and_not_again_once_its_status_is_written() -> None:
    simulation = gpu_stack(sliced(memory=12288))
    simulation.settle()
    assert (simulation.looks[0], simulation.looks[-1]) == (True, False)
    simulation.looks.clear()
    simulation.set_spec(merge(simulation.spec, nest("gpu.sharing", "TimeSlicing")))
    simulation.settle()
    assert (simulation.looks[0], simulation.looks[-1]) == (True, False)


def test_a_claim_outlives_a_driver_that_is_away_for_a_while() -> None:
    simulation = gpu_stack(gpu={"sharing": "DRA", "budgetMiB": 12000})
    simulation.machines = Machines()
    simulation.settle()
    claim = simulation.child("ResourceClaim", "gpu")["metadata"]["uid"]
    simulation.machines = Machines((node(),), ())
    simulation.settle()
    assert told(simulation)["VramPlanned"] == "ModeNotOffered"
    assert simulation.child("ResourceClaim", "gpu")["metadata"]["uid"] == claim
    assert servers(simulation) == ["chat", "code"]


@pytest.mark.parametrize("spec", [local_spec(), external_spec(), merge(local_spec(), nest("gpu.sharing", "Auto"))])
def test_a_stack_without_a_model_on_a_gpu_never_looks_at_nodes(spec: dict[str, Any]) -> None:
    class Untouched(Simulation):
        @property  # type: ignore[override]
        def machines(self) -> Machines:
            raise AssertionError("nodes were looked at")

        @machines.setter
        def machines(self, _: Machines) -> None: ...

    simulation = Untouched(spec)
    simulation.settle()
    assert told(simulation)["Ready"] == "AllServing"
