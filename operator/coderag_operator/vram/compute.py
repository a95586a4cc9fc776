"""Bytes of the compute buffer: the largest moment of one pass, with flash attention on."""

from coderag_model.geometry import Geometry

from coderag_operator.vram.builds import BuildRule
from coderag_operator.vram.kv import padded
from coderag_operator.vram.terms import Shape

FLOAT, MASK = 4, 2


def graph_bytes(geometry: Geometry, shape: Shape, rule: BuildRule) -> int:
    """Return the bytes of activations at their largest (docs/vram.md#compute-buffer)."""
    rows = shape.slots if rule.few_outputs else shape.ubatch
    context = padded(shape.context_tokens) * shape.slots
    end = FLOAT * (rows * geometry.vocabulary + shape.ubatch * geometry.embedding_length)
    width = 3 * geometry.feed_forward_length + 4 * geometry.embedding_length
    return max(end, FLOAT * shape.ubatch * width + MASK * shape.ubatch * context)
