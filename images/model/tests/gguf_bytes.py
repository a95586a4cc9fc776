"""GGUF bytes made by hand, independent of the reader under test."""

import struct

U8, I8, U16, I16, U32, I32, F32, BOOL, STRING, ARRAY, U64, I64, F64 = range(13)
CODES = {U8: "B", I8: "b", U16: "H", I16: "h", U32: "I", I32: "i", F32: "f", BOOL: "?", U64: "Q", I64: "q", F64: "d"}
TENSORS = [("token_embd.weight", (64, 10), 1, 0), ("blk.0.attn_q.weight", (64, 64), 1, 1280)]


def text(value):
    raw = value if isinstance(value, bytes) else value.encode()
    return struct.pack("<Q", len(raw)) + raw


def value(kind, content):
    if kind == STRING:
        return text(content)
    if kind == ARRAY:
        inner, items = content
        return struct.pack("<IQ", inner, len(items)) + b"".join(value(inner, item) for item in items)
    return struct.pack("<" + CODES[kind], content)


def pair(key, kind, content):
    return text(key) + struct.pack("<I", kind) + value(kind, content)


def tensor(name, shape, kind, offset):
    return text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)


def keys(**changes):
    """The keys of a small llama model; a change to None takes a key out."""
    found = {
        "general.architecture": (STRING, "llama"),
        "general.name": (STRING, "tiny"),
        "general.file_type": (U32, 1),
        "llama.block_count": (U32, 2),
        "llama.context_length": (U32, 4096),
        "llama.embedding_length": (U32, 64),
        "llama.attention.head_count": (U32, 4),
        "llama.attention.head_count_kv": (U32, 2),
        "tokenizer.ggml.tokens": (ARRAY, (STRING, ["a", "b", "c"])),
        "tokenizer.ggml.scores": (ARRAY, (F32, [0.0, 1.0, 2.0])),
        "tokenizer.ggml.add_bos_token": (BOOL, True),
    }
    found |= {name.replace("__", "."): content for name, content in changes.items()}
    return {name: content for name, content in found.items() if content}


def header(pairs=None, tensors=TENSORS, version=3, key_count=None, tensor_count=None):
    pairs = keys() if pairs is None else pairs
    counts = (len(tensors) if tensor_count is None else tensor_count, len(pairs) if key_count is None else key_count)
    head = b"GGUF" + struct.pack("<IQQ", version, *counts)
    body = b"".join(pair(name, *content) for name, content in pairs.items())
    return head + body + b"".join(tensor(*each) for each in tensors)


def model(**changes):
    """A whole file: header, padding, data."""
    head = header(keys(**changes))
    return head + bytes(-len(head) % 32) + bytes(range(256)) * 40
