"""Bytes of the key and value cache: per layer, cell and element type; layers with a sliding window keep fewer cells."""

from coderag_model.geometry import Geometry

from coderag_operator.vram.terms import Shape

CELLS = 256  # the cache grows in steps of so many tokens
ELEMENTS = 32  # a block of q8_0: so many elements and one f16 scale
BYTES_PER_BLOCK = {"f16": 64, "q8_0": 34}


def padded(tokens: int) -> int:
    """Return a number of tokens rounded up to whole steps of the cache."""
    return -(-tokens // CELLS) * CELLS


def windows(geometry: Geometry) -> tuple[bool, ...]:
    """Tell of each layer whether it sees only the last tokens."""
    return geometry.sliding_layers if geometry.sliding_window else (False,) * geometry.layers


def cells(geometry: Geometry, shape: Shape, windowed: bool) -> int:
    """Return the cells that one slot has in a layer; a window keeps one batch more than itself."""
    full = padded(shape.context_tokens)
    return padded(min(full, geometry.sliding_window + shape.ubatch)) if windowed else full


def cell_bytes(geometry: Geometry, shape: Shape) -> int:
    """Return the bytes of one cell for each head: a key and a value."""
    return (geometry.key_length + geometry.value_length) * BYTES_PER_BLOCK[shape.kv_type] // ELEMENTS


def layer_sizes(geometry: Geometry, shape: Shape) -> tuple[int, ...]:
    """Return the bytes of the cache of each layer for all slots (docs/vram.md#kv-cache)."""
    kept = windows(geometry)
    head = {windowed: cell_bytes(geometry, shape) * cells(geometry, shape, windowed) for windowed in set(kept)}
    return tuple(
        heads * head[windowed] * shape.slots for heads, windowed in zip(geometry.head_count_kv, kept, strict=True)
    )
