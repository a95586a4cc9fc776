"""Tiny random llama models that a real llama-server loads: real format, tokenizer and template, noise for answers.

The bytes depend on the name alone, so that their sha256 is the same in every build.
"""

import argparse
import hashlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import gguf
import numpy as np
from numpy.typing import NDArray

NAMES = ("chat", "code")
LAYERS, CONTEXT, EMBEDDING, FEED_FORWARD, HEADS, HEADS_KV = 2, 32768, 128, 128, 2, 1
HEAD = EMBEDDING // HEADS
TEMPLATE = (
    "{% for message in messages %}### {{ message.role }}\n{{ message.content }}\n\n{% endfor %}"
    "{% if add_generation_prompt %}### assistant\n{% endif %}"
)
WORDS = (
    "the a of to in is and that for it as with on by this from or an be are not which return value name file line "
    "list node pod key call read write search index chunk model server request answer test type class function loop "
    "if else while import export string number true false none error result data queue stack tree graph hash token "
    "path code chat query vector score rank cache lock time limit size count first last next new old one two three"
)


def vocabulary() -> Iterator[tuple[str, int, float]]:
    """Yield each token with its type and score: specials, every byte (so that any text has tokens), letters, words."""
    for special, kind in (
        ("<unk>", gguf.TokenType.UNKNOWN),
        ("<s>", gguf.TokenType.CONTROL),
        ("</s>", gguf.TokenType.CONTROL),
    ):
        yield special, kind, 0.0
    for byte in range(256):
        yield f"<0x{byte:02X}>", gguf.TokenType.BYTE, 0.0
    for letter in [chr(code) for code in range(33, 127)] + ["▁", "\n"]:
        yield letter, gguf.TokenType.NORMAL, -100.0
    for rank, word in enumerate(WORDS.split()):
        yield f"▁{word}", gguf.TokenType.NORMAL, -1.0 - rank / 1000


def noise(seed: str, *shape: int) -> NDArray[np.float16]:
    """Return numbers around 0 that depend on the seed alone, not on a library's generator."""
    size = int(np.prod(shape))
    raw = np.frombuffer(hashlib.shake_256(seed.encode()).digest(size * 2), dtype="<u2")
    return ((raw.astype(np.float32) / 32768 - 1) * 0.5).reshape(shape).astype(np.float16)


def tensors(name: str, vocabulary_size: int) -> Iterator[tuple[str, NDArray[np.generic]]]:
    """Yield the tensors of the model."""
    yield "token_embd.weight", noise(f"{name} embedding", vocabulary_size, EMBEDDING)
    shapes = {
        "attn_q": (HEADS * HEAD, EMBEDDING),
        "attn_k": (HEADS_KV * HEAD, EMBEDDING),
        "attn_v": (HEADS_KV * HEAD, EMBEDDING),
        "attn_output": (EMBEDDING, HEADS * HEAD),
        "ffn_gate": (FEED_FORWARD, EMBEDDING),
        "ffn_up": (FEED_FORWARD, EMBEDDING),
        "ffn_down": (EMBEDDING, FEED_FORWARD),
    }
    for layer in range(LAYERS):
        for norm in ("attn_norm", "ffn_norm"):
            yield f"blk.{layer}.{norm}.weight", np.ones(EMBEDDING, dtype=np.float32)
        for part, shape in shapes.items():
            yield f"blk.{layer}.{part}.weight", noise(f"{name} {layer} {part}", *shape)
    yield "output_norm.weight", np.ones(EMBEDDING, dtype=np.float32)
    output = noise(f"{name} output", vocabulary_size, EMBEDDING)
    output[:2] = output[3:259] = 0  # bytes and specials lose against words: noise, but legible
    yield "output.weight", output


def write_model(path: Path, name: str) -> None:
    """Write the model of this name."""
    tokens, kinds, scores = zip(*vocabulary(), strict=True)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name(f"tiny random {name}")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    writer.add_block_count(LAYERS)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(EMBEDDING)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS_KV)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(HEAD)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores(scores)
    writer.add_token_types(kinds)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_chat_template(TEMPLATE)
    for tensor, values in tensors(name, len(tokens)):
        writer.add_tensor(tensor, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_all(folder: Path) -> list[Path]:
    """Write chat.gguf and code.gguf into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        write_model(folder / f"{name}.gguf", name)
    return [folder / f"{name}.gguf" for name in NAMES]


def main(argv: Sequence[str] | None = None) -> int:
    """Write both models."""
    parser = argparse.ArgumentParser(prog="python -m e2e.standins.tiny_gguf", description=__doc__)
    parser.add_argument("folder", type=Path)
    for path in write_all(parser.parse_args(argv).folder):
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
