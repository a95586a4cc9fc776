"""What one llama-server takes on the device and in host memory, term by term, before it is started."""

from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import accumulate

from coderag_model.geometry import Geometry

from coderag_operator.vram.builds import BuildRule
from coderag_operator.vram.compute import moments_of, pool_bytes
from coderag_operator.vram.host import host_terms
from coderag_operator.vram.kv import BYTES_PER_BLOCK, layer_sizes
from coderag_operator.vram.placement import place
from coderag_operator.vram.terms import DOCS, MIB, Shape, Term, term
from coderag_operator.vram.weights import borrowed_weight, device_weights

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
    weights, cache = device_weights(geometry, placement), sum(layer_sizes(geometry, shape)[placement.first :])
    buffers = _buffers(geometry, replace(shape, gpu_layers=0), rule)[shape.gpu_layers]
    pool = pool_bytes(geometry, shape, rule) / MIB
    return Estimate(
        device=(
            term("weights", weights, "weights"),
            term("kv", cache, "kv-cache"),
            term("compute", buffers - weights - cache, "compute-buffer"),
            Term("overhead", overhead_mib + pool, f"{DOCS}#overhead"),
        ),
        host=tuple(host_terms(geometry, shape, rule, placement)),
    )


@lru_cache(maxsize=1024)
def _buffers(geometry: Geometry, shape: Shape, rule: BuildRule) -> tuple[int, ...]:
    """Return the bytes of all buffers for each number of GPU layers, never less than with fewer layers.

    The last block on the host is what the device borrows from. With caches of gigabytes it may borrow more than the
    block takes, once it is there; such a server is planned as if it borrowed still, so that fewer layers always help.
    """
    sizes, moments = layer_sizes(geometry, shape), moments_of(geometry, shape, rule)

    def needed(layers: int) -> int:
        placement = place(geometry.layers, layers, rule)
        weight, cache = borrowed_weight(geometry, placement, rule), max(sizes[: placement.first], default=0)
        own = device_weights(geometry, placement) + sum(sizes[placement.first :])
        return own + moments.device_bytes(weight, cache)

    return tuple(accumulate(map(needed, range(geometry.layers + 2)), max))


def _check(shape: Shape) -> None:
    for name in ("context_tokens", "slots", "ubatch"):
        if getattr(shape, name) < 1:
            raise ValueError(f"{name} is {getattr(shape, name)}, not at least 1")
    if shape.kv_type not in BYTES_PER_BLOCK:
        raise ValueError(f"kv_type is {shape.kv_type!r}, not one of {', '.join(BYTES_PER_BLOCK)}")
