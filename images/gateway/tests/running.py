"""Starts the real gateway as its own process, configured by the example file with the addresses of the tests."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml

from images.gateway.tests.upstream import Upstream

FOLDER = Path(__file__).resolve().parents[1]
READY_SECONDS = 240.0  # on a machine with nothing else to do it is about 8
MASTER, USER, RAG = (f"{name}-key-{name[0] * 32}" for name in ("master", "user", "rag"))
MODELS = ("chat", "code", "coderag", "embedding")
ENVIRONMENT = {
    "LITELLM_MASTER_KEY": MASTER,
    "API_KEY": USER,
    "RAG_GATEWAY_KEY": RAG,
    "LLAMA_API_KEY": "llama-secret-value",
    "RAG_API_KEY": "rag-api-secret-value",
    "EMBEDDING_API_KEY": "embedding-secret-value",
    "LISTEN_HOST": "127.0.0.1",
}


@dataclass
class Gateway:
    """A running gateway and what is behind it."""

    url: str
    upstreams: dict[str, Upstream]
    process: subprocess.Popen[bytes]
    log: Path
    cpu_seconds: float = 0.0

    def client(self, key: str | None = USER, **options: Any) -> httpx.Client:
        """Return an HTTP client with a key."""
        headers = {"authorization": f"Bearer {key}"} if key else {}
        # no TLS here, and reading the certificates for each client would take longer than most answers
        return httpx.Client(base_url=self.url, headers=headers, timeout=60, verify=False, **options)

    def ask(self, model: str = "chat", key: str = USER, **fields: Any) -> httpx.Response:
        """Ask a model for an answer."""
        body = {"model": model, "messages": [{"role": "user", "content": "Who are you?"}], **fields}
        with self.client(key) as client:
            return client.post("/v1/chat/completions", json=body)


@dataclass(frozen=True)
class Changes:
    """What a test wants otherwise than the example has it."""

    router: dict[str, Any] = field(default_factory=dict)
    own: dict[str, Any] = field(default_factory=dict)
    roles: dict[str, Any] = field(default_factory=dict)  # litellm_params of chat and code
    context: dict[str, int] = field(default_factory=dict)  # max_input_tokens by model
    measured: bool = False  # coverage makes LiteLLM start half as fast: one process is measured for all


def render_config(upstreams: dict[str, Upstream], path: Path, changes: Changes) -> Path:
    """Write the example configuration with the addresses and the changes of the tests."""
    document = yaml.safe_load((FOLDER / "config.example.yaml").read_text())
    for model in document["model_list"]:
        name, parameters = model["model_name"], model["litellm_params"]
        parameters["api_base"] = f"http://127.0.0.1:{upstreams[name].port}/v1"
        parameters.update(changes.roles if name in ("chat", "code") else {})
        model["model_info"].update({"max_input_tokens": changes.context[name]} if name in changes.context else {})
    document["router_settings"].update(changes.router)
    document["coderag"].update({"drain_delay": 0} | changes.own)
    path.write_text(yaml.safe_dump(document))
    return path


@contextmanager
def run_gateway(folder: Path, changes: Changes | None = None, script: Path | None = None) -> Iterator[Gateway]:
    """Run a gateway for the length of a block."""
    upstreams = {name: Upstream(name) for name in MODELS}
    with ExitStack() as stack:
        for upstream in upstreams.values():
            upstream.start()
            stack.callback(upstream.stop)
            stack.callback(upstream.release.set)
        gateway = start(folder, upstreams, script, changes or Changes())
        stack.callback(gateway.process.kill)
        yield gateway
        status = stop(gateway)
        assert status == 0, f"SIGTERM ended the gateway with status {status}"


def start(folder: Path, upstreams: dict[str, Upstream], script: Path | None, changes: Changes) -> Gateway:
    """Start the process and wait until it is ready."""
    config, log, port = render_config(upstreams, folder / "config.yaml", changes), folder / "log.txt", find_port()
    (folder / "tmp").mkdir()
    own = {"CODERAG_CONFIG": str(config), "LISTEN_PORT": str(port), "TMPDIR": str(folder / "tmp")}
    own["CODERAG_AUDIT_LOG"] = str(folder / "audit.txt")
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*python(changes.measured), *([str(script)] if script else ["-m", "coderag_gateway"])],
            env={**inherit(), **ENVIRONMENT, **own},
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    gateway = Gateway(f"http://127.0.0.1:{port}", upstreams, process, log)
    wait_ready(gateway)
    gateway.cpu_seconds = read_cpu_seconds(process.pid)
    return gateway


def read_cpu_seconds(pid: int) -> float:
    """Return how long a process has computed; unlike the clock it does not depend on what else the machine does."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def python(measured: bool) -> list[str]:
    """Return how to start Python, measuring coverage where the tests themselves are measured."""
    if not (measured and os.environ.get("COVERAGE_RUN")):
        return [sys.executable]
    return [sys.executable, "-m", "coverage", "run", "--parallel-mode", "--source=coderag_gateway"]


def inherit() -> dict[str, str]:
    """Return this process's environment without what would configure the gateway."""
    kept = {name: value for name, value in os.environ.items() if name not in ENVIRONMENT}
    return kept | {"PYTHONPATH": os.pathsep.join([str(FOLDER), str(FOLDER / "tests" / "audit")])}


def find_port() -> int:
    """Return a port that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def wait_ready(gateway: Gateway) -> None:
    """Wait until the readiness probe answers."""
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and gateway.process.poll() is None:
        try:
            if httpx.get(f"{gateway.url}/health/readiness", timeout=READY_SECONDS).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    stop(gateway)
    raise RuntimeError(f"the gateway did not become ready:\n{gateway.log.read_text()[-4000:]}")


def stop(gateway: Gateway) -> int:
    """End the gateway as Kubernetes would; return its exit status."""
    if gateway.process.poll() is None:
        gateway.process.terminate()
    try:
        return gateway.process.wait(30)
    except subprocess.TimeoutExpired:
        gateway.process.kill()
        return gateway.process.wait()


def wait_for(condition: Callable[[], bool], seconds: float = 30) -> None:
    """Wait until a condition holds; fails when it does not within so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
