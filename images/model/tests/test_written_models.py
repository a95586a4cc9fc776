"""Files of the real `gguf` writer, one for each architecture, are measured to the byte."""

from itertools import cycle

import gguf
import pytest
from coderag_model.architectures import MODELLED
from coderag_model.opening import open_geometry
from coderag_model.tensors import CPU
from dense_gguf import Dense
from zeros import write_zeros

KINDS = [
    gguf.GGMLQuantizationType[name] for name in ("Q4_K", "Q6_K", "Q8_0", "IQ4_XS", "MXFP4", "F16", "BF16", "TQ1_0")
]
TIED = {"gemma", "gemma2"}


def write(path, dense, kind):
    """Write a model; give the bytes of its tensors by name, as the package counts them."""
    writer = gguf.GGUFWriter(path, dense.architecture)
    writer.add_block_count(dense.layers)
    writer.add_context_length(4096)
    writer.add_embedding_length(dense.embedding)
    writer.add_feed_forward_length(dense.forward)
    writer.add_head_count(dense.heads)
    writer.add_head_count_kv(dense.heads_kv)
    writer.add_token_list(["a", "b", "c"] * 100)
    writer.add_array("tokenizer.ggml.scores", [0.5] * 300)
    plain = gguf.GGMLQuantizationType.F32
    shapes = ((name, shape[::-1]) for name, shape, _ in dense.tensors())
    return write_zeros(writer, ((name, shape, plain if len(shape) == 1 else kind) for name, shape in shapes))


@pytest.mark.parametrize(
    ("architecture", "kind"),
    [*zip(MODELLED, cycle(KINDS)), *(("qwen2", kind) for kind in KINDS)],
    ids=lambda value: getattr(value, "name", value),
)
def test_a_written_model_is_measured_to_the_byte(tmp_path, architecture, kind):
    dense = Dense(architecture=architecture, tied=architecture in TIED, layers=2)
    sizes = write(tmp_path / "m.gguf", dense, kind)
    found = open_geometry(str(tmp_path / "m.gguf"), allocator=CPU)
    blocks = [sum(size for name, size in sizes.items() if name.startswith(f"blk.{layer}.")) for layer in range(2)]
    output = sizes["token_embd.weight" if dense.tied else "output.weight"]
    assert found.block_bytes == tuple(blocks)
    assert found.input_bytes == sizes["token_embd.weight"]
    assert found.output_bytes == sizes["output_norm.weight"] + output
    assert (found.vocabulary, found.layers, found.architecture) == (320, 2, architecture)
