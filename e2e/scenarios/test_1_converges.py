"""From the example to a stack that is Ready: what that word must mean."""

import json

from e2e.progress import is_current, read_conditions

COMPONENTS = {"chat", "code", "embedding", "qdrant", "gateway", "rag", "ingestion"}
PROBES = ("startupProbe", "readinessProbe", "livenessProbe")


def read_component(pod):
    return pod["metadata"]["labels"]["app.kubernetes.io/component"]


def running_pods(stack):
    return [pod for pod in stack.children("pods") if pod["status"]["phase"] != "Succeeded"]


def test_every_component_runs_a_ready_pod_under_the_restricted_level(stack):
    ready = {
        read_component(pod)
        for pod in running_pods(stack)
        if any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"]["conditions"])
    }
    assert ready == COMPONENTS


def test_available_and_ready_are_true_at_the_current_generation(stack):
    found = stack.get("crs", stack.name)
    assert is_current(found, "Available")
    assert is_current(found, "Ready")
    assert found["status"]["observedGeneration"] == found["metadata"]["generation"]
    assert read_conditions(found)["Stalled"]["status"] == "False"


def test_kubectl_wait_returns_only_when_every_pod_is_ready(stack):
    stack.patch({"rag": {"podAnnotations": {"example.com/test-roll": "1"}}})
    generation = stack.get("crs", stack.name)["metadata"]["generation"]
    observed = "jsonpath={.status.conditions[?(@.type=='Ready')].observedGeneration}"
    stack.kubectl("wait", f"crs/{stack.name}", f"--for={observed}={generation}", "--timeout=240s")
    stack.kubectl("wait", f"crs/{stack.name}", "--for=condition=Ready", "--timeout=240s")
    rag = [pod for pod in running_pods(stack) if read_component(pod) == "rag"]
    fresh = [pod for pod in rag if pod["metadata"]["annotations"].get("example.com/test-roll") == "1"]
    assert any(c["type"] == "Ready" and c["status"] == "True" for pod in fresh for c in pod["status"]["conditions"])
    stack.patch({"rag": {"podAnnotations": None}})


def test_helm_wait_returns_only_when_the_stack_is_ready(stack, tmp_path):
    chart = tmp_path / "assistant"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: assistant\nversion: 0.0.1\n")
    body = {
        "apiVersion": "coderag.dev/v1alpha1",
        "kind": "CodeRagStack",
        "metadata": {"name": "second"},
        "spec": external_spec(stack),
    }
    (chart / "templates" / "stack.yaml").write_text(json.dumps(body))
    stack.cluster.helm("install", "second", str(chart), "-n", stack.namespace, "--wait", "--timeout", "5m")
    found = stack.get("crs", "second")
    stack.cluster.helm("uninstall", "second", "-n", stack.namespace, "--wait", "--timeout", "3m")
    assert is_current(found, "Ready")
    assert stack.get("crs", "second") == {}


def external_spec(stack):
    """A second stack whose models are the scripted server, so that it needs no model files."""
    url = f"http://standins-openai.{stack.namespace}.svc:8082/v1"
    images = stack.get("crs", stack.name)["spec"].get("images", {})
    models = {role: {"external": {"baseUrl": url, "model": "scripted"}} for role in ("chat", "code")}
    return {"models": models, "images": images, "vectorStore": {"deletionPolicy": "Delete"}}


def test_every_probe_of_every_pod_answers_when_it_is_executed(stack):
    executed = 0
    for pod in running_pods(stack):
        for container in pod["spec"]["containers"]:
            probes = [container[kind]["httpGet"] for kind in PROBES if kind in container]
            assert len(probes) == 3, f"{pod['metadata']['name']}/{container['name']} lacks a probe"
            ports = {port["name"]: port["containerPort"] for port in container["ports"]}
            for probe in probes:
                port = ports.get(probe["port"], probe["port"])
                path = (
                    f"/api/v1/namespaces/{stack.namespace}/pods/{pod['metadata']['name']}:{port}/proxy{probe['path']}"
                )
                stack.cluster.kubectl("get", "--raw", path)
                executed += 1
    assert executed >= 3 * len(COMPONENTS)


def test_the_operator_answers_the_chart_test(operator):
    operator.helm("test", "coderag", "-n", "coderag-system", "--timeout", "2m")


def test_the_printed_row_reads_as_documented(stack):
    header, row = stack.kubectl("get", "crs", stack.name).splitlines()
    assert header.split()[:4] == ["NAME", "READY", "REASON", "SERVING"]
    assert row.split()[:4] == [stack.name, "True", "AllServing", "chat=chat,code=code"]
    assert stack.commit[:7] in row
