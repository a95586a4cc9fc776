"""Write a tiny llama model of random numbers that the real llama-server loads and serves; its answers are noise.

The same seed gives the same bytes, so that its sha256 can be known before it is fetched.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

SEEDS = {"chat": 1, "code": 2}
WIDTH, LAYERS, HEADS, FEED_FORWARD, CONTEXT = 64, 2, 4, 128, 8192
SPECIAL = ("<unk>", "<s>", "</s>")
TEMPLATE = (
    "{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)


def build_vocabulary() -> tuple[list[bytes], list[float], list[int]]:
    """Return tokens, scores and types of a byte-level SentencePiece vocabulary with printable ASCII on top."""
    from gguf import TokenType

    letters = [chr(code) for code in range(33, 127)] + ["\u2581"]
    tokens = [text.encode() for text in (*SPECIAL, *(f"<0x{byte:02X}>" for byte in range(256)), *letters)]
    kinds = [
        TokenType.UNKNOWN,
        TokenType.CONTROL,
        TokenType.CONTROL,
        *[TokenType.BYTE] * 256,
        *[TokenType.NORMAL] * len(letters),
    ]
    return tokens, [0.0] * len(tokens), [int(kind) for kind in kinds]


def write_model(path: Path, name: str, seed: int) -> None:
    """Write one model file."""
    import gguf
    import numpy as np

    tokens, scores, kinds = build_vocabulary()
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name(f"tiny-random-{name}")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS // 2)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(tokens))
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores(scores)
    writer.add_token_types(kinds)
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_chat_template(TEMPLATE)
    generator = np.random.default_rng(seed)
    for tensor, shape in shapes(len(tokens)).items():
        values = np.ones(shape) if tensor.endswith("norm.weight") else generator.standard_normal(shape) * 0.1
        writer.add_tensor(tensor, values.astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def shapes(vocabulary: int) -> dict[str, tuple[int, ...]]:
    """Return every tensor's name and shape (rows, columns)."""
    narrow = WIDTH // 2
    found: dict[str, tuple[int, ...]] = {
        "token_embd.weight": (vocabulary, WIDTH),
        "output_norm.weight": (WIDTH,),
        "output.weight": (vocabulary, WIDTH),
    }
    for layer in range(LAYERS):
        block = {
            "attn_norm": (WIDTH,), "ffn_norm": (WIDTH,), "attn_q": (WIDTH, WIDTH), "attn_k": (narrow, WIDTH),
            "attn_v": (narrow, WIDTH), "attn_output": (WIDTH, WIDTH), "ffn_gate": (FEED_FORWARD, WIDTH),
            "ffn_up": (FEED_FORWARD, WIDTH), "ffn_down": (WIDTH, FEED_FORWARD),
        }  # fmt: skip
        found |= {f"blk.{layer}.{part}.weight": shape for part, shape in block.items()}
    return found


def write_all(folder: Path) -> list[Path]:
    """Write chat.gguf and code.gguf into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, seed in SEEDS.items():
        write_model(folder / f"{name}.gguf", name, seed)
    return [folder / f"{name}.gguf" for name in SEEDS]


def main(argv: Sequence[str] | None = None) -> int:
    """Write both models."""
    parser = argparse.ArgumentParser(prog="python -m e2e.standins.tiny_gguf", description=__doc__)
    parser.add_argument("folder", type=Path)
    for path in write_all(parser.parse_args(argv).folder):
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
