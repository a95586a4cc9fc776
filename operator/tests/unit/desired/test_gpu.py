"""What each way to share the GPU puts into the pods of the model servers, and where they run."""

from dataclasses import replace
from typing import Any

import pytest
from coderag_operator.desired import Inputs, build
from coderag_operator.desired.assembly import list_fetches
from coderag_operator.desired.context import Context
from coderag_operator.desired.gpu import Access, access, gpu_servers
from coderag_operator.sharing import Sharing
from coderag_operator.vram.terms import Shape
from tests.specs import EXTERNAL, PVC_SOURCE, make_inputs, make_stack, nest

GPU, SHARED = "nvidia.com/gpu", "nvidia.com/gpu.shared"
ROLES = ("chat", "code")


def render(*patches: dict[str, Any], sharing: Sharing | None = None) -> dict[str, dict[str, Any]]:
    """Return the children by kind and name."""
    stack = make_stack(*patches)
    inputs = replace(make_inputs(stack), sharing=sharing)
    return {f"{one['kind']}/{one['metadata']['name']}": one for one in build(stack, inputs).objects}


def pods(*patches: dict[str, Any], sharing: Sharing | None = None) -> list[dict[str, Any]]:
    """Return the pod specs of chat and code."""
    children = render(*patches, sharing=sharing)
    return [children[f"Deployment/demo-{role}"]["spec"]["template"]["spec"] for role in ROLES]


def limits(pod: dict[str, Any]) -> dict[str, str]:
    """Return what a pod asks of the GPU's vendor."""
    found = pod["containers"][0]["resources"]["limits"]
    return {name: value for name, value in found.items() if name.startswith("nvidia.com/")}


def mates(pod: dict[str, Any]) -> list[str]:
    """Return the components on whose node a pod has to be."""
    terms = pod.get("affinity", {}).get("podAffinity", {}).get("requiredDuringSchedulingIgnoredDuringExecution", [])
    return [name for term in terms for name in term["labelSelector"]["matchExpressions"][0]["values"]]


@pytest.mark.parametrize("mode", ["TimeSlicing", "MPS", "HAMi", "Exclusive"])
def test_a_share_is_asked_of_the_scheduler(mode: str) -> None:
    assert [limits(pod) for pod in pods(nest("gpu.sharing", mode))] == [{GPU: "1"}, {GPU: "1"}]


def test_the_name_of_a_renamed_share_comes_from_the_node() -> None:
    found = pods(sharing=Sharing("TimeSlicing", "", SHARED))
    assert [limits(pod) for pod in found] == [{SHARED: "1"}, {SHARED: "1"}]


def test_auto_follows_what_the_nodes_offer_and_asks_for_nothing_before_they_are_known() -> None:
    auto = nest("gpu.sharing", None)
    assert [limits(pod) for pod in pods(auto, sharing=Sharing("MPS", "", GPU))] == [{GPU: "1"}, {GPU: "1"}]
    assert [limits(pod) for pod in pods(auto)] == [{}, {}]


def test_both_servers_are_of_one_user_as_mps_takes_clients_of_one_user_at_a_time() -> None:
    found = pods(nest("gpu.sharing", "MPS"))
    assert {(pod["securityContext"]["runAsUser"], pod["securityContext"]["runAsGroup"]) for pod in found} == {
        (10001, 10001)
    }
    assert all("runAsUser" not in pod["containers"][0]["securityContext"] for pod in found)


def test_hami_limits_each_server_to_the_memory_that_is_planned() -> None:
    stack = make_stack(nest("gpu.sharing", "HAMi"))
    context = Context(stack, make_inputs(stack))
    assert access(context, "chat", 2600.1).limits == {GPU: "1", "nvidia.com/gpumem": "2601"}
    assert access(context, "chat", 2600.0).limits == {GPU: "1", "nvidia.com/gpumem": "2600"}
    assert access(context, "chat").limits == {GPU: "1"}


def test_other_modes_know_no_limit_of_memory() -> None:
    stack = make_stack()
    assert access(Context(stack, make_inputs(stack)), "chat", 2600.0).limits == {GPU: "1"}


def test_one_claim_is_named_by_both_servers() -> None:
    children = render(nest("gpu.sharing", "DRA"), nest("gpu.deviceClassName", "large"))
    claim = children["ResourceClaim/demo-gpu"]
    assert claim["apiVersion"] == "resource.k8s.io/v1"
    assert claim["spec"] == {"devices": {"requests": [{"name": "gpu", "exactly": {"deviceClassName": "large"}}]}}
    assert claim["metadata"]["ownerReferences"][0]["uid"] == "stack-uid"
    for pod in pods(nest("gpu.sharing", "DRA")):
        assert pod["resourceClaims"] == [{"name": "gpu", "resourceClaimName": "demo-gpu"}]
        assert pod["containers"][0]["resources"]["claims"] == [{"name": "gpu"}]
        assert limits(pod) == {}


@pytest.mark.parametrize("mode", ["TimeSlicing", "Exclusive", "None", "RuntimeClass"])
def test_no_other_mode_makes_a_claim(mode: str) -> None:
    assert "ResourceClaim/demo-gpu" not in render(nest("gpu.sharing", mode))


def test_without_a_server_on_the_gpu_there_is_no_claim() -> None:
    local = dict.fromkeys(ROLES, EXTERNAL)
    assert "ResourceClaim/demo-gpu" not in render(nest("gpu.sharing", "DRA"), {"models": local})


def test_a_runtime_class_shows_every_gpu_and_asks_for_none() -> None:
    for pod in pods(nest("gpu.sharing", "RuntimeClass")):
        assert pod["runtimeClassName"] == "nvidia"
        env = {one["name"]: one.get("value") for one in pod["containers"][0]["env"]}
        assert (env["NVIDIA_VISIBLE_DEVICES"], env["NVIDIA_DRIVER_CAPABILITIES"]) == ("all", "compute,utility")
        assert limits(pod) == {}


@pytest.mark.parametrize(("mode", "expected"), [("TimeSlicing", "k3s"), ("RuntimeClass", "k3s"), ("None", None)])
def test_a_runtime_class_of_the_user_is_for_pods_on_the_gpu(mode: str, expected: str | None) -> None:
    found = pods(nest("gpu.sharing", mode), nest("gpu.runtimeClassName", "k3s"))
    assert [pod.get("runtimeClassName") for pod in found] == [expected, expected]
    assert all("NVIDIA_VISIBLE_DEVICES" not in str(pod) for pod in found if mode != "RuntimeClass")


@pytest.mark.parametrize("mode", ["TimeSlicing", "MPS", "DRA", "HAMi", "RuntimeClass"])
def test_servers_that_share_a_gpu_are_on_one_node(mode: str) -> None:
    on_claims = nest("models.chat.llamaCpp.source", PVC_SOURCE)
    assert [mates(pod) for pod in pods(nest("gpu.sharing", mode), on_claims)] == [["chat", "code", "models"]] * 2


@pytest.mark.parametrize("mode", ["Exclusive", "None"])
def test_servers_that_share_nothing_may_part(mode: str) -> None:
    on_claims = nest("models.chat.llamaCpp.source", PVC_SOURCE)
    assert [mates(pod) for pod in pods(nest("gpu.sharing", mode), on_claims)] == [[], ["code", "models"]]


def test_a_server_without_layers_on_the_gpu_takes_no_share_and_goes_where_it_likes() -> None:
    """The model in main memory is the one that survives the GPU."""
    patches = (nest("models.chat.llamaCpp.source", PVC_SOURCE), nest("models.chat.llamaCpp.gpuLayers", 0))
    chat, code = pods(*patches)
    assert (limits(chat), limits(code)) == ({}, {GPU: "1"})
    assert (mates(chat), mates(code)) == ([], ["code", "models"])
    assert gpu_servers(make_stack(*patches)) == ("code",)


ON_CPU, ON_GPU = Shape(0, 4096, 2, "f16", 512), Shape(29, 4096, 2, "f16", 512)


@pytest.mark.parametrize("sharing", [None, Sharing("TimeSlicing", "", GPU), Sharing("DRA", ""), Sharing("None", "")])
@pytest.mark.parametrize("shapes", [{}, {"chat": ON_CPU, "code": ON_GPU}, {"chat": ON_GPU, "code": ON_CPU}])
@pytest.mark.parametrize("mode", ["Auto", "TimeSlicing", "DRA"])
def test_a_fetch_follows_the_spec_whatever_is_learnt_of_nodes_and_memory(
    mode: str, sharing: Sharing | None, shapes: dict[str, Shape]
) -> None:
    stack = make_stack(nest("gpu.sharing", mode), nest("models.chat.llamaCpp.source", PVC_SOURCE))
    inputs = replace(make_inputs(stack), sharing=sharing, shapes=shapes)
    names = {one["metadata"]["name"] for one in build(stack, inputs).objects if one["kind"] == "Job"}
    assert names == list_fetches(stack, make_inputs(stack))


def test_who_does_not_run_here_gets_nothing() -> None:
    stack = make_stack(nest("models.code", EXTERNAL))
    assert gpu_servers(stack) == ("chat",)
    assert access(Context(stack, Inputs({})), "code") == Access()


def test_files_are_fetched_where_a_gpu_is_if_that_can_be_told() -> None:
    """A volume may be bound to the node of its first pod, which is the fetch."""

    def wishes(*patches: dict[str, Any]) -> list[Any]:
        jobs = [one for name, one in render(*patches).items() if name.startswith("Job/demo-fetch")]
        nodes = [one["spec"]["template"]["spec"]["affinity"].get("nodeAffinity", {}) for one in jobs]
        return [one.get("preferredDuringSchedulingIgnoredDuringExecution") for one in nodes]

    near = {"matchExpressions": [{"key": "nvidia.com/gpu.present", "operator": "In", "values": ["true"]}]}
    assert wishes() == [[{"weight": 100, "preference": near}]] * 2
    assert wishes(nest("gpu.sharing", "None")) == [None, None]
    assert all("nodeAffinity" not in pod["affinity"] for pod in pods())
