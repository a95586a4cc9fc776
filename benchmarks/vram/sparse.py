"""A GGUF file that is all header: real metadata and tensor table, and a hole where the weights would be."""

from collections.abc import Iterator
from math import prod
from pathlib import Path

import numpy as np
from gguf import GGML_QUANT_SIZES, GGUFWriter, LlamaFileType, TokenType
from gguf import GGMLQuantizationType as Type

from benchmarks.vram.shapes import Published, tensors


def write_sparse(path: Path, model: Published) -> None:
    """Write the model's file; it takes a few megabytes on disk, whatever its length says."""
    writer = GGUFWriter(path, model.architecture)
    _add_keys(writer, model)
    _add_vocabulary(writer, model.vocabulary)
    length = 0
    for name, shape, kind in tensors(model):
        size = byte_size(shape, kind)
        writer.add_tensor_info(name, shape, np.dtype(np.float32), size, raw_dtype=kind)
        length += GGUFWriter.ggml_pad(size, writer.data_alignment)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    writer.close()
    with path.open("r+b") as file:
        file.truncate(GGUFWriter.ggml_pad(path.stat().st_size, writer.data_alignment) + length)


def byte_size(shape: tuple[int, ...], kind: Type) -> int:
    """Return the bytes of a tensor."""
    elements, size = GGML_QUANT_SIZES[kind]
    return prod(shape) // elements * size


def _add_keys(writer: GGUFWriter, model: Published) -> None:
    writer.add_name(model.name)
    writer.add_file_type(LlamaFileType.MOSTLY_Q4_K_M)
    writer.add_block_count(model.layers)
    writer.add_context_length(model.context)
    writer.add_embedding_length(model.embedding)
    writer.add_feed_forward_length(model.feed_forward)
    writer.add_head_count(model.heads)
    writer.add_head_count_kv(model.heads_kv)
    writer.add_key_length(model.head)
    writer.add_value_length(model.head)
    writer.add_rope_dimension_count(model.head)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_vocab_size(model.vocabulary)
    if model.window:
        writer.add_sliding_window(model.window)


def _add_vocabulary(writer: GGUFWriter, size: int) -> None:
    tokens, kinds = zip(*_vocabulary(size), strict=True)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores([0.0] * size)
    writer.add_token_types(kinds)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)


def _vocabulary(size: int) -> Iterator[tuple[str, int]]:
    """Yield as many tokens as the model has: specials, the bytes, and numbered ones."""
    yield from (("<unk>", TokenType.UNKNOWN), ("<s>", TokenType.CONTROL), ("</s>", TokenType.CONTROL))
    for byte in range(256):
        yield f"<0x{byte:02X}>", TokenType.BYTE
    for number in range(size - 259):
        yield f"t{number:x}", TokenType.NORMAL
