"""A live child as the operator keeps it: a tenth of the object, so that ten thousand of them fit in a small process."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from coderag_operator.observed.details import Claim, Data, Details, Devices, Job, Nothing, Pod, Route, Workload

Live = Mapping[str, Any]
STACK = "coderag.dev/stack"
REVISION = "coderag.dev/revision"
VERIFIED = "coderag.dev/verified"
ASKS_PREVIOUS = "coderag.dev/asks-previous"
COMPONENT = "app.kubernetes.io/component"
MANAGED_BY = "app.kubernetes.io/managed-by"
MANAGER = "coderag-operator"
CONTROLLERS_OWN = "deployment.kubernetes.io/"
RESOURCE_CLAIM = "ResourceClaim"
WITH_GENERATION = {"Deployment", "StatefulSet", "Job", "CronJob", "Ingress", "NetworkPolicy", "PodDisruptionBudget"}


@dataclass(frozen=True, slots=True)
class Child:
    """One live object that carries a stack's label."""

    kind: str
    namespace: str
    name: str
    uid: str
    version: str  # resourceVersion
    stack: str
    component: str
    owner: str  # UID of its controller, empty when it has none
    deleting: bool
    details: Details
    mark: str = ""  # see read_mark

    @property
    def revision(self) -> str:
        """Return what changes with everything that an apply could have to put back."""
        return self.mark or self.version

    @property
    def key(self) -> tuple[str, str]:
        """Return what identifies the object within its namespace."""
        return self.kind, self.name


def project(live: Live) -> Child:
    """Return the projection of a live object; it needs `kind`, which lists leave out and watches do not."""
    metadata = live["metadata"]
    labels = metadata.get("labels") or {}
    return Child(
        kind=live["kind"],
        namespace=metadata.get("namespace", ""),
        name=metadata["name"],
        uid=metadata.get("uid", ""),
        version=metadata.get("resourceVersion", ""),
        stack=labels.get(STACK, ""),
        component=labels.get(COMPONENT, ""),
        owner=read_owner(metadata),
        deleting="deletionTimestamp" in metadata,
        details=read_details(live),
        mark=read_mark(live),
    )


def read_mark(live: Live) -> str:
    """Return a digest of generation and metadata, for kinds whose generation follows their spec; empty for others.

    The resourceVersion of a workload moves with every pod that becomes ready, and each move would cost an apply. A
    ResourceClaim, which moves with every pod that holds it, has a spec instead that never changes.
    """
    metadata = live["metadata"]
    if live["kind"] not in (*WITH_GENERATION, RESOURCE_CLAIM):
        return ""
    if live["kind"] in WITH_GENERATION and "generation" not in metadata:
        return ""
    annotations = metadata.get("annotations") or {}
    ours = {name: value for name, value in annotations.items() if not name.startswith(CONTROLLERS_OWN)}
    parts = [metadata.get(name) for name in ("uid", "generation", "labels", "ownerReferences")]
    return digest([*parts, ours])[:24]


def read_owner(metadata: Live) -> str:
    """Return the UID of the object's controller, empty when it has none."""
    return str(read_controller(metadata).get("uid", ""))


def read_controller(metadata: Live) -> Live:
    """Return the reference to the object's controller, empty when it has none."""
    return next((one for one in metadata.get("ownerReferences") or [] if one.get("controller")), {})


def read_details(live: Live) -> Details:
    """Return what this kind of object tells about its state."""
    match live["kind"]:
        case "Deployment" | "StatefulSet":
            return read_workload(live)
        case "Job":
            return read_job(live)
        case "Pod":
            return read_pod(live)
        case "PersistentVolumeClaim":
            return read_claim(live)
        case "Secret" | "ConfigMap":
            return read_data(live)
        case "Ingress":
            return read_route(live)
        case "ResourceClaim":
            return read_devices(live)
        case _:
            return Nothing()


def read_workload(live: Live) -> Workload:
    """Return the state of a Deployment or a StatefulSet."""
    spec, status = live.get("spec") or {}, live.get("status") or {}
    conditions = {one["type"]: one for one in status.get("conditions") or []}
    return Workload(
        generation=live["metadata"].get("generation", 0),
        observed_generation=status.get("observedGeneration", 0),
        wanted=spec.get("replicas", 1),
        updated=status.get("updatedReplicas", 0),
        total=status.get("replicas", 0),
        ready=status.get("readyReplicas", 0),
        late=(conditions.get("Progressing") or {}).get("reason") == "ProgressDeadlineExceeded",
        paused=bool(spec.get("paused")),
        revision=read_revision(spec.get("template") or {}),
        frozen_fields={
            name: spec[name] for name in ("selector", "serviceName", "volumeClaimTemplates") if name in spec
        },
    )


def read_job(live: Live) -> Job:
    """Return the state of a Job and the model that it fetches."""
    status = live.get("status") or {}
    conditions = {one["type"] for one in status.get("conditions") or [] if one.get("status") == "True"}
    return Job(
        digest=(live["metadata"].get("annotations") or {}).get("coderag.dev/sha256", ""),
        complete="Complete" in conditions,
        failed="Failed" in conditions,
        active=bool(status.get("active")),
    )


def read_pod(live: Live) -> Pod:
    """Return the state of a pod: why it does not start, and what its containers said when they ended."""
    metadata, status = live["metadata"], live.get("status") or {}
    conditions = {one["type"]: one for one in status.get("conditions") or []}
    containers = [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]
    scheduled, ready = conditions.get("PodScheduled") or {}, conditions.get("Ready") or {}
    return Pod(
        ready=ready.get("status") == "True",
        phase=status.get("phase", "Pending"),
        unschedulable=scheduled.get("message", "") if scheduled.get("status") == "False" else "",
        waiting=tuple(sorted(filter(None, map(read_waiting, containers)))),
        endings=tuple(filter(None, (read_ending(one) for one in containers))),
        crashes=tuple(sorted({crash for one in containers for crash in read_crashes(one)})),
        serves=frozenset(read_serves(metadata.get("labels") or {})),
        evicted=status.get("reason", "") if status.get("phase") == "Failed" else "",
        turned=read_time(ready.get("lastTransitionTime") or metadata.get("creationTimestamp")),
        address=status.get("podIP", ""),
        revision=read_revision(live),
        controller=read_controller(metadata).get("name", ""),
        verified=(metadata.get("labels") or {}).get(VERIFIED) == "true",
        asks_previous=(metadata.get("labels") or {}).get(ASKS_PREVIOUS) == "true",
    )


def read_revision(live: Live) -> str:
    """Return the revision that a pod or a pod template is marked with."""
    return str(((live.get("metadata") or {}).get("annotations") or {}).get(REVISION, ""))


def read_time(text: str | None) -> int:
    """Return a time of the API in seconds of the epoch, 0 when there is none."""
    return int(datetime.fromisoformat(text).timestamp()) if text else 0


def read_waiting(container: Live) -> tuple[str, str] | None:
    """Return why a container does not run, when that is worth telling; a plain start is not."""
    waiting = (container.get("state") or {}).get("waiting") or {}
    reason = waiting.get("reason", "")
    return (reason, container.get("image", "")) if reason not in ("", "ContainerCreating", "PodInitializing") else None


def read_ending(container: Live) -> str | None:
    """Return the termination message of a container that has ended for good."""
    ended = (container.get("state") or {}).get("terminated")
    return None if ended is None else str(ended.get("message") or "")


def read_crashes(container: Live) -> Iterator[tuple[int, str]]:
    """Yield the failed ends of a container that are known: the current one and the one before."""
    restarts = container.get("restartCount") or 0
    for state, before in (("state", restarts), ("lastState", restarts - 1)):
        ended = (container.get(state) or {}).get("terminated") or {}
        if ended.get("exitCode"):
            yield before, str(ended.get("message") or "")


def read_serves(labels: Live) -> list[str]:
    """Return the roles that a pod is labelled to serve."""
    prefix = "coderag.dev/serves-"
    return [name.removeprefix(prefix) for name, value in labels.items() if name.startswith(prefix) and value == "true"]


def read_claim(live: Live) -> Claim:
    """Return the state of a volume claim."""
    requests = ((live.get("spec") or {}).get("resources") or {}).get("requests") or {}
    return Claim(phase=(live.get("status") or {}).get("phase", "Pending"), requested=requests.get("storage", ""))


def read_data(live: Live) -> Data:
    """Return the checksum and the key names of a Secret or ConfigMap; the values of our own facts, of nothing else."""
    data = {**(live.get("data") or {}), **(live.get("binaryData") or {})}
    facts = live["kind"] == "ConfigMap" and (live["metadata"].get("labels") or {}).get(COMPONENT) == "facts"
    return Data(checksum=digest(data), keys=frozenset(data), values=dict(data) if facts else {})


def read_route(live: Live) -> Route:
    """Return where an Ingress is reachable."""
    entries = ((live.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
    return Route(tuple(sorted(str(one.get("hostname") or one.get("ip") or "") for one in entries)))


def read_devices(live: Live) -> Devices:
    """Return whether a pod holds the devices of a ResourceClaim, and what it asks for, which never changes."""
    spec = live.get("spec") or {}
    frozen = {name: spec[name] for name in ("devices",) if name in spec}
    return Devices(bool((live.get("status") or {}).get("reservedFor")), frozen)


def digest(value: object) -> str:
    """Return a checksum of a JSON value that does not depend on the order of its keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
