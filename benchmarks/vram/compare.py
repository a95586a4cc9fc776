"""Planned beside reported, and which deviation is still allowed."""

from collections.abc import Sequence
from dataclasses import dataclass

from coderag_model.geometry import Geometry
from coderag_operator.vram.builds import BuildRule
from coderag_operator.vram.compute import PROCESSOR_STATES, graph_bytes
from coderag_operator.vram.estimate import Estimate, Shape, estimate
from coderag_operator.vram.terms import MIB

from benchmarks.vram.points import Point
from benchmarks.vram.server import Reported

PRINTED = 0.0101  # MiB; the log has two digits, and a float may miss the second by its last bit
ABOVE, UNDER = 0.05, 0.01
TERMS = ("weights", "kv", "compute", "output")


@dataclass(frozen=True, slots=True)
class Row:
    """One model at one point: MiB as planned for a processor that holds everything, and MiB as reported."""

    model: str
    geometry: Geometry
    point: Point
    planned: Reported
    reported: Reported

    def deviation(self, term: str) -> float:
        """Return planned minus reported: MiB, and for the compute buffer a share of what was reported."""
        planned, reported = getattr(self.planned, term), getattr(self.reported, term)
        return float((planned - reported) / reported if term == "compute" else planned - reported)

    def failures(self) -> list[str]:
        """Return the terms that are outside their bounds."""
        return [term for term in TERMS if not is_allowed(term, self.deviation(term))]


def is_allowed(term: str, deviation: float) -> bool:
    """Tell whether a deviation is within its bounds."""
    return -UNDER <= deviation <= ABOVE if term == "compute" else abs(deviation) <= PRINTED


def plan(geometry: Geometry, point: Point, rule: BuildRule) -> Reported:
    """Return what the formulae say of a server whose only device is the processor.

    It holds what a device would, and what stays on the host. A tied output is no second copy there, the embeddings are
    looked up in the same buffer, and there is no f16 copy of a quantised cache, which only CUDA's attention makes.
    """
    shape = Shape(geometry.layers + 1, point.context_tokens, point.slots, point.kv_type, point.ubatch)
    found = estimate(geometry, shape, rule, 0.0)
    duplicate = geometry.input_bytes / MIB if geometry.tied else 0.0
    return Reported(
        weights=_term(found, "weights") + geometry.input_bytes / MIB - duplicate,
        kv=_term(found, "kv"),
        compute=graph_bytes(geometry, shape, rule, PROCESSOR_STATES) / MIB,
        output=next(term.mib for term in found.host if term.name == "output"),
    )


def _term(found: Estimate, name: str) -> float:
    return next(term.mib for term in found.device if term.name == name)


def table(rows: Sequence[Row]) -> str:
    """Return one line per model and point, in Markdown."""
    head = (
        "| model | context x slots | ubatch | KV | weights: planned / reported MiB | KV cache | compute | deviation |\n"
        "|---|---|---|---|---|---|---|---|\n"
    )
    return head + "".join(map(_line, rows))


def _line(row: Row) -> str:
    point = row.point
    pairs = [f"{getattr(row.planned, term):.2f} / {getattr(row.reported, term):.2f}" for term in TERMS[:3]]
    failed = " (outside: " + ", ".join(row.failures()) + ")" if row.failures() else ""
    cells = [row.model, f"{point.context_tokens} x {point.slots}", point.ubatch, point.kv_type, *pairs]
    return f"| {' | '.join(map(str, cells))} | {row.deviation('compute'):+.2%}{failed} |\n"


def summary(rows: Sequence[Row]) -> str:
    """Return the worst deviation of each term over all rows."""
    lines = []
    for term in TERMS:
        found = sorted(row.deviation(term) for row in rows)
        low, high = found[0], found[-1]
        shown = f"{low:+.2%} to {high:+.2%}" if term == "compute" else f"{low:+.3f} to {high:+.3f} MiB"
        verdict = "within" if is_allowed(term, low) and is_allowed(term, high) else "OUTSIDE"
        lines.append(f"{term}: {shown}, {verdict} its bounds\n")
    return "".join(lines)
