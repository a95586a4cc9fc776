"""What one llama-server takes on the device and in host memory, term by term, before it is started."""

from dataclasses import dataclass

from coderag_model.geometry import Geometry

from coderag_operator.vram.builds import BuildRule
from coderag_operator.vram.compute import FLOAT, graph_bytes
from coderag_operator.vram.kv import cache_bytes
from coderag_operator.vram.placement import Placement, place
from coderag_operator.vram.terms import DOCS, Shape, Term, term
from coderag_operator.vram.weights import borrowed_weight, device_weights, host_blocks

__all__ = ["Estimate", "Shape", "Term", "estimate"]

PROMPT_CACHE_MIB = 512.0  # --cache-ram, which the operator always gives


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a server takes, on the device and in host memory."""

    device: tuple[Term, ...]
    host: tuple[Term, ...]

    @property
    def total_mib(self) -> float:
        """The sum of the device's terms in MiB."""
        return sum(part.mib for part in self.device)


def estimate(geometry: Geometry, shape: Shape, rule: BuildRule, overhead_mib: float) -> Estimate:
    """Return what a server of this shape takes; raises ValueError naming the field that cannot be."""
    for name in ("context_tokens", "slots", "ubatch"):
        if getattr(shape, name) < 1:
            raise ValueError(f"{name} is {getattr(shape, name)}, not at least 1")
    placement = place(geometry.layers, shape.gpu_layers, rule)
    return Estimate(
        device=(
            term("weights", device_weights(geometry, placement), "weights"),
            term("kv", cache_bytes(geometry, placement.on_device, shape), "kv-cache"),
            term("compute", _compute(geometry, shape, rule, placement), "compute-buffer"),
            Term("overhead", overhead_mib, f"{DOCS}#overhead"),
        ),
        host=_host(geometry, shape, placement),
    )


def _compute(geometry: Geometry, shape: Shape, rule: BuildRule, placement: Placement) -> int:
    return graph_bytes(geometry, shape, rule) + borrowed_weight(geometry, placement)


def _host(geometry: Geometry, shape: Shape, placement: Placement) -> tuple[Term, ...]:
    """Return what stays in host memory; the weights are mapped from the file and may be dropped by the kernel."""
    return (
        term("weights", host_blocks(geometry, placement), "host-memory"),
        term("embeddings", geometry.input_bytes, "host-memory"),
        term("kv", cache_bytes(geometry, placement.on_host, shape), "host-memory"),
        term("output", FLOAT * geometry.vocabulary * shape.slots, "host-memory"),
        Term("prompt-cache", PROMPT_CACHE_MIB, f"{DOCS}#host-memory"),
    )
