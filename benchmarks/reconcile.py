"""Reconcile many stacks on a real kube-apiserver and etcd, and print what that costs and how fast repairs are.

There is no kubelet: this script patches readiness in, under its own user agent, so that the operator's own requests can
be counted in the API server's audit log. The operator runs as a process of its own, as in its pod.

    python benchmarks/reconcile.py [--stacks 200] [--rest 60] [--append]
"""

import argparse
import base64
import json
import os
import platform
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import yaml

ROOT = Path(__file__).resolve().parent.parent
PLANE = "bench-reconcile"
NAMESPACE = "bench"
SOURCES = os.pathsep.join(str(ROOT / folder) for folder in ("operator", "images/model"))  # as in the operator's image
AGENT = "coderag-operator"
WRITES = {"create", "update", "patch", "delete", "deletecollection"}
PATHS = {
    "deployments": "/apis/apps/v1", "statefulsets": "/apis/apps/v1", "services": "/api/v1", "configmaps": "/api/v1",
    "secrets": "/api/v1", "persistentvolumeclaims": "/api/v1", "serviceaccounts": "/api/v1", "jobs": "/apis/batch/v1",
    "networkpolicies": "/apis/networking.k8s.io/v1", "poddisruptionbudgets": "/apis/policy/v1",
    "ingresses": "/apis/networking.k8s.io/v1",
}  # fmt: skip
STACKS = f"/apis/coderag.dev/v1alpha1/namespaces/{NAMESPACE}/coderagstacks"
MODEL = {"external": {"baseUrl": "https://llm.example/v1", "model": "m"}}
IMAGES = ("LLAMA", "MODEL", "EMBEDDING", "RAG", "GATEWAY", "QDRANT")
TICKS = os.sysconf("SC_CLK_TCK")
PATIENCE = 1800


class Api:
    """The API server as an administrator sees it."""

    def __init__(self, kubeconfig: str) -> None:
        config = yaml.safe_load(Path(kubeconfig).read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        folder = Path(kubeconfig).parent
        files = [unpack(folder, name, owner) for name, owner in
                 (("certificate-authority", cluster), ("client-certificate", user), ("client-key", user))]  # fmt: skip
        context = ssl.create_default_context(cafile=files[0])
        context.load_cert_chain(files[1], files[2])
        limits = httpx.Limits(max_connections=8)
        self.http = httpx.Client(base_url=cluster["server"], verify=context, limits=limits, timeout=60, trust_env=False)
        self.http.headers["user-agent"] = "bench"

    def call(self, method: str, path: str, body: Any = None, kind: str = "application/json") -> dict[str, Any]:
        """Send a request; stops the benchmark when it fails."""
        response = self.http.request(method, path, content=body and json.dumps(body), headers={"content-type": kind})
        if response.is_error and response.status_code != 409:
            sys.exit(f"{method} {path}: {response.status_code} {response.text[:300]}")
        return dict(response.json())

    def items(self, plural: str) -> list[dict[str, Any]]:
        """Return the children of a kind."""
        path = f"{PATHS[plural]}/namespaces/{NAMESPACE}/{plural}?labelSelector=coderag.dev/stack"
        return list(self.call("GET", path)["items"])

    def stacks(self) -> list[dict[str, Any]]:
        """Return the stacks."""
        return list(self.call("GET", STACKS)["items"])


def unpack(folder: Path, name: str, owner: dict[str, Any]) -> str:
    """Return the path of a certificate or key of the kubeconfig, written out where it is held inside."""
    if name in owner:
        return str(folder / owner[name])
    path = folder / f"bench-{name}.pem"
    path.write_bytes(base64.b64decode(owner[f"{name}-data"]))
    path.chmod(0o600)
    return str(path)


@dataclass
class Operator:
    """The operator's process, and what it costs."""

    kubeconfig: str
    log: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self, workers: int) -> None:
        """Start the operator."""
        environment = {
            **os.environ, "KUBECONFIG": self.kubeconfig, "PYTHONPATH": SOURCES, "POD_NAME": "bench",
            "CODERAG_HEALTH_PORT": "0", "CODERAG_METRICS_PORT": "0", "CODERAG_LISTEN_HOST": "127.0.0.1",
            "CODERAG_WORKERS": str(workers),
            **{f"CODERAG_IMAGE_{name}": f"registry.example/coderag-{name.lower()}:1" for name in IMAGES},
        }  # fmt: skip
        command = [sys.executable, "-m", "coderag_operator", "run"]
        self.process = subprocess.Popen(command, env=environment, stdout=self.log.open("wb"), stderr=subprocess.STDOUT)

    def stop(self) -> None:
        """Stop the operator."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(40)

    def cpu(self) -> float:
        """Return the CPU seconds spent so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def rss(self) -> float:
        """Return the resident memory in MiB; fails when the process has ended."""
        text = Path(f"/proc/{self.pid}/status").read_text()
        return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("VmRSS")) / 1024

    @property
    def pid(self) -> int:
        """Return the process id, or stop the benchmark when there is no process any more."""
        if self.process is None or self.process.poll() is not None:
            sys.exit(f"the operator has ended; the end of its log:\n{self.log.read_text()[-2000:]}")
        return self.process.pid


def read_writes(audit: Path, offset: int) -> list[str]:
    """Return what the operator wrote since an offset in the audit log, its own Lease aside."""
    with audit.open("rb") as log:
        log.seek(offset)
        events = [json.loads(line) for line in log if line.endswith(b"\n")]
    return [
        f"{event['verb']} {event['objectRef'].get('resource')}/{event['objectRef'].get('name')}"
        for event in events
        if event.get("userAgent", "").startswith((AGENT, "kopf"))
        and event["verb"] in WRITES
        and event.get("objectRef", {}).get("resource") != "leases"
    ]


def make_stacks(api: Api, number: int) -> None:
    """Create the stacks, a few at once."""

    def make(index: int) -> None:
        body = {
            "apiVersion": "coderag.dev/v1alpha1", "kind": "CodeRagStack", "metadata": {"name": f"s{index:04d}"},
            "spec": {"models": {"chat": MODEL, "code": MODEL}},
        }  # fmt: skip
        api.call("POST", STACKS, body)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(make, range(number)))


def make_ready(api: Api) -> None:
    """Patch readiness into workloads that have none at their generation."""
    for plural in ("deployments", "statefulsets"):
        for live in api.items(plural):
            metadata, wanted = live["metadata"], live["spec"].get("replicas", 1)
            if live.get("status", {}).get("observedGeneration") == metadata["generation"]:
                continue
            status = {"observedGeneration": metadata["generation"], "replicas": wanted, "updatedReplicas": wanted,
                      "readyReplicas": wanted, "availableReplicas": wanted}  # fmt: skip
            path = f"{PATHS[plural]}/namespaces/{NAMESPACE}/{plural}/{metadata['name']}/status"
            api.call("PATCH", path, {"status": status}, "application/merge-patch+json")


def wait_until(what: str, done: Callable[[], bool], limit: float, pause: float) -> float:
    """Wait for something; returns the seconds it took, and stops the benchmark when it does not come."""
    started = time.monotonic()
    while not done():
        if time.monotonic() - started > limit:
            sys.exit(f"gave up waiting after {limit:.0f} s: {what}")
        time.sleep(pause)
    return time.monotonic() - started


def count_children(api: Api) -> int:
    """Return how many children there are."""
    return sum(len(api.items(plural)) for plural in PATHS)


def is_ready(stack: dict[str, Any]) -> bool:
    """Tell whether a stack is Ready at its generation."""
    conditions = {one["type"]: one for one in stack.get("status", {}).get("conditions", [])}
    ready = conditions.get("Ready", {})
    return ready.get("status") == "True" and ready.get("observedGeneration") == stack["metadata"]["generation"]


def converge(api: Api, operator: Operator, number: int) -> Iterator[tuple[str, str, str]]:
    """Create the stacks and wait until every one is Ready."""
    cpu, started = operator.cpu(), time.monotonic()
    make_stacks(api, number)

    def rolled_out() -> bool:
        return (
            bool(operator.pid)
            and len(api.items("deployments")) >= 3 * number
            and all(s.get("status", {}).get("summary") for s in api.stacks())
        )

    wait_until("every child is applied", rolled_out, PATIENCE, 1.0)
    applied_in, spent = time.monotonic() - started, operator.cpu() - cpu
    children = count_children(api)
    yield "stacks, children", "", f"{number}, {children}"
    yield "children applied per second", "> 97 (rival)", f"{children / applied_in:.0f}"
    yield "operator CPU per child", "", f"{1000 * spent / children:.2f} ms"

    def ready() -> bool:
        make_ready(api)
        return bool(operator.pid) and all(map(is_ready, api.stacks()))

    wait_until("every stack is Ready", ready, PATIENCE, 1.0)
    yield "create to every stack Ready (readiness patched in once a second)", "", f"{time.monotonic() - started:.0f} s"
    yield "resident memory", "<= 200 MiB", f"{operator.rss():.0f} MiB"


def rest(operator: Operator, audit: Path, seconds: float) -> Iterator[tuple[str, str, str]]:
    """Count what the operator does when nothing happens."""

    def quiet() -> bool:
        offset = audit.stat().st_size
        time.sleep(5)
        return not read_writes(audit, offset)

    wait_until("no write for 5 s", quiet, PATIENCE, 0)
    offset, cpu = audit.stat().st_size, operator.cpu()
    time.sleep(seconds)
    spent, writes = operator.cpu() - cpu, read_writes(audit, offset)
    for line in writes[:10]:
        print(f"    at rest: {line}")
    yield f"writes in {seconds:.0f} s at rest (its own Lease aside)", "0", str(len(writes))
    yield "CPU at rest", "<= 1 CPU-s/min", f"{60 * spent / seconds:.2f} CPU-s/min"
    yield "resident memory at rest", "<= 200 MiB", f"{operator.rss():.0f} MiB"


def repair(api: Api) -> Iterator[tuple[str, str, str]]:
    """Break three things and time how long they stay broken."""
    deployment = f"{PATHS['deployments']}/namespaces/{NAMESPACE}/deployments/s0001-rag"
    service = f"{PATHS['services']}/namespaces/{NAMESPACE}/services/s0002-rag"
    uid = api.call("GET", deployment)["metadata"]["uid"]
    api.call("DELETE", deployment)

    def back() -> bool:
        return (
            api.call("GET", deployment).get("metadata", {}).get("uid", uid) != uid if exists(api, deployment) else False
        )

    yield "a deleted Deployment is back after", "<= 2 s", f"{wait_until('Deployment', back, 60, 0.02):.2f} s"
    image = api.call("GET", deployment)["spec"]["template"]["spec"]["containers"][0]["image"]
    edit = [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "registry.example/other:1"}]
    api.call("PATCH", deployment, edit, "application/json-patch+json")

    def same() -> bool:
        return api.call("GET", deployment)["spec"]["template"]["spec"]["containers"][0]["image"] == image

    yield "an edited image is back after", "<= 2 s", f"{wait_until('image', same, 60, 0.02):.2f} s"
    ports = read_ports(api, service)
    api.call(
        "PATCH",
        service,
        [{"op": "replace", "path": "/spec/ports/0/port", "value": 9999}],
        "application/json-patch+json",
    )
    took = wait_until("port", lambda: read_ports(api, service) == ports, 60, 0.02)
    yield "an edited Service port is back after", "<= 2 s", f"{took:.2f} s"


def exists(api: Api, path: str) -> bool:
    """Tell whether there is an object."""
    return api.http.get(path).status_code == 200


def read_ports(api: Api, service: str) -> list[int]:
    """Return the ports of a Service."""
    return [port["port"] for port in api.call("GET", service)["spec"]["ports"]]


def control_plane(verb: str) -> dict[str, Any]:
    """Start or stop the API server."""
    arguments = ["--json"] if verb == "up" else []
    command = [sys.executable, "-m", "e2e.cluster", "control-plane", verb, "--name", PLANE, *arguments]
    result = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE)
    return dict(json.loads(result.stdout)) if verb == "up" else {}


def prepare(api: Api) -> None:
    """Install the CRD and make a namespace."""
    crd = yaml.safe_load((ROOT / "crds/coderagstacks.coderag.dev.yaml").read_text())
    api.call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", crd)
    api.call("POST", "/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
    wait_until("the CRD is established", lambda: api.http.get(STACKS).status_code == 200, 30, 0.2)


def report(rows: list[tuple[str, str, str]], command: str) -> str:
    """Return the rows as a Markdown section."""
    model = next((line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), platform.machine())  # fmt: skip
    machine = f"Machine: {os.cpu_count()} × {model}, Python {platform.python_version()}; load when it began {LOAD:.1f}."
    table = "\n".join(f"| {name} | {target} | {value} |" for name, target, value in rows)
    head = f"## Reconcile, {datetime.now(UTC):%Y-%m-%d}\n\n{machine} Command: `{command}`"
    return f"{head}\n\n| | target | measured |\n|---|---|---|\n{table}\n"


LOAD = os.getloadavg()[0]


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stacks", type=int, default=200)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--rest", type=float, default=60.0, help="seconds to watch the operator at rest")
    parser.add_argument("--append", action="store_true", help="append the table to benchmarks/RESULTS.md")
    options = parser.parse_args()
    plane = control_plane("up")
    api, audit = Api(plane["kubeconfig"]), Path(plane["auditLog"])
    operator = Operator(plane["kubeconfig"], Path(plane["kubeconfig"]).parent / "operator.log")
    rows: list[tuple[str, str, str]] = []
    try:
        prepare(api)
        operator.start(options.workers)
        for step in (converge(api, operator, options.stacks), rest(operator, audit, options.rest), repair(api)):
            for row in step:
                rows.append(row)
                print(f"{row[0]:70} {row[1]:16} {row[2]}", flush=True)
    finally:
        operator.stop()
        control_plane("down")
    text = report(rows, f"python benchmarks/reconcile.py --stacks {options.stacks}")
    print("\n" + text)
    if options.append:
        with (ROOT / "benchmarks/RESULTS.md").open("a") as results:
            results.write("\n" + text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
