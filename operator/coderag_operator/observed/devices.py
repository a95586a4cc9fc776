"""ResourceSlices as far as GPUs go: the devices that the NVIDIA driver offers to claims (DRA)."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from coderag_operator.observed.entries import objects_of, part_of, text_of, whole
from coderag_operator.observed.nodes import GpuNode

DRIVER = "gpu.nvidia.com"
MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class GpuDevice:
    """One GPU that a claim can get; `node` is empty where the slice is not of one node, memory 0 where untold."""

    name: str
    node: str = ""
    memory_mib: int = 0
    driver: str = ""


@dataclass(frozen=True, slots=True)
class Machines:
    """What was read of the cluster; None where the operator may not read it, or the API server does not serve it."""

    nodes: tuple[GpuNode, ...] | None = None
    devices: tuple[GpuDevice, ...] | None = None


def read_devices(slices: Iterable[Mapping[str, Any]]) -> tuple[GpuDevice, ...]:
    """Return the whole GPUs in the latest generation of each pool of the NVIDIA driver."""
    specs = [spec for live in slices if (spec := part_of(live, "spec")).get("driver") == DRIVER]
    latest: dict[str, int] = {}
    for spec in specs:
        latest[pool_of(spec)] = max(generation_of(spec), latest.get(pool_of(spec), 0))
    found = {one for spec in specs if generation_of(spec) == latest[pool_of(spec)] for one in list_devices(spec)}
    return tuple(sorted(found, key=lambda one: (one.node, one.name, one.memory_mib, one.driver)))


def list_devices(spec: Mapping[str, Any]) -> Iterator[GpuDevice]:
    """Yield the GPUs of one slice; MIG slices and virtual functions are devices of other classes."""
    for device in objects_of(spec.get("devices")):
        attributes = part_of(device, "attributes")
        if named(attributes, "type").get("string", "gpu") == "gpu":
            yield GpuDevice(
                name=text_of(device, "name"),
                node=text_of(spec, "nodeName"),
                memory_mib=whole(named(part_of(device, "capacity"), "memory").get("value")) // MIB,
                driver=text_of(named(attributes, "driverVersion"), "version"),
            )


def pool_of(spec: Mapping[str, Any]) -> str:
    """Return the name of the pool that a slice belongs to."""
    return text_of(part_of(spec, "pool"), "name")


def generation_of(spec: Mapping[str, Any]) -> int:
    """Return the generation of that pool: a driver that changes it writes new slices beside the old ones."""
    return whole(part_of(spec, "pool").get("generation"))


def named(mapping: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return an entry of a device by its name, which may carry the driver's domain."""
    return part_of(mapping, name) or part_of(mapping, f"{DRIVER}/{name}")
