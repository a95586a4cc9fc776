"""Bring up what the failover figures are taken on: the chart and one stack with a small repository."""

import subprocess
import tempfile
from pathlib import Path
from typing import Any

import yaml

from e2e import install
from e2e.failover.site import Site, operator_site
from e2e.kubectl import Cluster
from e2e.progress import wait_for_stack

NAMESPACE = "coderag-failover"
STACK = "demo"
STANDIN_LLAMA = {"repository": "localhost/coderag-standins", "tag": "dev"}
PARALLEL = 4  # as many requests at a time as the overhead of the gateway is measured with
SOURCE = "def push(queue, item):\n    queue.append(item)\n"
# A hang is found after this long without progress: the default for models on a GPU, which the tiny ones are as fast as.
# The window is short, so that each fault is measured as if it were the first in a long time.
ROLLOUT = {"progressDeadline": "1m"}
FAILOVER = {"stallAfter": "10s", "flapWindow": "1m"}


def deploy(cluster: Cluster, failover: dict[str, Any]) -> Site:
    """Install the chart, apply the example's stack with these failover settings, wait until it is Ready and indexed."""
    install.install_chart(cluster)
    install.make_namespace(cluster, NAMESPACE)
    token = install.deploy_standins(cluster, NAMESPACE, "hub", "git")
    push_small_repository(cluster, token)
    manifest = yaml.safe_load(Path("examples/demo.yaml").read_text().replace("coderag-demo", NAMESPACE))
    for file, digest in install.read_model_hashes(cluster, NAMESPACE).items():
        server = manifest["spec"]["models"][Path(file).stem]["llamaCpp"]
        server["source"]["http"]["sha256"] = digest
        server["parallel"] = PARALLEL
        # Threads of two servers that wait for each other on few cores would be the slowest thing in the figures.
        server["resources"]["limits"] = {"cpu": "1"}
    manifest["spec"] |= {"failover": failover, "rollout": ROLLOUT}
    cluster.apply(manifest, namespace=NAMESPACE)
    wait_for_stack(cluster, NAMESPACE, STACK, ("Ready", "IndexReady"), 900)
    return Site(cluster, NAMESPACE, STACK)


def push_small_repository(cluster: Cluster, token: str) -> None:
    """Give the git stand-in a repository of one file: indexing shall not be what the figures show."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "queue.py").write_text(
            'def push(queue, item):\n    """Append an item."""\n    queue.append(item)\n'
        )
        identity = ["-c", "user.name=e2e", "-c", "user.email=e2e@example.com"]
        for words in (["init", "-q", "-b", "main"], ["add", "."], [*identity, "commit", "-q", "-m", "One file"]):
            subprocess.run(["git", "-C", folder, *words], check=True)
        install.push_repository(cluster, NAMESPACE, token, "coderag", Path(folder))


def tell(site: Site) -> str:
    """Return what a person would look at when a fault ended otherwise than it should."""
    looks = (
        ("get", "crs", site.name, "-o", "jsonpath={.status.roles}"),
        ("get", "pods", "-L", "coderag.dev/serves-chat,coderag.dev/serves-code"),
        ("get", "events", "--sort-by=.lastTimestamp"),
    )
    found = [site.kubectl(*words, check=False)[-3000:] for words in looks]
    log = operator_site(site.cluster).kubectl("logs", "deployment/coderag-operator", "--tail=40", check=False)
    return "\n".join([*found, log[-6000:]])
