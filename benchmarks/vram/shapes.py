"""The published shapes of six models and which type each of their tensors has in a Q4_K_M file.

Numbers are those of the models' config.json; the mix of types is what llama.cpp's quantiser chooses for Q4_K_M.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from gguf import GGMLQuantizationType as Type

Tensor = tuple[str, tuple[int, ...], Type]


@dataclass(frozen=True, slots=True)
class Published:
    """One model as its authors published it; `tied` means that no output matrix of its own is in the file."""

    name: str
    architecture: str
    layers: int
    embedding: int
    feed_forward: int
    heads: int
    heads_kv: int
    head: int
    vocabulary: int
    context: int
    tied: bool
    biases: bool = False  # of query, key and value
    head_norms: bool = False  # of query and key
    post_norms: bool = False
    rope_factors: bool = False
    window: int = 0


MODELS = (
    Published("Qwen2.5-3B", "qwen2", 36, 2048, 11008, 16, 2, 128, 151936, 32768, tied=True, biases=True),
    Published("Qwen2.5-Coder-7B", "qwen2", 28, 3584, 18944, 28, 4, 128, 152064, 32768, tied=False, biases=True),
    Published("Llama-3.2-3B", "llama", 28, 3072, 8192, 24, 8, 128, 128256, 131072, tied=True, rope_factors=True),
    Published("Qwen3-4B", "qwen3", 36, 2560, 9728, 32, 8, 128, 151936, 40960, tied=True, head_norms=True),
    Published("Mistral-7B-v0.3", "llama", 32, 4096, 14336, 32, 8, 128, 32768, 32768, tied=False),
    Published("Gemma-2-2B", "gemma2", 26, 2304, 9216, 8, 4, 256, 256000, 8192, tied=True, post_norms=True, window=4096),
)


def tensors(model: Published) -> Iterator[Tensor]:
    """Yield name, shape (rows, columns) and type of each tensor in the order of the file."""
    yield "token_embd.weight", (model.vocabulary, model.embedding), Type.Q6_K if model.tied else Type.Q4_K
    if model.rope_factors:
        yield "rope_freqs.weight", (model.head // 2,), Type.F32
    for layer in range(model.layers):
        for name, shape, kind in block(model, layer):
            yield f"blk.{layer}.{name}", shape, kind
    yield "output_norm.weight", (model.embedding,), Type.F32
    if not model.tied:
        yield "output.weight", (model.vocabulary, model.embedding), Type.Q6_K


def block(model: Published, layer: int) -> Iterator[Tensor]:
    """Yield the tensors of one block."""
    more = Type.Q6_K if has_more_bits(layer, model.layers) else Type.Q4_K
    query, pair = model.heads * model.head, model.heads_kv * model.head
    wide, narrow = (model.feed_forward, model.embedding), (model.embedding, model.feed_forward)
    yield "attn_norm.weight", (model.embedding,), Type.F32
    for name, rows, kind in (("attn_q", query, Type.Q4_K), ("attn_k", pair, Type.Q4_K), ("attn_v", pair, more)):
        yield f"{name}.weight", (rows, model.embedding), kind
        if model.biases:
            yield f"{name}.bias", (rows,), Type.F32
    yield "attn_output.weight", (model.embedding, query), Type.Q4_K
    yield from norms(model)
    yield "ffn_gate.weight", wide, Type.Q4_K
    yield "ffn_up.weight", wide, Type.Q4_K
    yield "ffn_down.weight", narrow, more


def norms(model: Published) -> Iterator[Tensor]:
    """Yield the norms of one block but the first."""
    names = ["ffn_norm"]
    if model.post_norms:
        names += ["post_attention_norm", "post_ffw_norm"]
    for name in names:
        yield f"{name}.weight", (model.embedding,), Type.F32
    if model.head_norms:
        for name in ("attn_q_norm", "attn_k_norm"):
            yield f"{name}.weight", (model.head,), Type.F32


def has_more_bits(layer: int, layers: int) -> bool:
    """Tell whether Q4_K_M spends more bits on a layer: the first and last eighth, and every third between."""
    return layer < layers // 8 or layer >= 7 * layers // 8 or (layer - layers // 8) % 3 == 2
