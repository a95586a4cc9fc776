"""What the gateway adds to a healthy request: the same requests through it and past it, in turns, in one run."""

import time
from dataclasses import dataclass

from e2e.failover.accounting import quantile
from e2e.failover.faults import switched
from e2e.failover.load import Target
from e2e.failover.record import Record
from e2e.failover.run import Load, wait_for
from e2e.failover.site import Site

WORKERS, REQUESTS, ROUNDS = 4, 120, 2
TOKENS, TOKEN_SECONDS = 20, 0.05  # a request of one second that costs no processor time
PATIENCE = 300.0


@dataclass(frozen=True)
class Overhead:
    """Waits in seconds, past the gateway and through it."""

    direct: list[float]
    gateway: list[float]
    failed: int


def measure(site: Site, role: str = "chat") -> Overhead:
    """Measure with a stand-in server whose answers take one second."""
    direct: list[Record] = []
    gateway: list[Record] = []
    with switched(role, token_seconds=TOKEN_SECONDS)(site):
        for _ in range(ROUNDS):
            direct += send(site, Target("direct", site.address(role), site.key("llama-api-key"), role, **SETTINGS))
            gateway += send(site, Target("gateway", site.address("gateway"), site.key(), role, **SETTINGS))
    return Overhead(waits(direct), waits(gateway), sum(not one.is_ok for one in (*direct, *gateway)))


SETTINGS = {"workers": WORKERS, "requests": REQUESTS, "streams": 0.0, "max_tokens": TOKENS}


def send(site: Site, target: Target) -> list[Record]:
    """Send the requests of one round."""
    with Load(site, [target]) as load:
        wait_for(lambda: load.process.poll() is not None, time.time() + PATIENCE)
        load.finish()
        return load.records()


def waits(records: list[Record]) -> list[float]:
    """Return how long the answers took from the first byte to the last."""
    return [record.end - record.start for record in records if record.is_ok]


def render_overhead(found: Overhead) -> str:
    """Return the figures in Markdown."""
    lines = ["| | past the gateway ms | through it ms | added ms | added % |", "|---|---|---|---|---|"]
    for name, share in (("p50", 0.5), ("p95", 0.95)):
        direct, through = quantile(found.direct, share), quantile(found.gateway, share)
        assert direct is not None
        assert through is not None
        added = through - direct
        cells = (f"{value * 1000:.0f}" for value in (direct, through, added))
        lines.append(f"| {name} | {' | '.join(cells)} | {100 * added / direct:.1f} |")
    lines.append(f"\nConcurrency {WORKERS}, {len(found.gateway)} requests each way, {found.failed} failed.")
    return "\n".join(lines)
