"""What callers see of faults: our stack and a plain one beside it, the same load, the same images, the same run.

Load goes through the gateway (half of it streaming) and through the Service of whoever is active. The plain stack is
two Deployments, their Services and LiteLLM with its defaults. Prints Markdown for benchmarks/RESULTS.md.

    python benchmarks/failover.py [--requests 500] [--faults killed,stopped] [--skip-plain] [--keep]
"""

import argparse
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from e2e import install
from e2e.failover import place, plain
from e2e.failover.catalog import MANAGED, PLAIN, REAL, SWITCHED
from e2e.failover.models import patch
from e2e.failover.overhead import measure, render_overhead
from e2e.failover.run import Fault, Pace, Result, run
from e2e.failover.site import Site, are_all_ready, is_settled
from e2e.failover.table import cells, render
from e2e.kubectl import Cluster, CommandError

OURS, THEIRS = "this", "plain"


@dataclass
class Bench:
    """One run of the benchmark."""

    cluster: Cluster
    pace: Pace
    wanted: list[str]
    with_plain: bool
    fallbacks: bool
    rows: list[tuple[str, Result]] = field(default_factory=list)

    def run(self) -> None:
        """Measure everything that is wanted."""
        say("bringing up the chart, the stack and the plain stack")
        ours = place.deploy(self.cluster, place.FAILOVER)
        self.series(ours, OURS, (*REAL, *MANAGED), is_settled)
        if self.with_plain:
            self.plain(plain.LLAMA, (*REAL, *PLAIN))
        if not self.names(SWITCHED) and not self.is_wanted("overhead"):
            return
        say("changing both servers of the stack to stand-ins with switches")
        patch(ours, {"images": {"llama": place.STANDIN_LLAMA}})
        wait(lambda: is_settled(ours), 600)
        self.overhead(ours)
        self.series(ours, OURS, SWITCHED, is_settled)
        if self.with_plain:
            self.plain(install.STANDINS, SWITCHED)

    def plain(self, llama: str, faults: Iterable[Fault]) -> None:
        """Measure the plain stack with these servers; it is gone afterwards, so that it takes no time from ours."""
        if not self.names(faults):
            return
        site = plain.deploy(self.cluster, place.NAMESPACE, llama, self.fallbacks)
        self.series(site, THEIRS, faults, are_all_ready)
        plain.remove(site)

    def series(self, site: Site, stack: str, faults: Iterable[Fault], recovered: Callable[[Site], bool]) -> None:
        """Run faults one after the other, each from a stack that is whole."""
        for fault in faults:
            if not self.is_wanted(fault.name):
                continue
            wait(lambda: recovered(site), 300)
            say(f"{stack}: {fault.name}")
            try:
                self.rows.append((stack, run(site, fault, self.pace, lambda: recovered(site))))
                say("  " + " | ".join(cells(*self.rows[-1])))
            except CommandError as error:
                say(f"  not measured: {error}")

    def overhead(self, site: Site) -> None:
        """Measure what the gateway adds to a healthy request."""
        if self.is_wanted("overhead"):
            say("overhead of the gateway")
            print(render_overhead(measure(site)), flush=True)

    def names(self, faults: Iterable[Fault]) -> list[str]:
        """Return which of these faults are wanted."""
        return [fault.name for fault in faults if self.is_wanted(fault.name)]

    def is_wanted(self, name: str) -> bool:
        """Tell whether a fault is to be measured."""
        return not self.wanted or name in self.wanted


def wait(check: Callable[[], bool], seconds: float) -> None:
    """Wait until a stack is whole; raises CommandError."""
    deadline = time.monotonic() + seconds
    while not check():
        if time.monotonic() > deadline:
            raise CommandError(f"the stack was not as it should be after {seconds:.0f} s")
        time.sleep(1)


def say(text: str) -> None:
    """Print a line of progress."""
    print(f"{datetime.now(UTC):%H:%M:%S} {text}", file=sys.stderr, flush=True)


def start_cluster(name: str) -> Cluster:
    """Bring a cluster up with every image in it, or take the one that runs."""
    for words in (["build-images"], ["up", "--name", name], ["load-image", "--name", name, "--all"]):
        subprocess.run([sys.executable, "-m", "e2e.cluster", *words], check=True)
    return install.open_cluster(name)


def describe_machine() -> str:
    """Return what the figures were taken on."""
    load = os.getloadavg()[0]
    return f"{os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()}, load {load:.1f}"


def read_options() -> argparse.Namespace:
    """Read the command line."""
    known = [fault.name for fault in (*REAL, *MANAGED, *SWITCHED)]
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n")[0], epilog="faults: overhead, " + ", ".join(known)
    )
    parser.add_argument("--name", default="bench-failover", help="name of the cluster (default: bench-failover)")
    parser.add_argument("--requests", type=int, default=500, help="requests to the gateway for each fault, at least")
    parser.add_argument("--rate", type=float, default=6.0, help="requests a second to the gateway")
    parser.add_argument("--faults", default="", help="only these, separated by semicolons")
    parser.add_argument("--skip-plain", action="store_true", help="leave the plain stack out")
    parser.add_argument("--plain-fallbacks", action="store_true", help="give the plain stack's LiteLLM its fallbacks")
    parser.add_argument("--keep", action="store_true", help="leave the cluster up")
    options = parser.parse_args()
    options.faults = [name.strip() for name in options.faults.split(";") if name.strip()]
    if unknown := set(options.faults) - {*known, "overhead"}:
        parser.error(f"no such fault: {', '.join(sorted(unknown))}; there are overhead, {', '.join(known)}")
    return options


def main() -> int:
    """Measure and print."""
    options = read_options()
    pace = Pace(requests=options.requests, rate=options.rate)
    begin = describe_machine()
    bench = Bench(start_cluster(options.name), pace, options.faults, not options.skip_plain, options.plain_fallbacks)
    try:
        bench.run()
    finally:
        print(f"\n{begin} at the start, {datetime.now(UTC):%Y-%m-%d}\n\n{render(bench.rows)}", flush=True)
        if not options.keep:
            subprocess.run([sys.executable, "-m", "e2e.cluster", "down", "--name", options.name], check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
