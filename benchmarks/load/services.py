"""The services of a search as real processes on this machine, reached by name and never as localhost."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from e2e.standins.qdrant import run as qdrant

ROOT = Path(__file__).resolve().parents[2]
FULL, READ_ONLY, KEY = "full-" + "f" * 32, "read-" + "r" * 32, "user-" + "u" * 32
_START_SECONDS = 600.0  # a shared machine may take long; an index of 100,000 chunks is optimised while it is opened


class NotStarted(Exception):  # noqa: N818 - reads as the state it names
    """A service ended, or did not become ready."""


@dataclass(frozen=True)
class Service:
    """A running module of this repository."""

    name: str
    url: str
    process: subprocess.Popen[bytes]

    def stop(self) -> None:
        """End it as Kubernetes would."""
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def until(condition: Callable[[], Any], what: str, alive: Callable[[], bool] = lambda: True) -> Any:
    """Wait until the condition holds; connection errors mean not yet. Raises NotStarted."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and alive():
        try:
            if found := condition():
                return found
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    raise NotStarted(f"{what}: not within {_START_SECONDS:.0f} s, or it ended; see its log")


@dataclass
class Stack:
    """Starts services on demand and ends them all with the block. Logs go to a folder, a file for each service."""

    host: str
    folder: Path
    running: dict[str, Service] = field(default_factory=dict)

    def __enter__(self) -> "Stack":
        self._cleanup = ExitStack()
        return self

    def __exit__(self, *_: object) -> None:
        self._cleanup.close()
        self.running.clear()

    @property
    def pids(self) -> dict[str, int]:
        """The processes by service."""
        return {name: service.process.pid for name, service in self.running.items()}

    def url(self, name: str) -> str:
        """Return the address of a running service."""
        return self.running[name].url

    def start(self, name: str, module: str, part: str, environment: dict[str, str], *arguments: str,
              path: str = "/readyz") -> Service:  # fmt: skip
        """Start a module and wait until it is ready; in arguments PORT stands for its port."""
        port = qdrant.free_port(self.host)
        base = {"PYTHONPATH": f"{part}:.", "LISTEN_PORT": str(port), "LISTEN_HOST": "0.0.0.0", "LOG_LEVEL": "WARNING"}
        command = [sys.executable, "-m", module, *(word.replace("PORT", str(port)) for word in arguments)]
        return self.run(name, command, base | environment, port, path)

    def run(self, name: str, command: list[str], environment: dict[str, str], port: int, path: str) -> Service:
        """Start a program that listens on a port and wait until it is ready."""
        base = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(command, cwd=ROOT, env=base | environment, stdout=log, stderr=log)
        service = Service(name, f"http://{self.host}:{port}", process)
        self._cleanup.callback(service.stop)
        until(
            lambda: httpx.get(service.url + path, timeout=30).status_code == 200, name, lambda: process.poll() is None
        )
        self.running[name] = service
        return service

    def stop(self, name: str) -> None:
        """End one service."""
        self.running.pop(name).stop()


@dataclass(frozen=True)
class Store:
    """Which Qdrant: an address with its key, and what it is called in the tables."""

    url: str
    key: str
    engine: str


def start_store(stack: Stack, data: Path) -> Store:
    """Start a Qdrant on a folder. It wants its full key even for reads here: one key fewer to confuse."""
    data.mkdir(parents=True, exist_ok=True)
    port = qdrant.free_port(stack.host)
    words, settings = qdrant.command(data, "0.0.0.0", port)
    keys = {"QDRANT__SERVICE__API_KEY": FULL, "QDRANT__SERVICE__READ_ONLY_API_KEY": READ_ONLY, "PYTHONPATH": "."}
    service = stack.run("qdrant", words, settings | keys, port, "/readyz")
    version = httpx.get(service.url, headers={"api-key": FULL}, timeout=60).json()["version"]
    return Store(service.url, FULL, f"Qdrant {version}" if qdrant.program() else "qdrant-edge stand-in")


def wait_optimized(store: Store) -> None:
    """Wait until Qdrant has built the graphs of all collections; the stand-in builds them when it opens a folder."""
    with httpx.Client(base_url=store.url, headers={"api-key": store.key}, timeout=60) as client:
        names = [row["name"] for row in client.get("/collections").json()["result"]["collections"]]
        for name in names:
            until(
                lambda name=name: client.get(f"/collections/{name}").json()["result"]["status"] == "green",
                f"the collection {name} is optimised",
            )


def start_embedding(stack: Stack, threads: int) -> Service:
    """Start the embedding service with the real MiniLM, which is built on first use."""
    build = [sys.executable, "-m", "coderag_embedding.build"]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "images/embedding")}
    built = subprocess.run(build, env=environment, check=True, capture_output=True, text=True)
    settings = {"MODEL_CACHE_DIR": built.stdout.split()[-1], "EMBEDDING_API_KEY": KEY}
    settings["EMBEDDING_THREADS"] = str(threads)
    return stack.start("embedding", "coderag_embedding", "images/embedding", settings)


def start_rag(stack: Stack, store: Store) -> Service:
    """Start the search service and a model that answers at once."""
    arguments = ("openai", "--host", "0.0.0.0", "--port", "PORT")
    model = stack.start("model", "e2e.standins", ".", {"STANDINS_ADMIN_TOKEN": KEY}, *arguments, path="/health")
    own = reading(stack, store) | {"GATEWAY_URL": model.url, "GATEWAY_API_KEY": KEY, "RAG_API_KEYS": KEY}
    service = stack.start("rag", "coderag_rag", "images/rag", own)
    headers = {"authorization": f"Bearer {KEY}"}
    found = {"query": "open a file", "limit": 1}
    until(
        lambda: httpx.post(f"{service.url}/v1/search", json=found, headers=headers, timeout=60).status_code == 200,
        "rag serves the index",
    )
    until(lambda: _in_memory(service.url), "rag has the chunks in memory", lambda: service.process.poll() is None)
    return service


def _in_memory(url: str) -> bool:
    lines = httpx.get(f"{url}/metrics", timeout=60).text.splitlines()
    return any(line.startswith("coderag_chunks_in_memory ") and float(line.split()[1]) > 0 for line in lines)


def start_naive(stack: Stack, store: Store) -> Service:
    """Start the search that one would write first."""
    return stack.start("naive", "benchmarks.load.naive", "images/rag", reading(stack, store) | {"NAIVE_KEY": KEY})


def start_ingestion(stack: Stack, store: Store, rows: list[dict[str, Any]], folder: Path) -> Service:
    """Start the ingestion worker on these repositories."""
    shutil.rmtree(folder, ignore_errors=True)  # vectors that an earlier run paid for would be there at once
    folder.mkdir(parents=True)
    (folder / "ingestion.json").write_text(json.dumps({"repositories": rows}))
    own = reading(stack, store) | {"INGESTION_CONFIG": str(folder / "ingestion.json"), "INGESTION_API_KEY": KEY}
    own |= {"WORK_DIR": str(folder / "work"), "INGESTION_ALLOW_FILE": "true", "EMBEDDING_TIMEOUT": "300"}
    return stack.start("ingestion", "coderag_rag.ingestion", "images/rag", own, path="/healthz")


def reading(stack: Stack, store: Store) -> dict[str, str]:
    """Return the settings of everything that searches or indexes."""
    services = {"QDRANT_URL": store.url, "QDRANT_API_KEY": store.key}
    return services | {"EMBEDDING_URL": stack.url("embedding"), "EMBEDDING_API_KEY": KEY}
