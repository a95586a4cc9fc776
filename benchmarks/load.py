"""Search, ask, and indexing under search, with arrivals by the clock; prints the tables of benchmarks/RESULTS.md.

    python benchmarks/load.py [--rps 100] [--seconds 120] [--chunks 100000] [--scenario NAME]...

Every service is a real process on this machine, reached by a name that is not localhost: the Qdrant client's pause of
40 ms on kept connections does not show there (benchmarks/load/names.py). The index holds real source cut by the
product's chunker, with projected tokens in the place of embeddings (why: benchmarks/load/vectors.py); queries are
embedded by the real model. It is kept under build/load. The load comes from a process of its own, whose processor time
is not counted. QDRANT_PROGRAM=/path/to/qdrant measures a real server instead of the stand-in on Qdrant's engine.
Exit 0: every target was met; 1: one was not; 2: not measured.
"""

import argparse
import asyncio
import os
import platform
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from pathlib import Path

sys.path.extend(str(Path(__file__).resolve().parent.parent / part) for part in (".", "images/rag"))

from benchmarks.load import indexing, tables
from benchmarks.load.corpus import find_sources, roots
from benchmarks.load.fill import running_model
from benchmarks.load.index import Index, ensure_index
from benchmarks.load.program import measure
from benchmarks.load.results import Result, grows
from benchmarks.load.run import Scenario, run
from benchmarks.load.samples import passages
from benchmarks.load.services import (
    KEY,
    ROOT,
    Stack,
    Store,
    start_embedding,
    start_ingestion,
    start_naive,
    start_rag,
    start_store,
    until,
)
from e2e.standins.qdrant.run import program

SCENARIOS = ("search", "baseline", "ask", "indexing", "overload", "costs")
SEARCH = ("embedding", "qdrant", "rag")
BOUNDS = {"embedding queue": 1024.0, "searches under way": 64.0}
EMBEDDED_PER_SECOND = 33.0  # on one core beside searches, until this run has measured it
_FRESH_FILES_PER_SECOND = 12  # more than the worker can embed, so that it does not finish first


@dataclass
class Bench:
    """One run."""

    options: argparse.Namespace
    stack: Stack
    results: dict[str, Result] = field(default_factory=dict)
    built: list[Index] = field(default_factory=list)
    embedded_per_second: float = EMBEDDED_PER_SECOND

    def run(self) -> None:
        """Measure everything that is wanted."""
        options, stack = self.options, self.stack
        start_embedding(stack, options.threads)
        store, texts, served = self.prepare()
        say(f"{len(texts)} distinct queries against {options.chunks:,} chunks on {store.engine}")
        start_rag(stack, store)
        for name in ("search", "baseline", "ask"):
            if name in options.scenario:
                if name == "baseline":
                    start_naive(stack, store)
                self.measure(self.scenario(name), texts)
        if "overload" in options.scenario:
            self.measure(self.scenario("overload"), texts)
        if "indexing" in options.scenario:
            self.index_under_search(store, texts, served)

    def prepare(self) -> tuple[Store, list[str], list[str]]:
        """Return a filled store, the queries, and the repositories that it serves."""
        options, stack = self.options, self.stack
        model = asyncio.run(running_model(stack.url("embedding"), KEY))
        sizes = {options.chunks} | ({options.small} if "costs" in options.scenario else set())
        for chunks in sorted(sizes):
            say(f"an index of {chunks:,} chunks")
            folder = options.folder / f"{'server' if program() else 'index'}-{chunks}"
            self.built.append(ensure_index(stack, model, folder, chunks, options.queries, options.threads))
        index = self.built[-1]
        return start_store(stack, index.copy_to(options.folder / "run")), index.queries, index.repositories

    def scenario(self, name: str) -> Scenario:
        """Return a scenario by its name."""
        options = self.options
        common = {"arrivals": options.arrivals, "seconds": options.seconds}
        if name == "ask":
            uses = (*SEARCH, "model")
            return Scenario(name, "rag", "/v1/ask", "question", {}, options.ask_rps, uses=uses, **common)
        service = "naive" if name == "baseline" else "rag"
        rate = options.overload_rps if name == "overload" else options.rps
        uses = {"indexing": (*SEARCH, "ingestion"), "baseline": ("embedding", "qdrant", "naive")}.get(name, SEARCH)
        if name == "overload":
            common["seconds"] = min(options.seconds, 30)
        return Scenario(name, service, "/v1/search", "query", {"limit": 10}, rate, uses=uses, **common)

    def measure(self, scenario: Scenario, texts: list[str]) -> Result:
        """Run one scenario and print what is known by then."""
        say(f"{scenario.name}: {scenario.rate:g} requests/s for {scenario.seconds:g} s")
        self.results[scenario.name] = result = run(scenario, self.stack, texts)
        say(tables.latencies([result]).splitlines()[-1])
        return result

    def index_under_search(self, store: Store, texts: list[str], served: list[str]) -> None:
        """Search while the ingestion worker embeds a new repository."""
        embedding, seconds = self.stack.url("embedding"), self.options.seconds
        count = round((seconds + 30) * _FRESH_FILES_PER_SECOND)
        fresh = islice(find_sources(roots()), count)
        address = indexing.make_repository(fresh, self.options.folder / "fresh")
        before = passages(embedding)
        start_ingestion(self.stack, store, indexing.rows(address, served), self.options.folder / "ingestion")
        until(lambda: passages(embedding) > before, "the worker embeds")
        first = passages(embedding)
        result = self.measure(self.scenario("indexing"), texts)
        self.embedded_per_second = (passages(embedding) - first) / (result.seconds + 5)
        say(f"indexing: {self.embedded_per_second:.1f} chunks/s meanwhile")

    def report(self) -> str:
        """Return the tables as Markdown."""
        results = list(self.results.values())
        text = f"{tables.latencies(results)}\n{tables.processor(results)}\n" if results else ""
        if {"search", "baseline"} <= set(self.results):
            text += tables.ratios(self.results["search"], self.results["baseline"])
        if "indexing" in self.results:
            text += f"While `indexing` ran, {self.embedded_per_second:.1f} chunks/s were embedded.\n"
        if "overload" in self.results:
            text += f"Beyond capacity: {tables.overload(self.results['overload'], BOUNDS)}"
        if "costs" in self.options.scenario and self.built:
            text += "\n" + tables.costs([index.cost for index in self.built], self.embedded_per_second)
        return text

    def missed(self) -> list[str]:
        """Return the targets that were not met."""
        found = []
        for name, p95 in (("search", 0.1), ("ask", 0.5), ("indexing", 0.25)):
            if one := self.results.get(name):
                found += [f"{name}: p95 above {p95 * 1000:.0f} ms"] * (not one.latency(0.95) <= p95)
                found += [f"{name}: {one.failures} errors"] * (one.failures > 0)
        if (one := self.results.get("search")) and one.cpu_per_query > 0.012:
            found.append("search: more than 12 ms of processor time per query")
        if "indexing" in self.results and self.embedded_per_second < 20:
            found.append("indexing: fewer than 20 chunks/s")
        if one := self.results.get("overload"):
            found += [f"overload: {name} grows" for name, seen in one.samples.items() if grows(seen, BOUNDS[name])]
            found += ["overload: 429 without Retry-After"] * any(not r.outcome.retry_after for r in one.refused)
        return found


def say(text: str) -> None:
    """Print a line of progress."""
    print(f"{datetime.now(UTC):%H:%M:%S} {text}", file=sys.stderr, flush=True)


def describe_machine() -> str:
    """Return what the figures were taken on."""
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return f"{os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()}, load average {load}"


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rps", type=float, default=100, help="searches a second (default: 100)")
    parser.add_argument("--seconds", type=float, default=120, help="length of each scenario (default: 120)")
    parser.add_argument("--chunks", type=int, default=100_000, help="size of the index (default: 100000)")
    parser.add_argument("--small", type=int, default=10_000, help="the second size of the cost table")
    parser.add_argument("--queries", type=int, default=20_000, help="distinct queries (default: 20000)")
    parser.add_argument("--scenario", action="append", choices=SCENARIOS, help="only this one; may be repeated")
    parser.add_argument("--arrivals", choices=("poisson", "constant"), default="poisson")
    parser.add_argument("--ask-rps", type=float, default=10)
    parser.add_argument("--overload-rps", type=float, default=400, help="far beyond capacity, for 30 s")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="of the embedding service")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "load", help="where indexes are kept")
    options = parser.parse_args()
    options.scenario = options.scenario or list(SCENARIOS)
    options.folder = options.folder.resolve()
    return options


def take(options: argparse.Namespace, stack: Stack) -> int:
    """Measure and print, as far as it came."""
    machine = f"{describe_machine()} at the start; services at {stack.host}; {datetime.now(UTC):%Y-%m-%d}"
    bench = Bench(options, stack)
    try:
        bench.run()
    finally:
        print(f"{machine}\n\n{bench.report()}", flush=True)
    for missed in bench.missed():
        print(f"missed: {missed}")
    return 1 if bench.missed() else 0


if __name__ == "__main__":
    chosen = read_options()
    sys.exit(measure(partial(take, chosen), chosen.folder))
