"""Bytes of the compute buffer: the largest moment of one pass over a batch, with flash attention on.

The scheduler reserves the buffer once, for a full batch and a full cache. Which of the moments below is the largest
depends on the shape; docs/vram.md#compute-buffer derives each, and says what was measured.
"""

from coderag_model.geometry import Geometry

from coderag_operator.vram.attention import FLOAT, batch_tokens, borrowed_cache, f16_copy, input_bytes
from coderag_operator.vram.builds import BuildRule
from coderag_operator.vram.placement import Placement
from coderag_operator.vram.terms import Shape
from coderag_operator.vram.weights import borrowed_weight

DEVICE_STATES = 4  # of the model for each token: what a block started from, and the holes that its parts left
PROCESSOR_STATES = 5  # without a device the looked-up embeddings are in the same buffer
HOST_STATES = 4


def device_compute(geometry: Geometry, shape: Shape, rule: BuildRule, placement: Placement) -> int:
    """Return the bytes of a device's compute buffer."""
    moments = [graph_bytes(geometry, shape, rule) + _borrowed(geometry, shape, rule, placement)]
    if rule.few_outputs:
        moments.append(_attention(geometry, shape, rule, placement))
    return max(moments)


def graph_bytes(geometry: Geometry, shape: Shape, rule: BuildRule, states: int = DEVICE_STATES) -> int:
    """Return the bytes of activations at their largest: in the feed-forward part, or where the answer is made."""
    batch = batch_tokens(shape)
    rows = min(shape.slots, batch) if rule.few_outputs else batch
    forward = FLOAT * batch * (3 * geometry.feed_forward_length + states * geometry.embedding_length)
    answer = FLOAT * (rows * geometry.vocabulary + batch * geometry.embedding_length)
    return max(forward + input_bytes(geometry, shape, rule), answer)


def host_compute(geometry: Geometry, shape: Shape, rule: BuildRule) -> int:
    """Return the bytes that the processor computes in beside a device: it looks up embeddings and prepares inputs."""
    states = FLOAT * batch_tokens(shape) * HOST_STATES * geometry.embedding_length
    return states + input_bytes(geometry, shape, rule)


def pool_bytes(geometry: Geometry, shape: Shape, rule: BuildRule) -> int:
    """Return the bytes that attention takes from CUDA's own pool: older builds keep the f16 copy there."""
    return 0 if rule.few_outputs else f16_copy(geometry, shape)


def _borrowed(geometry: Geometry, shape: Shape, rule: BuildRule, placement: Placement) -> int:
    """Return the bytes of host weights on the device; the room of the f16 copy then comes on top."""
    weight = borrowed_weight(geometry, placement, rule)
    return weight + f16_copy(geometry, shape) if placement.on_host and rule.few_outputs else weight


def _attention(geometry: Geometry, shape: Shape, rule: BuildRule, placement: Placement) -> int:
    """Return the bytes while attention runs: states and queries three times, keys once, and the copies of the cache."""
    heads = 3 * geometry.head_count + max(geometry.head_count_kv)
    states = 3 * geometry.embedding_length + heads * max(geometry.key_length, geometry.value_length)
    copies = f16_copy(geometry, shape) + borrowed_cache(geometry, shape, placement)
    return FLOAT * batch_tokens(shape) * states + input_bytes(geometry, shape, rule) + copies
