"""Bytes of the compute buffer: the largest moment of one pass over a batch, with flash attention on.

The scheduler reserves the buffer once, for a full batch and a full cache. Which of the moments below is the largest
depends on the shape; docs/vram.md#compute-buffer derives each, and says what was measured.
"""

from dataclasses import dataclass

from coderag_model.geometry import Geometry

from coderag_operator.vram.attention import FLOAT, batch_tokens, f16_copy, input_bytes
from coderag_operator.vram.builds import BuildRule
from coderag_operator.vram.terms import Shape

DEVICE_STATES = 4  # of the model for each token: what a block started from, and the holes that its parts left
PROCESSOR_STATES = 5  # without a device the looked-up embeddings are in the same buffer
HOST_STATES = 4


@dataclass(frozen=True, slots=True)
class Moments:
    """What a pass needs when nothing is borrowed from the host, wherever its layers are; sizes in bytes."""

    graph: int  # in the feed-forward part, or where the answer is made
    attention: int  # 0 in builds in which it is never the largest
    f16_copy: int  # that part of attention

    def device_bytes(self, weight: int, cache: int) -> int:
        """Return the bytes of the device's compute buffer, which borrows a weight and the cache of a layer, or nothing.

        The room of the f16 copy does not overlap that of borrowed weights. Holes that the allocator cannot fill take
        half as much again as a borrowed cache, at worst.
        """
        copy = self.f16_copy if cache and self.attention else 0
        return max(self.graph + weight + copy, self.attention + cache * 3 // 2 if self.attention else 0)


def moments_of(geometry: Geometry, shape: Shape, rule: BuildRule) -> Moments:
    """Return the moments of a server's largest pass."""
    graph = graph_bytes(geometry, shape, rule)
    return Moments(graph, _attention(geometry, shape, rule), f16_copy(geometry, shape))


def graph_bytes(geometry: Geometry, shape: Shape, rule: BuildRule, states: int = DEVICE_STATES) -> int:
    """Return the bytes of activations at their largest: in the feed-forward part, or where the answer is made."""
    batch = batch_tokens(shape)
    rows = min(shape.slots, batch) if rule.few_outputs else batch
    forward = FLOAT * batch * (3 * geometry.feed_forward_length + states * geometry.embedding_length)
    answer = FLOAT * (rows * geometry.vocabulary + batch * geometry.embedding_length)
    return max(forward + input_bytes(geometry, shape, rule), answer)


def _attention(geometry: Geometry, shape: Shape, rule: BuildRule) -> int:
    """Return the bytes while attention runs: states and queries three times, keys once, and the f16 copy.

    Builds with rows for the whole batch keep that copy elsewhere, so that this is less than their answer takes.
    """
    if not rule.few_outputs:
        return 0
    heads = 3 * geometry.head_count + max(geometry.head_count_kv)
    states = 3 * geometry.embedding_length + heads * max(geometry.key_length, geometry.value_length)
    return FLOAT * batch_tokens(shape) * states + input_bytes(geometry, shape, rule) + f16_copy(geometry, shape)


def host_compute(geometry: Geometry, shape: Shape, rule: BuildRule) -> int:
    """Return the bytes that the processor computes in beside a device: it looks up embeddings and prepares inputs."""
    states = FLOAT * batch_tokens(shape) * HOST_STATES * geometry.embedding_length
    return states + input_bytes(geometry, shape, rule)


def pool_bytes(geometry: Geometry, shape: Shape, rule: BuildRule) -> int:
    """Return the bytes that attention takes from CUDA's own pool: older builds keep the f16 copy there."""
    return 0 if rule.few_outputs else f16_copy(geometry, shape)
