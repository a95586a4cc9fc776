"""Bring up a cluster, install the chart, apply a stack, ask two questions about this repository.

Runs with the system's Python, as what it calls does: an environment with packages would be minutes of a fresh machine.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from e2e import install
from e2e.cluster import way_out
from e2e.cluster.images import known
from e2e.cluster.provider import choose
from e2e.demo import answers
from e2e.demo.side_by_side import run_side_by_side
from e2e.kubectl import Cluster, CommandError
from e2e.progress import WaitError, step, wait_for_stack
from e2e.venv import ensure

NAMESPACE = "coderag-demo"
STACK = "demo"
UNUSED = ("evaluation",)  # images that the demo's stack starts no pod of: minutes on a fresh machine
QUESTIONS = ("How does the work queue avoid losing a wake-up while a key is being worked on?",
             "Where are the citations in an answer verified?")  # fmt: skip


def cluster_tool(*arguments: str) -> list[str]:
    """Return a command of the cluster tool."""
    return [sys.executable, "-m", "e2e.cluster", *arguments]


def choose_models(hashes: dict[str, str]) -> dict[str, dict[str, str]]:
    """Return url and sha256 of both models: from the environment where it names one, else the tiny random ones."""
    chosen = {}
    for role in ("chat", "code"):
        url = os.environ.get(f"{role.upper()}_MODEL_URL", "")
        digest = os.environ.get(f"{role.upper()}_MODEL_SHA256", "")
        if url and not digest:
            print(
                f"    Reading {role} model once to learn its sha256 (set {role.upper()}_MODEL_SHA256 to skip this)",
                flush=True,
            )
            digest = read_digest(url)
        tiny = {
            "url": f"http://standins-hub.{NAMESPACE}.svc:{install.PORTS['hub']}/{role}.gguf",
            "sha256": hashes[f"{role}.gguf"],
        }
        chosen[role] = {"url": url, "sha256": digest} if url else tiny
    return chosen


def read_digest(url: str) -> str:
    """Return the sha256 of a remote model file, streamed."""
    tool = [ensure(Path(".venv-model"), Path("requirements/model.txt")), "-m", "coderag_model", "digest", url]
    done = subprocess.run(
        tool, check=True, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": "images/model"}
    )
    return done.stdout.split()[0]


def fill_stack(manifest: dict[str, Any], models: dict[str, dict[str, str]]) -> dict[str, Any]:
    """Put the models' addresses and digests into the example."""
    for role, source in models.items():
        manifest["spec"]["models"][role]["llamaCpp"]["source"] = {"http": source}
    return manifest


def refuse_unreachable_models(provider: str) -> None:
    """Say at once that pods of the node provider cannot download, where this machine gives them no way out."""
    given = [name for name in ("CHAT_MODEL_URL", "CODE_MODEL_URL") if os.environ.get(name)]
    if given and (choose() if provider == "auto" else provider) == "node" and not way_out.possible():
        raise CommandError(
            f"{' and '.join(given)} cannot be reached from the node that runs without a container engine: its pods have"
            f" no way out, because this machine has no {way_out.TUN} (modprobe tun); or use --provider kind, or install"
            " the chart into a cluster of yours"
        )


def start_cluster(name: str, provider: str) -> Cluster:
    """Bring the cluster up with the images of the stack in it."""
    images = [image for image in known().values() if image.name not in UNUSED]
    with step(
        "Cluster programs and images (the first time builds Kubernetes and llama.cpp from source: about 20 minutes)"
    ):
        # At once, because part of each waits for a network or has work for one core only.
        run_side_by_side(cluster_tool("programs"), cluster_tool("build-images", *(image.name for image in images)))
    with step(f"Cluster {name}"):
        subprocess.run(cluster_tool("up", "--name", name, "--provider", provider), check=True)
        subprocess.run(cluster_tool("load-image", "--name", name, *(image.reference for image in images)), check=True)
    return install.open_cluster(name, provider)


def apply_stack(cluster: Cluster) -> None:
    """Serve the models and this repository to the cluster and apply the example stack."""
    install.make_namespace(cluster, NAMESPACE)
    token = install.deploy_standins(cluster, NAMESPACE, "hub", "git")
    install.push_repository(cluster, NAMESPACE, token, "coderag", Path())
    example = cluster.kubectl("create", "--dry-run=client", "-f", "examples/demo.yaml", "-o", "json")
    models = choose_models(install.read_model_hashes(cluster, NAMESPACE))
    manifest = fill_stack(json.loads(example), models)
    manifest["metadata"] = {"name": STACK}  # the namespace is the demo's
    cluster.apply(manifest, namespace=NAMESPACE)


def up(name: str, provider: str) -> None:
    """The whole demo."""
    refuse_unreachable_models(provider)
    cluster = start_cluster(name, provider)
    with step("Helm chart"):
        install.install_chart(cluster)
    with step("CodeRagStack demo: models, repository, every component"):
        apply_stack(cluster)
        wait_for_stack(cluster, NAMESPACE, STACK, ("Ready", "IndexReady"), 900)
    with step("Two questions about this repository's own code"):
        key = install.read_key(cluster, NAMESPACE, STACK)
        with cluster.forward(NAMESPACE, f"service/{STACK}-rag", 8002) as url:
            for question in QUESTIONS:
                answers.show(url, key, question)
    print(cluster.kubectl("-n", NAMESPACE, "get", "crs", STACK))
    print(answers.tabulate_conditions(cluster.get("crs", STACK, "-n", NAMESPACE)))
    print(
        answers.NEXT.format(
            kubeconfig=cluster.kubeconfig, kubectl=cluster.kubectl_program, namespace=NAMESPACE, stack=STACK
        )
    )
    if not os.environ.get("CHAT_MODEL_URL"):
        print(answers.RANDOM_MODELS)


def main() -> int:
    """Parse the command line, run, turn every expected failure into one clear message."""
    parser = argparse.ArgumentParser(prog="python -m e2e.demo", description=__doc__)
    parser.add_argument("--name", default="demo", help="name of the cluster (default: demo)")
    parser.add_argument("--provider", default="auto", choices=["auto", "node", "kind"])
    options = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # also where it was started with interrupts ignored
    try:
        up(options.name, options.provider)
    except (CommandError, WaitError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        print(
            f"error: {' '.join(map(str, error.cmd[:6]))} ended with {error.returncode}\n{error.stderr or ''}",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
