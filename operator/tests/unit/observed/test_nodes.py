"""Nodes and ResourceSlices are read as their writers mean them, and garbage is read as nothing."""

import copy
from typing import Any

import pytest
from coderag_operator.observed.devices import GpuDevice, read_devices
from coderag_operator.observed.nodes import GpuNode, read_node
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.machines import live_node, live_slice, node, sliced, whole

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | st.just("9" * 5000),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


def test_a_node_with_one_shared_gpu() -> None:
    labels = {
        "nvidia.com/cuda.driver-version.full": "580.65.06",
        "nvidia.com/mps.capable": "true",
    }
    found = node(
        offered={"gpu": 4}, count=1, replicas=4, memory=6141, product="RTX-4050-SHARED",
        sharing_strategy="time-slicing", labels=labels,
    )  # fmt: skip
    assert (found.name, found.count, found.replicas, found.memory_mib) == ("a", 1, 4, 6141)
    assert (found.product, found.strategy, found.driver) == ("RTX-4050-SHARED", "time-slicing", "580.65.06")
    assert found.mps_capable
    assert found.offered == {"nvidia.com/gpu": 4}


def test_a_node_without_a_gpu() -> None:
    found = node()
    assert (found.has_gpu, found.strategy, found.offered, found.usable) == (False, "", {}, True)
    assert node(present="true").has_gpu
    assert node(memory=6144).has_gpu


def test_the_driver_before_2024_is_three_labels() -> None:
    labels = {f"nvidia.com/cuda.driver.{name}": part for name, part in (("major", "535"), ("minor", "104"))}
    assert node(labels=labels).driver == "535.104"


@pytest.mark.parametrize(
    ("more", "strategy"),
    [
        ({"offered": {"gpu": 1}, "count": 1, "sharing_strategy": "none"}, "none"),
        ({"offered": {"gpu": 2}, "count": 2}, "none"),
        ({"offered": {"gpu": 4}, "count": 1, "replicas": 4}, "time-slicing"),
        ({"offered": {"gpu.shared": 4}, "count": 1}, "time-slicing"),
        ({"offered": {"gpu.shared": 4}, "count": 1, "sharing_strategy": "mps"}, "mps"),
        ({"offered": {"gpu": 4}}, ""),
        ({"offered": {"gpu": 10}, "hami": [6144]}, "hami"),
        ({"offered": {"gpu": 10, "gpumem": 6144}}, "hami"),
    ],
)
def test_how_a_gpu_is_offered(more: dict[str, Any], strategy: str) -> None:
    assert node(**more).strategy == strategy


def test_a_plugin_that_restarts_announces_nothing_for_a_while_and_the_labels_stand() -> None:
    assert sliced(shares=4).offered == node(offered={"gpu": 0}, count=1, replicas=4).offered
    assert node(offered={"gpu": 0, "gpu.shared": 0}, count=1, replicas=4).offered == {"nvidia.com/gpu.shared": 4}
    assert node(offered={"gpu": 0, "mig-1g.10gb": 2}, count=1).offered == {"nvidia.com/mig-1g.10gb": 2}
    assert node(offered={"gpu": 0}).offered == {}


def test_labels_alone_offer_nothing() -> None:
    assert node(count=1, memory=6144).offered == {}


def test_a_node_that_is_cordoned_or_not_ready_is_not_usable() -> None:
    cordoned, lost = live_node(), live_node()
    cordoned["spec"]["unschedulable"] = True
    lost["status"]["conditions"][1]["status"] = "Unknown"
    assert [read_node(one).usable for one in (live_node(), cordoned, lost)] == [True, False, False]


def test_mig_slices_come_with_their_memory() -> None:
    found = node(offered={"gpu": 0, "mig-1g.10gb": 2}, count=1, labels={"nvidia.com/mig-1g.10gb.memory": "9984"})
    assert found.slices == {"nvidia.com/mig-1g.10gb": 9984}


def test_hami_tells_the_memory_of_each_gpu_and_the_smallest_counts() -> None:
    found = node(offered={"gpu": 20}, hami=[24564, 6144], memory=24564)
    assert (found.memory_mib, found.count) == (6144, 2)


def test_labels_select() -> None:
    assert whole(labels={"zone": "x"}).matches({"zone": "x"})
    assert not whole().matches({"zone": "x"})


def test_a_slice_tells_of_gpus() -> None:
    assert read_devices([live_slice("a", "6141Mi", "24Gi")]) == (
        GpuDevice("gpu-0", "a", 6141, "580.126.9"), GpuDevice("gpu-1", "a", 24576, "580.126.9"),
    )  # fmt: skip


def test_slices_of_other_drivers_and_slices_of_gpus_do_not_count() -> None:
    others = [live_slice("a", "6Gi", driver="dra.net"), live_slice("a", "6Gi", kind="mig")]
    assert read_devices(others) == ()


def test_a_qualified_name_of_an_attribute_means_the_same() -> None:
    live = live_slice("a", "6Gi")
    (device,) = live["spec"]["devices"]
    device["capacity"] = {"gpu.nvidia.com/memory": {"value": "8Gi"}}
    device["attributes"] = {"gpu.nvidia.com/type": {"string": "gpu"}}
    assert read_devices([live]) == (GpuDevice("gpu-0", "a", 8192),)


def test_only_the_latest_generation_of_a_pool_counts() -> None:
    slices = [live_slice("a", "6Gi", generation=1), live_slice("a", "8Gi", "8Gi", generation=2)]
    assert [one.memory_mib for one in read_devices(slices)] == [8192, 8192]


def damage(document: Any, path: list[int], value: Any) -> Any:
    """Return a document in which one part, found by the numbers, is something else."""
    if not path or not isinstance(document, dict | list) or not document:
        return value
    keys = list(document) if isinstance(document, dict) else list(range(len(document)))
    key = keys[path[0] % len(keys)]
    document[key] = damage(document[key], path[1:], value)
    return document


PATH = st.lists(st.integers(0, 9), max_size=6)


@settings(max_examples=200, deadline=None)
@given(PATH, JSON)
def test_no_node_makes_the_reader_crash(path: list[int], value: Any) -> None:
    labels = {"nvidia.com/mig-1g.10gb.memory": "1"}
    live = live_node(offered={"gpu": 1, "mig-1g.10gb": 2}, hami=[6144], memory=6144, count=1, labels=labels)
    found = damage(copy.deepcopy(live), path, value)
    assert isinstance(read_node(found if isinstance(found, dict) else {}), GpuNode)


@settings(max_examples=200, deadline=None)
@given(PATH, JSON)
def test_no_slice_makes_the_reader_crash(path: list[int], value: Any) -> None:
    found = damage(live_slice("a", "6Gi"), path, value)
    assert isinstance(read_devices([found if isinstance(found, dict) else {}]), tuple)


@given(st.text() | st.none() | st.just("[1, null, {}]") | st.just('[{"devmem": "x"}]') | st.just("{}"))
def test_no_annotation_makes_the_reader_crash(annotation: Any) -> None:
    live = live_node()
    live["metadata"]["annotations"] = {"hami.io/node-nvidia-register": annotation}
    assert read_node(live).count == 0
