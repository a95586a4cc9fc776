"""How soon a push is found, and what a sync costs that finds nothing new; prints a table for benchmarks/RESULTS.md.

    python benchmarks/freshness.py [--pushes 5] [--files 10] [--syncs 10]

Every service is a real process on this machine, with the real embedding model and the Qdrant stand-in. The repository
is a clone of this one, of which the search service's own folder is indexed. A push adds files of the operator, each
with a function of its own, and ends with a signed webhook as GitHub sends it; the clock starts when the worker has
accepted that and stops when a search for the last file's function answers with it. A sync is timed by the worker, from
the moment it takes it up. Exit 0: both goals were reached; 1: not; 2: not measured.
"""

import argparse
import hashlib
import hmac
import json
import re
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx

sys.path.extend(str(Path(__file__).resolve().parent.parent / part) for part in (".", "images/rag"))

from benchmarks.load.program import measure
from benchmarks.load.services import (
    KEY,
    ROOT,
    Stack,
    start_embedding,
    start_ingestion,
    start_rag,
    start_store,
    until,
)

NAME, SECRET = "coderag", "s" * 32
INDEXED, SOURCES = "images/rag/coderag_rag", "operator/coderag_operator"
PUSH_SECONDS, SYNC_SECONDS = 15.0, 2.0  # the goals
_HEADERS = {"authorization": f"Bearer {KEY}"}
_SYNC = re.compile(rf'^coderag_sync_seconds_(count|sum){{repository="{NAME}"}} (\S+)$', re.M)
_EMBEDDED = re.compile(r"^coderag_embeddings_total (\S+)$", re.M)


@dataclass(frozen=True)
class Work:
    """What the worker has done so far."""

    syncs: int
    seconds: float
    embedded: int


class Remote:
    """The repository that is indexed, and what is pushed to it."""

    def __init__(self, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        self._folder = folder
        self._git(["clone", "-q", "--no-hardlinks", str(ROOT), str(folder)], ROOT)
        self._git(["checkout", "-q", "-B", "main"])
        self._sources = iter(sorted((ROOT / SOURCES).rglob("*.py"), key=lambda path: -path.stat().st_size))

    @property
    def address(self) -> str:
        """Where the worker reads it."""
        return f"file://{self._folder}"

    def push(self, number: int, files: int) -> str:
        """Commit so many new files; return the name of the function that only the last one has."""
        name = ""
        for position in range(files):
            name = f"landed_in_push_{number}_file_{position}"
            target = self._folder / INDEXED / f"pushed_{number}" / f"file_{position}.py"
            target.parent.mkdir(exist_ok=True)
            target.write_text(f"{next(self._sources).read_text()}\n\ndef {name}():\n    return {number}\n")
        self._git(["add", "-A"])
        self._git(["-c", "user.name=B", "-c", "user.email=b@example.com", "commit", "-qm", f"Push {number}"])
        return name

    def _git(self, words: list[str], folder: Path | None = None) -> None:
        subprocess.run(["git", *words], cwd=folder or self._folder, check=True)


class Bench:
    """The running services and their clock."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        self._stack, self._folder = stack, folder
        self.remote = Remote(folder / "remote")

    def start(self) -> None:
        """Start everything and wait until the repository is served."""
        stack, folder = self._stack, self._folder
        start_embedding(stack, 2)
        store = start_store(stack, folder / "qdrant")
        (folder / "secret").write_text(SECRET)
        row: dict[str, Any] = {"name": NAME, "url": self.remote.address, "ref": "main", "schedule": "0 0 1 1 *"}
        row |= {"paths": [INDEXED], "webhookSecretFile": str(folder / "secret")}
        start_ingestion(stack, store, [row], folder / "ingestion")
        start_rag(stack, store)
        until(lambda: self.work().syncs, "the first sync ends")

    def work(self) -> Work:
        """Return what the worker has done."""
        page = httpx.get(f"{self._stack.url('ingestion')}/metrics", timeout=30).text
        found = dict(_SYNC.findall(page))
        embedded = _EMBEDDED.findall(page)
        return Work(int(float(found.get("count", 0))), float(found.get("sum", 0)), int(float(embedded[0])))

    def sync(self) -> tuple[float, int]:
        """Ask for a sync of nothing new; return its seconds and how many chunks it embedded."""
        before = self.work()
        url = f"{self._stack.url('ingestion')}/v1/repositories/{NAME}/sync"
        httpx.post(url, headers=_HEADERS, timeout=30).raise_for_status()
        after = until(lambda: now if (now := self.work()).syncs > before.syncs else None, "the sync ends")
        return after.seconds - before.seconds, after.embedded - before.embedded

    def push(self, number: int, files: int) -> tuple[float, int]:
        """Push files and send the webhook; return the seconds until they are found, and the chunks embedded."""
        before = self.work()
        name = self.remote.push(number, files)
        body = json.dumps({"ref": "refs/heads/main", "repository": {"default_branch": "main"}}).encode()
        signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        headers = {"x-hub-signature-256": f"sha256={signature}", "content-type": "application/json"}
        url = f"{self._stack.url('ingestion')}/v1/webhooks/{NAME}"
        httpx.post(url, content=body, headers=headers, timeout=30).raise_for_status()
        started = time.monotonic()
        until(lambda: self._finds(name, f"pushed_{number}/"), f"{name} is found")
        seconds = time.monotonic() - started
        until(lambda: self.work().syncs > before.syncs, "the sync ends")
        return seconds, self.work().embedded - before.embedded

    def _finds(self, name: str, path: str) -> bool:
        asked = {"query": name, "limit": 1}
        answer = httpx.post(f"{self._stack.url('rag')}/v1/search", json=asked, headers=_HEADERS, timeout=30)
        return any(path in hit["path"] for hit in answer.raise_for_status().json()["hits"])


def rows(bench: Bench, options: argparse.Namespace) -> Iterator[tuple[str, bool]]:
    """Yield a row of the table for each goal, and whether it was reached."""
    bench.start()
    syncs = [bench.sync() for _ in range(options.syncs)]
    times, embedded = [seconds for seconds, _ in syncs], sum(count for _, count in syncs)
    reached = max(times) <= SYNC_SECONDS and embedded == 0
    yield row(f"sync without a change, {len(syncs)} times", times, f"{embedded} in all", f"{SYNC_SECONDS:g} s"), reached
    pushes = [bench.push(number, options.files) for number in range(options.pushes)]
    times = [seconds for seconds, _ in pushes]
    chunks = ", ".join(str(count) for _, count in pushes)
    what = f"push of {options.files} files to the first hit, {len(pushes)} times"
    yield row(what, times, chunks, f"{PUSH_SECONDS:g} s"), max(times) <= PUSH_SECONDS


def row(what: str, times: list[float], embedded: str, goal: str) -> str:
    """Return one row of the table."""
    return f"| {what} | {statistics.median(times):.2f} s | {max(times):.2f} s | {embedded} | {goal} |"


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pushes", type=int, default=5, help="how often files are pushed (default: 5)")
    parser.add_argument("--files", type=int, default=10, help="files in each push (default: 10)")
    parser.add_argument("--syncs", type=int, default=10, help="syncs of nothing new (default: 10)")
    parser.add_argument(
        "--folder", type=Path, default=ROOT / "build" / "freshness", help="where logs and data are kept"
    )
    return parser.parse_args()


def take(options: argparse.Namespace, stack: Stack) -> int:
    """Measure and print."""
    print("| what | median | longest | chunks embedded | goal |\n|---|---|---|---|---|", flush=True)
    missed = False
    for text, reached in rows(Bench(stack, options.folder), options):
        print(text, flush=True)
        missed |= not reached
    return 1 if missed else 0


if __name__ == "__main__":
    chosen = read_options()
    chosen.folder = chosen.folder.resolve() / "run"  # what is there is removed, and the folder may be anybody's
    shutil.rmtree(chosen.folder, ignore_errors=True)
    sys.exit(measure(partial(take, chosen), chosen.folder))
