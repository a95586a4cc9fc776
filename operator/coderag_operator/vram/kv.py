"""Bytes of the key and value cache: per layer, cell and element type; layers with a sliding window keep fewer cells."""

from coderag_model.geometry import Geometry

from coderag_operator.vram.terms import Shape

CELLS = 256  # the cache grows in steps of so many tokens
ELEMENTS = 32  # a block of q8_0: so many elements and one f16 scale
BYTES_PER_BLOCK = {"f16": 64, "q8_0": 34}


def padded(tokens: int) -> int:
    """Return a number of tokens rounded up to whole steps of the cache."""
    return -(-tokens // CELLS) * CELLS


def is_windowed(geometry: Geometry, layer: int) -> bool:
    """Tell whether a layer sees only the last tokens."""
    return geometry.sliding_window > 0 and geometry.sliding_layers[layer]


def cells(geometry: Geometry, layer: int, shape: Shape) -> int:
    """Return the cells that one slot has in a layer; a window keeps one batch more than itself."""
    full = padded(shape.context_tokens)
    return padded(min(full, geometry.sliding_window + shape.ubatch)) if is_windowed(geometry, layer) else full


def layer_bytes(geometry: Geometry, layer: int, shape: Shape) -> int:
    """Return the bytes of one layer's cache for all slots (docs/vram.md#kv-cache)."""
    return row_bytes(geometry, layer, shape) * cells(geometry, layer, shape) * shape.slots


def row_bytes(geometry: Geometry, layer: int, shape: Shape) -> int:
    """Return the bytes of one cell of a layer: its keys and values."""
    elements = geometry.head_count_kv[layer] * (geometry.key_length + geometry.value_length)
    return elements * BYTES_PER_BLOCK[shape.kv_type] // ELEMENTS


def cache_bytes(geometry: Geometry, layers: range, shape: Shape) -> int:
    """Return the bytes of the cache of some layers."""
    return sum(layer_bytes(geometry, layer, shape) for layer in layers)
