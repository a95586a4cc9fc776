"""How many chunks a second the embedding service makes over HTTP, and what a search waits meanwhile.

Beside it, in the same run and round by round, stands what one would write first: full precision, the whole batch padded
and computed at once, every core for every request. `PYTHONPATH=images/embedding python benchmarks/embedding.py`
"""

import argparse
import contextlib
import os
import platform
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
from coderag_embedding.build import NAME, ensure_model

REPOSITORY = Path(__file__).parents[1]
BUDGET = 600  # characters that are not white space: the size of a chunk in the index
KEY = "benchmark-key"


def read_chunks(budget: int = BUDGET) -> list[str]:
    """Cut this repository's own Python at line ends into chunks of the size that the index has."""
    chunks, lines, size = [], [], 0
    for path in sorted(REPOSITORY.glob("images/*/coderag_*/**/*.py")):
        for line in path.read_text().splitlines(keepends=True):
            lines.append(line)
            size += len("".join(line.split()))
            if size >= budget:
                chunks.append("".join(lines))
                lines, size = [], 0
    return chunks


def baseline(port: int, folder: Path) -> None:
    """Serve the naive way: one session with every core, one padded batch per request."""
    import numpy as np
    import onnxruntime
    import uvicorn
    from fastapi import FastAPI
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(256)
    tokenizer.enable_padding()
    session = onnxruntime.InferenceSession(str(folder / "fp32.onnx"), providers=["CPUExecutionProvider"])
    app = FastAPI()

    @app.get("/readyz")
    def ready() -> bool:
        return True

    @app.post("/v1/embeddings")
    def embed(body: dict) -> dict:
        encodings = tokenizer.encode_batch(body["input"])
        ids = np.array([one.ids for one in encodings], np.int64)
        mask = np.array([one.attention_mask for one in encodings], np.int64)
        (vectors,) = session.run(None, {"input_ids": ids, "attention_mask": mask})
        return {"data": [{"index": n, "embedding": vector} for n, vector in enumerate(vectors.tolist())]}

    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error")


@dataclass
class Server:
    """A running server, how to reach it and what it has used."""

    client: httpx.Client
    process: subprocess.Popen

    def cpu_seconds(self) -> float:
        """Return the processor time of all its threads and processes so far: what a busy machine distorts least."""
        process = psutil.Process(self.process.pid)
        times = [one.cpu_times() for one in (process, *process.children(recursive=True))]
        return sum(one.user + one.system for one in times)


@contextlib.contextmanager
def serving(command: list[str], port: int, **environ: str) -> Iterator[Server]:
    """Run a server until the block ends."""
    settings = {"PYTHONPATH": str(REPOSITORY / "images" / "embedding"), "LISTEN_PORT": str(port)}
    process = subprocess.Popen(
        [sys.executable, *command], env=os.environ | settings | environ, stdout=subprocess.DEVNULL
    )
    headers = {"authorization": f"Bearer {KEY}"}
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=120) as client:
            while not _ready(client):
                assert process.poll() is None, "the server ended by itself"
                time.sleep(0.1)
            yield Server(client, process)
    finally:
        process.terminate()
        process.wait(30)


def _ready(client: httpx.Client) -> bool:
    try:
        return client.get("/readyz").status_code == 200
    except httpx.TransportError:
        return False


def post(client: httpx.Client, texts: list[str], lane: str) -> float:
    """Embed and return the seconds that it took."""
    started = time.perf_counter()
    client.post("/v1/embeddings", json={"model": NAME, "input": texts, "input_type": lane}).raise_for_status()
    return time.perf_counter() - started


def throughput(server: Server, chunks: list[str], batch: int, seconds: float) -> tuple[float, float]:
    """Return chunks per second and processor milliseconds per chunk, with as many callers as processors."""
    started, used = time.perf_counter(), server.cpu_seconds()

    def call(first: int) -> int:
        done, at = 0, first * batch * 7
        while time.perf_counter() < started + seconds:
            post(server.client, [chunks[(at + n) % len(chunks)] for n in range(batch)], "passage")
            done, at = done + batch, at + batch
        return done

    callers = os.cpu_count() or 1
    with ThreadPoolExecutor(callers) as pool:
        total = sum(pool.map(call, range(callers)))
    return total / (time.perf_counter() - started), (server.cpu_seconds() - used) * 1000 / total


def search_while_indexing(server: Server, chunks: list[str], seconds: float) -> tuple[float, float, float]:
    """Return p50 and p95 of a short query in milliseconds, 10 a second, and the bulk rate beside it."""
    waits: list[float] = []
    stop = threading.Event()

    def search() -> None:
        while not stop.wait(0.1):
            waits.append(post(server.client, ["where is the configuration file read"], "query") * 1000)

    searcher = threading.Thread(target=search)
    searcher.start()
    rate, _ = throughput(server, chunks, 16, seconds)
    stop.set()
    searcher.join()
    return statistics.median(waits), statistics.quantiles(waits, n=20)[-1], rate


def free_port() -> int:
    """Return a port that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def describe_machine() -> str:
    """Return what the figures depend on."""
    info = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    model = next((line.split(":")[1].strip() for line in info.splitlines() if line.startswith("model name")), "?")
    kinds = [name for name in ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8") if f" {name}" in info]
    load = os.getloadavg()[0]
    return f"{os.cpu_count()} x {model} ({' '.join(kinds) or platform.machine()}), load average {load:.1f} at the start"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=6.0, help="per figure and round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--serve-baseline", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    folder = ensure_model()
    if options.serve_baseline:
        return baseline(options.serve_baseline, folder / NAME)
    return measure(options.seconds, options.rounds, folder)


def compare(ours: Server, naive: Server, chunks: list[str], batch: int, seconds: float, rounds: int) -> str:
    """Measure one batch size on both, in turn, so that a noisy neighbour meets both; return a line of the table."""
    pairs = [[throughput(server, chunks, batch, seconds) for server in (ours, naive)] for _ in range(rounds)]
    cells = ""
    for column in zip(*pairs, strict=True):
        rates, costs = zip(*column, strict=True)
        cells += f"{max(rates):8.1f}{statistics.median(rates):8.1f}{min(costs):8.1f}"
    return f"{cells}{statistics.median(mine[0] / other[0] for mine, other in pairs):8.2f}"


def measure(seconds: float, rounds: int, folder: Path) -> None:
    """Print the table."""
    chunks, ports = read_chunks(), (free_port(), free_port())
    ours = serving(["-m", "coderag_embedding"], ports[0], EMBEDDING_API_KEY=KEY, MODEL_CACHE_DIR=str(folder))
    naive = serving([__file__, "--serve-baseline", str(ports[1])], ports[1])
    print(f"{describe_machine()}; {len(chunks)} chunks of {BUDGET} characters that are not white space")
    print(f"{rounds} rounds of {seconds:g} s; chunks/s best and median, lowest processor ms per chunk, median ratio")
    with ours as service, naive as plain:
        print(f"{'over HTTP':12}{'service':>24}{'naive fp32':>24}{'ratio':>8}")
        for batch in (1, 8, 16):
            print(f"batch {batch:<6}{compare(service, plain, chunks, batch, seconds, rounds)}", flush=True)
        for name, server in (("service", service), ("naive fp32", plain)):
            p50, p95, rate = search_while_indexing(server, chunks, 2 * seconds)
            print(f"query during bulk, {name:11} p50 {p50:6.1f} ms  p95 {p95:6.1f} ms  bulk {rate:5.1f} chunks/s")


if __name__ == "__main__":
    main()
