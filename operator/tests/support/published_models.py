"""The geometry of models at their published shapes, made from the quantisation rule instead of a file of gigabytes."""

from collections.abc import Callable
from dataclasses import dataclass

from coderag_model.geometry import Geometry

Q4_K, Q6_K = 144, 210  # bytes of a block of 256 weights
BLOCK, FLOAT = 256, 4
ROW, UNIT = 512, 128  # MATRIX_ROW_PADDING and the alignment of ggml-cuda


@dataclass(frozen=True)
class Published:
    """What a model card says of a Qwen2 model; `tied` models have no output tensor of their own."""

    layers: int
    embedding: int
    feed_forward: int
    heads: int
    heads_kv: int
    head: int
    vocabulary: int
    tied: bool


QWEN_3B = Published(36, 2048, 11008, 16, 2, 128, 151936, tied=True)
QWEN_CODER_7B = Published(28, 3584, 18944, 28, 4, 128, 152064, tied=False)


def uses_more_bits(layer: int, layers: int) -> bool:
    """Return whether Q4_K_M keeps attn_v and ffn_down of a layer in Q6_K: llama.cpp's use_more_bits."""
    eighth = layers // 8
    return layer < eighth or layer >= 7 * layers // 8 or (layer - eighth) % 3 == 2


def quantised(columns: int, rows: int, block_bytes: int = Q4_K) -> int:
    """Return the bytes of a quantised matrix, as CUDA allocates it: its last row filled up, whole units of 128."""
    filled = columns * rows // BLOCK * block_bytes + (-columns % ROW) // BLOCK * block_bytes
    return -(-filled // UNIT) * UNIT


def matrices(model: Published, layer: int) -> list[int]:
    """Return the bytes of every matrix of a block."""
    wide = Q6_K if uses_more_bits(layer, model.layers) else Q4_K
    own, kv = model.heads * model.head, model.heads_kv * model.head
    return [
        quantised(model.embedding, own),
        quantised(model.embedding, kv),
        quantised(model.embedding, kv, wide),
        quantised(own, model.embedding),
        quantised(model.embedding, model.feed_forward),
        quantised(model.embedding, model.feed_forward),
        quantised(model.feed_forward, model.embedding, wide),
    ]


def vectors(model: Published) -> int:
    """Return the bytes of the biases of q, k and v and of the two norms of a block."""
    return FLOAT * ((model.heads + 2 * model.heads_kv) * model.head + 2 * model.embedding)


def per_block(model: Published, of: Callable[[list[int]], int]) -> tuple[int, ...]:
    """Return a figure of the matrices of each block."""
    return tuple(of(matrices(model, layer)) for layer in range(model.layers))


def geometry(model: Published) -> Geometry:
    """Return the geometry of a model in Q4_K_M."""
    return Geometry(
        architecture="qwen2",
        layers=model.layers,
        embedding_length=model.embedding,
        feed_forward_length=model.feed_forward,
        head_count=model.heads,
        head_count_kv=(model.heads_kv,) * model.layers,
        key_length=model.head,
        value_length=model.head,
        vocabulary=model.vocabulary,
        context_length=32768,
        sliding_window=0,
        sliding_layers=(False,) * model.layers,
        block_bytes=per_block(model, lambda sizes: sum(sizes) + vectors(model)),
        largest_matrix_bytes=per_block(model, max),
        input_bytes=quantised(model.embedding, model.vocabulary, Q6_K if model.tied else Q4_K),
        output_bytes=quantised(model.embedding, model.vocabulary, Q6_K) + FLOAT * model.embedding,
        tied=model.tied,
    )


CHAT_3B = geometry(QWEN_3B)
CODE_7B = geometry(QWEN_CODER_7B)
