"""Results as Markdown."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.load.results import Result, grows

MIB = 1024 * 1024


def _line(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |\n"


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f}"


def latencies(results: Sequence[Result]) -> str:
    """Return what callers saw. Times count from the arrival, in milliseconds, of requests that were answered."""
    head = (
        "scenario",
        "requests/s",
        "requests",
        "p50",
        "p95",
        "p99",
        "max",
        "errors",
        "degraded",
        "sent late by (p99)",
    )
    text = _line(*head) + _line(*("---" for _ in head))
    for one in results:
        errors = ", ".join(f"{count} {kind}" for kind, count in one.errors.most_common(4)) or "0"
        times = [_ms(one.latency(share)) for share in (0.5, 0.95, 0.99, 1.0)]
        text += _line(
            one.name, f"{one.rate:g}", len(one.records), *times, errors, one.degraded, f"{_ms(one.lateness)} ms"
        )
    return text


def processor(results: Sequence[Result]) -> str:
    """Return what it cost: milliseconds of processor time per request by service, and resident memory."""
    names = sorted({name for one in results for name in one.cpu})
    head = ("scenario", *(f"{name}, CPU ms" for name in names), "all, CPU ms per request", "RSS MiB", "load average")
    text = _line(*head) + _line(*("---" for _ in head))
    for one in results:
        each = [f"{one.cpu[name] / len(one.records) * 1000:.2f}" if name in one.cpu else "" for name in names]
        memory = ", ".join(f"{name} {one.rss[name]:.0f}" for name in sorted(one.rss))
        text += _line(one.name, *each, f"{one.cpu_per_query * 1000:.2f}", memory, f"{one.load:.1f}")
    return text


def ratios(ours: Result, naive: Result) -> str:
    """Return how the baseline of the same run compares."""
    cpu = naive.cpu_per_query / ours.cpu_per_query
    p50, p95 = (naive.latency(share) / ours.latency(share) for share in (0.5, 0.95))
    return f"The naive search takes {cpu:.1f} times the processor time, p50 {p50:.1f} times, p95 {p95:.1f} times.\n"


def overload(one: Result, bounds: dict[str, float]) -> str:
    """Return what happens beyond capacity: who is refused and how, and what the queues did."""
    told = sum(bool(record.outcome.retry_after) for record in one.refused)
    text = f"{len(one.answered)} of {len(one.records)} answered, p95 {_ms(one.latency(0.95))} ms; "
    text += f"{len(one.refused)} refused with 429, {told} of them with Retry-After; "
    others = {kind: count for kind, count in one.errors.items() if not kind.startswith("429")}
    text += f"other errors: {others or 'none'}.\n"
    for name, values in sorted(one.samples.items()):
        verdict = "GROWS" if grows(values, bounds.get(name, float("inf"))) else "does not grow"
        text += f"{name}: at most {max(values):.0f} in {len(values)} looks, {verdict}.\n"
    return text


@dataclass(frozen=True)
class Cost:
    """What an index of so many chunks takes: bytes, seconds to chunk and write, seconds to optimise and open."""

    chunks: int
    rss: float
    disk: float
    fill_seconds: float
    open_seconds: float


def extrapolate(small: Cost, large: Cost, chunks: int) -> Cost:
    """Return the cost of more chunks: sizes on the line through both measured ones, times at the rate of the larger."""
    share, times = (chunks - small.chunks) / (large.chunks - small.chunks), chunks / large.chunks
    rss, disk = (low + (high - low) * share for low, high in ((small.rss, large.rss), (small.disk, large.disk)))
    return Cost(chunks, rss, disk, large.fill_seconds * times, large.open_seconds * times)


def costs(measured: Sequence[Cost], embedded_per_second: float) -> str:
    """Return the cost table. Embedding is not part of what was measured, so its time is computed from a rate."""
    rows = [(cost, "measured") for cost in sorted(measured, key=lambda cost: cost.chunks)]
    if len(rows) > 1:
        rows.append((extrapolate(rows[0][0], rows[-1][0], 1_000_000), "extrapolated"))
    head = ("chunks", "", "Qdrant RSS MiB", "disk MiB", "chunk and write s", "optimise and open s",
            f"embedding s at {embedded_per_second:g}/s")  # fmt: skip
    text = _line(*head) + _line(*("---" for _ in head))
    for cost, kind in rows:
        sizes = (f"{cost.rss / MIB:.0f}", f"{cost.disk / MIB:.0f}")
        times = (f"{cost.fill_seconds:.0f}", f"{cost.open_seconds:.0f}", f"{cost.chunks / embedded_per_second:.0f}")
        text += _line(f"{cost.chunks:,}", kind, *sizes, *times)
    return text + _REASON


_REASON = """
1M: sizes are on the straight line through the two measured ones, as vectors, payload and keyword lists grow with the
number of chunks and the constant part is in both. Times are at the rate of the larger size; building the HNSW graph
grows a little faster than that (a logarithm of the number), so the time to optimise is a lower bound.
"""
