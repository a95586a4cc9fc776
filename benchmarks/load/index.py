"""The filled index on disk: made once for each size and kept, as filling takes minutes; every run works on a copy."""

import asyncio
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path

from coderag_rag.identity import EmbeddingModel, index_identity

from benchmarks.load.corpus import File, files, roots
from benchmarks.load.fill import Filled, fill
from benchmarks.load.queries import draw_queries
from benchmarks.load.services import KEY, Stack, Store, start_store, wait_optimized
from benchmarks.load.tables import Cost
from benchmarks.load.usage import usage

_SAMPLED = 20  # of every so many files the text is kept to draw queries from


@dataclass(frozen=True)
class Index:
    """A filled index: where its data lies, what it cost, which repositories it serves, what to ask it."""

    folder: Path
    identity: str
    cost: Cost
    repositories: list[str]
    queries: list[str]

    @property
    def data(self) -> Path:
        """The folder of the Qdrant stand-in."""
        return self.folder / "data"

    def save(self) -> None:
        """Write the description last: a folder without one is an unfinished index."""
        text = json.dumps(asdict(self) | {"folder": str(self.folder)})
        (self.folder / "index.json").write_text(text, encoding="utf-8")

    def copy_to(self, folder: Path) -> Path:
        """Copy the data for a run that may change it."""
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run(["cp", "-r", "--reflink=auto", self.data, folder], check=True)
        return folder


def load_index(folder: Path, identity: str) -> Index | None:
    """Return a kept index, or None where there is none that the running model and this code would make."""
    file = folder / "index.json"
    if not file.is_file():
        return None
    fields = json.loads(file.read_text(encoding="utf-8"))
    if fields["identity"] != identity:
        return None
    return Index(**fields | {"folder": folder, "cost": Cost(**fields["cost"])})


def ensure_index(stack: Stack, model: EmbeddingModel, folder: Path, chunks: int, queries: int, workers: int) -> Index:
    """Return the index of this size, filling it first where it is not there yet."""
    identity = index_identity(model)
    if found := load_index(folder, identity):
        return found
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    store = start_store(stack, folder / "data")
    begin = time.monotonic()
    filled, texts = write(store, model, chunks, queries, workers)
    written = time.monotonic()
    wait_optimized(store)
    stack.stop("qdrant")
    start_store(stack, folder / "data")
    opened, rss = time.monotonic(), usage(stack.pids["qdrant"]).rss
    stack.stop("qdrant")
    cost = Cost(filled.chunks, rss * 1024**2, size_of(folder / "data"), written - begin, opened - written)
    index = Index(folder, identity, cost, sorted(filled.entries), texts)
    index.save()
    return index


def write(store: Store, model: EmbeddingModel, chunks: int, queries: int, workers: int) -> tuple[Filled, list[str]]:
    """Fill a store; return what was written and the queries to ask it."""
    sample: list[File] = []

    def seen() -> Iterator[File]:
        for number, file in enumerate(files(chunks, roots(), workers)):
            if number % max(1, min(_SAMPLED, chunks // 5000)) == 0:
                sample.append(file)
            yield file

    filled = asyncio.run(fill(store.url, store.key or KEY, model, seen()))
    return filled, draw_queries(sample, queries)


def size_of(folder: Path) -> float:
    """Return the bytes that a folder takes on disk, holes aside."""
    return float(sum(path.lstat().st_blocks * 512 for path in chain([folder], folder.rglob("*"))))
