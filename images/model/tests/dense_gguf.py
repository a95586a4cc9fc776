"""Whole models made by hand: the tensors that llama.cpp asks of a dense decoder, filled with nothing."""

import io
from dataclasses import dataclass

from gguf_bytes import STRING, U32, header

F32, F16, Q4_0, Q8_0, Q4_K, Q6_K = 0, 1, 2, 8, 12, 14
BLOCKS = {F32: (1, 4), F16: (1, 2), Q4_0: (32, 18), Q8_0: (32, 34), Q4_K: (256, 144), Q6_K: (256, 210)}


@dataclass(frozen=True)
class Dense:
    """The shape of a model; what is per layer is alike in all."""

    architecture: str = "llama"
    layers: int = 3
    embedding: int = 512
    forward: int = 768
    heads: int = 8
    heads_kv: int = 2
    head: int = 64
    vocabulary: int = 320
    tied: bool = False
    matrix: int = Q4_K

    def keys(self, **more):
        prefix = self.architecture
        numbers = {
            "block_count": self.layers, "context_length": 4096, "embedding_length": self.embedding,
            "feed_forward_length": self.forward, "attention.head_count": self.heads,
            "attention.head_count_kv": self.heads_kv,
        }  # fmt: skip
        found = {"general.architecture": (STRING, prefix)}
        found |= {f"{prefix}.{name}": (U32, number) for name, number in numbers.items()}
        found |= {name.replace("__", "."): content for name, content in more.items()}
        return {name: content for name, content in found.items() if content}

    def tensors(self):
        """Name, shape and type, without places."""
        norm = ((self.embedding,), F32)
        yield "token_embd.weight", (self.embedding, self.vocabulary), Q6_K
        yield "output_norm.weight", *norm
        if not self.tied:
            yield "output.weight", (self.embedding, self.vocabulary), Q6_K
        for layer in range(self.layers):
            for name, shape in self.matrices():
                yield f"blk.{layer}.{name}.weight", shape, self.matrix
            yield f"blk.{layer}.attn_norm.weight", *norm
            yield f"blk.{layer}.ffn_norm.weight", *norm

    def matrices(self):
        query, key = self.heads * self.head, self.heads_kv * self.head
        yield "attn_q", (self.embedding, query)
        yield "attn_k", (self.embedding, key)
        yield "attn_v", (self.embedding, key)
        yield "attn_output", (query, self.embedding)
        yield "ffn_gate", (self.embedding, self.forward)
        yield "ffn_up", (self.embedding, self.forward)
        yield "ffn_down", (self.forward, self.embedding)


def nbytes(shape, kind):
    count = 1
    for length in shape:
        count *= length
    block, size = BLOCKS.get(kind, (1, 1))
    return count // block * size


def placed(tensors, alignment=32):
    """Give tensors their places, one after the other."""
    place = 0
    for name, shape, kind in tensors:
        yield name, shape, kind, place
        place += -(-nbytes(shape, kind) // alignment) * alignment


def data_of(tensors, alignment=32):
    tensors = list(placed(tensors, alignment))
    return bytes(tensors[-1][3] + nbytes(*tensors[-1][1:3])) if tensors else b""


def whole(pairs, tensors):
    """A file: header, padding, data."""
    tensors = list(tensors)
    head = header(pairs, list(placed(tensors)))
    return head + bytes(-len(head) % 32) + data_of(tensors)


def file_of(dense=None, **more):
    dense = dense or Dense()
    return whole(dense.keys(**more), dense.tensors())


def stream_of(dense=None, **more):
    return io.BytesIO(file_of(dense, **more))


def split(dense, count):
    """The bytes of each of several files; the keys are in the first."""
    tensors = list(dense.tensors())
    share = -(-len(tensors) // count)
    for number in range(count):
        pairs = dense.keys() if number == 0 else {}
        pairs |= {"split.no": (2, number), "split.count": (2, count), "split.tensors.count": (5, len(tensors))}
        yield whole(pairs, tensors[number * share : (number + 1) * share])
