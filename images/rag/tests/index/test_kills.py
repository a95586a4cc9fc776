"""The worker as a process, killed at random points of indexing: what was served stays served, nothing is lost or left.

`CODERAG_KILLS` says how often; a real Qdrant engine stores the index, and a small server makes vectors from words.
"""

import hashlib
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from coderag_rag.store.schema import ALIAS, CHUNK, HEAD, PAGE, page_id
from qdrant_client import QdrantClient, models

from e2e.standins.qdrant.run import launch

pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.timeout(7200)]
KILLS = int(os.environ.get("CODERAG_KILLS", "4"))
RAG = Path(__file__).resolve().parents[2]
FILES, SECONDS, DIMENSIONS = 24, 300, 32


def vector(text):
    counts = [0.01] * DIMENSIONS
    for word in re.findall(r"\w+", text):
        counts[int.from_bytes(hashlib.sha256(word.encode()).digest()[:4], "big") % DIMENSIONS] += 1
    return counts


class Words(BaseHTTPRequestHandler):
    """An embedding service that counts what it is asked for."""

    protocol_version = "HTTP/1.1"
    asked: list[str]

    def do_GET(self):
        row = {"id": "words", "revision": "1", "dimensions": DIMENSIONS, "max_tokens": 256, "pooling": "mean"}
        self.answer({"data": [row | {"precision": "fp32", "query_prompt": "", "passage_prompt": ""}]})

    def do_POST(self):
        texts = json.loads(self.rfile.read(int(self.headers["content-length"])))["input"]
        self.asked.extend(texts)
        self.answer({"data": [{"index": n, "embedding": vector(text)} for n, text in enumerate(texts)]})

    def answer(self, body):
        content = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_arguments):
        pass


class Server(ThreadingHTTPServer):
    """Says nothing of callers that were killed in the middle of a request; that is what happens here."""

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until(condition, what):
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        try:
            if found := condition():
                return found
        except httpx.TransportError:
            pass
        time.sleep(0.02)
    raise AssertionError(f"not within {SECONDS} s: {what}")


class Course:
    """Qdrant, the vectors, a remote, what its commits hold, and a worker that is killed again and again."""

    def __init__(self, stack, folder, remote):
        self.folder, self.remote, self.commits, self.worker = folder, remote, {}, None
        self.qdrant = launch(folder / "qdrant", api_key="key", port=free_port())
        stack.callback(self.qdrant.stop)
        Words.asked = []
        server = stack.enter_context(Server(("127.0.0.1", 0), Words))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        stack.callback(server.shutdown)
        self.client = QdrantClient(url=self.qdrant.url, headers={"api-key": "key"}, check_compatibility=False)
        stack.callback(self.client.close)
        stack.callback(self.kill)
        self.port = free_port()
        row = {"name": "app", "url": remote.url, "ref": "main", "schedule": None}
        (folder / "ingestion.json").write_text(json.dumps({"repositories": [row]}))
        self.environment = {
            "PATH": os.environ["PATH"], "PYTHONPATH": str(RAG), "LISTEN_PORT": str(self.port),
            "QDRANT_URL": self.qdrant.url, "QDRANT_API_KEY": "key", "QDRANT_RETRY_MIN_WAIT": "0.1",
            "EMBEDDING_URL": f"http://127.0.0.1:{server.server_port}", "EMBEDDING_BATCH": "2",
            "INGESTION_CONFIG": str(folder / "ingestion.json"), "INGESTION_API_KEY": "key",
            "INGESTION_ALLOW_FILE": "true", "WORK_DIR": str(folder / "work"), "POD_NAME": "pod-0",
        }  # fmt: skip

    def push(self, number, dice):
        """Commit a change of about half of the files."""
        body = "    total += read_the_next_value(source)\n" * 14
        chosen = range(FILES) if number == 0 else dice.sample(range(FILES), FILES // 2)
        files = {f"m{n}.py": f"def part_{n}_{number}(source):\n    total = {number}\n{body}" for n in chosen}
        if number:
            files[f"m{dice.choice(chosen)}.py"] = None
        files = {path: text for path, text in files.items() if text or (self.remote.path / path).exists()}
        commit = self.remote.commit(files)
        self.commits[commit] = {path.name: path.read_text() for path in self.remote.path.glob("*.py")}
        return commit

    def start(self):
        with (self.folder / "log").open("a") as log:
            self.worker = subprocess.Popen(
                [sys.executable, "-m", "coderag_rag.ingestion"], env=self.environment, stdout=log, stderr=log
            )

    def embed(self, wanted, dice):
        """Wait until so much is embedded; beyond the number of files: while it is written and tidied up."""
        most = FILES // 2 - 2
        until(lambda: len(Words.asked) >= min(wanted, most), "so much is embedded")
        time.sleep(dice.uniform(0, 0.05 if wanted < most else 1.0))

    def kill(self):
        if self.worker:
            self.worker.send_signal(signal.SIGKILL)
            self.worker.wait()
        self.worker = None

    def status(self):
        headers = {"authorization": "Bearer key"}
        answer = httpx.get(f"http://127.0.0.1:{self.port}/v1/status", headers=headers, timeout=10)
        return answer.json()["repositories"][0]

    def points(self, kind):
        chosen = models.Filter(must=[models.FieldCondition(key="kind", match=models.MatchValue(value=kind))])
        return self.client.scroll(ALIAS, scroll_filter=chosen, limit=100_000)[0]

    def served(self):
        """Return the served commit and its files as the index alone tells them; None where it changed meanwhile."""
        [head] = [point.payload for point in self.points(HEAD)]
        ids = [page_id("app", "main", head["generation"], n) for n in range(head["pages"])]
        entries = [row for page in self.client.retrieve(ALIAS, ids) for row in page.payload["entries"]]
        parts = {}
        for chunk in (point.payload for point in self.points(CHUNK)):
            parts.setdefault(chunk["blob"], []).append((chunk["start_line"], chunk["text"]))
        [now] = [point.payload for point in self.points(HEAD)]
        if now["generation"] != head["generation"]:
            return None
        texts = {path: "".join(text for _, text in sorted(parts.get(blob, ()))) for path, blob, _ in entries}
        return head["commit"], texts


class Watch(threading.Thread):
    """Reads the index all the time, and keeps what was not a whole commit."""

    def __init__(self, course):
        super().__init__(daemon=True)
        self.course, self.over, self.looks, self.broken = course, threading.Event(), 0, []

    def run(self):
        while not self.over.wait(0.1):
            found = self.course.served()
            if found:
                self.looks += 1
                if self.course.commits[found[0]] != found[1]:
                    self.broken.append(found[0])


def test_killed_at_random_points_it_serves_whole_commits_throughout_and_leaves_nothing_behind(tmp_path, bench):
    dice = random.Random(20_261_122)
    with ExitStack() as stack:
        course = Course(stack, tmp_path, bench.remote("app"))
        first = course.push(0, dice)
        course.start()
        until(lambda: course.status()["commit"] == first, "the first commit is served")
        course.kill()
        watch = Watch(course)
        watch.start()
        outcomes = []
        for number in range(1, KILLS + 1):
            served, commit = course.served()[0], course.push(number, dice)
            Words.asked.clear()
            course.start()
            course.embed(dice.randrange(1, FILES // 2 + 8), dice)
            course.kill()
            now, texts = course.served()
            assert now in (served, commit)
            assert texts == course.commits[now]
            outcomes.append(now == commit)
        told = (tmp_path / "log").stat().st_size
        course.start()
        until(lambda: course.status()["commit"] == commit, "the last commit is served")
        until(lambda: '"reconciled"' in (tmp_path / "log").read_text()[told:], "all is tidied up")
        watch.over.set()
        watch.join(60)
        assert watch.broken == []
        assert watch.looks >= KILLS
        assert course.served() == (commit, course.commits[commit])
        [head] = [point.payload for point in course.points(HEAD)]
        assert head["chunks"] == len(course.points(CHUNK))
        assert len(course.points(PAGE)) == head["pages"]
        print(f"{KILLS} kills, {sum(outcomes)} after the new commit was served, {watch.looks} looks, 0 broken")  # noqa: T201
