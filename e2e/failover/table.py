"""The results as a table in Markdown."""

from collections.abc import Iterable

from e2e.failover.run import FRESH, GATEWAY, KEPT, Result

HEAD = (
    "fault", "stack", "sent", "failed", "streams cut", "p50 / p95 / max ms", "first affected s", "before detection",
    "after it, above median s", "stand-in answers after s", "outage, new connections s", "outage, kept connections s",
    "Service without a pod s", "switches", "as before after s",
)  # fmt: skip


def render(rows: Iterable[tuple[str, Result]]) -> str:
    """Return the whole table."""
    lines = [line(HEAD), line("---" for _ in HEAD), *(line(cells(stack, result)) for stack, result in rows)]
    return "\n".join(lines)


def line(parts: Iterable[str]) -> str:
    """Return one line of a table."""
    return "| " + " | ".join(parts) + " |"


def cells(stack: str, result: Result) -> list[str]:
    """Return the cells of one fault."""
    gateway = result.summaries[GATEWAY]
    times = " / ".join(milliseconds(value) for value in (gateway.p50, gateway.p95, gateway.longest))
    return [
        result.fault, stack, str(gateway.sent), str(gateway.failed), str(gateway.cut), times,
        seconds(gateway.first_affected), str(gateway.before_detection), seconds(gateway.later_excess),
        seconds(gateway.detected), outage(result, FRESH), outage(result, KEPT), seconds(result.absence),
        str(result.switches), seconds(result.recovered),
    ]  # fmt: skip


def outage(result: Result, target: str) -> str:
    """Return the outage of one target with what failed in it."""
    summary = result.summaries[target]
    return f"{summary.outage:.1f} ({summary.failed} of {summary.sent} failed)"


def seconds(value: float | None) -> str:
    """Return a duration in seconds, a dash where there is none."""
    return "–" if value is None else f"{value:.1f}"


def milliseconds(value: float | None) -> str:
    """Return a duration in milliseconds, a dash where there is none."""
    return "–" if value is None else f"{value * 1000:.0f}"
