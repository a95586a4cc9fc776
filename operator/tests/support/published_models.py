"""The geometry of models at their published shapes, made from the quantisation rule instead of a file of gigabytes."""

from coderag_model.geometry import Geometry
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

from benchmarks.vram.shapes import MODELS, Published, tensors

ROW, UNIT = 512, 128  # MATRIX_ROW_PADDING and the alignment of ggml-cuda


def allocated(shape: tuple[int, ...], kind: GGMLQuantizationType) -> int:
    """Return the bytes of a tensor as CUDA allocates it: the last row of a matrix filled up, whole units of 128."""
    block, size = GGML_QUANT_SIZES[kind]
    *rows, columns = shape
    if not rows:
        return columns * size
    filled = rows[0] * columns // block * size + (-columns % ROW) // block * size
    return -(-filled // UNIT) * UNIT


def geometry(model: Published) -> Geometry:
    """Return the geometry of a model in Q4_K_M."""
    sizes = {name: allocated(shape, kind) for name, shape, kind in tensors(model)}
    blocks = [[sizes[name] for name in sizes if name.startswith(f"blk.{n}.")] for n in range(model.layers)]
    output = sizes["token_embd.weight" if model.tied else "output.weight"]
    return Geometry(
        architecture=model.architecture,
        layers=model.layers,
        embedding_length=model.embedding,
        feed_forward_length=model.feed_forward,
        head_count=model.heads,
        head_count_kv=(model.heads_kv,) * model.layers,
        key_length=model.head,
        value_length=model.head,
        vocabulary=model.vocabulary,
        context_length=model.context,
        sliding_window=0,
        sliding_layers=(False,) * model.layers,
        block_bytes=tuple(map(sum, blocks)),
        largest_matrix_bytes=tuple(map(max, blocks)),
        input_bytes=sizes["token_embd.weight"],
        output_bytes=output + sizes["output_norm.weight"],
        tied=model.tied,
    )


CHAT_3B, CODE_7B = (geometry(model) for model in MODELS[:2])  # Qwen2.5-3B and Qwen2.5-Coder-7B
