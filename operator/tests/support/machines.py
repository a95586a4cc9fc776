"""Nodes and ResourceSlices as GPU feature discovery, the device plugin, HAMi and the DRA driver write them."""

import json
from typing import Any

from coderag_operator.observed.devices import GpuDevice, read_devices
from coderag_operator.observed.nodes import GpuNode, read_node

VENDOR = "nvidia.com/"


def live_node(
    name: str = "a",
    *,
    offered: dict[str, Any] | None = None,
    labels: dict[str, str] | None = None,
    hami: list[int] | None = None,
    **gpu: Any,
) -> dict[str, Any]:
    """Return a Node; `gpu` are labels below nvidia.com/gpu, `offered` what is allocatable, both without the prefix."""
    told = {f"{VENDOR}gpu.{key.replace('_', '-')}": str(value) for key, value in gpu.items()}
    devices = [{"id": f"GPU-{n}", "count": 10, "devmem": memory, "health": True} for n, memory in enumerate(hami or [])]
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {"kubernetes.io/hostname": name, **told, **(labels or {})},
            "annotations": {"hami.io/node-nvidia-register": json.dumps(devices)} if hami else {},
        },
        "spec": {},
        "status": {
            "allocatable": {"cpu": "8", **{VENDOR + key: str(value) for key, value in (offered or {}).items()}},
            "conditions": [{"type": "MemoryPressure", "status": "False"}, {"type": "Ready", "status": "True"}],
        },
    }


def node(name: str = "a", **more: Any) -> GpuNode:
    """Return a node as it is read."""
    return read_node(live_node(name, **more))


def sliced(name: str = "a", *, shares: int = 4, gpus: int = 1, memory: int = 6144, **more: Any) -> GpuNode:
    """Return a node whose device plugin shares its GPUs by time-slicing."""
    told = {"count": gpus, "replicas": shares, "memory": memory, "sharing_strategy": "time-slicing", **more}
    return node(name, offered={"gpu": shares * gpus}, **told)


def whole(name: str = "a", *, gpus: int = 1, memory: int = 24564, **more: Any) -> GpuNode:
    """Return a node whose device plugin shares nothing."""
    told = {"count": gpus, "replicas": 1, "memory": memory, "sharing_strategy": "none", **more}
    return node(name, offered={"gpu": gpus}, **told)


def live_slice(
    node_name: str = "a", *memories: str, generation: Any = 1, driver: str = "gpu.nvidia.com", kind: str = "gpu"
) -> dict[str, Any]:
    """Return a ResourceSlice with one device for each memory."""
    devices = [
        {
            "name": f"gpu-{number}",
            "attributes": {"type": {"string": kind}, "driverVersion": {"version": "580.126.9"}},
            "capacity": {"memory": {"value": memory}},
        }
        for number, memory in enumerate(memories)
    ]
    pool = {"name": node_name, "generation": generation, "resourceSliceCount": 1}
    spec = {"driver": driver, "nodeName": node_name, "pool": pool, "devices": devices}
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceSlice",
        "metadata": {"name": f"{node_name}-slice-{generation}"},
        "spec": spec,
    }


def devices(node_name: str = "a", *memories: str) -> tuple[GpuDevice, ...]:
    """Return the devices of one slice as they are read."""
    return read_devices([live_slice(node_name, *memories)])
