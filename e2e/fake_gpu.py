"""A node that says it has a GPU: labels and capacity as GPU feature discovery and the device plugin would set them.

Nothing of a GPU is there: the scheduler and the kubelet count shares, and the CPU build of llama-server ignores layers.
"""

import contextlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from e2e.kubectl import Cluster

PREFIX, RESOURCE = "nvidia.com/gpu", "nvidia.com/gpu"
SLICE = "coderag-fake-gpu"


def node_name(cluster: Cluster) -> str:
    """Return the name of the only node."""
    return str(cluster.get("nodes")["items"][0]["metadata"]["name"])


@contextlib.contextmanager
def fake_gpu(
    cluster: Cluster,
    memory_mib: int,
    shares: int,
    strategy: str = "time-slicing",
    count: int = 1,
    annotations: dict[str, str] | None = None,
    devices: list[dict[str, Any]] | None = None,
) -> Iterator[None]:
    """Give the node `count` GPUs of so many MiB that are offered as `shares`; put back what was there before.

    `devices`: what the DRA driver would publish in a ResourceSlice
    """
    name, marks = node_name(cluster), annotations or {}
    before = cluster.get("node", name)
    values = {
        "present": "true", "count": str(count), "memory": str(memory_mib), "product": "NVIDIA-Test",
        "replicas": str(max(1, shares // count)), "sharing-strategy": strategy,
    }  # fmt: skip
    labels = {f"{PREFIX}.{key}": value for key, value in values.items()}
    mark(cluster, name, labels, marks)
    offer(cluster, name, str(shares))
    if devices:
        publish(cluster, name, devices)
    try:
        yield
    finally:
        old = before["metadata"]
        mark(cluster, name, keep(old.get("labels"), labels), keep(old.get("annotations"), marks))
        offer(cluster, name, before["status"]["capacity"].get(RESOURCE))
        cluster.kubectl("delete", "resourceslice", SLICE, "--ignore-not-found")


def keep(old: dict[str, str] | None, changed: dict[str, str]) -> dict[str, str | None]:
    """Return what the changed entries were before, None where they were not there."""
    return {name: (old or {}).get(name) for name in changed}


def mark(cluster: Cluster, name: str, labels: Mapping[str, str | None], annotations: Mapping[str, str | None]) -> None:
    """Set labels and annotations of the node; None takes one away."""
    patch = {"metadata": {"labels": labels, "annotations": annotations}}
    cluster.kubectl("patch", "node", name, "--type=merge", "-p", json.dumps(patch))


def offer(cluster: Cluster, name: str, shares: str | None) -> None:
    """Set how many shares the node's device plugin would offer; None: there is none."""
    amounts = {RESOURCE: shares}
    status = {"status": {"capacity": amounts, "allocatable": amounts}}
    cluster.kubectl("patch", "node", name, "--subresource=status", "--type=merge", "-p", json.dumps(status))


def publish(cluster: Cluster, name: str, devices: list[dict[str, Any]]) -> None:
    """Publish the devices of the node as its DRA driver would."""
    pool = {"name": name, "generation": 1, "resourceSliceCount": 1}
    manifest = {
        "apiVersion": "resource.k8s.io/v1", "kind": "ResourceSlice", "metadata": {"name": SLICE},
        "spec": {"driver": "gpu.nvidia.com", "nodeName": name, "pool": pool, "devices": devices},
    }  # fmt: skip
    cluster.kubectl("create", "-f", "-", stdin=json.dumps(manifest))
