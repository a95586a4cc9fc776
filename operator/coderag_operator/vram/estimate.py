"""What one llama-server takes on the device and in host memory, term by term, before it is started."""

from dataclasses import dataclass

from coderag_model.geometry import Geometry

from coderag_operator.vram.builds import BuildRule
from coderag_operator.vram.compute import device_compute, pool_bytes
from coderag_operator.vram.host import host_terms
from coderag_operator.vram.kv import BYTES_PER_BLOCK, cache_bytes
from coderag_operator.vram.placement import place
from coderag_operator.vram.terms import DOCS, MIB, Shape, Term, term
from coderag_operator.vram.weights import device_weights

__all__ = ["Estimate", "Shape", "Term", "estimate"]


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
    _check(shape)
    placement = place(geometry.layers, shape.gpu_layers, rule)
    pool = pool_bytes(geometry, shape, rule) / MIB
    return Estimate(
        device=(
            term("weights", device_weights(geometry, placement), "weights"),
            term("kv", cache_bytes(geometry, placement.on_device, shape), "kv-cache"),
            term("compute", device_compute(geometry, shape, rule, placement), "compute-buffer"),
            Term("overhead", overhead_mib + pool, f"{DOCS}#overhead"),
        ),
        host=tuple(host_terms(geometry, shape, rule, placement)),
    )


def _check(shape: Shape) -> None:
    for name in ("context_tokens", "slots", "ubatch"):
        if getattr(shape, name) < 1:
            raise ValueError(f"{name} is {getattr(shape, name)}, not at least 1")
    if shape.kv_type not in BYTES_PER_BLOCK:
        raise ValueError(f"kv_type is {shape.kv_type!r}, not one of {', '.join(BYTES_PER_BLOCK)}")
