"""A stack on a GPU from its first pass on: planned before anything starts, held against what the servers report."""

import json
from itertools import pairwise
from typing import Any

import pytest
from coderag_operator.observed.devices import Machines
from tests.specs import merge, nest
from tests.support.machines import sliced
from tests.support.published_models import CHAT_3B, CODE_7B
from tests.support.simulation import NAMESPACE, SHA, Simulation, external, llama

LOG = """
load_tensors: offloaded {layers}/{all} layers to GPU
load_tensors:        CUDA0 model buffer size =  {weights} MiB
load_tensors:   CPU_Mapped model buffer size =   100.00 MiB
llama_kv_cache:      CUDA0 KV buffer size =   {kv} MiB
sched_reserve:      CUDA0 compute buffer size =   {compute} MiB
"""


def gpu_stack(budget: int = 12000, **more: Any) -> Simulation:
    spec = {
        "gpu": {"sharing": "TimeSlicing", "budgetMiB": budget},
        "models": {"chat": llama("chat"), "code": llama("code")},
        **more,
    }
    simulation = Simulation(spec)
    simulation.geometries = {SHA["chat"]: CHAT_3B, SHA["code"]: CODE_7B}
    return simulation


def edit(simulation: Simulation, path: str, value: Any) -> None:
    simulation.set_spec(merge(simulation.stack["spec"], nest(path, value)))


def condition(simulation: Simulation, kind: str) -> tuple[str, str]:
    found = simulation.conditions[kind]
    return found["status"], found["reason"]


def arguments(simulation: Simulation, role: str) -> dict[str, str]:
    args = simulation.child("Deployment", role)["spec"]["template"]["spec"]["containers"][0]["args"]
    return dict(pairwise(args))


def has_server(simulation: Simulation, role: str) -> bool:
    return ("Deployment", NAMESPACE, f"demo-{role}") in simulation.kube.objects


def tell_buffers(simulation: Simulation, factor: float = 1.0, layers: int | None = None) -> None:
    plan = simulation.stack["status"]["vramPlan"]["models"]
    for role, model in plan.items():
        for pod in simulation.servers.pods(role):
            sizes = {name: f"{model[f'{name}MiB'] * factor:.2f}" for name in ("weights", "kv", "compute")}
            counts = {"layers": model["gpuLayers"] if layers is None else layers, "all": model["layers"]}
            simulation.kube.logs[pod["metadata"]["name"]] = LOG.format(**sizes, **counts)


def with_logs(simulation: Simulation, **how: Any) -> None:
    def controllers() -> None:
        simulation.run_controllers()
        if "vramPlan" in simulation.stack.get("status", {}):
            tell_buffers(simulation, **how)

    simulation.settle(controllers=controllers)


def run_and_say(simulation: Simulation, log: str) -> None:
    simulation.run_controllers()
    for pod in (*simulation.servers.pods("chat"), *simulation.servers.pods("code")):
        simulation.kube.logs[pod["metadata"]["name"]] = log


def end_for_want_of_memory(simulation: Simulation, role: str, restart: int) -> None:
    said = {"terminated": {"exitCode": 1, "message": "cudaMalloc failed: out of memory"}}
    status = {"restartCount": restart + 1, "state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": said}
    for pod in simulation.servers.pods(role):
        name = ("Pod", NAMESPACE, pod["metadata"]["name"])
        simulation.kube.edit(name, lambda live: live["status"].update(containerStatuses=[status]))


def test_both_servers_are_started_as_the_plan_says() -> None:
    simulation = gpu_stack(5600)
    simulation.settle()
    models = simulation.stack["status"]["vramPlan"]["models"]
    for role in ("chat", "code"):
        given = arguments(simulation, role)
        assert given["--n-gpu-layers"] == str(models[role]["gpuLayers"])
        assert given["--ctx-size"] == str(models[role]["contextTokens"] * models[role]["slots"])
        assert given["--cache-type-k"] == models[role]["kvType"]
        assert given["--ubatch-size"] == str(models[role]["ubatch"])
    assert condition(simulation, "VramPlanned") == ("True", "Fits")
    assert simulation.stack["status"]["summary"]["vram"] == "5.5/5.5Gi"


def test_the_gateway_knows_the_context_of_the_plan_and_not_that_of_the_wish() -> None:
    simulation = gpu_stack(5600)
    simulation.settle()
    planned = simulation.stack["status"]["vramPlan"]["models"]["code"]["contextTokens"]
    assert planned < 4096
    assert f'"max_input_tokens": {planned}' in simulation.child("ConfigMap", "gateway")["data"]["config.yaml"]


def test_a_stack_that_does_not_fit_starts_no_server_and_says_what_would_help() -> None:
    simulation = gpu_stack(2000)
    simulation.settle()
    assert not has_server(simulation, "chat")
    assert not has_server(simulation, "code")
    assert condition(simulation, "VramPlanned") == ("False", "Infeasible")
    assert condition(simulation, "Ready") == ("False", "Infeasible")
    assert condition(simulation, "Stalled") == ("True", "Infeasible")
    assert "MiB are missing" in simulation.conditions["Ready"]["message"]
    assert simulation.stack["status"]["summary"]["vram"] == "Infeasible"
    assert simulation.stack["status"]["vramPlan"]["refusal"]["cheapestChange"]


def test_a_larger_budget_puts_it_right_within_one_pass() -> None:
    simulation = gpu_stack(2000)
    simulation.settle()
    edit(simulation, "gpu.budgetMiB", 12000)
    simulation.step()
    assert has_server(simulation, "chat")
    assert has_server(simulation, "code")
    simulation.settle()
    assert condition(simulation, "Ready") == ("True", "AllServing")


def test_a_running_stack_that_is_edited_into_an_infeasible_plan_keeps_its_servers() -> None:
    simulation = gpu_stack(12000)
    simulation.settle()
    before = {role: simulation.child("Deployment", role)["spec"] for role in ("chat", "code")}
    config = simulation.child("ConfigMap", "gateway")["data"]
    edit(simulation, "gpu.budgetMiB", 2000)
    simulation.settle()
    assert {role: simulation.child("Deployment", role)["spec"] for role in before} == before
    assert simulation.child("ConfigMap", "gateway")["data"] == config
    assert condition(simulation, "VramPlanned") == ("False", "Infeasible")
    assert condition(simulation, "Available") == ("True", "AllServed")


def test_a_header_is_planned_with_before_the_file_is_there() -> None:
    simulation = gpu_stack(2000)
    simulation.step()
    simulation.step()
    assert condition(simulation, "VramPlanned") == ("Unknown", "HeaderPending")
    simulation.run_controllers()
    simulation.step()
    assert condition(simulation, "VramPlanned") == ("False", "Infeasible")


def test_servers_that_report_what_was_planned_are_as_planned() -> None:
    simulation = gpu_stack()
    with_logs(simulation)
    assert condition(simulation, "OffloadAsPlanned") == ("True", "AsPlanned")
    measured = simulation.stack["status"]["vramMeasured"]["code"]
    assert (measured["gpuLayers"], measured["layers"]) == (29, 29)
    assert measured["hostMiB"] == 100.0


def test_a_log_is_read_once_for_each_pod() -> None:
    simulation = gpu_stack()
    simulation.settle()
    assert condition(simulation, "OffloadAsPlanned") == ("Unknown", "NotInLog")
    tell_buffers(simulation)
    simulation.settle()
    assert condition(simulation, "OffloadAsPlanned") == ("Unknown", "NotInLog")


def test_a_server_without_a_device_is_told() -> None:
    simulation = gpu_stack()
    simulation.settle(controllers=lambda: run_and_say(simulation, "load_tensors: CPU model buffer size = 5.00 MiB"))
    assert condition(simulation, "OffloadAsPlanned") == ("False", "NoDevice")
    assert condition(simulation, "Ready") == ("True", "AllServing")


def test_a_server_with_other_layers_is_told() -> None:
    simulation = gpu_stack()
    with_logs(simulation, layers=5)
    assert condition(simulation, "OffloadAsPlanned") == ("False", "LayersDiffer")


def test_a_server_that_waits_to_be_replaced_is_not_held_against_the_new_plan() -> None:
    simulation = gpu_stack(5600)
    with_logs(simulation)
    edit(simulation, "gpu.budgetMiB", 12000)
    simulation.step()
    assert condition(simulation, "OffloadAsPlanned") == ("Unknown", "NotMeasured")
    with_logs(simulation)
    assert condition(simulation, "OffloadAsPlanned") == ("True", "AsPlanned")


def test_what_running_servers_measured_stays_while_no_new_plan_fits() -> None:
    simulation = gpu_stack(12000)
    with_logs(simulation)
    edit(simulation, "gpu.budgetMiB", 2000)
    simulation.settle()
    assert set(simulation.stack["status"]["vramMeasured"]) == {"chat", "code"}


def test_chat_does_not_grow_into_what_a_server_still_holds_whose_new_model_is_on_its_way() -> None:
    simulation = gpu_stack(5600)
    simulation.settle()
    before = [simulation.servers.revision(pod) for pod in simulation.servers.pods("chat")]
    small = "c" * 64
    simulation.geometries[small] = CHAT_3B
    read = {"ok": True, "header": {}, "sizeBytes": 1, "geometry": CHAT_3B.to_json()}

    def only_headers() -> None:
        for live in [*simulation.kube.of("Deployment"), *simulation.kube.of("StatefulSet")]:
            if not simulation.servers.run(live):
                simulation.make_ready(live)
        for job in [one for one in simulation.kube.of("Job") if small in str(one) and not one.get("status")]:
            simulation.end(job, True, json.dumps(read))
            name = ("Job", NAMESPACE, job["metadata"]["name"])
            simulation.kube.edit(name, lambda one: one.update(status={"active": 1}))

    edit(simulation, "models.code.llamaCpp.source.http.sha256", small)
    simulation.settle(controllers=only_headers)
    assert [simulation.servers.revision(pod) for pod in simulation.servers.pods("chat")] == before
    assert condition(simulation, "ChatReady") == ("False", "RollingOut")
    assert condition(simulation, "CodeReady") == ("False", "ModelNotFetched")
    for pod in [one for one in simulation.kube.of("Pod") if "-fetch-code-" in one["metadata"]["name"]]:
        simulation.kube.remove(("Pod", NAMESPACE, pod["metadata"]["name"]))  # the next step of the same Job tells more
    simulation.settle()
    assert [simulation.servers.revision(pod) for pod in simulation.servers.pods("chat")] != before
    assert condition(simulation, "Ready") == ("True", "AllServing")


def test_a_server_that_takes_less_is_told_and_nothing_is_planned_anew() -> None:
    simulation = gpu_stack(5600)
    with_logs(simulation, factor=0.9)
    assert condition(simulation, "OffloadAsPlanned") == ("False", "SizesDiffer")
    assert "less" not in simulation.conditions["VramPlanned"]["message"]


def test_a_server_that_takes_more_is_planned_with_fewer_layers() -> None:
    simulation = gpu_stack(5600)
    simulation.settle()
    first = simulation.stack["status"]["vramPlan"]["models"]["code"]["gpuLayers"]
    again = gpu_stack(5600)
    with_logs(again, factor=1.08)
    assert again.stack["status"]["vramPlan"]["models"]["code"]["gpuLayers"] < first
    assert "took more than was planned" in again.conditions["VramPlanned"]["message"]


def test_a_server_that_runs_out_of_memory_is_planned_with_fewer_layers_a_bounded_number_of_times() -> None:
    simulation = gpu_stack(5600)
    simulation.settle()
    layers = [simulation.stack["status"]["vramPlan"]["models"]["code"]["gpuLayers"]]
    for restart in range(5):
        end_for_want_of_memory(simulation, "code", restart)
        simulation.settle()
        layers.append(simulation.stack["status"]["vramPlan"]["models"]["code"]["gpuLayers"])
    assert layers[1] < layers[0]
    assert layers[3:] == [layers[3]] * 3
    assert "ran out of GPU memory" in simulation.conditions["VramPlanned"]["message"]


def test_a_server_of_another_template_teaches_nothing_about_the_new_plan() -> None:
    simulation = gpu_stack(24000, models={"chat": llama("chat"), "code": llama("code", contextTokens=32768)})
    with_logs(simulation)
    edit(simulation, "models.code.llamaCpp.contextTokens", 2048)
    simulation.step()
    assert "took more than was planned" not in simulation.conditions["VramPlanned"]["message"]
    simulation.settle()
    assert not [name for name in simulation.child("ConfigMap", "facts")["data"] if name.startswith("shortfall.")]


def test_a_server_that_ran_out_of_memory_teaches_nothing_about_the_plan_that_puts_it_right() -> None:
    simulation = gpu_stack(5600)
    simulation.settle()
    end_for_want_of_memory(simulation, "code", 0)
    edit(simulation, "models.code.llamaCpp.contextTokens", 2048)
    simulation.settle()
    assert "ran out of GPU memory" not in simulation.conditions["VramPlanned"]["message"]


def test_an_operator_that_restarts_plans_the_same() -> None:
    simulation = gpu_stack(5600)
    simulation.settle()
    before = simulation.stack["status"]["vramPlan"]
    simulation.restart()
    simulation.settle()
    assert simulation.stack["status"]["vramPlan"] == before


def test_an_external_model_leaves_the_whole_budget_to_the_other() -> None:
    simulation = gpu_stack(5600, models={"chat": external(), "code": llama("code")})
    simulation.settle()
    assert list(simulation.stack["status"]["vramPlan"]["models"]) == ["code"]


def test_a_model_that_cannot_be_planned_starts_nothing_and_says_why() -> None:
    simulation = gpu_stack()
    simulation.results[SHA["code"]] = {
        "ok": True, "file": "x", "sizeBytes": 1, "sha256": SHA["code"], "header": {},
        "geometryProblem": "a mixture of experts",
    }  # fmt: skip
    simulation.settle()
    assert condition(simulation, "VramPlanned") == ("False", "ModelUnsupported")
    assert not has_server(simulation, "code")


def test_what_is_remembered_holds_no_more_than_the_facts_of_the_plan() -> None:
    simulation = gpu_stack(5600)
    with_logs(simulation)
    facts = simulation.child("ConfigMap", "facts")["data"]
    assert {name.split(".")[0] for name in facts} >= {"geometry", "shape", "measured"}
    assert json.loads(facts["shape.code"])["kv_type"] == "q8_0"
    assert sum(map(len, facts.values())) < 16 * 1024


@pytest.mark.parametrize("sharing", ["Exclusive", "RuntimeClass"])
def test_without_a_number_for_the_memory_the_field_is_asked_for(sharing: str) -> None:
    simulation = Simulation({"gpu": {"sharing": sharing}, "models": {"chat": llama("chat"), "code": llama("code")}})
    simulation.geometries = {SHA["chat"]: CHAT_3B, SHA["code"]: CODE_7B}
    simulation.settle()
    assert condition(simulation, "VramPlanned") == ("False", "BudgetUnknown")
    assert "spec.gpu.budgetMiB" in simulation.conditions["Ready"]["message"]


CUDA = "Available devices:\n  CUDA0: NVIDIA GeForce RTX 4060 (8188 MiB, 7100 MiB free)\n"


def shared_node(**more: Any) -> Simulation:
    spec = {"models": {"chat": llama("chat"), "code": llama("code")}, **more}
    simulation = Simulation(spec, machines=Machines((sliced(memory=8188),), ()), devices=CUDA)
    simulation.geometries = {SHA["chat"]: CHAT_3B, SHA["code"]: CODE_7B}
    return simulation


def probes(simulation: Simulation) -> list[str]:
    return [name for kind, _, name in simulation.kube.objects if kind == "Job" and "-probe-" in name]


def source(simulation: Simulation) -> str:
    return str(simulation.stack["status"]["vramPlan"]["budgetSource"])


def test_an_idle_gpu_is_measured_before_anything_is_planned() -> None:
    simulation = shared_node()
    simulation.step()
    simulation.step()
    assert len(probes(simulation)) == 1
    assert condition(simulation, "VramPlanned") == ("Unknown", "Measuring")
    assert not has_server(simulation, "chat")
    simulation.settle()
    assert "7100 MiB measured free" in source(simulation)
    assert condition(simulation, "VramPlanned") == ("True", "Fits")
    assert probes(simulation) == []


def test_a_probe_runs_on_the_node_that_it_measures_and_asks_for_the_gpu_as_a_server_does() -> None:
    simulation = shared_node()
    simulation.step()
    simulation.step()
    pod = simulation.kube.objects["Job", NAMESPACE, probes(simulation)[0]]["spec"]["template"]["spec"]
    assert pod["nodeSelector"] == {"kubernetes.io/hostname": "a"}
    assert pod["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "1"


def test_what_was_measured_is_not_measured_again() -> None:
    simulation = shared_node()
    simulation.settle()
    simulation.devices = CUDA.replace("7100", "100")
    simulation.restart()
    simulation.settle()
    edit(simulation, "models.chat.llamaCpp.contextTokens", 2048)
    simulation.settle()
    assert "7100 MiB measured free" in source(simulation)


@pytest.mark.parametrize("devices", ["", "Available devices:\n"])
def test_where_no_device_is_seen_the_nodes_label_has_to_do(devices: str) -> None:
    simulation = shared_node()
    simulation.devices = devices
    simulation.settle()
    assert "8188 MiB in the label" in source(simulation)
    assert "not measured" in source(simulation)


def test_a_number_of_the_user_is_not_measured_against() -> None:
    simulation = shared_node(gpu={"budgetMiB": 7000})
    simulation.settle()
    assert "spec.gpu.budgetMiB" in source(simulation)
    assert not [name for verb, (kind, _, name) in simulation.kube.writes if "-probe-" in name]


def test_a_gpu_that_somebody_uses_is_not_measured() -> None:
    simulation = shared_node()
    simulation.servers_of_others = True
    simulation.settle()
    assert "8188 MiB in the label" in source(simulation)
    assert not [name for verb, (kind, _, name) in simulation.kube.writes if "-probe-" in name]


def test_a_measurement_asks_for_the_gpu_also_where_chat_stays_in_main_memory() -> None:
    simulation = shared_node(models={"chat": llama("chat", gpuLayers=0), "code": llama("code")})
    simulation.step()
    simulation.step()
    pod = simulation.kube.objects["Job", NAMESPACE, probes(simulation)[0]]["spec"]["template"]["spec"]
    assert pod["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "1"


def test_what_was_measured_beside_a_server_that_came_meanwhile_does_not_count() -> None:
    simulation = shared_node()
    simulation.step()
    simulation.step()
    simulation.devices = CUDA.replace("7100", "100")
    simulation.run_controllers()
    simulation.servers_of_others = True
    simulation.settle()
    assert "8188 MiB in the label" in source(simulation)
    assert probes(simulation) == []


def test_headers_of_models_that_the_spec_names_no_more_are_forgotten() -> None:
    simulation = gpu_stack()
    simulation.settle()
    simulation.geometries["c" * 64] = CODE_7B
    edit(simulation, "models.code.llamaCpp.source.http.sha256", "c" * 64)
    simulation.settle()
    facts = simulation.child("ConfigMap", "facts")["data"]
    kept = {name.removeprefix("geometry.") for name in facts if name.startswith("geometry.")}
    assert kept == {SHA["chat"], "c" * 64}
    assert condition(simulation, "VramPlanned") == ("True", "Fits")
