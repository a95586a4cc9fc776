"""Every service of a question as a real process: embedding, Qdrant stand-in, scripted model, ingestion, rag."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from e2e.standins.qdrant.run import Standin, launch

ROOT = Path(__file__).parents[4]
# Enough files to get lost in, few enough to embed in seconds; the tests are there to be ranked below what they test.
INDEXED = (
    "images/rag/coderag_rag/query/*.py",
    "images/rag/coderag_rag/answer/*.py",
    "images/rag/coderag_rag/store/schema.py",
    "images/rag/tests/query/test_[fg]*.py",
)
FULL, READ_ONLY, KEY = "full-" + "f" * 32, "read-" + "r" * 32, "user-" + "u" * 32
SECONDS = 300  # how long a crowded machine may take; seconds on a free one


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(condition: Callable[[], Any], what: str) -> Any:
    """Wait until the condition holds; connection errors mean not yet."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        try:
            if found := condition():
                return found
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise AssertionError(f"not within {SECONDS} s: {what}")


@dataclass
class Program:
    """A running module of this repository."""

    url: str
    process: subprocess.Popen[bytes]

    def stop(self) -> None:
        """End it as Kubernetes would."""
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(30)


def run(
    module: str, part: str, environment: dict[str, str], *arguments: str, path: str = "/readyz", port: int = 0
) -> Program:
    """Start a module on a port, a free one by default, and wait until it is ready."""
    port = port or free_port()
    base = {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", "/"),
        "PYTHONPATH": str(ROOT / part),
        "LISTEN_PORT": str(port),
        "LISTEN_HOST": "127.0.0.1",
    }
    command = [sys.executable, "-m", module, *(word.replace("PORT", str(port)) for word in arguments)]
    program = Program(f"http://127.0.0.1:{port}", subprocess.Popen(command, cwd=ROOT, env=base | environment))
    until(lambda: httpx.get(program.url + path).status_code == 200, f"{module} is ready")
    return program


def make_remote(folder: Path) -> str:
    """Put this package's own files into a Git repository; return its address."""
    for source in (path for pattern in INDEXED for path in ROOT.glob(pattern)):
        target = folder / source.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    identity = ["-c", "user.name=Test", "-c", "user.email=test@example.com"]
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], [*identity, "commit", "-qm", "Files"]):
        subprocess.run(["git", *words], cwd=folder, check=True)
    return f"file://{folder}"


@dataclass
class Stack:
    """The running services."""

    folder: Path
    qdrant: Standin
    embedding: Program
    rag: Program
    repository: Path
    model_dir: str
    model: Program
    environment: dict[str, str]

    def script(self, fault: str | None) -> None:
        """Tell the model what to do from now on."""
        headers = {"authorization": f"Bearer {KEY}"}
        httpx.put(f"{self.model.url}/admin/script", json={"fault": fault}, headers=headers).raise_for_status()

    def last_prompt(self) -> str:
        """What the model was asked last."""
        headers = {"authorization": f"Bearer {KEY}"}
        return str(httpx.get(f"{self.model.url}/admin/last-request", headers=headers).raise_for_status().json())

    def post(self, path: str, **body: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {KEY}"}
        return httpx.post(self.rag.url + path, json=body, headers=headers, timeout=60)

    def search(self, query: str, **more: Any) -> dict[str, Any]:
        return dict(self.post("/v1/search", query=query, **more).raise_for_status().json())


def start_model(port: int = 0) -> Program:
    admin = {"STANDINS_ADMIN_TOKEN": KEY}
    return run("e2e.standins", ".", admin, "openai", "--port", "PORT", path="/health", port=port)


def start_embedding(model_dir: str, port: int = 0) -> Program:
    environment = {"MODEL_CACHE_DIR": model_dir, "EMBEDDING_API_KEY": KEY, "EMBEDDING_THREADS": "2"}
    return run("coderag_embedding", "images/embedding", environment, port=port)


def start_ingestion(folder: Path, url: str, services: dict[str, str]) -> Program:
    row = {"name": "app", "url": url, "ref": "main", "schedule": "0 0 1 1 *", "credentialsDir": None}
    (folder / "ingestion.json").write_text(json.dumps({"repositories": [row]}))
    own = {"INGESTION_CONFIG": str(folder / "ingestion.json"), "WORK_DIR": str(folder / "work")}
    own |= {"INGESTION_API_KEY": KEY, "INGESTION_ALLOW_FILE": "true", "QDRANT_API_KEY": FULL}
    own |= {"EMBEDDING_TIMEOUT": str(SECONDS)}  # bulk embedding yields to everything else on a crowded machine
    return run("coderag_rag.ingestion", "images/rag", services | own, path="/healthz")


def write_lexicon(folder: Path) -> Path:
    """Write the words of one question; the image's lexicon is learned when it is built."""
    file = folder / "korean.tsv"
    file.write_text("가중치\tweight\n점수\tscores\n합치\tfuse\n", encoding="utf-8")
    return file


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """All services, with this package's own files indexed."""
    folder = tmp_path_factory.mktemp("stack")
    build = [sys.executable, "-m", "coderag_embedding.build"]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "images/embedding")}
    built = subprocess.run(build, env=environment, check=True, capture_output=True, text=True)
    model_dir = built.stdout.split()[-1]
    with ExitStack() as cleanup:
        (folder / "qdrant").mkdir()
        qdrant = launch(folder / "qdrant", FULL, READ_ONLY)
        embedding = start_embedding(model_dir)
        cleanup.callback(embedding.stop)
        services = {"QDRANT_URL": qdrant.url, "EMBEDDING_URL": embedding.url, "EMBEDDING_API_KEY": KEY}
        model = start_model()
        own = {"QDRANT_API_KEY": READ_ONLY, "GATEWAY_URL": model.url, "GATEWAY_API_KEY": KEY, "RAG_API_KEYS": KEY}
        own |= {"KOREAN_LEXICON": str(write_lexicon(folder))}
        own |= {"MANIFEST_POLL_INTERVAL": "0.3", "QDRANT_RETRY_MIN_WAIT": "0.1", "QDRANT_RETRY_MAX_WAIT": "0.2"}
        rag = run("coderag_rag", "images/rag", services | own)
        cleanup.callback(rag.stop)
        made = Stack(folder, qdrant, embedding, rag, folder / "repository", model_dir, model, services | own)
        cleanup.callback(lambda: made.model.stop())
        cleanup.callback(lambda: made.qdrant.stop())
        cleanup.callback(lambda: made.embedding.stop())
        ingestion = start_ingestion(folder, make_remote(made.repository), services)
        cleanup.callback(ingestion.stop)
        until(lambda: made.post("/v1/search", query="fuse").status_code == 200, "the repository is served")
        yield made


@pytest.fixture
def wait_until() -> Callable[[Callable[[], Any], str], Any]:
    return until


@pytest.fixture
def restart_qdrant(stack: Stack) -> Callable[[], None]:
    def restart() -> None:
        port = int(stack.qdrant.url.rsplit(":", 1)[1])
        stack.qdrant = launch(stack.folder / "qdrant", FULL, READ_ONLY, port)

    return restart


@pytest.fixture
def restart_embedding(stack: Stack) -> Callable[[], None]:
    def restart() -> None:
        stack.embedding = start_embedding(stack.model_dir, int(stack.embedding.url.rsplit(":", 1)[1]))

    return restart


@pytest.fixture
def restart_model(stack: Stack) -> Callable[[], None]:
    def restart() -> None:
        stack.model = start_model(int(stack.model.url.rsplit(":", 1)[1]))

    return restart


@pytest.fixture
def another_rag(stack: Stack) -> Iterator[Callable[..., Program]]:
    """Start one more rag over the same services, with other settings."""
    with ExitStack() as cleanup:

        def start(**settings: str) -> Program:
            program = run("coderag_rag", "images/rag", stack.environment | settings)
            cleanup.callback(program.stop)
            return program

        yield start
