"""A stack of its own on a node that says it has a GPU: planned into its memory, refused with numbers, never stopped.

No GPU is there: what is shown is the plan, the flags, what pods ask for, and that the servers' reports are read.
"""

import json
from itertools import pairwise

import pytest

from e2e import install
from e2e.fake_gpu import fake_gpu
from e2e.progress import read_conditions
from e2e.scenarios.conftest import Stack
from e2e.waiting import wait_until

NAMESPACE = "coderag-gpu"
NAME = "gpu"
TINY = {"resources": {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"cpu": "1"}}}
NO_FAILOVER = {"chatToCode": False, "codeToChat": False}  # a change of mode is not what failover is tested with


@pytest.fixture(scope="module")
def memory_stack(operator):
    """A stack that does not fit: two contexts alone take more than the 330 MiB that may be used."""
    install.make_namespace(operator, NAMESPACE)
    token = install.deploy_standins(operator, NAMESPACE, "hub")
    hashes = install.read_model_hashes(operator, NAMESPACE)
    digests = {name.removesuffix(".gguf"): digest for name, digest in hashes.items()}
    models = {
        role: {
            "llamaCpp": {
                "source": {
                    "http": {
                        "url": f"http://standins-hub.{NAMESPACE}.svc:8080/{role}.gguf",
                        "sha256": digests[role],
                    }
                },
                **TINY,
            }
        }
        for role in ("chat", "code")
    }
    spec = {
        "gpu": {"budgetMiB": 330},
        "models": models,
        "failover": NO_FAILOVER,
        "embedding": {"resources": {"requests": {"cpu": "10m"}}},
        "vectorStore": {"storage": {"size": "1Gi"}, "deletionPolicy": "Delete"},
        "modelCache": {"size": "1Gi"},
        "ingestion": {"storage": {"size": "1Gi"}},
    }
    body = {"apiVersion": "coderag.dev/v1alpha1", "kind": "CodeRagStack", "metadata": {"name": NAME}, "spec": spec}
    with fake_gpu(operator, 8188, 4):
        operator.apply(body, namespace=NAMESPACE)
        yield Stack(operator, NAMESPACE, NAME, token, "")
        operator.kubectl("-n", NAMESPACE, "delete", "crs", NAME)
        operator.kubectl("delete", "namespace", NAMESPACE, "--wait=false")


def condition(stack, kind):
    found = read_conditions(stack.get("crs", stack.name)).get(kind, {})
    return found.get("status"), found.get("reason")


def wait_for(stack, kind, status, reason, seconds=120):
    wait_until(lambda: condition(stack, kind) == (status, reason), f"{kind} {status}/{reason}", seconds)


def servers(stack):
    """Return the pods of the model servers that are not on their way out."""
    pods = stack.get("pods", "-l", "app.kubernetes.io/component in (chat,code)").get("items", [])
    return {p["metadata"]["uid"]: p for p in pods if "deletionTimestamp" not in p["metadata"]}


def flags(stack, role):
    args = stack.get(f"deployment/{stack.name}-{role}")["spec"]["template"]["spec"]["containers"][0]["args"]
    return dict(pairwise(args))


def test_a_stack_that_does_not_fit_starts_no_server_and_says_why_in_its_columns(memory_stack):
    wait_for(memory_stack, "VramPlanned", "False", "Infeasible", 240)
    table = memory_stack.kubectl("get", "crs", memory_stack.name)
    assert "VRAM" in table
    assert table.split("\n")[1].split()[1:3] == ["False", "Infeasible"]
    assert not servers(memory_stack)
    refusal = memory_stack.get("crs", memory_stack.name)["status"]["vramPlan"]["refusal"]
    assert refusal["deficitMiB"] > 0
    message = read_conditions(memory_stack.get("crs", memory_stack.name))["Ready"]["message"]
    assert refusal["cheapestChange"] in message


def test_the_cheapest_change_makes_it_fit_within_one_reconcile(memory_stack):
    change = memory_stack.get("crs", memory_stack.name)["status"]["vramPlan"]["refusal"]["changes"]
    budget = next(int(one.rsplit(" ", 1)[1]) for one in change if one.startswith("raise budgetMiB"))
    memory_stack.patch({"gpu": {"budgetMiB": budget}})
    wait_for(memory_stack, "VramPlanned", "True", "Fits", 30)
    wait_until(lambda: len(servers(memory_stack)) == 2, "both servers are there", 60)
    memory_stack.wait("Ready", seconds=300)
    plan = memory_stack.get("crs", memory_stack.name)["status"]["vramPlan"]
    for role in ("chat", "code"):
        assert flags(memory_stack, role)["--n-gpu-layers"] == str(plan["models"][role]["gpuLayers"])


def test_what_the_servers_report_is_read_and_told(memory_stack):
    wait_for(memory_stack, "OffloadAsPlanned", "False", "NoDevice")
    measured = memory_stack.get("crs", memory_stack.name)["status"]["vramMeasured"]
    assert measured["chat"]["hostMiB"] > 0
    assert measured["chat"]["gpuLayers"] == 0


def test_a_running_stack_that_no_longer_fits_keeps_serving(memory_stack):
    before = set(servers(memory_stack))
    memory_stack.patch({"gpu": {"budgetMiB": 330}})
    wait_for(memory_stack, "VramPlanned", "False", "Infeasible", 30)
    assert condition(memory_stack, "Available") == ("True", "AllServed")
    assert set(servers(memory_stack)) == before
    memory_stack.patch({"gpu": {"budgetMiB": None}})
    wait_for(memory_stack, "VramPlanned", "True", "Fits", 90)
    assert "8188 MiB" in memory_stack.get("crs", memory_stack.name)["status"]["vramPlan"]["budgetSource"]


def limits(pod):
    found = pod["containers"][0]["resources"]["limits"]
    return {name: amount for name, amount in found.items() if name.startswith("nvidia.com/")}


def variables(pod):
    return {one["name"]: one.get("value") for one in pod["containers"][0]["env"]}


def asks_for_a_share(pod):
    return limits(pod) == {"nvidia.com/gpu": "1"}


def asks_for_memory(pod):
    return limits(pod).get("nvidia.com/gpu") == "1" and int(limits(pod).get("nvidia.com/gpumem", 0)) > 320


def asks_for_the_claim(pod):
    return not limits(pod) and pod.get("resourceClaims") == [{"name": "gpu", "resourceClaimName": f"{NAME}-gpu"}]


def asks_unseen(pod):
    seen = variables(pod).get("NVIDIA_VISIBLE_DEVICES")
    return not limits(pod) and pod.get("runtimeClassName") == "nvidia" and seen == "all"


def asks_for_nothing(pod):
    return not limits(pod) and "runtimeClassName" not in pod and "resourceClaims" not in pod


REGISTERED = json.dumps([{"id": "GPU-1", "count": 10, "devmem": 8188, "devcore": 100, "type": "NVIDIA-Test"}])
DEVICE = {"name": "gpu-0", "attributes": {"type": {"string": "gpu"}}, "capacity": {"memory": {"value": "8188Mi"}}}
MODES = {
    "MPS": ({"strategy": "mps"}, asks_for_a_share),
    "HAMi": ({"annotations": {"hami.io/node-nvidia-register": REGISTERED}}, asks_for_memory),
    "DRA": ({"devices": [DEVICE]}, asks_for_the_claim),
    "Exclusive": ({"strategy": "none", "count": 2, "shares": 2}, asks_for_a_share),
    "RuntimeClass": ({}, asks_unseen),
    "None": ({}, asks_for_nothing),
}


def templates(stack):
    return [stack.get(f"deployment/{NAME}-{role}")["spec"]["template"]["spec"] for role in ("chat", "code")]


def test_auto_takes_the_mode_that_the_node_offers_and_puts_both_servers_on_it(memory_stack):
    assert all(asks_for_a_share(pod) for pod in templates(memory_stack))
    memory_stack.wait("Ready", seconds=180)
    found = servers(memory_stack).values()
    assert [limits(pod["spec"]) for pod in found] == [{"nvidia.com/gpu": "1"}] * 2
    assert len({pod["spec"]["nodeName"] for pod in found}) == 1
    plan = memory_stack.get("crs", NAME)["status"]["vramPlan"]
    assert (plan["sharing"], "by time-slicing" in plan["sharingReason"]) == ("TimeSlicing", True)


@pytest.mark.parametrize("mode", MODES)
def test_each_mode_renders_what_the_node_needs(memory_stack, mode):
    node, check = MODES[mode]
    with fake_gpu(memory_stack.cluster, 8188, **{"shares": 4, **node}):
        memory_stack.patch({"gpu": {"sharing": mode}})
        wait_until(lambda: all(map(check, templates(memory_stack))), f"both servers ask for it as {mode} says", 90)
        wait_for(memory_stack, "VramPlanned", "True", "NotNeeded" if mode == "None" else "Fits", 60)


def test_a_node_that_offers_its_gpu_to_others_only_is_refused_with_advice(memory_stack):
    with fake_gpu(memory_stack.cluster, 8188, shares=1):
        memory_stack.patch({"gpu": {"sharing": "TimeSlicing"}})
        wait_for(memory_stack, "VramPlanned", "False", "TooFewReplicas", 90)
        message = read_conditions(memory_stack.get("crs", memory_stack.name))["VramPlanned"]["message"]
        assert "let it offer at least 2" in message
        memory_stack.patch({"gpu": {"sharing": "Exclusive"}})
        wait_for(memory_stack, "VramPlanned", "False", "ModeNotOffered", 90)


def test_two_servers_that_want_a_gpu_each_need_two(memory_stack):
    with fake_gpu(memory_stack.cluster, 8188, shares=1, strategy="none"):
        memory_stack.patch({"gpu": {"sharing": "Exclusive"}})
        wait_for(memory_stack, "VramPlanned", "False", "TooFewGpus", 90)
