"""A small cluster on the in-memory API server: watches that lag, controllers, an operator to crash."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from coderag_model.geometry import Geometry
from coderag_operator.errors import Failure
from coderag_operator.failover import Pulse
from coderag_operator.kube.cache import Memory
from coderag_operator.kube.kinds import WATCHED
from coderag_operator.observed.child import COMPONENT, REVISION, STACK, Child, project
from coderag_operator.observed.devices import Machines
from coderag_operator.observed.index import Index, Repository
from coderag_operator.reconcile import Outcome, Seen, Tools, reconcile
from tests.support.memory_kube import Crash, MemoryKube, Name, duplicate

IMAGES = {
    name: f"registry.example/coderag-{name}:1"
    for name in ("llama", "model", "embedding", "rag", "gateway", "qdrant", "evaluation")
}
NAMESPACE = "team"
SHOWN = {kind.name for kind in WATCHED}
WORKLOADS = ("Deployment", "StatefulSet")
SHA = {"chat": "a" * 64, "code": "b" * 64}


def llama(role: str, **more: Any) -> dict[str, Any]:
    """Return a model of the spec that is downloaded."""
    return {"llamaCpp": {"source": {"http": {"url": f"https://hub.example/{role}.gguf", "sha256": SHA[role]}}, **more}}


def external() -> dict[str, Any]:
    """Return a model of the spec that somebody else serves."""
    return {"external": {"baseUrl": "https://llm.example/v1", "model": "m"}}


def local_spec(**more: Any) -> dict[str, Any]:
    """Return a spec with two downloaded models on the CPU."""
    return {
        "gpu": {"sharing": "None"},
        "models": {"chat": llama("chat", gpuLayers=0), "code": llama("code", gpuLayers=0)},
        **more,
    }


def external_spec(**more: Any) -> dict[str, Any]:
    """Return a spec with two external models."""
    return {"models": {"chat": external(), "code": external()}, **more}


@dataclass
class Simulation:
    """One stack, one operator process that may be replaced, and a clock that only tests move."""

    spec: dict[str, Any]
    name: str = "demo"
    kube: MemoryKube = field(default_factory=MemoryKube)
    now: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    index: Index | None = None
    results: dict[str, dict[str, Any]] = field(default_factory=dict)  # what the fetch Job of a digest says
    outcomes: list[Outcome] = field(default_factory=list)
    failures: int = 0
    geometries: dict[str, Geometry] = field(default_factory=dict)  # of the model of a digest
    machines: Machines = field(default_factory=Machines)
    devices: str = ""  # what llama-server lists on the node
    servers_of_others: bool = False
    looks: list[bool] = field(default_factory=list)  # at the nodes, and whether for a new spec

    def __post_init__(self) -> None:
        self.memory = self.fresh_memory()
        self.servers = ModelServers(self.kube, lambda: self.now)
        self.kube.create(
            {
                "apiVersion": "coderag.dev/v1alpha1", "kind": "CodeRagStack", "spec": self.spec,
                "metadata": {"name": self.name, "namespace": NAMESPACE},
            }
        )  # fmt: skip
        self.kube.writes.clear()

    @property
    def key(self) -> Name:
        """Return the name of the stack."""
        return "CodeRagStack", NAMESPACE, self.name

    @property
    def stack(self) -> dict[str, Any]:
        """Return the stack as it is."""
        return self.kube.objects[self.key]

    @property
    def conditions(self) -> dict[str, dict[str, Any]]:
        """Return the conditions by type."""
        return {one["type"]: one for one in self.stack.get("status", {}).get("conditions", [])}

    def child(self, kind: str, suffix: str) -> dict[str, Any]:
        """Return a child."""
        return self.kube.objects[kind, NAMESPACE, f"{self.name}-{suffix}"]

    def fresh_memory(self) -> Memory:
        """Return the memory of a process that has just started."""
        return Memory(clock=lambda: self.now.timestamp())

    def restart(self) -> None:
        """Replace the operator's process."""
        self.memory, self.failures = self.fresh_memory(), 0

    def set_spec(self, spec: dict[str, Any]) -> None:
        """Edit the stack as a user."""
        self.kube.edit(self.key, lambda live: live.update(spec=spec))

    def view(self) -> tuple[dict[str, Any], tuple[Child, ...]]:
        """Return what the watches show."""
        found = tuple(
            project({**live, "kind": kind})
            for (kind, _, _), live in self.kube.objects.items()
            if live["metadata"].get("labels", {}).get(STACK) == self.name and kind in SHOWN
        )
        return duplicate(self.stack), found

    def look(self, new_spec: bool) -> Machines:
        """Return the nodes as the operator reads them."""
        self.looks.append(new_spec)
        return self.machines

    def step(self, view: tuple[dict[str, Any], tuple[Child, ...]] | None = None) -> Outcome | None:
        """Run one pass; a failure or a crash ends it, as the engine would."""
        body, children = view or self.view()
        tools = Tools(self.kube, IMAGES, lambda: self.now, self.look)
        try:
            seen = Seen(
                body, children, self.memory, self.index, self.failures, self.servers.pulses(), self.servers_of_others
            )
            outcome = reconcile(tools, seen)
        except Failure:
            self.failures += 1
            return None
        except Crash:
            self.restart()
            return None
        self.failures = self.failures + 1 if outcome.failure else 0
        self.outcomes.append(outcome)
        return outcome

    def settle(self, limit: int = 40, controllers: Callable[[], None] | None = None) -> int:
        """Run passes and controllers until nothing changes; returns the number of passes."""
        for count in range(1, limit + 1):
            self.now += timedelta(seconds=7)
            before = {name: live["metadata"]["resourceVersion"] for name, live in self.kube.objects.items()}
            outcome = self.step()
            (controllers or self.run_controllers)()
            after = {name: live["metadata"]["resourceVersion"] for name, live in self.kube.objects.items()}
            if before == after and outcome is not None and outcome.failure is None:
                return count
        raise AssertionError(f"not settled after {limit} passes")

    def run_controllers(self) -> None:
        """Make every workload ready and every fetch Job end, as a healthy cluster would."""
        for kind in WORKLOADS:
            for live in list(self.kube.of(kind)):
                if not self.servers.run(live):
                    self.make_ready(live)
        for job in list(self.kube.of("Job")):
            self.finish(job)

    def make_ready(self, live: dict[str, Any], ready: int | None = None) -> None:
        """Give a workload its pods."""
        wanted = live["spec"].get("replicas", 1)
        numbers = dict.fromkeys(("replicas", "updatedReplicas"), wanted) | {
            "readyReplicas": wanted if ready is None else ready
        }
        status = {"observedGeneration": live["metadata"].get("generation", 0), **numbers}
        self.kube.edit((live["kind"], NAMESPACE, live["metadata"]["name"]), lambda one: one.update(status=status))

    def finish(self, job: dict[str, Any]) -> None:
        """End a Job, with a pod that says how it went."""
        metadata = job["metadata"]
        if "-probe-" in metadata["name"]:
            return self.end(job, bool(self.devices), self.devices)
        if metadata["labels"][COMPONENT] == "evaluation":
            report = self.results.get("evaluation", {"ok": True, "questions": 3})
            return self.end(job, bool(report["ok"]), json.dumps(report))
        digest = metadata["annotations"]["coderag.dev/sha256"]
        header = {
            "architecture": "llama",
            "layers": 2,
            "contextLength": 4096,
            "embeddingLength": 64,
            "headCount": 4,
            "headCountKv": 4,
        }
        geometry = {"geometry": self.geometries[digest].to_json()} if digest in self.geometries else {}
        said = self.results.get(
            digest,
            {
                "ok": True,
                "file": f"/models/{digest}.gguf",
                "sizeBytes": 1000,
                "sha256": digest,
                "header": header,
                **geometry,
            },
        )
        return self.end(job, bool(said.get("ok")), json.dumps(said))

    def end(self, job: dict[str, Any], good: bool, said: str) -> None:
        """End a Job well or not, with the last words of its pod."""
        metadata = job["metadata"]
        name = f"{metadata['name']}-{metadata['uid']}"
        ended = {"state": {"terminated": {"exitCode": 0 if good else 1, "message": said}}}
        self.kube.add(
            {
                "apiVersion": "v1", "kind": "Pod",
                "status": {"phase": "Succeeded" if good else "Failed", "containerStatuses": [ended]},
                "metadata": {
                    "name": name, "namespace": NAMESPACE, "labels": dict(metadata["labels"]),
                    "ownerReferences": [{"uid": metadata["uid"], "controller": True}],
                },
            }
        )  # fmt: skip
        kind = "Complete" if good else "Failed"
        status = {"conditions": [{"type": kind, "status": "True"}]}
        self.kube.edit(("Job", NAMESPACE, metadata["name"]), lambda one: one.update(status=status))

    def report_index(self, commit: str = "a1b2c3d4e5") -> None:
        """Have the ingestion worker report that everything is served."""
        names = [one["name"] for one in self.stack["spec"].get("repositories", [])]
        self.index = Index(True, "identity", tuple(Repository(name, "main", "Served", commit) for name in names))


@dataclass
class ModelServers:
    """The controller of chat's and code's Deployments, the kubelet below it, and what a prober would see.

    A pod whose revision is in `broken` never becomes ready, one in `dumb` fails its canaries, one in `stuck` hangs.
    """

    kube: MemoryKube
    clock: Callable[[], datetime]
    broken: set[str] = field(default_factory=set)
    dumb: set[str] = field(default_factory=set)
    stuck: dict[str, float] = field(default_factory=dict)  # by role, since when
    down: set[str] = field(default_factory=set)  # roles whose pod is not ready

    def run(self, live: dict[str, Any]) -> bool:
        """Do one step for a Deployment of a model server; tell whether it is one."""
        role = live["metadata"]["labels"][COMPONENT]
        if live["kind"] != "Deployment" or role not in ("chat", "code"):
            return False
        wanted = live["spec"]["template"]["metadata"]["annotations"].get(REVISION, "")
        pods = self.pods(role)
        old = [pod for pod in pods if pod["metadata"]["annotations"][REVISION] != wanted]
        replicas = live["spec"]["replicas"]
        if not live["spec"].get("paused"):
            for pod in pods if replicas == 0 else old:
                self.kube.remove(("Pod", NAMESPACE, pod["metadata"]["name"]))
            if not pods and replicas:
                self.start(live, role)
        for pod in self.pods(role):
            self.set_ready(pod, role not in self.down and self.revision(pod) not in self.broken)
        self.report(live, wanted)
        return True

    def pods(self, role: str) -> list[dict[str, Any]]:
        """Return the pods of a role."""
        return [pod for pod in self.kube.of("Pod") if pod["metadata"]["labels"].get(COMPONENT) == role]

    def revision(self, pod: dict[str, Any]) -> str:
        """Return the template that a pod was made from."""
        return pod["metadata"]["annotations"].get(REVISION, "")

    def start(self, live: dict[str, Any], role: str) -> None:
        """Make a ReplicaSet and its pod."""
        template, owner = live["spec"]["template"], live["metadata"]
        name = f"{owner['name']}-{template['metadata']['annotations'][REVISION]}"
        labels = template["metadata"]["labels"] | {"pod-template-hash": name.rpartition("-")[2]}
        made = {"metadata": {**template["metadata"], "labels": labels}, "spec": template["spec"]}
        metadata = {"name": name, "namespace": NAMESPACE, "labels": labels}
        owned = {"ownerReferences": [{"uid": owner["uid"], "name": owner["name"], "controller": True}]}
        self.kube.add(
            {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": metadata | owned, "spec": {"template": made}}
        )
        parent = self.kube.objects["ReplicaSet", NAMESPACE, name]["metadata"]
        reference = {"uid": parent["uid"], "name": name, "controller": True}
        count = len(self.kube.writes)
        pod = {
            "name": f"{name}-{role}{count}", "namespace": NAMESPACE, "labels": dict(labels),
            "annotations": dict(template["metadata"]["annotations"]), "ownerReferences": [reference],
            "creationTimestamp": stamp(self.clock()),
        }  # fmt: skip
        status = {"phase": "Running", "podIP": "10.0.0.1"}
        self.kube.add({"apiVersion": "v1", "kind": "Pod", "metadata": pod, "status": status})

    def set_ready(self, pod: dict[str, Any], ready: bool) -> None:
        """Turn a pod ready or not ready, with the time of the turn."""
        text = "True" if ready else "False"
        before = (pod["status"].get("conditions") or [{}])[0].get("status")
        if before != text:
            turned = {"type": "Ready", "status": text, "lastTransitionTime": stamp(self.clock())}
            name = ("Pod", NAMESPACE, pod["metadata"]["name"])
            self.kube.edit(name, lambda one: one["status"].update(conditions=[turned]))

    def report(self, live: dict[str, Any], wanted: str) -> None:
        """Write the Deployment's status."""
        pods = self.pods(live["metadata"]["labels"][COMPONENT])
        ready = [pod for pod in pods if pod["status"].get("conditions", [{}])[0].get("status") == "True"]
        status = {
            "observedGeneration": live["metadata"].get("generation", 0), "replicas": len(pods),
            "updatedReplicas": sum(self.revision(pod) == wanted for pod in pods), "readyReplicas": len(ready),
        }  # fmt: skip
        self.kube.edit(("Deployment", NAMESPACE, live["metadata"]["name"]), lambda one: one.update(status=status))

    def pulses(self) -> dict[str, Pulse]:
        """Return what the prober knows: each server has passed its canaries, unless it is made to fail."""
        found = {}
        for role in ("chat", "code"):
            for pod in self.pods(role):
                dumb = self.revision(pod) in self.dumb
                trouble = "a request was answered with 500" if dumb else ""
                found[pod["metadata"]["uid"]] = Pulse(self.stuck.get(role), 0 if dumb else 3, trouble)
        return found


def stamp(time: datetime) -> str:
    """Return a time as the API writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def snapshot(kube: MemoryKube) -> dict[Name, dict[str, Any]]:
    """Return the children without what differs from run to run: versions, UIDs, random values, and hashes of those."""
    return {
        rename(name): mask(live)
        for name, live in kube.objects.items()
        if name[0] not in ("Pod", "CodeRagStack", "ReplicaSet")
    }


def rename(name: Name) -> Name:
    """Return a name without the hash in it; the one of a fetch Job holds the UID of its claim."""
    kind, namespace, text = name
    return (kind, namespace, text.rpartition("-")[0]) if kind == "Job" else name


def mask(live: dict[str, Any]) -> dict[str, Any]:
    """Return what one object is, apart from its history."""
    kept = duplicate({key: value for key, value in live.items() if key in ("spec", "data", "kind")})
    if live["kind"] in ("Secret", "ConfigMap"):
        kept["data"] = sorted(live.get("data", {}))
    template = kept.get("spec", {}).get("template", {}).get("metadata", {})
    if "annotations" in template:
        template["annotations"] = sorted(template["annotations"])
    return {**kept, "labels": live["metadata"].get("labels")}
