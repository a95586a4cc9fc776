"""What attention needs of the compute buffer beside activations: masks, rotations, and copies of the cache."""

from dataclasses import replace

from coderag_model.geometry import Geometry

from coderag_operator.vram.builds import BuildRule
from coderag_operator.vram.kv import cells, layer_sizes, padded, windows
from coderag_operator.vram.terms import Shape

FLOAT, HALF = 4, 2
ROTATION = 64  # the smallest rotation, and what a head must be a multiple of to be rotated
INPUT = 28  # bytes per token: itself, its position, its row of the output (4 each), its cell in K and in V (8 each)


def batch_tokens(shape: Shape) -> int:
    """Return the tokens of the largest batch: no more than the cache holds, and as many for each slot."""
    wanted = min(shape.ubatch, padded(shape.context_tokens) * shape.slots)
    return -(-wanted // shape.slots) * shape.slots


def input_bytes(geometry: Geometry, shape: Shape, rule: BuildRule) -> int:
    """Return the bytes of everything that a pass is given besides the state of the model."""
    return INPUT * batch_tokens(shape) + _masks(geometry, shape, rule) + _rotations(geometry, shape)


def _masks(geometry: Geometry, shape: Shape, rule: BuildRule) -> int:
    """Return the bytes of the masks: one of the whole cache of a slot, one of the window where there is one.

    Each token of a batch belongs to one slot and looks at the cells of that slot alone. Older builds made the mask in
    full precision first.
    """
    element = HALF if rule.few_outputs else FLOAT + HALF
    widths = (cells(geometry, shape, windowed) for windowed in set(windows(geometry)))
    return element * batch_tokens(shape) * sum(widths)


def _rotations(geometry: Geometry, shape: Shape) -> int:
    """Return the bytes of the matrices that spread outliers before a cache is quantised, for each kind of cache.

    V is rotated in pieces as small as can be, K in the largest power of two that divides a head.
    """
    if shape.kv_type == "f16":
        return 0
    key = geometry.key_length & -geometry.key_length
    sides = (key if key >= ROTATION else 0, 0 if geometry.value_length % ROTATION else ROTATION)
    return FLOAT * sum(side * side for side in sides) * len(set(windows(geometry)))


def f16_copy(geometry: Geometry, shape: Shape) -> int:
    """Return the bytes of a layer's quantised cache in f16, all slots at once; CUDA's attention alone makes it."""
    return 0 if shape.kv_type == "f16" else max(layer_sizes(geometry, replace(shape, kv_type="f16")))
