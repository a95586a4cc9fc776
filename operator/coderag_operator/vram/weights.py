"""Bytes of weights on the device and in host memory, and the largest one that the device has to borrow."""

from coderag_model.geometry import Geometry

from coderag_operator.vram.builds import BuildRule
from coderag_operator.vram.placement import Placement


def device_weights(geometry: Geometry, placement: Placement) -> int:
    """Return the bytes of weights in the device's model buffer (docs/vram.md#weights)."""
    blocks = sum(geometry.block_bytes[placement.first :])
    return blocks + (geometry.output_bytes if placement.output else 0)


def host_blocks(geometry: Geometry, placement: Placement) -> int:
    """Return the bytes of blocks that stay in host memory, the output's too if it has a tensor of its own there."""
    blocks = sum(geometry.block_bytes[: placement.first])
    # Without an own tensor, an output in host memory is token_embd itself.
    return blocks + (0 if placement.output or geometry.tied else geometry.output_bytes)


def borrowed_weight(geometry: Geometry, placement: Placement, rule: BuildRule) -> int:
    """Return the bytes of the largest weight in host memory that the device borrows, one at a time, for large batches.

    Rows of the output are a large batch only where a build makes them for the whole batch.
    """
    output = 0 if placement.output or rule.few_outputs else geometry.output_bytes
    return max((output, *geometry.largest_matrix_bytes[: placement.first]))
