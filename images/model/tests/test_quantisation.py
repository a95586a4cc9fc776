"""The table of types is that of ggml, as the `gguf` package has it."""

import gguf
import pytest
from coderag_model.quantisation import TYPES
from coderag_model.tensors import CPU, CUDA, Tensor

STALE = {"Q8_1"}  # the package says 40 bytes, ggml-common.h 36 since its sums are half floats; no file holds it
NEWER = {"Q2_0"}  # in ggml.h, not yet in the package


def test_every_type_of_the_package_is_known_with_its_sizes():
    theirs = {(kind.value, kind.name): sizes for kind, sizes in gguf.GGML_QUANT_SIZES.items() if kind.name not in STALE}
    ours = {(number, kind.name): (kind.block, kind.size) for number, kind in TYPES.items()}
    assert {key: sizes for key, sizes in ours.items() if key[1] not in STALE | NEWER} == theirs


@pytest.mark.parametrize(
    ("shape", "kind", "cpu", "cuda"),
    [
        ((3584, 18944), 12, 38_191_104, 38_191_104),  # Q4_K, Qwen2.5-Coder-7B ffn_up: nothing to pad
        ((11008, 2048), 14, 18_493_440, 18_493_696),  # Q6_K, Qwen2.5-3B ffn_down: half a row of 512 is missing
        ((128,), 0, 512, 512),
        ((5,), 0, 32, 128),
        ((), 0, 32, 128),
        ((96, 3), 1, 576, 640),  # F16 is not quantised: no row is made up
        ((0, 7), 12, 0, 0),
    ],
)
def test_tensors_take_what_llama_cpp_allocates(shape, kind, cpu, cuda):
    tensor = Tensor("t", shape, kind, 0)
    assert (CPU.bytes_of(tensor), CUDA.bytes_of(tensor)) == (cpu, cuda)
