"""The worker as a process, with the real embedding model, the Qdrant engine and Git: what only they can show."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from coderag_rag.keyword import query_vector
from coderag_rag.store.schema import ALIAS, DENSE, KEYWORD
from qdrant_client import QdrantClient, models

from e2e.standins.qdrant.run import launch

pytestmark = pytest.mark.services
IMAGES = Path(__file__).resolve().parents[3]
BACKOFF = '''def wait_before_retry(attempt):
    """Seconds to sleep before trying a failed call again."""
    return 2**attempt
'''
FILES = {
    "src/backoff.py": BACKOFF,
    "src/invoice.ts": "export function computeVat(net: number) { return net * 0.2; }\n",
    "README.md": "# Billing\n\nHow invoices are made and taxed.\n",
}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Process:
    """A service under test; stopped with the stack it was entered on."""

    def __init__(self, module, folder, log, **environ):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(folder), "LISTEN_PORT": str(self.port)}
        self.log = log
        with log.open("a") as sink:
            self.process = subprocess.Popen(
                [sys.executable, "-m", module], env=environment | environ, stdout=sink, stderr=subprocess.STDOUT
            )

        self.http = httpx.Client(
            base_url=self.url, headers={"authorization": "Bearer ingestion-key"}, timeout=10, verify=False
        )

    def get(self, path):
        return self.http.get(path)

    def until(self, path, accept, seconds=90):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                answer = self.get(path)
            except httpx.TransportError:
                answer = None
            if answer is not None and accept(answer):
                return answer
            time.sleep(0.2)
        pytest.fail(f"{path} did not answer as expected: {self.log.read_text()[-3000:]}")

    def end(self, how=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(how)
        self.http.close()
        return self.process.wait(20)


@pytest.fixture(scope="module")
def embedding(tmp_path_factory):
    """The real model behind its own service."""
    built = subprocess.run(
        [sys.executable, "-m", "coderag_embedding.build"],
        env={**os.environ, "PYTHONPATH": str(IMAGES / "embedding")}, check=True, capture_output=True, text=True,
    )  # fmt: skip
    log = tmp_path_factory.mktemp("embedding") / "log"
    settings = {"MODEL_CACHE_DIR": built.stdout.strip().splitlines()[-1], "EMBEDDING_API_KEY": "embedding-key"}
    process = Process("coderag_embedding", IMAGES / "embedding", log, LISTEN_HOST="127.0.0.1", **settings)
    process.until("/readyz", lambda answer: answer.status_code == 200)
    yield process
    process.end()


class Stage:
    """Qdrant, a remote, and workers that come and go."""

    def __init__(self, stack, folder, embedding, remote):
        self.stack, self.folder, self.embedding, self.remote = stack, folder, embedding, remote
        self.qdrant = launch(folder / "qdrant", api_key="qdrant-key", port=free_port())
        stack.callback(lambda: self.qdrant.process.poll() is None and self.qdrant.kill())

    def worker(self):
        rows = [{"name": "app", "url": self.remote.url, "ref": "main", "schedule": "0 0 1 1 *", "credentialsDir": None}]
        config = self.folder / "ingestion.json"
        config.write_text(json.dumps({"repositories": rows}))
        worker = Process(
            "coderag_rag.ingestion", IMAGES / "rag", self.folder / "log",
            QDRANT_URL=self.qdrant.url, QDRANT_API_KEY="qdrant-key", QDRANT_RETRY_MIN_WAIT="0.1",
            EMBEDDING_URL=self.embedding.url, EMBEDDING_API_KEY="embedding-key", EMBEDDING_BATCH="4",
            INGESTION_CONFIG=str(config), INGESTION_API_KEY="ingestion-key", INGESTION_ALLOW_FILE="true",
            WORK_DIR=str(self.folder / "work"),
        )  # fmt: skip
        self.stack.callback(worker.end)
        return worker

    def client(self):
        client = QdrantClient(url=self.qdrant.url, headers={"api-key": "qdrant-key"}, check_compatibility=False)
        self.stack.callback(client.close)
        return client

    def embed(self, text):
        body = {"model": "all-MiniLM-L6-v2", "input": text, "input_type": "query"}
        headers = {"authorization": "Bearer embedding-key"}
        answer = httpx.post(self.embedding.url + "/v1/embeddings", json=body, headers=headers, timeout=30)
        return answer.json()["data"][0]["embedding"]


@pytest.fixture
def stage(tmp_path, embedding, bench):
    remote = bench.remote("app")
    remote.commit(FILES)
    with ExitStack() as stack:
        yield Stage(stack, tmp_path, embedding, remote)


def served(commit=None):
    def accept(answer):
        [row] = answer.json()["repositories"]
        return row["state"] == "Served" and commit in (None, row["commit"])

    return accept


def metric(worker, name):
    lines = worker.get("/metrics").text.splitlines()
    return next(float(line.split()[-1]) for line in lines if line.startswith(name))


def test_questions_find_the_code_in_both_legs_and_no_key_is_logged(stage):
    worker = stage.worker()
    row = worker.until("/v1/status", served()).json()["repositories"][0]
    assert (row["files"], row["chunks"], row["message"]) == (3, 3, "")
    client = stage.client()
    question = "how long to sleep before a call is tried again"
    dense = client.query_points(ALIAS, query=stage.embed(question), using=DENSE, limit=1).points[0]
    assert dense.payload["symbols"] == ["wait_before_retry"]
    keyword = client.query_points(ALIAS, query=query_vector("compute vat"), using=KEYWORD, limit=1).points[0]
    assert keyword.payload["symbols"] == ["computeVat"]
    chosen = models.Filter(must=[models.FieldCondition(key="symbols", match=models.MatchValue(value="computeVat"))])
    assert client.count(ALIAS, count_filter=chosen).count == 1
    report = worker.get("/health").json()
    assert (report["status"], set(report["dependencies"])) == ("ok", {"qdrant", "embedding"})
    assert worker.http.get("/v1/status", headers={"authorization": "Bearer other"}).status_code == 401
    assert worker.end() == 0
    text = (stage.folder / "log").read_text()
    assert all(key not in text for key in ("qdrant-key", "embedding-key", "ingestion-key"))
    assert all(json.loads(line)["level"] for line in text.splitlines())


def test_killed_while_indexing_it_resumes_and_the_served_commit_stays(stage):
    worker = stage.worker()
    worker.until("/v1/status", served())
    first = stage.remote.git("rev-parse", "HEAD")
    body = "    total += read_the_next_value(source)\n" * 12
    commit = stage.remote.commit({f"m{n}.py": f"def part_{n}(source):\n    total = {n}\n{body}" for n in range(40)})
    worker.http.post("/v1/repositories/app/sync")
    worker.until("/v1/status", lambda answer: re.search(r"[1-9]\d of 40 new files indexed", answer.text))
    worker.end(signal.SIGKILL)
    client = stage.client()
    heads = models.Filter(must=[models.FieldCondition(key="kind", match=models.MatchValue(value="head"))])
    [head], _ = client.scroll(ALIAS, scroll_filter=heads)
    assert head.payload["commit"] == first
    worker = stage.worker()
    row = worker.until("/v1/status", served(commit)).json()["repositories"][0]
    chunks = models.Filter(must=[models.FieldCondition(key="kind", match=models.MatchValue(value="chunk"))])
    assert row["chunks"] == client.count(ALIAS, count_filter=chunks).count
    assert metric(worker, "coderag_embeddings_total") < 40


def test_qdrant_gone_and_back_needs_no_restart_and_no_embedding(stage):
    worker = stage.worker()
    worker.until("/v1/status", served())
    before = metric(worker, "coderag_embeddings_total")
    port = int(stage.qdrant.url.rsplit(":", 1)[1])
    stage.qdrant.kill()
    worker.http.post("/v1/repositories/app/sync")
    answer = worker.until("/v1/status", lambda answer: "Qdrant is not reachable" in answer.text)
    assert served()(answer)
    assert worker.get("/readyz").status_code == 200
    assert worker.get("/health").json()["dependencies"]["qdrant"]["ok"] is False
    stage.qdrant = launch(stage.folder / "qdrant", api_key="qdrant-key", port=port)
    worker.until("/v1/status", lambda answer: answer.json()["repositories"][0]["message"] == "")
    assert metric(worker, "coderag_embeddings_total") == before
