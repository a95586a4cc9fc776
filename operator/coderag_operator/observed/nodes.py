"""Nodes as far as GPUs go: what somebody else wrote, read into a small record.

Labels are those of GPU feature discovery, resources those of the NVIDIA device plugin, the annotation HAMi's. Whatever
is missing or of another form counts as unknown: a foreign object never fails a pass.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from coderag_operator.observed.entries import objects_of, part_of, text_of, whole

VENDOR = "nvidia.com/"
GPU, SHARED, MIG, HAMI_MEMORY = f"{VENDOR}gpu", f"{VENDOR}gpu.shared", f"{VENDOR}mig-", f"{VENDOR}gpumem"
HAMI_DEVICES = "hami.io/node-nvidia-register"
TIME_SLICING, MPS, HAMI, WHOLE, UNTOLD = "time-slicing", "mps", "hami", "none", ""


@dataclass(frozen=True, slots=True)
class GpuNode:
    """One node. Numbers that nobody gives are 0, texts empty.

    count, replicas, memory_mib: GPUs in the node, how often each is offered, NVML's total of one in MiB (labels)
    strategy: how the GPUs are offered, as the label says it: time-slicing | mps | hami | none | empty where untold
    offered: what a pod can ask for, by resource: the GPUs, shares or MIG slices that the kubelet announces
    slices: memory of one MIG slice in MiB, by resource
    usable: ready and not cordoned
    """

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    usable: bool = True
    count: int = 0
    replicas: int = 0
    memory_mib: int = 0
    product: str = ""
    driver: str = ""
    strategy: str = UNTOLD
    mps_capable: bool = False
    offered: Mapping[str, int] = field(default_factory=dict)
    slices: Mapping[str, int] = field(default_factory=dict)

    @property
    def has_gpu(self) -> bool:
        """Tell whether anything speaks of a GPU in this node."""
        return bool(self.offered or self.count or self.memory_mib or self.labels.get(f"{GPU}.present") == "true")

    def matches(self, selector: Mapping[str, str]) -> bool:
        """Tell whether the node carries these labels."""
        return all(self.labels.get(key) == value for key, value in selector.items())


def read_node(live: Mapping[str, Any]) -> GpuNode:
    """Return what a Node tells."""
    metadata, status = part_of(live, "metadata"), part_of(live, "status")
    labels = {key: value for key, value in part_of(metadata, "labels").items() if isinstance(value, str)}
    hami = read_hami(part_of(metadata, "annotations").get(HAMI_DEVICES))
    resources = read_resources(part_of(status, "allocatable"))
    count = len(hami) or whole(labels.get(f"{GPU}.count"))
    replicas = whole(labels.get(f"{GPU}.replicas"))
    offered = find_offered(resources, count * max(1, replicas))
    return GpuNode(
        name=text_of(metadata, "name"),
        labels=labels,
        usable=is_ready(status) and part_of(live, "spec").get("unschedulable") is not True,
        count=count,
        replicas=replicas,
        memory_mib=min(hami, default=0) or whole(labels.get(f"{GPU}.memory")),
        product=labels.get(f"{GPU}.product", ""),
        driver=read_driver(labels),
        strategy=HAMI if hami or HAMI_MEMORY in resources else find_strategy(labels, offered, count, replicas),
        mps_capable=labels.get(f"{VENDOR}mps.capable") == "true",
        offered=offered,
        slices={name: whole(labels.get(f"{name}.memory")) for name in offered if name.startswith(MIG)},
    )


def read_resources(allocatable: Mapping[str, Any]) -> dict[str, int]:
    """Return the resources of the vendor that the kubelet announces; 0 while their plugin is away."""
    return {name: whole(value) for name, value in allocatable.items() if str(name).startswith(VENDOR)}


def find_offered(resources: Mapping[str, int], labelled: int) -> dict[str, int]:
    """Return what a pod can ask for; a plugin that is just restarting announces 0, and the labels tell what it had."""
    kinds = {name: number for name, number in resources.items() if name in (GPU, SHARED) or name.startswith(MIG)}
    found = {name: number for name, number in kinds.items() if number}
    if found or not kinds or not labelled:
        return found
    return {SHARED if SHARED in kinds else GPU: labelled}


def find_strategy(labels: Mapping[str, str], offered: Mapping[str, int], count: int, replicas: int) -> str:
    """Return how the device plugin offers its GPUs; before 2024 nothing but `replicas` told of time-slicing."""
    told = labels.get(f"{GPU}.sharing-strategy", UNTOLD)
    if told in (TIME_SLICING, MPS):
        return told
    if SHARED in offered or replicas > 1:
        return TIME_SLICING
    return WHOLE if told == WHOLE or 0 < offered.get(GPU, 0) <= count else UNTOLD


def read_hami(annotation: object) -> tuple[int, ...]:
    """Return the memory in MiB of each GPU that HAMi has registered on a node."""
    try:
        devices = json.loads(annotation) if isinstance(annotation, str) else None
    except ValueError:
        return ()
    return tuple(number for one in objects_of(devices) if (number := whole(one.get("devmem"))))


def read_driver(labels: Mapping[str, str]) -> str:
    """Return the version of the driver: one label since 2024, three before."""
    parts = [labels.get(f"{VENDOR}cuda.driver.{name}", "") for name in ("major", "minor", "rev")]
    return labels.get(f"{VENDOR}cuda.driver-version.full") or ".".join(filter(None, parts))


def is_ready(status: Mapping[str, Any]) -> bool:
    """Tell whether the kubelet says that it takes pods."""
    conditions = [one for one in objects_of(status.get("conditions")) if one.get("type") == "Ready"]
    return any(one.get("status") == "True" for one in conditions)
