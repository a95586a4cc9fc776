"""A thin hold on kubectl and helm for one cluster, and port-forwards that end with their block."""

import contextlib
import json
import re
import select
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FORWARDING = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+)")


class CommandError(RuntimeError):
    """A program of the cluster refused; the message is its own."""


@dataclass(frozen=True)
class Cluster:
    """Where a cluster is and which programs speak to it."""

    kubeconfig: Path
    kubectl_program: Path
    helm_program: Path
    audit_log: Path | None = None

    def kubectl(self, *arguments: str, stdin: str | None = None, check: bool = True) -> str:
        """Run kubectl and return what it printed."""
        return self._run([self.kubectl_program, f"--kubeconfig={self.kubeconfig}", *arguments], stdin, check)

    def helm(self, *arguments: str, check: bool = True) -> str:
        """Run helm and return what it printed."""
        return self._run([self.helm_program, f"--kubeconfig={self.kubeconfig}", *arguments], None, check)

    def get(self, *arguments: str) -> dict[str, Any]:
        """Return an object or a list as kubectl gives it in JSON; an absent object is an empty dict."""
        text = self.kubectl("get", *arguments, "-o", "json", "--ignore-not-found")
        return json.loads(text) if text.strip() else {}

    def apply(self, *manifests: dict[str, Any], namespace: str) -> None:
        """Apply manifests on the server, strictly."""
        document = {"apiVersion": "v1", "kind": "List", "items": list(manifests)}
        self.kubectl(
            "apply", "--server-side", "--force-conflicts", "-n", namespace, "-f", "-", stdin=json.dumps(document)
        )

    @contextlib.contextmanager
    def forward(self, namespace: str, target: str, port: int) -> Iterator[str]:
        """Forward a local port to a Service or pod; yields the base URL."""
        command = [
            str(self.kubectl_program),
            f"--kubeconfig={self.kubeconfig}",
            "-n",
            namespace,
            "port-forward",
            target,
            f":{port}",
        ]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
            try:
                yield f"http://127.0.0.1:{_read_port(process)}"
            finally:
                process.terminate()

    @staticmethod
    def _run(command: list[Any], stdin: str | None, check: bool) -> str:
        done = subprocess.run(
            [str(part) for part in command], input=stdin, capture_output=True, text=True, timeout=1800
        )
        if check and done.returncode:
            words = " ".join(str(part) for part in command[2:8])
            raise CommandError(f"{Path(command[0]).name} {words} failed:\n{done.stderr.strip() or done.stdout.strip()}")
        return done.stdout if check else done.stdout + done.stderr


def _read_port(process: subprocess.Popen[str], seconds: float = 30) -> str:
    """Wait for kubectl to name the local port it chose."""
    assert process.stdout is not None
    deadline, seen = time.monotonic() + seconds, ""
    while time.monotonic() < deadline:
        if select.select([process.stdout], [], [], 1)[0]:
            line = process.stdout.readline()
            if not line:
                break
            seen += line
            if found := FORWARDING.search(line):
                return found.group(1)
    process.terminate()
    raise CommandError(f"port-forward did not start: {seen.strip()}")
