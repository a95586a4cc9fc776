"""A server outside the cluster, on this machine's own address, and a pod that fetches a model file from it."""

import contextlib
import functools
import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from e2e.cluster.commands import run


def machine_address() -> str:
    """An address of this machine that is not a cluster's: a pod gets there by the way out only."""
    listing = run(["ip", "-json", "-4", "address", "show", "scope", "global", "up"], what="reading addresses").stdout
    found = [link for link in json.loads(listing) if not link["ifname"].startswith("coderag")]
    return str(found[0]["addr_info"][0]["local"])


class Quiet(SimpleHTTPRequestHandler):
    """Serves files and says nothing."""

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        """Nothing to standard error."""


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder on this machine's address while the block runs; yields the base URL."""
    address = machine_address()
    with ThreadingHTTPServer((address, 0), functools.partial(Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://{address}:{server.server_port}"
        finally:
            server.shutdown()


def fetch_pod(url: str, file: Path) -> dict[str, Any]:
    """A pod that does what the operator's fetch Job does; it fails unless every byte arrives."""
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    secure = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    container = {
        "name": "fetch",
        "image": "localhost/coderag-model:dev",
        "args": ["fetch", "--url", url, "--sha256", digest, "--directory", "/models"],
        "securityContext": secure,
        "volumeMounts": [{"name": "models", "mountPath": "/models"}, {"name": "tmp", "mountPath": "/tmp"}],
    }
    spec = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 1,
        "securityContext": {"runAsNonRoot": True, "fsGroup": 10001, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
        "volumes": [{"name": "models", "emptyDir": {}}, {"name": "tmp", "emptyDir": {}}],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "fetch", "namespace": "t"}, "spec": spec}
