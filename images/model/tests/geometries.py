"""A geometry to change."""

from dataclasses import replace

from coderag_model.geometry import Geometry

SMALL = Geometry(
    architecture="llama", layers=2, embedding_length=64, feed_forward_length=128, head_count=4, head_count_kv=(2, 2),
    key_length=16, value_length=16, vocabulary=10, context_length=4096, sliding_window=0, sliding_layers=(False, False),
    block_bytes=(90_000, 80_000), largest_matrix_bytes=(16_384, 16_384), input_bytes=1280, output_bytes=1536, tied=True,
)  # fmt: skip


def geometry(**changes) -> Geometry:
    """Return a small model; a changed number of layers makes all of them alike."""
    layers = changes.get("layers", SMALL.layers)
    names = ("head_count_kv", "sliding_layers", "block_bytes", "largest_matrix_bytes")
    alike = {name: (getattr(SMALL, name)[0],) * layers for name in names} if "layers" in changes else {}
    return replace(SMALL, **alike | changes)
