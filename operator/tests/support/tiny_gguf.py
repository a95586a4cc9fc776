"""A whole model of a few hundred kilobytes, written by hand: what `coderag plan` reads of a real one."""

import struct
from pathlib import Path

STRING, U32, F32 = 8, 4, 0
EMBEDDING, FORWARD, HEADS, HEADS_KV, VOCABULARY = 64, 128, 4, 2, 96
ALIGNMENT = 32

Shape = tuple[int, ...]


def write_model(path: Path, *, layers: int = 4, architecture: str = "llama") -> Path:
    """Write a model of these many layers and return its path."""
    path.write_bytes(model_bytes(layers, architecture))
    return path


def model_bytes(layers: int = 4, architecture: str = "llama") -> bytes:
    """Return header, padding and zeros for data."""
    numbers = {
        "block_count": layers, "context_length": 4096, "embedding_length": EMBEDDING, "feed_forward_length": FORWARD,
        "attention.head_count": HEADS, "attention.head_count_kv": HEADS_KV,
    }  # fmt: skip
    pairs = [_text("general.architecture") + struct.pack("<I", STRING) + _text(architecture)]
    pairs += [_text(f"{architecture}.{name}") + struct.pack("<II", U32, number) for name, number in numbers.items()]
    tensors = _tensors(layers)
    places, end = [], 0
    for name, shape in tensors.items():
        places.append(_text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, F32, end))
        end += -(-_size(shape) // ALIGNMENT) * ALIGNMENT
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(pairs)) + b"".join(pairs + places)
    return head + bytes(-len(head) % ALIGNMENT) + bytes(end)


def _text(value: str) -> bytes:
    return struct.pack("<Q", len(value)) + value.encode()


def _size(shape: Shape) -> int:
    count = 4
    for length in shape:
        count *= length
    return count


def _tensors(layers: int) -> dict[str, Shape]:
    """Return name and shape of every tensor; the output is tied to the embedding."""
    key = EMBEDDING * HEADS_KV // HEADS
    block: dict[str, Shape] = {
        "attn_norm": (EMBEDDING,), "attn_q": (EMBEDDING, EMBEDDING), "attn_k": (EMBEDDING, key),
        "attn_v": (EMBEDDING, key), "attn_output": (EMBEDDING, EMBEDDING), "ffn_norm": (EMBEDDING,),
        "ffn_gate": (EMBEDDING, FORWARD), "ffn_up": (EMBEDDING, FORWARD), "ffn_down": (FORWARD, EMBEDDING),
    }  # fmt: skip
    named = {f"blk.{layer}.{name}.weight": shape for layer in range(layers) for name, shape in block.items()}
    return {"token_embd.weight": (EMBEDDING, VOCABULARY), "output_norm.weight": (EMBEDDING,), **named}
