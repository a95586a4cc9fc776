"""Bytes of the compute buffer: the largest moment of one pass over a batch, with flash attention on.

The scheduler reserves the buffer once, for a full batch and a full cache. Which of the moments below is the largest
depends on the shape; docs/vram.md#compute-buffer derives each, and says what was measured.
"""

from coderag_model.geometry import Geometry

from coderag_operator.vram.builds import BuildRule
from coderag_operator.vram.kv import cells, is_windowed, padded
from coderag_operator.vram.terms import Shape

FLOAT, HALF = 4, 2
INPUT = 28  # bytes per token: itself, its position, its row of the output (4 each), its cell in K and in V (8 each)


def graph_bytes(geometry: Geometry, shape: Shape, rule: BuildRule) -> int:
    """Return the bytes of activations at their largest (docs/vram.md#compute-buffer)."""
    batch = batch_tokens(shape)
    within = FLOAT * batch * (3 * geometry.feed_forward_length + 5 * geometry.embedding_length)
    return max(
        within + _masks(geometry, shape, rule) + INPUT * batch,
        FLOAT * (_rows(shape, rule) * geometry.vocabulary + batch * geometry.embedding_length),
    )


def batch_tokens(shape: Shape) -> int:
    """Return the tokens of the largest batch: no more than the cache holds, and as many for each slot."""
    wanted = min(shape.ubatch, padded(shape.context_tokens) * shape.slots)
    return -(-wanted // shape.slots) * shape.slots


def _rows(shape: Shape, rule: BuildRule) -> int:
    """Return the tokens for which the server asks the model's answer in one pass."""
    return min(shape.slots, shape.ubatch) if rule.few_outputs else batch_tokens(shape)


def _masks(geometry: Geometry, shape: Shape, rule: BuildRule) -> int:
    """Return the bytes of the attention masks: one of the whole cache of a slot, one of the window where there is one.

    Each token of a batch belongs to one slot and looks at the cells of that slot alone. Builds that answer for the
    whole batch also made the mask in full precision first.
    """
    kinds = {(is_windowed(geometry, layer), cells(geometry, layer, shape)) for layer in range(geometry.layers)}
    element = HALF if rule.few_outputs else FLOAT + HALF
    return element * batch_tokens(shape) * sum(wide for _, wide in kinds)
