"""How the GPU is shared follows from the spec and the nodes; what cannot work is told with what to do."""

from typing import Any, get_args

import pytest
from coderag_operator.api.gpu import Gpu, Mode
from coderag_operator.observed.devices import GpuDevice
from coderag_operator.observed.nodes import GpuNode
from coderag_operator.observed.sharing import choose_sharing
from coderag_operator.sharing import Sharing
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.machines import devices, node, sliced, whole

MODES = get_args(Mode)
GPU, SHARED, MIG = "nvidia.com/gpu", "nvidia.com/gpu.shared", "nvidia.com/mig-1g.10gb"
CPU_NODE = node("cpu")
MPS = node("a", offered={"gpu": 2}, count=1, replicas=2, memory=6144, sharing_strategy="mps")
RENAMED = node("a", offered={"gpu": 0, "gpu.shared": 4}, count=1, replicas=4, memory=6144)
HAMI = node("a", offered={"gpu": 10}, hami=[6144], count=1, sharing_strategy="none")
SLICED_GPU = {f"{MIG}.memory": "9984"}
PARTED = node("a", offered={"gpu": 0, "mig-1g.10gb": 7}, count=1, labels=SLICED_GPU, memory=81559)
PLAIN = node("a", offered={"gpu": 4})
BARE = node("a", present="true")


def choose(
    sharing: str = "Auto", *nodes: GpuNode, found: tuple[GpuDevice, ...] | None = (), models: int = 2, **gpu: Any
) -> Sharing:
    return choose_sharing(Gpu.model_validate({"sharing": sharing, **gpu}), nodes, found, models)


@pytest.mark.parametrize("sharing", ["Auto", *MODES])
@pytest.mark.parametrize("nodes", [None, (), (sliced(),)])
def test_without_a_model_on_a_gpu_there_is_nothing_to_share(sharing: str, nodes: tuple[GpuNode, ...] | None) -> None:
    found = choose_sharing(Gpu.model_validate({"sharing": sharing}), nodes, None, 0)
    assert (found.mode, found.problem, found.reason) == ("None", None, "no model server uses a GPU")


@pytest.mark.parametrize("mode", MODES)
def test_a_mode_of_the_spec_is_believed_where_nodes_cannot_be_read(mode: Mode) -> None:
    found = choose_sharing(Gpu(sharing=mode, budgetMiB=5600), None, None, 2)
    assert (found.mode, found.problem, found.nodes, found.memory_mib) == (mode, None, (), None)
    assert found.resource == (GPU if mode in ("TimeSlicing", "MPS", "HAMi", "Exclusive") else "")


def test_auto_needs_nodes() -> None:
    found = choose_sharing(Gpu(), None, None, 2)
    assert found.mode == "None"
    assert found.problem is not None
    assert "required: spec.gpu.sharing and spec.gpu.budgetMiB" in found.problem[1]
    assert "rbac.readNodes" in found.problem[1]


@pytest.mark.parametrize(
    ("machine", "models", "mode", "resource", "replicas", "memory"),
    [
        (sliced(), 2, "TimeSlicing", GPU, 4, 6144),
        (RENAMED, 2, "TimeSlicing", SHARED, 4, 6144),
        (MPS, 2, "MPS", GPU, 2, 6144),
        (HAMI, 2, "HAMi", GPU, 10, 6144),
        (PARTED, 2, "Exclusive", MIG, 1, 9984),
        (whole(gpus=2), 2, "Exclusive", GPU, 1, 24564),
        (whole(), 1, "Exclusive", GPU, 1, 24564),
        (sliced(), 1, "TimeSlicing", GPU, 4, 6144),
        (sliced(gpus=2), 1, "TimeSlicing", GPU, 4, 6144),
    ],
)
def test_auto_takes_what_the_node_offers(
    machine: GpuNode, models: int, mode: str, resource: str, replicas: int, memory: int
) -> None:
    found = choose("Auto", machine, CPU_NODE, models=models)
    assert found.problem is None
    assert (found.mode, found.resource, found.replicas, found.memory_mib) == (mode, resource, replicas, memory)
    assert found.nodes == ("a",)
    assert "node a" in found.memory_source
    assert found.reason.startswith("node a offers a GPU")


def test_auto_takes_a_claim_where_the_dra_driver_alone_offers_the_gpu() -> None:
    found = choose("Auto", node("a", count=1), found=devices("a", "6Gi", "8Gi"))
    assert (found.mode, found.resource, found.memory_mib, found.problem) == ("DRA", "", 6144, None)
    assert (found.memory_source, found.driver) == ("ResourceSlices of node a", "580.126.9")
    assert found.reason == "node a offers a GPU to claims"


@pytest.mark.parametrize(
    ("nodes", "reason", "words"),
    [
        ((), "NoGpu", ("has a GPU", "set spec.gpu.sharing to None", "nodeSelector")),
        ((CPU_NODE,), "NoGpu", ("has a GPU",)),
        ((BARE,), "NotOffered", ("node a", "install the NVIDIA device plugin", "RuntimeClass")),
        ((PLAIN,), "SharingUnknown", ("node a", "TimeSlicing", "Exclusive")),
        ((whole(),), "TooFewGpus", ("each of 2 servers", "node a offers 1", "sharing.timeSlicing")),
        ((sliced(gpus=2),), "SeveralGpus", ("node a has 2 GPUs", "Exclusive or DRA", "nodeSelector")),
        ((sliced(shares=1),), "TooFewReplicas", ("node a offers its GPU once to 2 servers", "at least 2")),
        ((sliced("a"), whole("b")), "NodeNotChosen", ("land on node b", "instead of node a", "nodeSelector")),
        ((sliced("a"), node("b", offered={"gpu": 4})), "NodeNotChosen", ("land on node b",)),
    ],
)
def test_auto_tells_why_it_finds_nothing(nodes: tuple[GpuNode, ...], reason: str, words: tuple[str, ...]) -> None:
    problem = choose("Auto", *nodes).problem
    assert problem is not None
    assert problem[0] == reason
    assert [word for word in words if word not in problem[1]] == []


@pytest.mark.parametrize(
    ("mode", "machine", "reason", "words"),
    [
        ("TimeSlicing", CPU_NODE, "ModeNotOffered", ("spec.gpu.sharing TimeSlicing", "sharing.timeSlicing")),
        ("TimeSlicing", whole(), "TooFewReplicas", ("once to 2 servers",)),
        ("TimeSlicing", MPS, "ModeNotOffered", ("offers MPS: set spec.gpu.sharing to MPS or Auto",)),
        ("TimeSlicing", HAMI, "ModeNotOffered", ("HAMi",)),
        ("TimeSlicing", sliced(gpus=2), "SeveralGpus", ("2 GPUs",)),
        ("MPS", sliced(), "ModeNotOffered", ("set spec.gpu.sharing to TimeSlicing or Auto",)),
        ("MPS", whole(), "ModeNotOffered", ("configure the node for MPS",)),
        ("HAMi", sliced(), "ModeNotOffered", ("TimeSlicing",)),
        ("HAMi", CPU_NODE, "ModeNotOffered", ("install HAMi",)),
        ("Exclusive", whole(), "TooFewGpus", ("add one, or share it",)),
        ("Exclusive", sliced(), "ModeNotOffered", ("shares by time-slicing and no whole GPU", "Auto")),
        ("Exclusive", CPU_NODE, "ModeNotOffered", ("device plugin",)),
        ("DRA", sliced(), "ModeNotOffered", ("DRA driver",)),
        ("RuntimeClass", whole(gpus=2), "SeveralGpus", ("spread over all of them",)),
    ],
)
def test_a_node_that_cannot_do_it_is_refused_with_advice(
    mode: str, machine: GpuNode, reason: str, words: tuple[str, ...]
) -> None:
    problem = choose(mode, machine).problem
    assert problem is not None
    assert problem[0] == reason
    assert [word for word in (mode, *words) if word not in problem[1]] == []


@pytest.mark.parametrize(
    ("mode", "machine", "models"),
    [
        ("TimeSlicing", sliced(), 2),
        ("TimeSlicing", sliced(shares=2), 2),
        ("TimeSlicing", PLAIN, 2),
        ("TimeSlicing", whole(), 1),
        ("TimeSlicing", sliced(gpus=2), 1),
        ("MPS", MPS, 2),
        ("MPS", PLAIN, 2),
        ("HAMi", HAMI, 2),
        ("HAMi", node("a", offered={"gpu": 20}, hami=[6144, 6144]), 2),
        ("Exclusive", PLAIN, 2),
        ("Exclusive", PARTED, 2),
        ("Exclusive", whole(), 1),
        ("RuntimeClass", whole(), 2),
        ("RuntimeClass", CPU_NODE, 2),
    ],
)
def test_a_node_that_can_do_it_is_taken(mode: str, machine: GpuNode, models: int) -> None:
    found = choose(mode, machine, models=models)
    assert (found.mode, found.problem, found.reason) == (mode, None, "spec.gpu.sharing says so")
    assert found.nodes == (machine.name,)


def test_two_servers_may_have_gpus_of_two_nodes_for_themselves() -> None:
    found = choose("Exclusive", whole("b", memory=16000), whole("a"))
    assert (found.problem, found.nodes, found.memory_mib) == (None, ("a", "b"), 16000)
    assert found.memory_source == "label nvidia.com/gpu.memory of node b"


def test_the_smallest_gpu_that_pods_may_land_on_is_planned_for() -> None:
    found = choose("Auto", sliced("a", memory=24564), sliced("b"))
    assert (found.nodes, found.memory_mib) == (("a", "b"), 6144)
    assert choose("Auto", sliced("a"), sliced("b", memory=0)).memory_mib is None


def test_nodes_that_the_spec_does_not_select_do_not_count() -> None:
    choice = {"nodeSelector": {"kubernetes.io/hostname": "a"}}
    assert choose("Auto", sliced("a"), whole("b"), **choice).problem is None
    assert choose("Auto", whole("b"), **choice).problem == choose("Auto").problem


def test_devices_of_nodes_that_are_not_selected_do_not_count() -> None:
    assert choose("DRA", node("b"), found=devices("a", "6Gi")).problem is not None
    assert choose("DRA", node("a"), found=devices("a", "6Gi")).problem is None


def test_a_cluster_without_claims_cannot_share_by_them() -> None:
    problem = choose("DRA", sliced(), found=None).problem
    assert problem is not None
    assert "the API server serves no ResourceSlices" in problem[1]
    assert "Kubernetes 1.34" in problem[1]


def test_a_renamed_share_is_never_mistaken_for_a_gpu_of_another_node() -> None:
    found = choose("Auto", RENAMED, whole("b"))
    assert (found.mode, found.resource, found.nodes, found.problem) == ("TimeSlicing", SHARED, ("a",), None)


def test_large_mig_slices_come_before_small_ones() -> None:
    labels = {f"{MIG}.memory": "9984", "nvidia.com/mig-3g.40gb.memory": "40192"}
    machine = node("a", offered={"mig-1g.10gb": 4, "mig-3g.40gb": 2}, labels=labels)
    assert choose("Auto", machine).resource == "nvidia.com/mig-3g.40gb"
    few = node("a", offered={"mig-1g.10gb": 4, "mig-3g.40gb": 1}, labels=labels)
    assert choose("Auto", few).resource == MIG


def test_the_scheduler_does_not_see_who_has_a_gpu_without_a_plugin() -> None:
    problem = choose("RuntimeClass", BARE, node("b")).problem
    assert problem is not None
    assert problem[0] == "NodeNotChosen"
    assert choose("RuntimeClass", CPU_NODE, node("b")).problem is None


def test_a_node_that_is_cordoned_changes_nothing() -> None:
    cordoned = GpuNode(**{**{name: getattr(sliced(), name) for name in GpuNode.__slots__}, "usable": False})
    assert choose("Auto", cordoned) == choose("Auto", sliced())


def test_long_lists_of_nodes_are_cut() -> None:
    problem = choose("Auto", *(node(f"n{number}", present="true") for number in range(9))).problem
    assert problem is not None
    assert "nodes n0, n1, n2 and 6 more offer no GPU" in problem[1]


def test_what_one_server_may_take_where_the_mode_bounds_it() -> None:
    assert choose("Auto", MPS).share_mib == 3072
    assert choose("Exclusive", whole(gpus=2)).share_mib == 24564
    assert choose("Auto", sliced()).share_mib is None
    assert choose("MPS", PLAIN).share_mib is None


MACHINES = st.sampled_from([sliced, whole]).flatmap(
    lambda make: st.builds(make, st.sampled_from("abc"), gpus=st.integers(1, 3), memory=st.sampled_from([0, 6144]))
)
OTHERS = st.sampled_from([MPS, RENAMED, HAMI, PARTED, PLAIN, BARE, CPU_NODE])
NODES = st.lists(MACHINES | OTHERS, max_size=4, unique_by=lambda one: one.name)
DEVICES = devices("a", "6Gi")


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(["Auto", *MODES]), st.none() | NODES, st.none() | st.just(devices("a", "6Gi")), st.integers(0, 2)
)
def test_a_choice_is_final_the_same_each_time_and_told(
    sharing: str, nodes: list[GpuNode] | None, found: tuple[GpuDevice, ...] | None, models: int
) -> None:
    gpu = Gpu.model_validate({"sharing": sharing})
    chosen = choose_sharing(gpu, nodes, found, models)
    assert chosen == choose_sharing(gpu, nodes and nodes[::-1], found, models)
    assert chosen.mode in MODES
    assert chosen.reason
    if chosen.problem is not None:
        assert all(chosen.problem)
    elif nodes is not None and chosen.mode != "None":
        assert chosen.nodes
        assert (chosen.memory_mib is None) == (not chosen.memory_source)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(["Auto", *MODES]), NODES, st.integers(1, 2))
def test_wherever_the_scheduler_puts_both_pods_they_share_one_gpu(
    sharing: str, nodes: list[GpuNode], models: int
) -> None:
    chosen = choose(sharing, *nodes, found=DEVICES, models=models)
    if chosen.problem is not None or chosen.mode not in ("TimeSlicing", "MPS", "HAMi"):
        return
    takers = [one for one in nodes if one.offered.get(chosen.resource)]
    assert {one.name for one in takers} == set(chosen.nodes)
    assert all(one.offered[chosen.resource] >= models for one in takers)
    assert models == 1 or chosen.mode == "HAMi" or all(one.count <= 1 for one in takers)
    known = [one.memory_mib for one in takers]
    assert chosen.memory_mib in (min(known), None)


@settings(max_examples=100, deadline=None)
@given(NODES, st.integers(1, 2))
def test_auto_without_a_problem_means_a_mode_that_the_spec_could_name(nodes: list[GpuNode], models: int) -> None:
    chosen = choose("Auto", *nodes, found=DEVICES, models=models)
    if chosen.problem is None:
        named = choose(chosen.mode, *nodes, found=DEVICES, models=models)
        assert (named.resource, named.nodes, named.memory_mib, named.problem) == (
            chosen.resource, chosen.nodes, chosen.memory_mib, None,
        )  # fmt: skip
