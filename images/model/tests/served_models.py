"""Small models that a real llama-server loads, one for each architecture: every tensor it asks for, full of zeros."""

from collections.abc import Iterator
from itertools import chain

import gguf
from gguf import GGMLQuantizationType as Type
from zeros import Tensor, write_zeros

LAYERS, EMBEDDING, FORWARD, HEADS, HEAD, VOCABULARY = 8, 512, 1024, 8, 64, 4096
WINDOW, CONTEXT = 512, 4096
TIED = {"gemma", "gemma2", "gemma3", "qwen2", "qwen3"}
FUSED = {"phi2", "phi3"}


def heads_kv(architecture: str) -> int:
    return HEADS if architecture == "phi2" else 2


def tensors(architecture: str) -> Iterator[Tensor]:
    yield "token_embd.weight", (VOCABULARY, EMBEDDING), Type.Q8_0
    yield "output_norm.weight", (EMBEDDING,), Type.F32
    if architecture not in TIED:
        yield "output.weight", (VOCABULARY, EMBEDDING), Type.Q6_K
    if architecture == "phi2":
        yield "output_norm.bias", (EMBEDDING,), Type.F32
        yield "output.bias", (VOCABULARY,), Type.F32
    if architecture == "phi3":
        for length in ("long", "short"):
            yield f"rope_factors_{length}.weight", (HEAD // 2,), Type.F32
    for layer in range(LAYERS):
        for name, shape, kind in chain(vectors(architecture), attention(architecture), feed_forward(architecture)):
            yield f"blk.{layer}.{name}", shape, kind


def vectors(architecture: str) -> Iterator[Tensor]:
    """The norms and biases of a layer."""
    key = heads_kv(architecture) * HEAD
    sizes = {"attn_norm.weight": EMBEDDING}
    if architecture == "phi2":
        sizes |= {"attn_norm.bias": EMBEDDING, "attn_qkv.bias": 3 * key, "attn_output.bias": EMBEDDING}
        sizes |= {"ffn_up.bias": FORWARD, "ffn_down.bias": EMBEDDING}
    else:
        sizes["ffn_norm.weight"] = EMBEDDING
    if architecture == "qwen2":
        sizes |= {"attn_q.bias": HEADS * HEAD, "attn_k.bias": key, "attn_v.bias": key}
    if architecture in {"qwen3", "gemma3"}:
        sizes |= {"attn_q_norm.weight": HEAD, "attn_k_norm.weight": HEAD}
    if architecture in {"gemma2", "gemma3"}:
        sizes |= {"post_attention_norm.weight": EMBEDDING, "post_ffw_norm.weight": EMBEDDING}
    for name, size in sizes.items():
        yield name, (size,), Type.F32


def attention(architecture: str) -> Iterator[Tensor]:
    query, key = HEADS * HEAD, heads_kv(architecture) * HEAD
    if architecture in FUSED:
        yield "attn_qkv.weight", (query + 2 * key, EMBEDDING), Type.Q4_K
    else:
        yield "attn_q.weight", (query, EMBEDDING), Type.Q4_K
        yield "attn_k.weight", (key, EMBEDDING), Type.Q4_K
        yield "attn_v.weight", (key, EMBEDDING), Type.Q6_K
    yield "attn_output.weight", (EMBEDDING, query), Type.Q4_K


def feed_forward(architecture: str) -> Iterator[Tensor]:
    if architecture not in FUSED:
        yield "ffn_gate.weight", (FORWARD, EMBEDDING), Type.Q4_K
    yield "ffn_up.weight", (2 * FORWARD if architecture == "phi3" else FORWARD, EMBEDDING), Type.Q4_K
    yield "ffn_down.weight", (EMBEDDING, FORWARD), Type.Q6_K


def write(path, architecture: str) -> None:
    """Write the model; a window is stated even where llama.cpp does not use it."""
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_block_count(LAYERS)
    writer.add_context_length(8192)
    writer.add_embedding_length(EMBEDDING)
    writer.add_feed_forward_length(FORWARD)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(heads_kv(architecture))
    writer.add_layer_norm_eps(1e-5)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_dimension_count(HEAD)
    writer.add_rope_scaling_orig_ctx_len(4096)
    writer.add_sliding_window(WINDOW)
    add_vocabulary(writer)
    write_zeros(writer, tensors(architecture))


def add_vocabulary(writer: gguf.GGUFWriter) -> None:
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    kinds = [gguf.TokenType.UNKNOWN, *[gguf.TokenType.CONTROL] * 2, *[gguf.TokenType.BYTE] * 256]
    rest = VOCABULARY - len(tokens)
    writer.add_tokenizer_model("llama")
    writer.add_token_list([*tokens, *(f"t{number:x}" for number in range(rest))])
    writer.add_token_scores([0.0] * VOCABULARY)
    writer.add_token_types([*kinds, *[gguf.TokenType.NORMAL] * rest])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
