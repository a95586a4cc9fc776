"""What a server takes of host memory: what stays there, what is kept for later, and what answers are read from."""

from collections.abc import Iterator

from coderag_model.geometry import Geometry

from coderag_operator.vram.attention import FLOAT
from coderag_operator.vram.builds import BuildRule
from coderag_operator.vram.compute import host_compute
from coderag_operator.vram.kv import cell_bytes, layer_sizes, windows
from coderag_operator.vram.placement import Placement
from coderag_operator.vram.terms import DOCS, Shape, Term, term
from coderag_operator.vram.weights import host_blocks

ANCHOR = "host-memory"
PROMPT_CACHE_MIB = 512  # --cache-ram, which the operator always gives
CHECKPOINTS = 4  # --ctx-checkpoints of a slot; the server's own 32 take gigabytes with windowed models


def host_terms(geometry: Geometry, shape: Shape, rule: BuildRule, placement: Placement) -> Iterator[Term]:
    """Yield the terms of host memory; weights are mapped from the file, and the kernel may drop such pages."""
    yield term("weights", host_blocks(geometry, placement), ANCHOR)
    yield term("embeddings", geometry.input_bytes, ANCHOR)
    yield term("kv", sum(layer_sizes(geometry, shape)[: placement.first]), ANCHOR)
    yield term("inputs", host_compute(geometry, shape, rule), ANCHOR)
    yield term("output", FLOAT * geometry.vocabulary * shape.slots, ANCHOR)
    yield Term("prompt-cache", PROMPT_CACHE_MIB, f"{DOCS}#{ANCHOR}")
    yield term("checkpoints", _checkpoints(geometry, shape), ANCHOR)


def _checkpoints(geometry: Geometry, shape: Shape) -> int:
    """Return the bytes of all copies of the windows that a server may keep, so that a prompt can be taken up again."""
    tokens = min(geometry.sliding_window, shape.context_tokens)
    heads = sum(heads for heads, windowed in zip(geometry.head_count_kv, windows(geometry), strict=True) if windowed)
    return CHECKPOINTS * shape.slots * tokens * heads * cell_bytes(geometry, shape)
